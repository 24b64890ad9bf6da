"""Fisher information of the channels of convolutions and linear layers, from a shared backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nasdsl.objectives.proxies.subject import channel_axis


class Fisher:
    """Collects ``1/2 mean_n (sum_places a dL/da)^2`` of each channel.

    Its life: made before the forward pass, :meth:`listen` before the backward pass that counts,
    :meth:`close` after it. Activations are those of the pass itself, none is copied.
    """

    def __init__(self, layers: Sequence[nn.Module]):
        self._outputs: list[tuple[nn.Module, Tensor]] = []
        self._handles: list[RemovableHandle] = [
            layer.register_forward_hook(self._seen) for layer in layers
        ]
        self._terms: list[Tensor] = []

    def _seen(self, layer: nn.Module, _: Any, output: Tensor) -> None:
        if output.requires_grad:
            self._outputs.append((layer, output))

    def listen(self) -> None:
        """The next backward pass is the one that counts."""
        self.remove()
        self._handles = [
            output.register_hook(  # type: ignore[no-untyped-call]  # torch leaves it bare
                partial(self._arrived, layer, output)
            )
            for layer, output in self._outputs
        ]

    def _arrived(self, layer: nn.Module, output: Tensor, gradient: Tensor) -> None:
        with torch.no_grad():
            axis = channel_axis(layer) % output.dim()
            places = [d for d in range(1, output.dim()) if d != axis]
            product = output.detach() * gradient.detach()
            sums = product.sum(places) if places else product
            channels = sums.double().square().mean(0).mul(0.5)
            weight = layer.get_parameter("weight")
            # Each channel stands once for each weight that feeds it.
            self._terms.append(channels.sum() * (weight.numel() / len(channels)))

    def close(self) -> float:
        """The score; later backward passes do not count."""
        self.remove()
        self._outputs.clear()
        return float(torch.stack(self._terms).sum()) if self._terms else 0.0

    def remove(self) -> None:
        """Takes the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
