"""Many copies of one network, each with weights of its own, evaluated in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from nasdsl.training.data.dataset import Dataset
from nasdsl.training.loop import PREDICTION_BATCH


@torch.no_grad()
def predict_copies(
    module: nn.Module,
    copies: Sequence[Mapping[str, Tensor]],
    data: Dataset,
    x: Tensor,
    batch: int = PREDICTION_BATCH,
) -> Tensor:
    """Outputs of the module in eval mode with each set of parameters, [M, N, ...] in float32.

    Equal to M passes, one for each set, within rounding: a call of torch does all copies, by
    vmap. The module, its modes included, is left as it was.

    Args:
        module: whose buffers all copies use.
        copies: parameters by name, of every copy the same names.
        data: says how samples are normalized.
        x: samples as they are stored, [N, ...].
        batch: samples of one pass; each holds the results of M copies.
    """
    stacked = {name: torch.stack([copy[name] for copy in copies]) for name in copies[0]}
    training = [part for part in module.modules() if part.training]
    module.eval()

    def run(weights: dict[str, Tensor], inputs: Tensor) -> Tensor:
        output: Tensor = functional_call(module, weights, (inputs,))
        return output

    every = vmap(run, in_dims=(0, None), randomness="different")
    try:
        parts = [
            every(stacked, data.inputs(x[start : start + batch]))
            for start in range(0, len(x), batch)
        ]
    finally:
        for part in training:
            part.training = True
    return torch.cat(parts, 1).float()
