"""Neighbors estimated from one network of shared weights, instead of each trained by itself.

``shared`` trains the neighbors' common network, from fresh weights, on one neighbor a step, each
as often as any other. (Beginning with the trained center's weights measured no better; what else
was tried stands in docs/benchmarks.md.) ``inherit`` trains every neighbor by itself for a few
steps from the weights that it has in common with the center. Both cost about twice the center's
own training, whatever the number of neighbors, and so three times with it.

An estimate of few steps says less of a neighbor than the center's own accuracy does, which is
measured after a whole training; so a neighbor's value is the mean of the two. That halves the
estimated differences: as a rank of centers the mean over the ball gains by it, while the spread
and the worst of a ball come out too small. A neighbor whose output does not depend on its input
is estimated exactly, by whatever training, and keeps its value.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from nasdsl.compiler.neighborhood import CompiledNeighborhood, compile_neighborhood
from nasdsl.graph.constant import is_constant
from nasdsl.graph.fingerprint import fingerprint
from nasdsl.graph.network import Network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.objectives.neighborhood import aggregate
from nasdsl.seeding import derive, generator
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.layout import arrange
from nasdsl.training.loop import batches
from nasdsl.training.settings import TrainSettings
from nasdsl.training.steps import optimizer_for

PRICE = 2.0
"""Training steps for all neighbors together, by steps of the center's training."""
JUDGED = 512
"""Validation samples that a neighbor is judged by, at most; the same ones for all."""
OWN = 0.5
"""Weight of the center's own accuracy in a neighbor's value."""
FORWARD = 1 / 3
"""Cost of a forward pass by that of a training step."""
INHERITED_RATE = 0.5
"""Learning rate of inheriting neighbors by that of the center's training."""

Estimator = Literal["shared", "inherit"]


def estimated(candidate: Candidate, request: MetricRequest) -> tuple[float, float | None]:
    """The aggregate over a ball whose neighbors are estimated; see the module's text."""
    around = candidate.facts.get(request.written)
    if not isinstance(around, tuple):
        raise MetricError("the neighbors to estimate are not known here")
    if candidate.settings is None:
        raise MetricError("how networks are trained is not known here")
    own = candidate.accuracy
    module, data = candidate.trained()
    values = estimates(
        candidate.graph(),
        around,
        module,
        data,
        candidate.settings,
        derive(candidate.seed, "estimate"),
        request["estimate"],
    )
    found = aggregate(own, shrunk(own, around, values), request)
    return found.value, found.spread


def shrunk(own: float, neighbors: Sequence[Network], values: Sequence[float | None]) -> list[float]:
    """Values of neighbors from their estimates and the center's own accuracy.

    The center's own where there is no estimate, since the neighbor is the center's network
    again; the estimate as it is where the output is constant, and the mean of the two elsewhere.
    """
    return [
        own if v is None else v if is_constant(n) else OWN * own + (1 - OWN) * v
        for n, v in zip(neighbors, values, strict=True)
    ]


def estimates(
    center: Network,
    neighbors: Sequence[Network],
    module: nn.Module,
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    method: Estimator = "shared",
    price: float = PRICE,
    carried: bool = False,
) -> list[float | None]:
    """The estimated validation accuracy of each neighbor, in percent.

    ``None`` for a neighbor that is the center's network again, which needs no estimate. Equal
    neighbors are estimated once. The price includes the passes that judge the neighbors.

    Args:
        center: its network.
        neighbors: their networks.
        module: the trained center.
        data: training and validation samples, on the device of the module.
        settings: how the center was trained.
        seed: of new weights, batches, and the order of neighbors.
        method: ``shared`` or ``inherit``.
        price: steps of training by steps of the center's.
        carried: ``shared`` begins with the center's trained weights; else with fresh ones.

    Raises:
        MetricError: predictions that are not finite.
    """
    own = fingerprint(center)
    prints = [fingerprint(network) for network in neighbors]
    unique = {p: n for p, n in zip(prints, neighbors, strict=True) if p != own}
    if not unique:
        return [None] * len(neighbors)
    near = compile_neighborhood([center, *unique.values()], seed=seed)
    if carried or method == "inherit":
        near.load_path(0, module.state_dict())
    device = next((t.device for t in module.state_dict().values()), torch.device("cpu"))
    near.to(device)
    arrange(near, settings)
    batch = min(settings.batch, len(data.train))
    whole = settings.steps or settings.epochs * (len(data.train) // batch)
    judged = min(JUDGED, len(data.validation))
    judging = FORWARD * len(unique) * judged / batch
    steps = max(len(unique), round(price * whole - judging))
    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, "noise"))
        if method == "shared":
            _shared(near, data, settings, seed, steps)
            values = [_judged(near, i, data, judged) for i in range(1, len(unique) + 1)]
        else:
            values = _inherited(near, data, settings, seed, max(1, steps // len(unique)), judged)
    found = dict(zip(unique, values, strict=True))
    return [found.get(p) for p in prints]


def _shared(
    near: CompiledNeighborhood, data: Dataset, settings: TrainSettings, seed: int, steps: int
) -> None:
    """Trains one neighbor a step, all of them before any again, along half a cosine."""
    near.train()
    optimizer = optimizer_for([p for p in near.parameters() if p.requires_grad], settings)
    drawn = _endless(data, settings, seed)
    order: list[int] = []
    draw = generator(seed, "paths")
    for step in range(steps):
        if not order:
            order = list(range(1, len(near.networks)))
            draw.shuffle(order)
        near.set_path(order.pop())
        _step(near, optimizer, *next(drawn), settings, _cosine(step, steps))


def _inherited(
    near: CompiledNeighborhood,
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    steps: int,
    judged: int,
) -> list[float]:
    """Trains each neighbor from the center's weights, all on the same batches."""
    start = copy.deepcopy(near.state_dict())
    values = []
    for index in range(1, len(near.networks)):
        near.load_state_dict(start)
        near.set_path(index)
        near.train()
        optimizer = optimizer_for([p for p in near.parameters() if p.requires_grad], settings)
        drawn = _endless(data, settings, seed)
        for step in range(steps):
            fraction = INHERITED_RATE * _cosine(step, steps)
            _step(near, optimizer, *next(drawn), settings, fraction)
        values.append(_judged(near, index, data, judged))
    return values


def _step(
    near: CompiledNeighborhood,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    settings: TrainSettings,
    fraction: float,
) -> None:
    for group in optimizer.param_groups:
        group["lr"] = settings.optimizer.lr * fraction
    optimizer.zero_grad()
    value = task.loss(near(x), y, settings.label_smoothing)
    if value.requires_grad:  # a path of pooling alone has nothing to learn
        torch.autograd.backward(value)
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(near.parameters(), settings.clip)
        optimizer.step()


def _cosine(step: int, steps: int) -> float:
    return 0.5 * (1 + math.cos(math.pi * step / steps))


def _endless(data: Dataset, settings: TrainSettings, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    batch = min(settings.batch, len(data.train))
    epoch = 0
    while True:
        yield from batches(data, data.train, batch, settings, derive(seed, "order"), epoch)
        epoch += 1


@torch.no_grad()
def _judged(near: CompiledNeighborhood, index: int, data: Dataset, count: int) -> float:
    """Accuracy of one path. Batch norms use the statistics of the validation samples' inputs:
    the running ones are a mixture over all paths, and true of none."""
    near.set_path(index)
    near.eval()
    norms = [m for m in near.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    for norm in norms:
        norm.training, norm.track_running_stats = True, False
    try:
        output = near(data.inputs(data.validation.x[:count])).float()
    finally:
        for norm in norms:
            norm.track_running_stats = True
    if not torch.isfinite(output).all():
        raise MetricError("an estimated neighbor's predictions are not finite")
    return task.accuracy(output, data.validation.y[:count])
