"""One training step, operation by operation, or replayed as one CUDA graph.

A step is one or two phases, each a forward and a backward pass; between phases only the random
generators are set. A captured step does the same work on tensors that stay where they are: the
batch and the learning rate are copied into them, and a replay launches every kernel of a phase
at once. What Python decides (which parameters have gradients, the form of a norm) is decided
once, at the capture, so that no phase may look at a value that is on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from nasdsl.training import task
from nasdsl.training.settings import Sgd, TrainSettings
from nasdsl.training.sharpness import ascend, descend, frozen_statistics

WARM_UP = 3
"""Steps before the capture: in them libraries choose their kernels and optimizers their state."""

Phase = Callable[[], None]
Capture = Callable[[Phase], Callable[[], object]]
"""Records the work of a phase without doing it, and gives what does it again and again."""


class Steps:
    """The steps of one training, one call each.

    Args:
        module: in training mode, on the device.
        parameters: those that are trained.
        settings: as read from the text.
        device: where module and batches are.
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: list[nn.Parameter],
        settings: TrainSettings,
        device: torch.device,
    ) -> None:
        self.module = module
        self.parameters = parameters
        self.settings = settings
        self.device = device
        self.optimizer = self._optimizer()
        self.phases: tuple[Phase, ...] = (self._only,)
        if settings.sharpness is not None:
            self.phases = (self._ascent, self._descent)
        self.x = self.y = self.loss = torch.empty(0)
        self.old: list[Tensor] = []

    def __call__(self, x: Tensor, y: Tensor, lr: float, reseed: Callable[[], None]) -> Tensor:
        """One step; the loss at the weights before it, on the device.

        Args:
            x: [B, ...], normalized.
            y: [B, ...], its targets.
            lr: learning rate of the step.
            reseed: sets torch's generators; both passes of a sharpness-aware step drop the same
                units.
        """
        self.x, self.y = x, y
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        for phase in self.phases:
            reseed()
            phase()
        return self.loss

    def _optimizer(self) -> torch.optim.Optimizer:
        return optimizer_for(self.parameters, self.settings)

    def _only(self) -> None:
        self.loss = self._back()
        self._move()

    def _ascent(self) -> None:
        assert self.settings.sharpness is not None
        self.loss = self._back()
        sharpness = self.settings.sharpness
        self.old = ascend(self.parameters, sharpness.rho, sharpness.adaptive)

    def _descent(self) -> None:
        with frozen_statistics(self.module):
            self._back()
        descend(self.parameters, self.old)
        self._move()

    def _back(self) -> Tensor:
        self.optimizer.zero_grad()
        with precision(self.settings, self.device):
            output = self.module(self.x)
        value = task.loss(output, self.y, self.settings.label_smoothing)
        torch.autograd.backward(value)
        return value.detach()

    def _move(self) -> None:
        if self.settings.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.clip)
        self.optimizer.step()


class CapturedSteps(Steps):
    """Steps that are captured once and then replayed; equal to :class:`Steps` within rounding.

    Args:
        capture: how a phase is recorded; :func:`cuda_graph` on a CUDA device.
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: list[nn.Parameter],
        settings: TrainSettings,
        device: torch.device,
        capture: Capture,
    ) -> None:
        self.lr = torch.zeros((), device=device)
        super().__init__(module, parameters, settings, device)
        self.capture = capture
        self.made = 0
        self.replays: list[Callable[[], object]] = []

    def __call__(self, x: Tensor, y: Tensor, lr: float, reseed: Callable[[], None]) -> Tensor:
        """As :meth:`Steps.__call__`; every batch has the shape of the first one."""
        if not self.made:
            self.x, self.y = torch.empty_like(x), torch.empty_like(y)
        assert (x.shape, y.shape) == (self.x.shape, self.y.shape), "batches of one shape"
        self.x.copy_(x)
        self.y.copy_(y)
        self.lr.fill_(lr)
        if self.made == WARM_UP:
            self._record()
        self.made += 1
        with nullcontext() if self.replays else _aside(self.device):
            for phase in self.replays or self.phases:
                reseed()
                phase()
        return self.loss.clone()  # the next replay writes where this one wrote

    def _record(self) -> None:
        for group in self.optimizer.param_groups:
            # Only now: torch warns where such an optimizer steps outside of a capture.
            if "capturable" in group:
                group["capturable"] = True
        self.optimizer.zero_grad()
        self.replays = [self.capture(phase) for phase in self.phases]

    def _optimizer(self) -> torch.optim.Optimizer:
        """One whose learning rate and count of steps are on the device: torch's fused ones.

        The others read the learning rate on the host, which a capture would keep for good.
        """
        optimizer = optimizer_for(self.parameters, self.settings, fused=True)
        for group in optimizer.param_groups:
            group["lr"] = self.lr
        return optimizer


def steps_for(
    module: nn.Module,
    parameters: list[nn.Parameter],
    settings: TrainSettings,
    device: torch.device,
) -> Steps:
    """Captured steps where the settings ask for them and the device is CUDA."""
    if settings.cuda_graph and device.type == "cuda":
        return CapturedSteps(module, parameters, settings, device, cuda_graph)
    return Steps(module, parameters, settings, device)


def cuda_graph(phase: Phase) -> Callable[[], object]:
    """Records the kernels that a phase launches on the current device; gives their replay."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        phase()
    return graph.replay


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Within it, CUDA work is on a stream of its own, as it has to be before a capture."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # has no types in torch
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def precision(settings: TrainSettings, device: torch.device) -> AbstractContextManager[object]:
    """Within it, forward passes compute in bfloat16 where the settings and the device say so."""
    if settings.bf16 and device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


def optimizer_for(
    parameters: list[nn.Parameter], settings: TrainSettings, fused: bool = False
) -> torch.optim.Optimizer:
    """The optimizer that the settings ask for, with their learning rate.

    Not torch's fused one unless asked for: on a CPU it was no more than 11 % faster, and it cannot
    step parameters of which some get their first gradient later than others, as those of shared
    weights do.
    """
    rule = settings.optimizer
    if isinstance(rule, Sgd):
        return torch.optim.SGD(
            parameters,
            lr=rule.lr,
            momentum=rule.momentum,
            weight_decay=rule.weight_decay,
            nesterov=rule.nesterov,
            fused=fused or None,
        )
    return torch.optim.AdamW(
        parameters,
        lr=rule.lr,
        betas=(rule.beta1, rule.beta2),
        weight_decay=rule.weight_decay,
        fused=fused or None,
    )
