"""The loss around trained weights: how far it rises in a ball, and its second derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasdsl.seeding import derive
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split

Weights = list[Tensor]


@dataclass(eq=False)
class Surface:
    """The mean loss on some samples as a function of all learned weights, in eval mode.

    Attributes:
        module: trained, in eval mode; it is not changed, and no gradients are left on it.
        data: says how samples are normalized.
        split: the samples.
        batch: samples of one pass; sums over passes are those over all samples.
    """

    module: nn.Module
    data: Dataset
    split: Split
    batch: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the weights, in the order of the vectors here."""
        return tuple(name for name, _ in self.module.named_parameters())

    @cached_property
    def weights(self) -> Weights:
        """The weights themselves, detached."""
        return [p.detach() for p in self.module.parameters()]

    def _parts(self, weights: Sequence[Tensor], batch: int) -> list[Callable[[], Tensor]]:
        def part(start: int) -> Callable[[], Tensor]:
            def run() -> Tensor:
                x = self.data.inputs(self.split.x[start : start + batch])
                y = self.split.y[start : start + batch]
                output = functional_call(
                    self.module, dict(zip(self.names, weights, strict=True)), (x,)
                )
                return task.loss(output, y) * (len(y) / len(self.split))

            return run

        return [part(start) for start in range(0, len(self.split), batch)]

    @torch.no_grad()
    def loss(self, weights: Sequence[Tensor]) -> float:
        """The mean loss at weights."""
        return math.fsum(float(run()) for run in self._parts(weights, self.batch))

    def slope(self, weights: Sequence[Tensor]) -> Weights:
        """The gradient at weights."""
        total = [torch.zeros_like(w) for w in weights]
        with torch.enable_grad():
            at = [w.detach().requires_grad_() for w in weights]
            for run in self._parts(at, self.batch):
                found = torch.autograd.grad(run(), at, allow_unused=True)
                for sums, g in zip(total, found, strict=True):
                    if g is not None:
                        sums += g
        return total

    def bent(self, vector: Sequence[Tensor]) -> Weights:
        """The Hessian at the trained weights times a vector, by differentiating twice."""
        total = [torch.zeros_like(w) for w in self.weights]
        # Fused attention has no second derivative.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            at = [w.detach().requires_grad_() for w in self.weights]
            for run in self._parts(at, self.batch):
                first = torch.autograd.grad(run(), at, create_graph=True, allow_unused=True)
                along = [
                    (g * v).sum()
                    for g, v in zip(first, vector, strict=True)
                    if g is not None and g.requires_grad
                ]
                if not along:
                    continue
                found = torch.autograd.grad(torch.stack(along).sum(), at, allow_unused=True)
                for sums, g in zip(total, found, strict=True):
                    if g is not None:
                        sums += g
        return total

    def drawn(self, *keys: str | int, signs: bool = False) -> Weights:
        """A vector of normal numbers, or of signs, drawn on the CPU by key."""
        generator = torch.Generator().manual_seed(derive(*keys))
        sizes = [w.numel() for w in self.weights]
        if signs:
            flat = torch.randint(0, 2, (sum(sizes),), generator=generator).float() * 2 - 1
        else:
            flat = torch.randn(sum(sizes), generator=generator)
        return [
            part.view_as(w).to(w.device, w.dtype)
            for part, w in zip(torch.split(flat, sizes), self.weights, strict=True)
        ]


def dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """The scalar product of two vectors, summed in float64."""
    return math.fsum(float((x.double() * y.double()).sum()) for x, y in zip(a, b, strict=True))


def sharpness(surface: Surface, rho: float, adaptive: bool, steps: int, seed: int) -> float:
    """``max L(w + e) - L(w)`` over a ball, as far as some steps of ascent find it.

    SAM (Foret et al. 2021): ``||e|| <= rho``. ASAM (Kwon et al. 2021): ``||e / |w| || <= rho``.
    Each step goes to the ball's point farthest along the gradient at the last point: the first
    is SAM's own; on a quadratic bowl they are power iteration. The largest rise is given, zero
    at least, because the center belongs to the ball. Where the gradient is zero a direction is
    drawn.
    """
    weights = surface.weights
    center = surface.loss(weights)
    scales = [w.abs() if adaptive else torch.ones_like(w) for w in weights]
    best, at = 0.0, weights
    for _ in range(steps):
        slope = [g * s for g, s in zip(surface.slope(at), scales, strict=True)]
        size = math.sqrt(dot(slope, slope))
        if not math.isfinite(size):
            return math.nan
        if size == 0:
            slope = surface.drawn(seed, "sharpness")
            size = math.sqrt(dot(slope, slope))
        at = [w + g * s * (rho / size) for w, g, s in zip(weights, slope, scales, strict=True)]
        rise = surface.loss(at) - center
        if not math.isfinite(rise):
            return rise
        best = max(best, rise)
    return best


def top(surface: Surface, seed: int, steps: int = 50, tolerance: float = 1e-3) -> float:
    """The largest eigenvalue of the loss's Hessian, by power iteration.

    Power iteration finds the eigenvalue of the largest magnitude; where that is negative, it is
    done again on the Hessian moved up by it. It ends when two estimates differ by less than
    ``tolerance``, relatively, or after ``steps`` products.
    """
    found = _power(surface, 0.0, seed, steps, tolerance)
    if found >= 0:
        return found
    return _power(surface, -found, seed, steps, tolerance) + found


def _power(surface: Surface, shift: float, seed: int, steps: int, tolerance: float) -> float:
    vector = surface.drawn(seed, "power iteration")
    size = math.sqrt(dot(vector, vector)) or 1.0
    vector = [v / size for v in vector]
    last = math.nan
    for _ in range(steps):
        image = [h + shift * v for h, v in zip(surface.bent(vector), vector, strict=True)]
        value = dot(vector, image)
        size = math.sqrt(dot(image, image))
        if not math.isfinite(size) or size == 0:
            return value
        if abs(value - last) <= tolerance * abs(value):
            return value
        last, vector = value, [v / size for v in image]
    return last


def traces(surface: Surface, seed: int, probes: int) -> list[float]:
    """Estimates of the Hessian's trace, ``z H z`` for vectors of random signs (Hutchinson)."""
    found = []
    for probe in range(probes):
        vector = surface.drawn(seed, "trace", probe, signs=True)
        found.append(dot(vector, surface.bent(vector)))
    return found
