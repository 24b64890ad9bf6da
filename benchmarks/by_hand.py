"""NAS-Bench-201 networks written by hand in plain PyTorch, to measure compiled ones against."""

from __future__ import annotations

from torch import Tensor, nn


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Cell(nn.Module):
    """A cell as the benchmark's own inference cell: a loop over edges, none of them zero.

    Edges that nothing reads are computed, as they are there.
    """

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        self.nodes: list[list[tuple[int, int]]] = []
        for node in name.split("+"):
            taken = []
            for edge in node.strip("|").split("|"):
                operation, source = edge.split("~")
                if operation == "none":
                    continue
                taken.append((len(self.edges), int(source)))
                self.edges.append(_edge(operation, channels))
            self.nodes.append(taken)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to the same."""
        values: list[Tensor | None] = [x]
        for taken in self.nodes:
            total: Tensor | None = None
            for edge, source in taken:
                value = values[source]
                if value is not None:
                    result = self.edges[edge](value)
                    total = result if total is None else total + result
            values.append(total)
        last = values[-1]
        return x.new_zeros(x.shape) if last is None else last


def _edge(operation: str, channels: int) -> nn.Module:
    if operation == "skip_connect":
        return nn.Identity()
    if operation == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return relu_conv_bn(channels, channels, int(operation[-1]))


class Reduce(nn.Module):
    """Halves the image and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.left = nn.Sequential(
            relu_conv_bn(channels, 2 * channels, 3, 2),
            relu_conv_bn(2 * channels, 2 * channels, 3),
        )
        self.right = nn.Sequential(
            nn.AvgPool2d(2, 2), nn.Conv2d(channels, 2 * channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to twice the channels at half the sides."""
        result: Tensor = self.left(x) + self.right(x)
        return result


def network(name: str, channels: int = 16, cells: int = 5) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(3, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    ]
    for stage in range(3):
        if stage:
            layers.append(Reduce(channels * 2 ** (stage - 1)))
        layers += [Cell(name, channels * 2**stage) for _ in range(cells)]
    tail = [nn.BatchNorm2d(4 * channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, *tail, nn.Linear(4 * channels, 10))
