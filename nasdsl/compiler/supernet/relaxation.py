"""Weights of the alternatives of a decision, as learned architecture parameters."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["softmax", "gumbel", "hard"]
KINDS: tuple[Kind, ...] = ("softmax", "gumbel", "hard")


class Relaxation(nn.Module):
    """A learned vector ``alpha`` and the weights that it stands for.

    ``softmax`` (DARTS, Liu et al. 2019) gives the softmax of ``alpha / temperature``;
    ``gumbel`` adds Gumbel noise to alpha first (Jang et al. 2017); ``hard`` rounds the gumbel
    weights to zeros and ones and passes gradients straight through (GDAS, Dong & Yang 2019).
    The noise comes from torch's global generator, as that of dropout does, and only in
    training: in evaluation ``gumbel`` is ``softmax`` and ``hard`` takes the largest alpha.

    With ``picked`` = k the vector is over the members of which k are picked: weights are k
    times the softmax, which sums to as many tensors as an architecture has, and ``hard`` takes
    the k largest.
    """

    def __init__(self, size: int, kind: Kind, picked: int = 1) -> None:
        super().__init__()
        self.alpha = nn.Parameter(1e-3 * torch.randn(size))
        self.kind: Kind = kind
        self.picked = picked
        self.temperature = 1.0

    def extra_repr(self) -> str:
        """The size and kind."""
        return f"{self.alpha.numel()}, {self.kind}, picked={self.picked}"

    def forward(self) -> Tensor:
        """The weights: one for each alternative; their sum is ``picked``."""
        logits: Tensor = self.alpha
        if self.training and self.kind != "softmax":
            logits = logits - torch.empty_like(logits).exponential_().log()
        soft = self.picked * torch.softmax(logits / self.temperature, 0)
        if self.kind != "hard":
            return soft
        taken = torch.zeros_like(soft).scatter(0, logits.topk(self.picked).indices, 1.0)
        return taken + (soft - soft.detach())
