"""Any sampler of Optuna as a searcher; needs the package ``optuna``.

Source: T. Akiba and others, "Optuna: A Next-generation Hyperparameter Optimization Framework",
KDD 2019. A trial decides one thing after the other, in the order in which the space asks, so
that a decision that does not come alive is not made. Numbers are told by their place, which keeps
their order; all else is categorical.

The sampler's memory is its own, so that a search that is taken up makes all its proposals again,
and the study hears outcomes in the order of the proposals, whenever they came. What a ``require``
forbids fails in the study and is not proposed; of a network that is known the study hears the
known outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError, problem, suggestion
from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.goals import aims, leading
from nasdsl.space.building import Recorder
from nasdsl.space.ranks import Missing
from nasdsl.space.residual import Branch
from nasdsl.space.values import shown
from nasdsl.space.walk import run

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

ATTEMPTS = 20
"""Suggestions for each place in a batch before a uniform draw takes it."""
ENDING = "Sampler"

Suggest = Callable[[str, tuple[Any, ...]], Any]


@dataclass
class _Memory:
    """A study of Optuna, with what it has and has not heard.

    Attributes:
        study: the study.
        told: the outcomes of how many records it has heard.
        pending: its trials of the batch that is measured, in the batch's order.
    """

    study: Any
    told: int = 0
    pending: list[Any] = field(default_factory=list)


class OptunaSearch(Planned):
    """Batches of what a sampler suggests; it is given all goals, or the file's ``best``."""

    def __init__(
        self,
        space: Space,
        seed: int,
        sampler: str = "TPE",
        batch: int = 1,
        identity: Identity = fingerprint,
    ):
        super().__init__(space, seed, batch, identity)
        self._aims = aims(space) if space.best is None else (leading(space),)
        self._sampler = sampler
        self._memory = self._fresh()

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """What the sampler suggests; uniform draws where it has nothing new."""
        if self._memory.told + len(self._memory.pending) != len(past):
            # The search was taken up: the sampler lives its life again.
            self._memory = self._fresh()
            for start in range(0, len(past), self.batch):
                again = Batch(past[:start], self.batch, self._identity)
                self._suggest(past[:start], again)
        self._suggest(past, batch)

    def _suggest(self, past: Sequence[Record], batch: Batch) -> None:
        memory = self._memory
        self._tell(past)
        values = {r.identity: self._values(r) for r in past}
        for _ in range(ATTEMPTS * self.batch):
            if batch.is_full:
                return
            trial = self._asked()
            try:
                drawn = _walked(self._space, partial(_suggested, trial))
            except ValueError as error:  # such as a sampler that knows numbers only
                raise _refused(self._sampler, error) from error
            if drawn is None or not self._space.allows(drawn):
                memory.study.tell(trial, state=_failed())
            elif batch.take(drawn):
                memory.pending.append(trial)
            else:
                self._tell_known(trial, values.get(self._identity(drawn)))
        self.fill(past, batch)
        for drawn in batch.found[len(memory.pending) :]:
            memory.pending.append(self._enqueued(drawn))

    def _tell(self, past: Sequence[Record]) -> None:
        memory = self._memory
        for trial, record in zip(memory.pending, past[memory.told :], strict=True):
            self._tell_known(trial, self._values(record))
        memory.told, memory.pending = len(past), []

    def _tell_known(self, trial: Any, values: list[float] | None) -> None:
        if values is None:
            self._memory.study.tell(trial, state=_failed())
        else:
            self._memory.study.tell(trial, values)

    def _values(self, record: Record) -> list[float] | None:
        found = [aim.of(record.outcome) for aim in self._aims]
        sound = [value for value in found if value is not None]
        return sound if len(sound) == len(found) else None

    def _enqueued(self, architecture: Architecture) -> Any:
        """A trial that suggests a given architecture."""
        params: dict[str, Any] = {}

        def given(name: str, options: tuple[Any, ...]) -> Any:
            value = architecture.decisions[name]
            at = next(i for i, o in enumerate(options) if o == value and type(o) is type(value))
            params[_name(name, options)] = at if _is_ordered(options) else _labels(options)[at]
            return value

        _walked(self._space, given)
        self._memory.study.enqueue_trial(params)
        trial = self._asked()
        _walked(self._space, partial(_suggested, trial))
        return trial

    def _asked(self) -> Any:
        try:
            return self._memory.study.ask()
        except ValueError as error:  # such as a sampler for a single goal that is given two
            raise _refused(self._sampler, error) from error

    def _fresh(self) -> _Memory:
        optuna = _library()
        # Its warnings tell of every decision that a sampler leaves to chance, each time.
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        found = _sampler(optuna, self._sampler, self.key((), "sampler") % 2**32)
        directions = ["maximize"] * len(self._aims)
        return _Memory(optuna.create_study(sampler=found, directions=directions))


class _Walker(Recorder):
    """Asks for each decision when it comes alive."""

    def __init__(self, suggest: Suggest):
        self._made: dict[str, Any] = {}
        super().__init__(self._made)
        self._suggest = suggest

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision, asked for once."""
        if name not in self._made:
            self._made[name] = self._suggest(name, tuple(branch.options))
        return super().decide(name, branch)


def _walked(space: Space, suggest: Suggest) -> Architecture | None:
    """The architecture that decides as suggested.

    ``None`` where a cell's second use does not allow what was decided at its first.
    """
    walker = _Walker(suggest)
    try:
        run(space.step, tuple(p.name.text for p in space.program.input_ports), walker)
    except Missing:
        return None
    return space.assembled(walker.decided)


def _suggested(trial: Any, name: str, options: tuple[Any, ...]) -> Any:
    if len(options) == 1:
        return options[0]
    known = _name(name, options)
    if _is_ordered(options):
        return options[trial.suggest_int(known, 0, len(options) - 1)]
    labels = _labels(options)
    return options[labels.index(trial.suggest_categorical(known, labels))]


def _name(name: str, options: tuple[Any, ...]) -> str:
    """A name for each set of options: to Optuna one name always has the same ones."""
    return f"{name} of {', '.join(_labels(options))}"


def _labels(options: tuple[Any, ...]) -> list[str]:
    return [shown(option) for option in options]


def _is_ordered(options: tuple[Any, ...]) -> bool:
    return all(isinstance(o, int | float) and not isinstance(o, bool) for o in options)


def _library() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise problem(
            "NAS411", "the searcher 'optuna' needs the package optuna: pip install nasdsl[optuna]"
        ) from error
    return optuna


def _failed() -> Any:
    return _library().trial.TrialState.FAIL


def _sampler(optuna: Any, name: str, seed: int) -> Any:
    """A sampler by its name, with or without the ending."""
    known = {n.removesuffix(ENDING): n for n in dir(optuna.samplers) if n.endswith(ENDING)}
    known.pop("Base", None)
    found = {n.lower(): n for n in known}.get(name.removesuffix(ENDING).lower())
    if found is None:
        among = ", ".join(known)
        raise problem(
            "NAS411", f"Optuna has no sampler '{name}'{suggestion(name, known)}; there are {among}"
        )
    try:
        return getattr(optuna.samplers, known[found])(seed=seed)
    except (TypeError, ImportError) as error:
        raise _refused(name, error) from error


def _refused(name: str, error: Exception) -> DiagnosticError:
    text = " ".join(str(error).split())
    return problem("NAS411", f"the sampler '{name}' of Optuna cannot be used here: {text}")
