"""Layers of torch that want [batch, features, time], for sequences [batch, time, features]."""

from __future__ import annotations

from torch import Tensor, nn


class OverTime(nn.Module):
    """Puts features before time for the class that follows it, and back."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, time, features] to the same with another time or other features."""
        result: Tensor = super().forward(x.transpose(1, 2))
        return result.transpose(1, 2)


class SequenceConv(OverTime, nn.Conv1d):
    """Convolution over time."""


class SequenceConvTranspose(nn.ConvTranspose1d):
    """Transposed convolution over time."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[batch, time, features] to a longer time and other features."""
        return super().forward(x.transpose(1, 2), output_size).transpose(1, 2)


class SequenceBatchNorm(OverTime, nn.BatchNorm1d):
    """Batch normalization of each feature."""


class SequenceGroupNorm(OverTime, nn.GroupNorm):
    """Normalization over groups of features and all of time."""


class SequenceMaxPool(OverTime, nn.MaxPool1d):
    """The largest value of each feature in each window of time."""


class SequenceAvgPool(OverTime, nn.AvgPool1d):
    """The mean of each feature in each window of time."""
