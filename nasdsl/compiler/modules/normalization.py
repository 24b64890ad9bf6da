"""Normalizations that torch does not have for images."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization over the channels at each place of an image."""

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
