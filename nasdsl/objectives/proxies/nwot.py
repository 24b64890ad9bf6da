"""NASWOT: how differently the samples of a batch switch a network's units."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nasdsl.objectives.proxies.outcome import Undefined
from nasdsl.objectives.proxies.subject import ACTIVATIONS


class Kernel:
    """Collects K over a forward pass: for each pair of samples the units that agree.

    ``sum over layers of b b' + (1 - b)(1 - b)'``, b = 1 where the operand of an activation is
    positive.
    """

    def __init__(self, module: nn.Module, samples: int):
        self._samples = samples
        self._kernel: Tensor | None = None
        self._last: tuple[weakref.ref[Tensor], Tensor] | None = None
        self._handles: list[RemovableHandle] = [
            part.register_forward_pre_hook(self._seen)
            for part in module.modules()
            if isinstance(part, ACTIVATIONS)
        ]

    def _seen(self, _: nn.Module, operands: tuple[Any, ...]) -> None:
        operand = operands[0]
        if len(operand) != self._samples:
            return
        # Several activations of one tensor, as on the edges out of a node, agree alike.
        if self._last is None or self._last[0]() is not operand:
            self._last = (weakref.ref(operand), _agreeing(operand))
        agree = self._last[1]
        self._kernel = agree if self._kernel is None else self._kernel + agree

    def close(self) -> float:
        """``ln det K``.

        Raises:
            Undefined: there is no activation, or K is singular.
        """
        self.remove()
        if self._kernel is None:
            raise Undefined("the network has no activation layer")
        sign, value = torch.linalg.slogdet(self._kernel)
        distinct = torch.linalg.matrix_rank(self._kernel, hermitian=True)
        if sign <= 0 or distinct < self._samples:
            raise Undefined("samples switch the same units, so that its kernel is singular")
        return float(value)

    def remove(self) -> None:
        """Takes the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


@torch.no_grad()
def _agreeing(operand: Tensor) -> Tensor:
    """``b b' + (1 - b)(1 - b)'`` for ``b = operand > 0``, in float64."""
    on = (operand.detach() > 0).flatten(1).float()
    # With s the row sums: (1 - b)(1 - b)' = D - s - s' + b b', whole numbers that float32 holds
    # exactly up to 16.7 million units a layer.
    both, ones = on @ on.T, on.sum(1)
    return 2 * both.double() + on.shape[1] - (ones[:, None] + ones).double()
