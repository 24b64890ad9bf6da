"""Modules that hold the largest of several sizes and compute any of them by slicing.

As in the once-for-all network (Cai et al. 2020): channels are the first of the largest, a
smaller window is the middle of a larger one, sent through a learned matrix that starts as the
identity.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler.modules.mobile import InvertedResidual, SqueezeExcite
from nasdsl.compiler.modules.normalization import ChannelLayerNorm
from nasdsl.compiler.modules.separable import SeparableConv, SequenceSeparableConv
from nasdsl.compiler.modules.sequence import SequenceBatchNorm, SequenceConv
from nasdsl.compiler.recipe import Module
from nasdsl.compiler.supernet.walk import Variant
from nasdsl.diagnostics import DiagnosticError, problem

_CONV = frozenset({"in_channels", "out_channels", "kernel_size", "padding", "groups"})
_SEPARABLE = frozenset({"inputs", "outputs", "kernel"})

SIZES: dict[type[nn.Module], frozenset[str]] = {
    nn.Conv2d: _CONV,
    SequenceConv: _CONV,
    nn.Linear: frozenset({"in_features", "out_features"}),
    nn.BatchNorm1d: frozenset({"num_features"}),
    nn.BatchNorm2d: frozenset({"num_features"}),
    SequenceBatchNorm: frozenset({"num_features"}),
    nn.LayerNorm: frozenset({"normalized_shape"}),
    ChannelLayerNorm: frozenset({"channels"}),
    SeparableConv: _SEPARABLE,
    SequenceSeparableConv: _SEPARABLE,
    SqueezeExcite: frozenset({"channels", "inner"}),
    InvertedResidual: frozenset({"inputs", "outputs", "hidden", "kernel", "gate"}),
}
"""Which arguments may differ between the sizes of one module. Slicing the others would give a
module that no size of its own would have learned, as heads of attention packed together."""


@dataclass(frozen=True, slots=True)
class ElasticRecipe:
    """The recipes of all sizes, by label, and that of the largest."""

    sizes: Mapping[str, Module]
    largest: Module
    transform: bool

    def build(self) -> nn.Module:
        """The module, its weights drawn as the largest would draw them."""
        return Elastic(self.sizes, self.largest, self.transform)


class Elastic(nn.Module):
    """One module in several sizes; a call names the size by its label."""

    def __init__(self, sizes: Mapping[str, Module], largest: Module, transform: bool) -> None:
        super().__init__()
        self.largest = largest.build()
        with torch.device("meta"):
            made = {label: recipe.build() for label, recipe in sizes.items()}
        # Not registered: they lend their forward, and their tensors are never real.
        self.__dict__["_sizes"] = made
        self.windows = nn.ParameterDict()
        if transform:
            self._open_windows()

    @property
    def sizes(self) -> list[nn.Module]:
        """A module of each size, without tensors of its own."""
        return list(self.__dict__["_sizes"].values())

    def _open_windows(self) -> None:
        for name, tensor in self.largest.named_parameters():
            kernels = self._kernels(name)
            for kernel in kernels[1:]:
                places = kernel ** (tensor.dim() - 2)
                self.windows[_window(name, kernel)] = nn.Parameter(torch.eye(places))

    def _kernels(self, name: str) -> list[int]:
        """Sides of a weight's window over all sizes, largest first."""
        shapes = [size.get_parameter(name).shape for size in self.sizes]
        return sorted({shape[-1] for shape in shapes if len(shape) > 2}, reverse=True)

    def state(self, variant: str) -> dict[str, Tensor]:
        """The tensors of one size, differentiable views of the largest's.

        Transformed windows are new tensors.
        """
        size = self.__dict__["_sizes"][variant]
        tensors = dict(self.largest.named_parameters()) | dict(self.largest.named_buffers())
        wanted = dict(size.named_parameters()) | dict(size.named_buffers())
        return {name: self._cut(name, tensors[name], t.shape) for name, t in wanted.items()}

    def _cut(self, name: str, tensor: Tensor, shape: torch.Size) -> Tensor:
        if tensor.shape == shape:
            return tensor
        channels = tuple(slice(n) for n in shape[:2])
        cut = tensor[channels]
        if cut.shape == shape or tensor.dim() <= 2:
            return cut
        for kernel in self._kernels(name):
            if kernel < cut.shape[-1]:
                cut = self._crop(name, cut, kernel)
            if kernel == shape[-1]:
                return cut
        raise AssertionError(f"{name} has no window of {shape[-1]}")

    def _crop(self, name: str, weight: Tensor, kernel: int) -> Tensor:
        margin = (weight.shape[-1] - kernel) // 2
        middle = (slice(margin, margin + kernel),) * (weight.dim() - 2)
        cropped = weight[(slice(None), slice(None), *middle)]
        window = _window(name, kernel)
        if window not in self.windows:
            return cropped
        moved: Tensor = cropped.flatten(2) @ self.windows[window].T
        return moved.view_as(cropped)

    def forward(self, x: Tensor, variant: str) -> Tensor:
        """What the module of this size computes."""
        size: nn.Module = self.__dict__["_sizes"][variant]
        if size.training != self.training:
            size.train(self.training)
        result: Tensor = torch.func.functional_call(size, self.state(variant), (x,))
        return result


def _window(name: str, kernel: int) -> str:
    return f"{name.replace('.', '_')}_{kernel}"


def elastic(
    id: str, variants: Sequence[Variant], transform: bool
) -> tuple[ElasticRecipe, list[str]]:
    """The recipe of an elastic module for all variants of a node, and a label for each.

    Raises a diagnostic where they differ in more than sizes.
    """
    span = variants[0].node.span

    def refused(why: str) -> DiagnosticError:
        return problem("NAS814", f"'{id}' cannot be elastic: {why}", span)

    recipes = []
    for variant in variants:
        if not isinstance(variant.recipe, Module):
            raise refused(f"the code of operation '{variant.node.op}' is not known to slice")
        recipes.append(variant.recipe)
    ops = sorted({variant.node.op for variant in variants})
    cls = recipes[0].cls
    if any(recipe.cls is not cls for recipe in recipes):
        raise refused(f"it is {' or '.join(ops)}, on different kinds of tensors")
    if cls not in SIZES:
        raise refused(f"{ops[0]} has no sizes that share weights")
    arguments = [_arguments(recipe) for recipe in recipes]
    differing = [n for n in arguments[0] if any(a[n] != arguments[0][n] for a in arguments)]
    fixed = [n for n in differing if n not in SIZES[cls]]
    if fixed:
        raise refused(f"{ops[0]} differs in {' and '.join(fixed)}, not in sizes alone")
    _check(arguments, refused)
    labels = [", ".join(f"{n}={a[n]}" for n in differing) for a in arguments]
    largest = Module(
        cls,
        kwargs={
            n: max(a[n] for a in arguments) if n in differing else v
            for n, v in arguments[0].items()
        },
    )
    sizes = dict(zip(labels, recipes, strict=True))
    return ElasticRecipe(sizes, largest, transform), labels


def _arguments(recipe: Module) -> dict[str, Any]:
    signature = inspect.signature(recipe.cls)
    bound = signature.bind(*recipe.args, **recipe.kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _check(arguments: Sequence[Mapping[str, Any]], refused: Any) -> None:
    kernels = {a.get("kernel_size", a.get("kernel", 1)) for a in arguments}
    if len({kernel % 2 for kernel in kernels}) > 1:
        raise refused("an even window has no middle in an odd one")
    if "gate" in arguments[0] and len({a["gate"] > 0 for a in arguments}) > 1:
        raise refused("it has a squeeze-and-excite gate in some architectures only")
    groups = [a.get("groups", 1) for a in arguments]
    if max(groups) > 1 and any(a["groups"] != a["in_channels"] for a in arguments):
        raise refused("it mixes channels in groups, whose members would change")
