"""An operation that works once: the second network that holds it fails."""

from torch import nn


class Once(nn.Identity):
    built = 0

    def __init__(self) -> None:
        super().__init__()
        Once.built += 1

    def forward(self, x):
        if Once.built > 1:
            raise MemoryError("the table of this layer does not fit again")
        return x
