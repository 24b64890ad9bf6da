"""APGD-CE: Auto-PGD on the cross entropy (Croce and Hein, ICML 2020).

Steps with momentum, whose size is halved at checkpoints where the loss has not risen often
enough or its maximum has stood still; the search then goes on from the best point.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.attacked import Norm, Outputs, length, projected, right, slope, steepest

MOMENTUM = 0.75
RISES = 0.75
"""A smaller share of steps that raise the loss halves the step."""


def apgd(
    run: Outputs,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    norm: Norm,
    keys: Tensor,
    steps: int = 100,
) -> Tensor:
    """Images in the ball that fool where one was found, else those of the largest loss.

    Args:
        run: the attacked function.
        x: images in [0, 1].
        y: classes.
        epsilon: radius of the ball.
        norm: of the ball.
        keys: streams, one for each image.
        steps: how many.
    """
    found = x.clone()
    start = (x + epsilon * _start(x, keys, norm)).clamp(0, 1)
    gradient, loss, output = slope(run, start, y)
    found[:] = start
    alive = right(output, y).nonzero()[:, 0]
    state = _State.at(start, gradient, loss, epsilon)[alive]
    window, least, less = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    since = 0
    for i in range(steps):
        if not len(alive):
            break
        clean, label = x[alive], y[alive]
        inertia = state.x - state.before
        ahead = projected(
            state.x + state.step * steepest(state.gradient, norm), clean, epsilon, norm
        )
        share = MOMENTUM if i else 1.0
        moved = state.x + (ahead - state.x) * share + inertia * (1 - share)
        moved = projected(moved, clean, epsilon, norm)
        gradient, loss, output = slope(run, moved, label)
        state.advance(moved, gradient, loss)
        since += 1
        if since == window:
            state.check(window)
            since, window = 0, max(window - less, least)
        still = right(output, label)
        found[alive[~still]] = moved[~still]
        alive, state = alive[still], state[still]
    found[alive] = state.best
    return found


def _start(x: Tensor, keys: Tensor, norm: Norm) -> Tensor:
    """A random perturbation of length one."""
    count = x[0].numel()
    if norm == "linf":
        noise = counter.uniform(keys, count).view(x.shape) * 2 - 1
        return noise / noise.abs().amax((1, 2, 3), keepdim=True)
    noise = counter.normal(keys, count).view(x.shape)
    return noise / length(noise)


@dataclass
class _State:
    """Where the search stands for each image; every field has one row an image."""

    x: Tensor
    before: Tensor
    gradient: Tensor
    loss: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    step: Tensor
    rises: Tensor
    best_at_check: Tensor
    halved_at_check: Tensor

    @classmethod
    def at(cls, x: Tensor, gradient: Tensor, loss: Tensor, epsilon: float) -> _State:
        """The beginning of a search, with steps of twice the radius."""
        step = torch.full((len(x), 1, 1, 1), 2 * epsilon, device=x.device)
        return cls(
            x, x, gradient, loss, x, gradient, loss, step, torch.zeros_like(loss), loss,
            torch.ones_like(loss, dtype=torch.bool),
        )  # fmt: skip

    def __getitem__(self, rows: Tensor) -> _State:
        return _State(**{name: value[rows] for name, value in vars(self).items()})

    def advance(self, x: Tensor, gradient: Tensor, loss: Tensor) -> None:
        """Goes to the next point, and keeps the best."""
        self.rises = self.rises + (loss > self.loss)
        self.before, self.x, self.gradient, self.loss = self.x, x, gradient, loss
        better = loss > self.best_loss
        where = better.view(-1, 1, 1, 1)
        self.best = torch.where(where, x, self.best)
        self.best_gradient = torch.where(where, gradient, self.best_gradient)
        self.best_loss = torch.where(better, loss, self.best_loss)

    def check(self, window: int) -> None:
        """A checkpoint after ``window`` steps."""
        seldom = self.rises <= window * RISES
        stands = ~self.halved_at_check & (self.best_at_check >= self.best_loss)
        halve = seldom | stands
        where = halve.view(-1, 1, 1, 1)
        self.step = torch.where(where, self.step / 2, self.step)
        self.x = torch.where(where, self.best, self.x)
        self.gradient = torch.where(where, self.best_gradient, self.gradient)
        self.halved_at_check, self.best_at_check = halve, self.best_loss
        self.rises = torch.zeros_like(self.rises)
