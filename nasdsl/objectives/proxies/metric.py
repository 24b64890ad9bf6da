"""Proxies as metrics: one batch of training samples, all that one candidate is asked for at once."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import averaged
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.objectives.proxies.outcome import Outcome
from nasdsl.objectives.proxies.together import compute
from nasdsl.seeding import derive
from nasdsl.training.data.dataset import Dataset

PREFIX = "proxy."


def measure(candidate: Candidate, request: MetricRequest) -> tuple[float, float | None]:
    """A proxy's value; the first one of a candidate computes the others of its batch too.

    The batch is drawn from the training samples by the option ``seed`` alone, so that all
    candidates see the same samples. With several ``draws`` each has a batch and weights of its
    own, the same for all candidates; the value is the mean and the spread the standard
    deviation over them.

    Raises:
        MetricError: with the reason why there is no value.
    """
    key = ("proxies", request.options)
    if key not in candidate.shared:
        names = {
            r.metric.removeprefix(PREFIX)
            for r in (request, *candidate.wanted)
            if r.metric.startswith(PREFIX)
            and r.facts.cost == "untrained"
            and r.options == request.options
        }
        candidate.shared[key] = [
            _drawn(candidate, request, names, draw) for draw in range(request["draws"])
        ]
    outcomes = [found[request.metric.removeprefix(PREFIX)] for found in candidate.shared[key]]
    values = [outcome.value for outcome in outcomes if outcome.value is not None]
    if len(values) < len(outcomes):
        raise MetricError(next(str(o.reason) for o in outcomes if o.value is None))
    return averaged(values) if len(values) > 1 else (values[0], None)


def _drawn(
    candidate: Candidate, request: MetricRequest, names: set[str], draw: int
) -> dict[str, Outcome]:
    """The proxies of one draw; the only one is of the network as it was initialized."""
    module, data = candidate.untrained()
    seed = request["seed"]
    if request["draws"] > 1:
        module = redrawn(module, seed, draw)
    x, y = batch(data, request["batch"], seed, draw)
    return compute(module, x, y, names, derive(seed, "proxies", *([draw] if draw else [])))


def batch(data: Dataset, size: int, seed: int, draw: int = 0) -> tuple[Tensor, Tensor]:
    """Training samples as a network takes them, and their targets.

    Args:
        data: whose training samples are drawn from, without repetition.
        size: how many.
        seed: of the draw.
        draw: its number.
    """
    further = (draw,) if draw else ()
    generator = torch.Generator().manual_seed(derive(seed, "proxy batch", *further))
    chosen = torch.randperm(len(data.train), generator=generator)[:size].to(data.device)
    return data.inputs(data.train.x[chosen]), data.train.y[chosen]


def redrawn(module: nn.Module, seed: int, draw: int) -> nn.Module:
    """A copy whose layers are initialized anew, as torch does it.

    The weights of a layer depend on the seed, the number of the draw and its name alone, so
    that layers that two networks have in common begin alike: networks then differ by what
    they are, and less by chance.
    """
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    # Drawn on the CPU, whose numbers every device then has.
    fresh = copy.deepcopy(module).cpu()
    with torch.random.fork_rng([]):
        for name, part in fresh.named_modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                torch.default_generator.manual_seed(derive(seed, "proxy weights", draw, name))
                reset()
    return fresh.to(device)


def params(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Parameters in millions."""
    return candidate.graph().params / 1e6, None


def flops(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Multiply-accumulates of one sample in millions."""
    return candidate.graph().macs / 1e6, None
