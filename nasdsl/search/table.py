"""The searchers by name, and the reading of the ``search`` block.

A package adds a searcher by an entry point of the group ``nasdsl.searchers`` that names a
:class:`Kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Note, Span, problem, suggestion
from nasdsl.language.settings import REQUIRED, Entry, Item, Option, read_entry
from nasdsl.search import darts, elastic, na_darts, na_random
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.learned import Learned
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.searcher import Searcher
from nasdsl.search.wrappers import Distinct, Limited, redraws
from nasdsl.training.oneshot.settings import DartsSettings, ElasticSettings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from nasdsl.space import Space

GROUP = "nasdsl.searchers"

COMMON = (
    Option("samples", "int", 20, minimum=1, doc="architectures that the searcher proposes"),
    Option("seed", "int", 0, doc="seed of the whole study"),
    Option("trials", "int", None, minimum=1, doc="most networks to train, neighbors included"),
    Option("timeout", "float", None, minimum=0, doc="most seconds for one network"),
)
"""Settings that every searcher takes."""


Training = DartsSettings | ElasticSettings
"""Settings of a supernet's training."""


def _no_training(settings: Mapping[str, Any]) -> Training | None:
    return None


def _no_demand(settings: Mapping[str, Any], objectives: Sequence[str]) -> str | None:
    return None


def _no_score(settings: Mapping[str, Any], objectives: Sequence[str]) -> Entry | None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """One searcher of the table.

    Attributes:
        item: its name, its own settings and its doc; the common settings are added.
        build: (space, settings) -> searcher, without dedupe and limits.
        score: (settings, names of the file's objectives) -> an objective to be measured and
            maximized beside the file's own, if any.
        training: settings -> those of the supernet that is trained before the first proposal,
            if any. What a mixed one has learned then stands in the settings under ``learned``;
            from an elastic one the trials take their weights.
        demand: as ``score``, -> what the file lacks for this searcher, if anything.
        goals: what steers it: ``none`` of the file's goals, ``one`` (the file's best, else its
            first), ``all`` of them, or a measure of its ``own``.
    """

    item: Item
    build: Callable[[Space, Mapping[str, Any]], Searcher]
    score: Callable[[Mapping[str, Any], Sequence[str]], Entry | None] = _no_score
    training: Callable[[Mapping[str, Any]], Training | None] = _no_training
    demand: Callable[[Mapping[str, Any], Sequence[str]], str | None] = _no_demand
    goals: Literal["none", "one", "all", "own"] = "all"

    @property
    def name(self) -> str:
        """As written behind ``search``."""
        return self.item.name

    def to_json(self) -> dict[str, Any]:
        """The searcher as ``nasdsl search --list --json`` prints it."""
        return {
            "name": self.name,
            "doc": self.item.doc,
            "goals": self.goals,
            "options": [
                {
                    "name": option.name,
                    "default": None if option.default is REQUIRED else option.default,
                    "required": option.default is REQUIRED,
                    "values": list(option.values),
                    "doc": option.doc,
                }
                for option in whole(self).options
            ],
        }


RANDOM = Kind(
    Item("random", doc="uniform random search"),
    lambda space, settings: RandomSearch(space, settings["seed"]),
    goals="none",
)
_NEIGHBORS = Option(
    "neighbors",
    "int",
    6,
    minimum=0,
    doc="neighbors drawn for each sample where the objectives do not say; 0 means all",
)
_BATCH = Option("batch", "int", 1, minimum=1, doc="proposals between two looks at outcomes")
_POPULATION = Option("population", "int", 50, minimum=2, doc="architectures that may be parents")
_TOURNAMENT = Option("tournament", "int", 10, minimum=1, doc="rivals of which the best is parent")
_AWARE = Option(
    "aware",
    "bool",
    False,
    doc="whether parents, and the best of one goal, are judged with their neighborhoods",
)
NA_RANDOM = Kind(
    Item("na_random", (_NEIGHBORS,), doc="random search that scores a sample by its neighborhood"),
    lambda space, settings: na_random.NeighborhoodAwareRandomSearch(space, settings["seed"]),
    na_random.score,
    goals="none",
)
LOCAL = Kind(
    Item(
        "local",
        (
            Option("initial", "int", 10, minimum=1, doc="uniform draws to start from"),
            _BATCH,
        ),
        doc="hill climbing along the neighbors of the best",
    ),
    lambda space, settings: LocalSearch(
        space, settings["seed"], settings["initial"], settings["batch"]
    ),
    goals="one",
)
EVOLUTION = Kind(
    Item(
        "evolution",
        (_POPULATION, _TOURNAMENT, _BATCH, _AWARE),
        doc="regularized evolution: tournaments, edits, and death by age",
    ),
    lambda space, settings: RegularizedEvolution(
        space,
        settings["seed"],
        settings["population"],
        settings["tournament"],
        settings["batch"],
        aware=settings["aware"],
    ),
    goals="one",
)
NA_EVOLUTION = Kind(
    Item(
        "na_evolution",
        (_NEIGHBORS, replace(_POPULATION, default=20), replace(_TOURNAMENT, default=5), _BATCH),
        doc="regularized evolution on the aggregate over the neighborhood",
    ),
    lambda space, settings: NeighborhoodAwareEvolution(space, settings["seed"], settings),
    na_random.score,
    goals="own",
)


def _nsga2(space: Space, settings: Mapping[str, Any]) -> Searcher:
    # Models and sorts need numpy, which reading a text does not.
    from nasdsl.search.nsga2 import Nsga2

    return Nsga2(space, settings["seed"], settings["population"], settings["crossover"])


NSGA2 = Kind(
    Item(
        "nsga2",
        (
            Option("population", "int", 20, minimum=2, doc="children of one generation"),
            Option("crossover", "float", 0.2, minimum=0, maximum=1, doc="part with two parents"),
        ),
        doc="NSGA-II for several goals, by edits and crossover of decisions",
    ),
    _nsga2,
    goals="all",
)


def _surrogate(space: Space, settings: Mapping[str, Any]) -> Searcher:
    from nasdsl.search.surrogate import SurrogateSearch

    keys = ("seed", "model", "features", "initial", "batch", "draws", "aware")
    return SurrogateSearch(space, **{key: settings[key] for key in keys})


SURROGATE = Kind(
    Item(
        "surrogate",
        (
            Option(
                "model",
                "name",
                "gp",
                values=("gp", "forest", "mlp", "rbf", "auto"),
                doc="what predicts; auto: what ranks held-out proposals best",
            ),
            Option(
                "features",
                "name",
                "both",
                values=("both", "decisions", "graph"),
                doc="what it learns from",
            ),
            Option("initial", "int", 20, minimum=2, doc="uniform draws to learn from first"),
            replace(_BATCH, default=10),
            Option("draws", "int", 200, minimum=1, doc="uniform candidates for each batch"),
            replace(
                _AWARE,
                doc="whether proposals, and the best of one goal, are predicted neighborhoods",
            ),
        ),
        doc="what a model of the outcomes expects to improve most",
    ),
    _surrogate,
    goals="all",
)


def _optuna(space: Space, settings: Mapping[str, Any]) -> Searcher:
    from nasdsl.search.optuna_search import OptunaSearch

    return OptunaSearch(space, settings["seed"], str(settings["sampler"]), settings["batch"])


OPTUNA = Kind(
    Item(
        "optuna",
        (
            Option("sampler", "name", "TPE", doc="a sampler of Optuna, as TPE, NSGAII, CmaEs"),
            replace(_BATCH, default=4),
        ),
        doc="a sampler of Optuna; needs nasdsl[optuna]",
    ),
    _optuna,
    goals="all",
)
DARTS = Kind(
    Item(
        "darts",
        (darts.SAMPLES, *darts.OPTIONS),
        doc="the architecture that a mixed supernet has learned to weigh most",
    ),
    darts.build,
    training=darts.training,
    goals="own",
)
NA_DARTS = Kind(
    Item(
        "na_darts",
        (darts.SAMPLES, *na_darts.OPTIONS),
        doc="DARTS on the mean loss over a neighborhood of the mixture",
    ),
    darts.build,
    training=darts.training,
    goals="own",
)


def _flatnas(space: Space, settings: Mapping[str, Any]) -> Searcher:
    from nasdsl.search.flatnas import FlatNas

    keys = ("seed", "alpha", "initial", "batch", "population", "generations")
    return FlatNas(space, model=str(settings["model"]), **{key: settings[key] for key in keys})


FLATNAS = Kind(
    Item(
        "flatnas",
        elastic.OPTIONS,
        doc="accuracy and flatness in weight space, on weights of an elastic supernet",
    ),
    _flatnas,
    training=elastic.training,
    demand=elastic.demand,
    goals="own",
)
SEARCHERS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        RANDOM,
        NA_RANDOM,
        LOCAL,
        EVOLUTION,
        NA_EVOLUTION,
        NSGA2,
        SURROGATE,
        OPTUNA,
        DARTS,
        NA_DARTS,
        FLATNAS,
    )
}
"""The searchers that come with the package."""

DEFAULT = Entry("random")
"""The search of a file that says nothing about it."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """A search block that has been read.

    Attributes:
        kind: the searcher.
        values: all its settings, defaults filled in.
    """

    kind: Kind
    values: Mapping[str, Any]

    @property
    def samples(self) -> int:
        """Architectures that the searcher proposes."""
        return int(self.values["samples"])

    @property
    def seed(self) -> int:
        """Seed of the whole study."""
        return int(self.values["seed"])

    @property
    def trials(self) -> int | None:
        """Most networks to train, neighbors included; ``None``: as many as the samples need."""
        return None if self.values["trials"] is None else int(self.values["trials"])

    @property
    def timeout(self) -> float | None:
        """Most seconds for one network, if limited."""
        return self.values["timeout"] or None

    @property
    def training(self) -> Training | None:
        """How the supernet is trained before the first proposal, if there is one."""
        return self.kind.training(self.values)

    def searcher(self, space: Space, learned: Learned | None = None) -> Searcher:
        """The searcher, without repetitions and limited to its samples.

        ``learned`` are the weights of alternatives that a mixed supernet has learned, for the
        searchers that need them.
        """
        values = self.values if learned is None else {**self.values, "learned": learned}
        known = Distinct(self.kind.build(space, values), redraws(space.size), space.feasible)
        return Limited(known, self.samples)


def lookup(name: str) -> Kind | None:
    """The searcher of a name: one of ours, or one that an installed package adds."""
    if name in SEARCHERS:
        return SEARCHERS[name]
    for point in entry_points(GROUP):
        if point.name == name:
            try:
                kind = point.load()
            except Exception as error:  # a broken package must say so, and not take us down
                raise problem(
                    "NAS411", f"the searcher '{name}' of '{point.value}' cannot be loaded: {error}"
                ) from error
            if not isinstance(kind, Kind):
                raise problem("NAS411", f"'{point.value}' is no searcher (expected a Kind)")
            return kind
    return None


def names() -> list[str]:
    """All names that ``search`` takes."""
    return [*SEARCHERS, *sorted(p.name for p in entry_points(GROUP))]


def entry_points(group: str) -> EntryPoints:
    """What installed packages offer to a group; asked for only where a name is not ours."""
    from importlib import metadata

    return metadata.entry_points(group=group)


def unmet(search: SearchSettings, objectives: Sequence[str], span: Span | None) -> list[Diagnostic]:
    """What the objectives of a file, by name, lack for its search."""
    lacking = search.kind.demand(search.values, objectives)
    return [] if lacking is None else [Diagnostic("NAS412", lacking, span)]


def read_search(entry: Entry | None) -> tuple[SearchSettings | None, list[Diagnostic]]:
    """The search block, defaults filled in, and what is wrong with it."""
    entry = DEFAULT if entry is None else entry
    try:
        kind = lookup(entry.name)
    except DiagnosticError as error:
        return None, [replace(d, span=entry.span) for d in error.diagnostics]
    if kind is None:
        known = names()
        message = f"'{entry.name}' is not a searcher{suggestion(entry.name, known)}"
        note = Note(f"there are: {', '.join(known)}")
        return None, [Diagnostic("NAS410", message, entry.span, notes=(note,))]
    values, problems = read_entry(_flat(entry), whole(kind))
    return SearchSettings(kind, values), problems


def whole(kind: Kind) -> Item:
    """A searcher with the common settings; its own of the same name take their place."""
    own = {option.name: option for option in kind.item.options}
    common = [own.pop(option.name, option) for option in COMMON]
    return Item(kind.name, (*common, *own.values()), kind.item.doc)


def _flat(entry: Entry) -> Entry:
    """``random { samples 24, seed 0 }`` and ``random(samples=24, seed=0)`` say the same."""
    args, kwargs, spans = [], list(entry.kwargs), []
    places = [*entry.spans, *[None] * (len(entry.args) + len(kwargs) - len(entry.spans))]
    named = list(places[len(entry.args) :])
    for value, place in zip(entry.args, places, strict=False):
        if isinstance(value, Entry) and len(value.args) == 1 and not value.kwargs:
            kwargs.append((value.name, value.args[0]))
            named.append(value.span or place)
        else:
            args.append(value)
            spans.append(place)
    return Entry(entry.name, tuple(args), tuple(kwargs), entry.span, (*spans, *named))
