"""Statistics of batch normalization for the path that a supernet is on."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(module: nn.Module, batches: Iterable[Tensor | tuple[Tensor, ...]]) -> None:
    """Set running means and variances to the mean over these batches of inputs.

    Weights shared by many paths leave statistics that are right for none (Yu et al. 2019).
    Modules that the forward pass does not reach keep theirs; everything else runs as in
    evaluation, without gradients. Modes are left as they were.
    """
    reached: set[nn.Module] = set()
    modes = {inner: inner.training for inner in module.modules()}
    momenta: dict[_BatchNorm, float | None] = {}
    hooks = []

    def reset(norm: nn.Module, inputs: object) -> None:
        if norm not in reached:
            assert isinstance(norm, _BatchNorm)
            reached.add(norm)
            norm.reset_running_stats()

    try:
        module.eval()
        for inner in module.modules():
            if isinstance(inner, _BatchNorm) and inner.track_running_stats:
                momenta[inner] = inner.momentum
                inner.momentum = None  # the plain mean over all batches
                inner.train()
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
