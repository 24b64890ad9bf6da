"""Gradients of the decisions of a mixed supernet.

The problem of DARTS (Liu, Simonyan and Yang, 2019) is ``min_a L_val(w*(a), a)`` with
``w*(a) = argmin_w L_train(w, a)``. Neither gradient here knows ``w*``: the one of first order
takes ``w* = w``, the one of second order ``w* = w - lr dL_train(w, a)/dw``, one step of the
weights' own optimizer, through which it differentiates exactly (the paper approximates the
product with the Hessian by a finite difference).

The loss on the validation side is the mean over the mixture and the neighbors given. They are
gone through one by one, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nasdsl.training.oneshot.mixture import Decisions, Move

Loss = Callable[[Tensor], Tensor]
"""From the outputs for a batch to a scalar."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of SGD on the weights, as the gradient of second order looks through.

    ``w' = w - lr (momentum v + dL/dw + weight_decay w)``, ``v`` the optimizer's momentum (zero
    where a parameter has none yet).
    """

    lr: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    velocity: Mapping[str, Tensor | None] | None = None

    def taken(
        self, parameters: Mapping[str, Tensor], slopes: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """The parameters after it, differentiable in the slopes."""
        moved: dict[str, Tensor] = {}
        for name, value in parameters.items():
            change = self.weight_decay * value.detach()
            if name in slopes:
                change = change + slopes[name]
            before = None if self.velocity is None else self.velocity.get(name)
            if before is not None:
                change = change + self.momentum * before
            moved[name] = value.detach() - self.lr * change
        return moved


def first_order(
    supernet: nn.Module, decisions: Decisions, x: Tensor, loss: Loss, near: Sequence[Move] = ()
) -> float:
    """Adds ``dL_val(w, a)/da`` to the gradients of the decisions; gives the loss of the mixture.

    Args:
        supernet: called with a batch and the weights of the alternatives.
        decisions: the vectors ``a``.
        x: a batch of the validation side.
        loss: of its outputs.
        near: neighbors over which, with the mixture, the loss is averaged.
    """
    parameters = {name: p.detach() for name, p in supernet.named_parameters()}
    return _averaged(supernet, parameters, decisions, x, loss, near, None)


def second_order(
    supernet: nn.Module,
    decisions: Decisions,
    train: tuple[Tensor, Loss],
    validation: tuple[Tensor, Loss],
    step: Step,
    near: Sequence[Move] = (),
) -> float:
    """As :func:`first_order` with ``w'`` for ``w``, the dependence of ``w'`` on ``a`` included.

    ``train`` and ``validation`` are batches with their losses. Neighbors are taken at the same
    ``w'``, that of the mixture.
    """
    own = {name: p.detach().requires_grad_() for name, p in supernet.named_parameters()}
    x, loss = train
    value = loss(functional_call(supernet, own, (x, decisions())))
    found = torch.autograd.grad(value, list(own.values()), create_graph=True, allow_unused=True)
    slopes = {n: g for n, g in zip(own, found, strict=True) if g is not None}
    ahead = step.taken(own, slopes)
    # Leaves at w', so that all neighbors share one way back through the step.
    leaves = {name: value.detach().requires_grad_() for name, value in ahead.items()}
    x, loss = validation
    result = _averaged(supernet, leaves, decisions, x, loss, near, leaves)
    through = [n for n in slopes if ahead[n].requires_grad and leaves[n].grad is not None]
    if through:
        pulled = [leaves[n].grad for n in through]
        alphas = [p for p in decisions.parameters() if p.requires_grad]
        more = torch.autograd.grad(
            [ahead[n] for n in through], alphas, grad_outputs=pulled, allow_unused=True
        )
        for alpha, part in zip(alphas, more, strict=True):
            if part is not None:
                alpha.grad = part if alpha.grad is None else alpha.grad + part
    return result


def _averaged(
    supernet: nn.Module,
    parameters: Mapping[str, Tensor],
    decisions: Decisions,
    x: Tensor,
    loss: Loss,
    near: Sequence[Move],
    leaves: Mapping[str, Tensor] | None,
) -> float:
    """The mean over the mixture and its neighbors: gradients into decisions, and into leaves."""
    weights = decisions()
    # One backward through the relaxation: its noise, if any, is one draw for all neighbors.
    cut = {name: w.detach().requires_grad_() for name, w in weights.items()}
    inner = [*cut.values(), *([] if leaves is None else leaves.values())]
    center = 0.0
    for at, move in enumerate((None, *near)):
        mixture = cut if move is None else move.of(cut)
        value = loss(functional_call(supernet, dict(parameters), (x, mixture)))
        if at == 0:
            center = float(value.detach())
        torch.autograd.backward(value / (1 + len(near)), inputs=inner)
    reached = [(weights[n], c.grad) for n, c in cut.items() if c.grad is not None]
    if reached:
        torch.autograd.backward([w for w, _ in reached], [g for _, g in reached])
    return center
