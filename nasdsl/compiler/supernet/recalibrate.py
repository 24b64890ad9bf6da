"""Statistics of batch normalization for the path that a supernet is on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nasdsl.compiler.supernet.elastic import Elastic


def recalibrate(module: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> None:
    """Set running means and variances to the mean over these batches of inputs.

    Weights shared by many paths leave statistics that are right for none (Yu et al. 2019).
    Modules that the forward pass does not reach keep theirs; everything else runs as in
    evaluation, without gradients. Modes are left as they were.
    """
    modes = {inner: inner.training for inner in module.modules()}
    momenta: dict[_BatchNorm, float | None] = {}
    reached: set[nn.Module] = set()
    hooks = []

    def reset(inner: nn.Module, inputs: object) -> None:
        if inner not in reached:
            reached.add(inner)
            for norm in _norms(inner):
                norm.reset_running_stats()

    try:
        module.eval()
        for inner in module.modules():
            # An elastic module computes by the modules of its sizes on tensors of its own.
            sizes = inner.sizes if isinstance(inner, Elastic) else [inner]
            if isinstance(inner, _BatchNorm | Elastic):
                norms = [norm for size in sizes for norm in _norms(size)]
                momenta |= {norm: norm.momentum for norm in norms}
                for norm in norms:
                    norm.momentum = None  # the plain mean over all batches
                inner.training = bool(norms)
                hooks.append(inner.register_forward_pre_hook(reset))
        with torch.no_grad():
            for batch in batches:
                module(*(batch if isinstance(batch, tuple) else (batch,)))
    finally:
        for hook in hooks:
            hook.remove()
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for inner, mode in modes.items():
            inner.training = mode


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
