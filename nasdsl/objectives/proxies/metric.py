"""Proxies as metrics: one batch of training samples, all that one candidate is asked for at once."""

from __future__ import annotations

import torch

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.objectives.proxies.together import compute
from nasdsl.seeding import derive

PREFIX = "proxy."


def measure(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """A proxy's value; the first one of a candidate computes the others of its batch too.

    The batch is drawn from the training samples by the option ``seed`` alone, so that all
    candidates see the same samples.

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
        module, data = candidate.untrained()
        generator = torch.Generator().manual_seed(derive(request["seed"], "proxy batch"))
        chosen = torch.randperm(len(data.train), generator=generator)[: request["batch"]]
        chosen = chosen.to(data.device)
        x, y = data.inputs(data.train.x[chosen]), data.train.y[chosen]
        candidate.shared[key] = compute(module, x, y, names, derive(request["seed"], "proxies"))
    outcome = candidate.shared[key][request.metric.removeprefix(PREFIX)]
    if outcome.value is None:
        raise MetricError(str(outcome.reason))
    return outcome.value, None


def params(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Parameters in millions."""
    return candidate.graph().params / 1e6, None


def flops(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Multiply-accumulates of one sample in millions."""
    return candidate.graph().macs / 1e6, None
