"""The table of metrics: what can be maximized or minimized, and how each is defined. No torch.

The code of a metric is named by ``measure``, a callable or its place ``"package.module:name"``,
so that reading a text loads none of it. Other packages add metrics through the entry point
group ``nasdsl.metrics``, each entry a :class:`Metric`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nasdsl.diagnostics import Diagnostic, Note, suggestion
from nasdsl.language.settings import REQUIRED, Entry, Item, Option, read_entry
from nasdsl.objectives.proxies.table import PROXIES
from nasdsl.objectives.robust_table import ROBUST

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

Direction = Literal["maximize", "minimize"]
Cost = Literal["static", "table", "untrained", "trained", "neighborhood"]
GROUP = "nasdsl.metrics"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as written in a text.
        unit: of its value, ``""`` for a bare number.
        direction: which way is better, unless the options say otherwise.
        split: the data that it is measured on, ``none`` for a fact of the network.
        cost: ``static`` needs the graph alone, ``table`` a row of published values,
            ``untrained`` the network as initialized, ``trained`` one trained network,
            ``neighborhood`` the trained neighbors too. Cheap ones are measured first, and one
            that fails spares the training.
        definition: what exactly is measured, one paragraph.
        measure: ``(candidate, request) -> (value, spread or None)``, or its place; ``None``
            for those of the neighborhood, which are aggregated by the study.
        options: what may stand in parentheses.
        source: where the definition comes from.
        evaluation: it looks at corrupted or attacked data; a search uses it only where its text
            names it.
    """

    name: str
    unit: str
    direction: Direction
    split: Literal["none", "train", "validation"]
    cost: Cost
    definition: str
    measure: Callable[..., tuple[float, float | None]] | str | None
    options: tuple[Option, ...] = ()
    source: str = ""
    evaluation: bool = False

    def to_json(self) -> dict[str, Any]:
        """The metric as ``nasdsl metrics --json`` prints it; ``direction`` is where better is."""
        return {
            "name": self.name,
            "unit": self.unit,
            "direction": self.direction,
            "cost": self.cost,
            "split": self.split,
            "definition": self.definition,
            "source": self.source,
            "options": [
                {
                    "name": option.name,
                    "default": None if option.default is REQUIRED else option.default,
                    "required": option.default is REQUIRED,
                    "doc": option.doc,
                }
                for option in self.options
            ],
        }

    def load(self) -> Callable[..., tuple[float, float | None]]:
        """The code that measures it."""
        if callable(self.measure):
            return self.measure
        if self.measure is None:
            raise TypeError(f"{self.name} is aggregated from measurements, not measured")
        place, name = self.measure.split(":")
        found: Callable[..., tuple[float, float | None]] = getattr(
            importlib.import_module(place), name
        )
        return found


@dataclass(frozen=True, slots=True)
class MetricRequest:
    """A metric with its options, as one goal asks for it.

    Attributes:
        metric: its name.
        options: all options, defaults filled in, in the metric's order.
        written: as it stands in the text.
    """

    metric: str
    options: tuple[tuple[str, Any], ...] = ()
    written: str = ""

    def __getitem__(self, option: str) -> Any:
        return dict(self.options)[option]

    @property
    def facts(self) -> Metric:
        """The metric."""
        return METRICS[self.metric]

    @property
    def unit(self) -> str:
        """Of the value: the metric's, but that of the loss where the loss is asked for."""
        return "" if dict(self.options).get("of") == "loss" else self.facts.unit

    @property
    def cost(self) -> Cost:
        """What it takes: an estimated neighborhood needs the center alone to be trained."""
        if dict(self.options).get("estimate") in ("shared", "inherit"):
            return "trained"
        return self.facts.cost

    @property
    def direction(self) -> Direction:
        """Which way is better: less, where a standard deviation is asked for."""
        if dict(self.options).get("aggregate") == "std":
            return "minimize"
        return self.facts.direction


class MetricError(Exception):
    """A value that cannot be had, for a reason that is the candidate's or the data's."""


ESTIMATES = ("scratch", "shared", "inherit", "surrogate")
AGGREGATES = ("mean", "median", "worst", "quantile", "std")

_BATCH = (
    Option("batch", "int", 64, minimum=2, doc="training samples of the one batch"),
    Option("seed", "int", 0, minimum=0, doc="of the choice of the batch, the same for all"),
    Option("draws", "int", 1, minimum=1, doc="batches, each with fresh weights, to average over"),
)

_METRICS = (
    Metric(
        "accuracy",
        "%",
        "maximize",
        "validation",
        "trained",
        "Share of validation samples (pixels, for masks) whose largest output is the right "
        "class, in percent.",
        "nasdsl.objectives.accuracy:accuracy",
    ),
    Metric(
        "loss",
        "",
        "minimize",
        "validation",
        "trained",
        "Mean loss on the validation samples, without label smoothing: cross entropy in nats, "
        "or the mean squared error of float targets.",
        "nasdsl.objectives.accuracy:loss",
    ),
    Metric(
        "params",
        "",
        "minimize",
        "none",
        "static",
        "Learned parameters of the network as compiled, dead parts gone.",
        "nasdsl.objectives.size:params",
    ),
    Metric(
        "macs",
        "",
        "minimize",
        "none",
        "static",
        "Multiply-accumulates of one sample in the network as compiled (1 MAC = 2 FLOPs).",
        "nasdsl.objectives.size:macs",
    ),
    Metric(
        "declared_params",
        "",
        "minimize",
        "none",
        "static",
        "Learned parameters of everything that is written, dead parts too, as NAS-Bench-201 "
        "counts them.",
        "nasdsl.objectives.size:declared_params",
        source="Dong and Yang, NAS-Bench-201, ICLR 2020",
    ),
    Metric(
        "flatness.weights",
        "%",
        "minimize",
        "validation",
        "trained",
        "R_sigma: the mean over M copies of |A(w) - A(w (1 + sigma xi))|, where A is the "
        "validation accuracy in percent and xi is standard normal noise on every parameter; "
        "running statistics of batch norms stay. The spread is the standard deviation over "
        "the copies. With of=loss it is the mean loss that moves, in its own unit.",
        "nasdsl.objectives.weight_noise:flatness",
        (
            Option("sigma", "float", 0.05, minimum=0, doc="relative size of the noise"),
            Option("copies", "int", 20, minimum=1, doc="perturbed copies, M"),
            Option("of", "name", "accuracy", values=("accuracy", "loss"), doc="what may move"),
            Option("additive", "bool", False, doc="noise of one size on every weight"),
            Option("recalibrate", "bool", False, doc="batch norms get each copy's statistics"),
        ),
        "Gambella, Pittorino and Roveri, FlatNAS, 2024 (arXiv 2402.19102)",
    ),
    Metric(
        "flatness.neighborhood",
        "%",
        "maximize",
        "validation",
        "neighborhood",
        "The mean (or another aggregate) of the validation accuracy over the ball of "
        "architectures around this one: its neighbors under the space's edit rules, each "
        "trained by itself, and the center. The spread is the standard deviation over the ball. "
        "With estimate=shared or estimate=inherit the neighbors are not trained but estimated, "
        "at about twice the price of the center: each value is the mean of the center's accuracy "
        "and that of a short training. With estimate=surrogate a few neighbors are trained, and a "
        "ridge regression on features of the graphs, fitted to all that the run has trained so "
        "far, fills in the others; it predicts means better than spreads.",
        "nasdsl.objectives.neighborhood_estimates:estimated",
        (
            Option("samples", "int", 0, minimum=0, doc="neighbors drawn, 0 for all"),
            Option("radius", "int", 1, minimum=1, doc="edits away at most"),
            Option("aggregate", "name", "mean", values=AGGREGATES, doc="how values become one"),
            Option("q", "float", 0.25, minimum=0, maximum=1, doc="which quantile"),
            Option("center", "bool", True, doc="whether the center is part of the ball"),
            Option("weight", "float", 1.0, minimum=0, doc="of the center in mean and std"),
            Option("estimate", "name", "scratch", values=ESTIMATES, doc="how neighbors are had"),
            Option("trained", "int", 2, minimum=1, doc="neighbors trained for estimate=surrogate"),
        ),
        "Wang, Cao, Li and Kitani, Neighborhood-Aware NAS, BMVC 2021 (arXiv 2105.06369)",
    ),
    Metric(
        "activation_memory",
        "bytes",
        "minimize",
        "none",
        "static",
        "Bytes of the results of the graph's operations in float32: the most that are alive at "
        "once in inference, computed in the order of the graph with inputs and outputs kept, or, "
        "with training=true, all of them. What an operation of several layers holds inside "
        "is not counted.",
        "nasdsl.objectives.memory:activation_memory",
        (
            Option("batch", "int", 1, minimum=1, doc="samples"),
            Option("training", "bool", False, doc="all results, as a backward pass needs them"),
        ),
    ),
    Metric(
        "checkpoint_bytes",
        "bytes",
        "minimize",
        "none",
        "static",
        "Bytes of the safetensors file of all parameters and buffers, header included.",
        "nasdsl.objectives.memory:checkpoint_bytes",
    ),
    Metric(
        "latency",
        "ms",
        "minimize",
        "none",
        "untrained",
        "Median time of one forward pass in eval mode on the device and with the threads of the "
        "trial, after warm-up passes. The spread is the interquartile range over 1.349. Depends "
        "on the machine and on what else it does.",
        "nasdsl.objectives.latency:latency",
        (
            Option("batch", "int", 1, minimum=1, doc="samples of one pass"),
            Option("warmup", "int", 5, minimum=0, doc="passes that are not timed"),
            Option("repeats", "int", 30, minimum=2, doc="passes that are"),
            Option("at_most", "float", 0.0, minimum=0, doc="slower ones are not trained; 0: all"),
        ),
    ),
    Metric(
        "table",
        "",
        "maximize",
        "none",
        "table",
        "A column of the table of published values that the data name.",
        "nasdsl.objectives.published:column",
        (Option("column", "name", doc="as its heading says"),),
    ),
    *(
        Metric(
            f"proxy.{proxy.name}",
            "M" if proxy.static else "",
            proxy.direction,
            "none" if proxy.static else "train",
            "static" if proxy.static else "untrained",
            proxy.definition,
            f"nasdsl.objectives.proxies.metric:{proxy.name if proxy.static else 'measure'}",
            () if proxy.static else _BATCH,
            proxy.source,
        )
        for proxy in PROXIES.values()
    ),
    *(
        Metric(
            metric.name,
            metric.unit,
            metric.direction,
            metric.split,
            "trained",
            metric.definition,
            metric.measure,
            metric.options,
            metric.source,
            metric.evaluation,
        )
        for metric in ROBUST
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""All metrics by name; :func:`load_plugins` adds those of other packages."""


def load_plugins() -> list[Diagnostic]:
    """Adds the metrics of installed packages to the table; tells of those that fail.

    A plug-in cannot take the place of a metric that is there.
    """
    problems = []
    for point in entry_points(group=GROUP):
        try:
            metric = point.load()
        except Exception as error:  # whatever another package's import raises
            problems.append(_refused(point.name, f"{type(error).__name__}: {error}"))
            continue
        if not isinstance(metric, Metric):
            problems.append(_refused(point.name, f"{point.value} is not a Metric"))
        elif METRICS.setdefault(metric.name, metric) != metric:
            problems.append(_refused(point.name, f"there already is a metric '{metric.name}'"))
    return problems


def _refused(name: str, reason: str) -> Diagnostic:
    return Diagnostic(
        "NAS713", f"the metric plug-in '{name}' cannot be used: {reason}", severity="warning"
    )


def items() -> Mapping[str, Item]:
    """The metrics as a table of settings, for completion and documentation."""
    return {m.name: Item(m.name, m.options, m.definition) for m in METRICS.values()}


def read_goal(entry: Entry) -> tuple[MetricRequest | None, list[Diagnostic]]:
    """The metric that a goal asks for, and what is wrong with it.

    ``None`` where no metric of that name is known.
    """
    problems: list[Diagnostic] = []
    if entry.name not in METRICS:
        problems += load_plugins()
    metric = METRICS.get(entry.name)
    if metric is None:
        problems.append(
            Diagnostic(
                "NAS711",
                f"'{entry.name}' is not a metric{suggestion(entry.name, METRICS)}",
                entry.span,
                notes=(Note(f"known: {', '.join(METRICS)}"),),
            )
        )
        return None, problems
    options, wrong = read_entry(entry, items()[metric.name])
    problems += wrong
    if metric.name == "flatness.neighborhood":
        problems += _neighborhood(entry, options)
    request = MetricRequest(
        metric.name,
        tuple((o.name, options[o.name]) for o in metric.options if o.name in options),
        entry.source(),
    )
    return request, problems


def _neighborhood(entry: Entry, options: Mapping[str, Any]) -> list[Diagnostic]:
    """Options that say something only together with others."""
    given = {name for name, _ in entry.kwargs}
    problems = []
    if "q" in given and options["aggregate"] != "quantile":
        problems.append(("q", "aggregate=quantile"))
    if "weight" in given and options["aggregate"] not in ("mean", "std"):
        problems.append(("weight", "aggregate=mean or aggregate=std"))
    if "weight" in given and not options["center"]:
        problems.append(("weight", "center=true"))
    if "trained" in given and options["estimate"] != "surrogate":
        problems.append(("trained", "estimate=surrogate"))
    if ("samples" in given or entry.args) and options["estimate"] == "surrogate":
        problems.append(("samples", "another estimate than surrogate"))
    return [
        Diagnostic("NAS712", f"'{entry.name}', '{name}': only with {needed}", entry.span)
        for name, needed in problems
    ]


def labels(requests: Sequence[MetricRequest]) -> tuple[str, ...]:
    """The name under which each request's value is recorded.

    It is the metric's; where an earlier request took that, or the metric alone says little, as
    with ``table(COLUMN)``, the full written form. Equal requests share a label.
    """
    taken: dict[str, MetricRequest] = {}
    found = []
    for request in requests:
        label = request.metric
        if any(option.default is REQUIRED for option in request.facts.options):
            label = request.written or _written(request)
        if taken.setdefault(label, request) != request:
            label = request.written or _written(request)
            taken.setdefault(label, request)
        found.append(label)
    return tuple(found)


def _written(request: MetricRequest) -> str:
    return Entry(request.metric, (), request.options).source()


def request(metric: str, **options: Any) -> MetricRequest:
    """A request made in Python, as ``request("flatness.weights", sigma=0.1)``.

    Raises:
        DiagnosticError: no such metric or option, or a value that does not fit.
    """
    from nasdsl.diagnostics import DiagnosticError, errors

    found, problems = read_goal(Entry(metric, (), tuple(options.items())))
    if found is None or errors(problems):
        raise DiagnosticError(problems)
    return found


def measured(requests: Iterable[MetricRequest]) -> tuple[MetricRequest, ...]:
    """What one network has to be measured for so that all the requests can be answered.

    Metrics of the neighborhood give way to the accuracy, which they aggregate.
    """
    wanted = tuple(requests)
    own = tuple(r for r in wanted if r.cost != "neighborhood")
    accuracy = MetricRequest("accuracy", (), "accuracy")
    if len(own) < len(wanted) and all(r.metric != "accuracy" for r in own):
        own += (accuracy,)
    return own


def entry_points(group: str) -> EntryPoints:
    """What installed packages offer to a group; asked for only where a name is not ours."""
    from importlib import metadata  # takes longer to import than many texts to read

    return metadata.entry_points(group=group)
