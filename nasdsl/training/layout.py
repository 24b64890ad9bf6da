"""Where the numbers of an image lie in memory, which the speed of convolutions depends on.

It is asked for in the settings and never chosen by a timing of this process: it pays for large
images and not for small ones, sums are taken in another order, and dropout draws in the order of
the memory, so that equal seeds would no longer give equal weights.
"""

from __future__ import annotations

import torch
from torch import nn

from nasdsl.training.settings import TrainSettings


def arrange(module: nn.Module, settings: TrainSettings) -> None:
    """With ``channels_last``, lays the weights of two-dimensional convolutions out so, in place.

    Convolutions then pass images on in that layout. Weights of other ranks stay as they are.
    """
    if settings.channels_last:
        for parameter in module.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
