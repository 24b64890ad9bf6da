"""Data ready for training: splits on the device, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from nasdsl.diagnostics import Note, Span, problem
from nasdsl.operations.operation import TensorType
from nasdsl.training.settings import TrainSettings

Kind = Literal["classes", "mask", "values"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Samples and their targets, first axis the sample.

    Attributes:
        x: images [N, C, H, W] as uint8 (0..255) or float, sequences [N, T, F], vectors
            [N, F], or tokens [N, T] as int64.
        y: classes [N] or masks [N, H, W] as int64, or float targets [N, ...].
    """

    x: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> Split:
        """The same on a device."""
        return Split(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What a search may see: training and validation samples. The test split is not here.

    Attributes:
        name: as in the text.
        train: what weights are fitted to.
        validation: what networks are compared on.
        classes: names of the classes; empty for float targets.
        mean: of the training samples by channel (or feature), in the units of ``x`` after
            uint8 was divided by 255; shaped to broadcast over one batch.
        std: likewise; never zero.
    """

    name: str
    train: Split
    validation: Split
    classes: tuple[str, ...]
    mean: Tensor
    std: Tensor

    @property
    def input(self) -> TensorType:
        """Type of one sample."""
        tokens = self.train.x.dtype == torch.int64
        return TensorType(tuple(self.train.x.shape[1:]), "int" if tokens else "float")

    @property
    def kind(self) -> Kind:
        """What the targets are."""
        if self.train.y.is_floating_point():
            return "values"
        return "mask" if self.train.y.dim() == 3 else "classes"

    @property
    def device(self) -> torch.device:
        """Where the samples lie."""
        return self.train.x.device

    def inputs(self, x: Tensor) -> Tensor:
        """Samples as a network takes them: float, and normalized by the training statistics.

        Tokens stay as they are.
        """
        if x.dtype == torch.int64:
            return x
        x = x.float().div_(255) if x.dtype == torch.uint8 else x
        return (x - self.mean) / self.std

    def joined(self) -> Dataset:
        """Training and validation samples together as training split, for a final training.

        The statistics stay those of the training split, so that inputs mean the same.
        """
        both = Split(
            torch.cat([self.train.x, self.validation.x]),
            torch.cat([self.train.y, self.validation.y]),
        )
        return replace(self, train=both)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by channel of images, by feature otherwise.

    uint8 counts as 0..1. Constant channels get a deviation of 1. Tokens get 0 and 1.
    """
    if x.dtype == torch.int64:
        return torch.zeros((), device=x.device), torch.ones((), device=x.device)
    scale = 255.0 if x.dtype == torch.uint8 else 1.0
    axes = (0, 2, 3) if x.dim() == 4 else tuple(range(x.dim() - 1))
    # Sums in float64 by slices: a float copy of a large set would not fit beside it.
    count = x.numel() // x.shape[1 if x.dim() == 4 else -1]
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    square = torch.zeros((), dtype=torch.float64, device=x.device)
    for start in range(0, len(x), 4096):
        part = x[start : start + 4096].double() / scale
        total = total + part.sum(axes, keepdim=True)
        square = square + (part * part).sum(axes, keepdim=True)
    mean = total / count
    variance = (square / count - mean * mean).clamp_min(0)
    std = variance.sqrt()
    std = torch.where(std < 1e-8, torch.ones_like(std), std)
    return mean.float(), std.float()


def check_fit(
    data: Dataset,
    input_type: TensorType,
    output_type: TensorType,
    train: TrainSettings | None = None,
    span: Span | None = None,
) -> None:
    """Raise a diagnostic where data and the declared input and output do not go together.

    Checks the shape of a sample, the number of classes (or shape of the target), and, where
    training settings are given, that they can be used on these data.
    """
    if data.input.shape != input_type.shape or data.input.dtype != input_type.dtype:
        raise problem(
            "NAS703",
            f"the samples of '{data.name}' are {data.input}, but the input is {input_type}",
            span,
            Note(f"declare the input as {_declared(data.input)}, or name other data"),
        )
    if data.kind == "values":
        target = tuple(data.train.y.shape[1:]) or (1,)
        if target != output_type.shape:
            raise problem(
                "NAS703",
                f"the targets of '{data.name}' are {TensorType(target)}, "
                f"but the output is {output_type}",
                span,
                Note("float targets are compared with the output value by value"),
            )
    else:
        wanted: tuple[int, ...] = (len(data.classes),)
        if data.kind == "mask":
            wanted += tuple(data.train.y.shape[1:])
        if wanted != output_type.shape:
            what = "a mask" if data.kind == "mask" else "labels"
            raise problem(
                "NAS703",
                f"'{data.name}' has {what} of {len(data.classes)} classes, "
                f"but the output is {output_type}",
                span,
                Note(f"declare an output of shape {TensorType(wanted)}, or name other data"),
            )
    if train is not None and (train.crop or train.flip) and len(data.input.shape) != 3:
        word = "crop" if train.crop else "flip"
        raise problem(
            "NAS703",
            f"'{word}' is for images, but the samples of '{data.name}' are {data.input}",
            span,
        )


def _declared(type_: TensorType) -> str:
    if type_.dtype == "int":
        return f"tokens {type_}"
    return f"{'image' if len(type_.shape) == 3 else 'x'}{type_}"
