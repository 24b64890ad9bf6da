"""``require``: conditions over what an architecture is, without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import Span, suggestion
from nasdsl.graph.memory import peak
from nasdsl.language import syntax as s
from nasdsl.space.building import Recorder
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.program import Program
from nasdsl.space.quantities import chosen_of, names
from nasdsl.space.residual import Branch
from nasdsl.space.values import EvaluationError, Family, Scope, truth
from nasdsl.space.walk import run

if TYPE_CHECKING:
    from nasdsl.space.architecture import Architecture
    from nasdsl.space.outside import Outside

COSTS = ("params", "macs", "declared_params", "declared_macs")
STRUCTURE = ("nodes", "depth", "activation_memory", "checkpoint_bytes")
_EXAMPLES = {"count": "count(skip)", "edges": "edges(Cell)"}


class Constraints(Evaluator):
    """The conditions of a space, for one architecture at a time.

    A condition may use ``params, macs, declared_params, declared_macs`` (numbers), ``nodes``
    and ``depth`` (operations of the live network, and on its longest path),
    ``activation_memory`` (bytes, as the metric for one sample), ``checkpoint_bytes`` (of the
    file of the live network's weights, which takes torch to know), ``count(label, …)``
    (decisions for these alternatives), ``edges(Cell)`` (inputs picked in a cell), and the
    values chosen by ``let`` and by the network's ``where``.
    """

    def __init__(self, program: Program):
        super().__init__(program)
        self._about: Architecture | Outside | None = None

    @property
    def conditions(self) -> list[s.Require]:
        """The conditions as written."""
        return self.program.requires

    def holds(self, architecture: Architecture | Outside) -> bool:
        """Whether an architecture meets every condition."""
        return all(self.test(r.condition, architecture) for r in self.conditions)

    def test(self, condition: s.Expr, architecture: Architecture | Outside) -> bool:
        """Whether an architecture meets a condition; raises :class:`EvaluationError`."""
        return truth(self.measured(condition, architecture), condition.span, "a condition")

    def measured(self, expr: s.Expr, architecture: Architecture | Outside) -> Any:
        """The value of an expression of a condition; raises :class:`EvaluationError`."""
        self._about = architecture
        self.work = 0
        try:
            return self.value(expr, Scope(_values(architecture.decisions)))
        finally:
            self._about = None

    def _ref(self, e: s.Ref, scope: Scope) -> Any:
        about = self._about
        if about is not None and e.name not in scope and e.name not in self.program.lets:
            if e.name in COSTS:
                return getattr(about, e.name)
            if e.name == "nodes":
                return len(about.network.nodes) - len(about.network.inputs)
            if e.name == "depth":
                return _depth(about)
            if e.name == "activation_memory":
                return peak(about.network)
            if e.name == "checkpoint_bytes":
                return about.space.checkpoint_bytes(about.network)
        return super()._ref(e, scope)

    def _call(self, e: s.Call, scope: Scope) -> Any:
        if self._about is not None and isinstance(e.callee, s.Ref):
            if e.callee.name == "count":
                return self._counted(e)
            if e.callee.name == "edges":
                return self._edges(e)
        return super()._call(e, scope)

    def words(self, e: s.Call) -> list[str]:
        """The names between the parentheses of ``count(…)`` or ``edges(…)``, known ones.

        Raises :class:`EvaluationError` for anything else.
        """
        function = e.callee.span.text
        words = []
        for argument in e.arguments:
            if not isinstance(argument.value, s.Ref | s.Member) or argument.clauses:
                raise EvaluationError(
                    "NAS234",
                    f"'{function}' takes names, as {_EXAMPLES[function]}, "
                    f"found '{argument.span.text}'",
                    argument.span,
                )
            word = argument.value.span.text
            if function == "count":
                self._alternative(word, argument.span)
            else:
                self._cell(word, argument.span)
            words.append(word)
        return words

    def _alternative(self, word: str, span: Span) -> None:
        choice, _, label = word.rpartition(".")
        labels = self.program.labels
        choices = {name for of in labels.values() for name in of}
        if choice and choice not in choices:
            raise EvaluationError(
                "NAS101", f"no choice is called '{choice}'{suggestion(choice, choices)}", span
            )
        known = {known for known, of in labels.items() if not choice or choice in of}
        if label not in known:
            where = f" of '{choice}'" if choice else ""
            raise EvaluationError(
                "NAS101",
                f"no alternative{where} is called '{label}'{suggestion(label, known)}",
                span,
            )

    def _cell(self, word: str, span: Span) -> None:
        cells = [n for n, t in self.program.templates.items() if isinstance(t, s.Cell)]
        if word not in cells:
            raise EvaluationError(
                "NAS101", f"no cell is called '{word}'{suggestion(word, cells)}", span
            )

    def _counted(self, e: s.Call) -> int:
        assert self._about is not None
        words = self.words(e)
        decisions = self._about.decisions
        if not any("." in word for word in words):
            return sum(1 for v in decisions.values() if isinstance(v, str) and v in words)
        choices = _Choices(decisions)
        if decisions:  # networks outside the space have none
            space = self._about.space
            run(space.step, tuple(str(i) for i in range(len(space.inputs))), choices)
        return sum(
            1
            for name, value in decisions.items()
            if isinstance(value, str) and any(names(w, choices.of[name], value) for w in words)
        )

    def _edges(self, e: s.Call) -> int:
        assert self._about is not None
        words = self.words(e)
        return sum(
            len(v)
            for n, v in self._about.decisions.items()
            if isinstance(v, tuple) and (not words or n.partition(".")[0] in words)
        )


class _Choices(Recorder):
    """Notes of which choice each decision takes an alternative."""

    def __init__(self, decisions: Mapping[str, Any]):
        super().__init__(decisions)
        self.of: dict[str, str] = {}

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""
        self.of[name] = chosen_of(branch)
        return super().decide(name, branch)


def _values(decisions: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a condition may name, indexed names gathered."""
    found: dict[str, Any] = {}
    families: dict[str, list[tuple[Any, Any]]] = {}
    for name, value in decisions.items():
        if "." in name:
            continue
        base, bracket, index = name.partition("[")
        if not bracket:
            found[name] = value
        elif not isinstance(value, str):
            parts = [_number(p) for p in index[:-1].split(",")]
            families.setdefault(base, []).append(
                (parts[0] if len(parts) == 1 else tuple(parts), value)
            )
    for base, members in families.items():
        found.setdefault(base, Family(base, tuple(members)))
    return found


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return text


def _depth(architecture: Architecture | Outside) -> int:
    depth: dict[str, int] = {}
    for node in architecture.network.nodes:
        below = max((depth[i] for i in node.inputs), default=-1)
        depth[node.id] = below + 1
    return max((depth[o] for o in architecture.network.outputs), default=0)
