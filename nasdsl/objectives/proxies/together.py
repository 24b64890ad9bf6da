"""All proxies asked for of one network, from the fewest passes.

One forward pass in training mode serves jacov, epe_nas, nwot, fisher, grad_norm, snip, plain and
grasp: one backward pass to the input for the first two, one to the weights for the others,
and one through that for grasp. synflow is a pass of one sample, zen two passes without
gradients. jacob_fro and hessian share a pass of their own, in which batch norms hold the
statistics of the first one fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from nasdsl.objectives.proxies import gradient
from nasdsl.objectives.proxies.fisher import Fisher
from nasdsl.objectives.proxies.grasp import grasp
from nasdsl.objectives.proxies.hessian import hessian, twice_differentiable
from nasdsl.objectives.proxies.jacobian import epe_nas, jacob_fro, jacov
from nasdsl.objectives.proxies.nwot import Kernel
from nasdsl.objectives.proxies.outcome import Outcome, Undefined, outcome
from nasdsl.objectives.proxies.subject import (
    Subject,
    fixed_statistics,
    last_statistics,
    preserved,
    sensitivities,
)
from nasdsl.objectives.proxies.synflow import synflow
from nasdsl.objectives.proxies.table import PROXIES
from nasdsl.objectives.proxies.zen import zen
from nasdsl.training import task

GRADIENT = frozenset({"grad_norm", "snip", "plain", "fisher", "grasp"})
INPUT = frozenset({"jacov", "epe_nas"})
SHARED = GRADIENT | INPUT | {"nwot"}
FIXED = frozenset({"jacob_fro", "hessian"})
MEASURED = tuple(name for name, proxy in PROXIES.items() if not proxy.static)


def compute(
    module: nn.Module, x: Tensor, y: Tensor, names: Iterable[str] = MEASURED, seed: int = 0
) -> dict[str, Outcome]:
    """The proxies by name; the module, and torch's global generator, stay as they were.

    Args:
        module: as initialized; on the device of x.
        x: one batch of inputs as the network takes them, [N, ...].
        y: its targets: classes [N], masks, or float targets.
        names: of proxies that need more than the graph, :data:`MEASURED`.
        seed: of the random weights and inputs of zen and the first direction of hessian.

    Raises:
        ValueError: a name is not known.
    """
    wanted = set(names)
    if unknown := wanted - set(MEASURED):
        raise ValueError(f"not computed from a batch: {', '.join(sorted(unknown))}")
    subject = Subject(module, x, y, seed)
    found: dict[str, Outcome] = {}

    def note(name: str, measure: Callable[[], float]) -> None:
        if name in wanted:
            try:
                found[name] = outcome(measure())
            except Undefined as error:
                found[name] = Outcome(None, str(error))

    with preserved(module, seed, weights="zen" in wanted):
        note("l2_norm", lambda: gradient.l2_norm(subject.weights))
        if wanted & SHARED:
            with last_statistics(module) if wanted & FIXED else nullcontext():
                _shared(subject, wanted, note, found)
        if wanted & FIXED:
            _fixed(subject, wanted, note, found, known=bool(wanted & SHARED))
        note("synflow", lambda: synflow(subject))
        note("zen", lambda: zen(subject))
    return {name: found[name] for name in MEASURED if name in wanted}


Note = Callable[[str, Callable[[], float]], None]


def _shared(subject: Subject, wanted: set[str], note: Note, found: dict[str, Outcome]) -> None:
    """What one pass in training mode serves."""
    x = subject.x
    by_input = bool(wanted & INPUT) and x.is_floating_point()
    if by_input:
        x = x.detach().clone().requires_grad_(True)
    layers = _or_none(lambda: subject.layers) or ()
    by_weights = bool(wanted & GRADIENT)
    kernel = Kernel(subject.module, len(x)) if "nwot" in wanted else None
    fisher = Fisher(layers) if "fisher" in wanted else None
    context: AbstractContextManager[None] = nullcontext()
    if "grasp" in wanted:
        context = twice_differentiable(subject.module)
    try:
        with context, torch.set_grad_enabled(by_input or by_weights):
            output = subject.module(x)
            if kernel is not None:
                note("nwot", kernel.close)
            if wanted & INPUT:
                _by_input(subject, x, output, note, found, wanted)
            if by_weights:
                _by_weights(subject, output, fisher, wanted, note, found)
    finally:
        if kernel is not None:
            kernel.remove()
        if fisher is not None:
            fisher.remove()


def _by_input(
    subject: Subject,
    x: Tensor,
    output: Tensor,
    note: Note,
    found: dict[str, Outcome],
    wanted: set[str],
) -> None:
    try:
        subject.differentiable()
        (gradients,) = sensitivities(output.sum(), [x])
    except Undefined as error:
        found.update(dict.fromkeys(wanted & INPUT, Outcome(None, str(error))))
        return
    rows = gradients.flatten(1)
    note("jacov", lambda: jacov(rows))
    note("epe_nas", lambda: epe_nas(rows, subject.y))


def _by_weights(
    subject: Subject,
    output: Tensor,
    fisher: Fisher | None,
    wanted: set[str],
    note: Note,
    found: dict[str, Outcome],
) -> None:
    try:
        weights = subject.weights
        if fisher is not None:
            fisher.listen()
        gradients = sensitivities(task.loss(output, subject.y), weights, keep="grasp" in wanted)
    except Undefined as error:
        found.update(dict.fromkeys(wanted & GRADIENT, Outcome(None, str(error))))
        return
    if fisher is not None:
        note("fisher", fisher.close)
    plain = [g.detach() for g in gradients]
    note("grad_norm", lambda: gradient.grad_norm(weights, plain))
    note("snip", lambda: gradient.snip(weights, plain))
    note("plain", lambda: gradient.plain(weights, plain))
    note("grasp", lambda: grasp(weights, gradients))


def _fixed(
    subject: Subject, wanted: set[str], note: Note, found: dict[str, Outcome], known: bool
) -> None:
    """What a pass serves in which samples do not mix."""
    try:
        subject.differentiable()
        if not known:
            with last_statistics(subject.module), torch.no_grad():
                subject.module(subject.x)
        x = subject.x.detach().clone().requires_grad_(True)
        with fixed_statistics(subject.module), twice_differentiable(subject.module):
            output = subject.module(x)
            note("jacob_fro", lambda: jacob_fro(subject, x, output))
            note("hessian", lambda: hessian(x, output, subject.y, subject.seed))
    except Undefined as error:
        found.update(dict.fromkeys(wanted & FIXED, Outcome(None, str(error))))


def _or_none(get: Callable[[], tuple[nn.Module, ...]]) -> tuple[nn.Module, ...] | None:
    try:
        return get()
    except Undefined:
        return None
