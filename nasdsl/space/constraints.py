"""``require``: conditions over what an architecture is, without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import suggestion
from nasdsl.graph.memory import peak
from nasdsl.language import syntax as s
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.program import Program
from nasdsl.space.values import EvaluationError, Family, Scope, truth

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
        self._values: Scope = Scope()

    @property
    def conditions(self) -> list[s.Require]:
        """The conditions as written."""
        return self.program.requires

    def holds(self, architecture: Architecture | Outside) -> bool:
        """Whether an architecture meets every condition."""
        return all(self.test(r.condition, architecture) for r in self.conditions)

    def test(self, condition: s.Expr, architecture: Architecture | Outside) -> bool:
        """Whether an architecture meets a condition; raises :class:`EvaluationError`."""
        self._about = architecture
        self.work = 0
        self._values = Scope(_values(architecture.decisions))
        try:
            return truth(self.value(condition, self._values), condition.span, "a condition")
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

    def _words(self, e: s.Call) -> list[str]:
        words = []
        for argument in e.arguments:
            if not isinstance(argument.value, s.Ref | s.Member) or argument.clauses:
                raise EvaluationError(
                    "NAS234",
                    f"'{e.callee.span.text}' takes names, as {_EXAMPLES[e.callee.span.text]}, "
                    f"found '{argument.span.text}'",
                    argument.span,
                )
            words.append(argument.value.span.text)
        return words

    def _counted(self, e: s.Call) -> int:
        assert self._about is not None
        known = {
            a.name.text
            for t in self.program.templates.values()
            if isinstance(t, s.Choice)
            for a in t.alternatives
        } | {"with", "without", "on", "off"}
        words = self._words(e)
        for word in words:
            if word.rpartition(".")[2] not in known:
                raise EvaluationError(
                    "NAS101", f"no alternative is called '{word}'{suggestion(word, known)}", e.span
                )
        labels = {w.rpartition(".")[2] for w in words}
        return sum(1 for v in self._about.decisions.values() if isinstance(v, str) and v in labels)

    def _edges(self, e: s.Call) -> int:
        assert self._about is not None
        words = self._words(e)
        for word in words:
            if not isinstance(self.program.templates.get(word), s.Cell):
                cells = [n for n, t in self.program.templates.items() if isinstance(t, s.Cell)]
                raise EvaluationError(
                    "NAS101", f"no cell is called '{word}'{suggestion(word, cells)}", e.span
                )
        return sum(
            len(v)
            for n, v in self._about.decisions.items()
            if isinstance(v, tuple) and (not words or n.partition(".")[0] in words)
        )


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
