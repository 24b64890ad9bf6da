"""Proxies of one gradient of the loss with respect to the weights: grad_norm, snip, plain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def grad_norm(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
    """``sum_l ||g_l||_2``."""
    return float(torch.stack(torch._foreach_norm(list(gradients))).double().sum())


@torch.no_grad()
def snip(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
    """``sum_l sum |W_l g_l|``."""
    products = torch._foreach_mul(list(weights), list(gradients))
    return float(torch.stack(torch._foreach_norm(products, 1)).double().sum())


@torch.no_grad()
def plain(weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
    """``sum_l sum W_l g_l``, in float64: where terms cancel, float32 would leave noise alone."""
    terms = [(w.double() * g.double()).sum() for w, g in zip(weights, gradients, strict=True)]
    return float(torch.stack(terms).sum())


@torch.no_grad()
def l2_norm(weights: Sequence[Tensor]) -> float:
    """``sum_l ||W_l||_2``."""
    return float(torch.stack(torch._foreach_norm(list(weights))).double().sum())
