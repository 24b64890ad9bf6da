"""GraSP: how the gradient flow changes when weights are taken away, ``-w H g``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nasdsl.objectives.proxies.subject import sensitivities


def grasp(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
    """``sum_l sum -W_l (H g)_l``, by a second backward pass through the gradients.

    Args:
        weights: of the layers.
        gradients: of the loss with respect to them, with their graph.
    """
    flow = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
    products = sensitivities(flow, weights)
    with torch.no_grad():
        terms = [-(w.double() * h).sum() for w, h in zip(weights, products, strict=True)]
        return float(torch.stack(terms).sum())
