"""Uses of what a text declares: blocks, choices, cells and operations of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from nasdsl.diagnostics import Diagnostic
from nasdsl.language import syntax as s
from nasdsl.operations.foreign import PYTHON
from nasdsl.space.bodies import graph_body
from nasdsl.space.emission import Types, emitted
from nasdsl.space.joining import Joiner, named
from nasdsl.space.late import NOTHING
from nasdsl.space.program import Template
from nasdsl.space.residual import POISON, Branch, Fail, Key, Known, Lift, Step, UseCell
from nasdsl.space.residual import Scope as Named
from nasdsl.space.values import EvaluationError, Scope, kind_of, shown, truth, whole

MAX_LEVELS = 60
"""A block may be so deep in itself, by way of choices."""


class Use(NamedTuple):
    """A use of a declared name, applied to inputs of these types."""

    label: str
    at: s.Call | s.Ref
    types: Types
    known: Known


class Templates:
    """Applies the templates of one program, and remembers the bodies of its cells.

    ``agreeing``: cells of which also the uses in which nothing is decided have to agree with the
    others.
    """

    def __init__(self, joiner: Joiner, agreeing: frozenset[str] = frozenset()):
        self.joiner = joiner
        self._agreeing = agreeing
        self.observed: dict[str, dict[Any, Step]] = {}
        """Bodies of cells by cell and signature, in the order of first use."""
        self._running: list[str] = []

    def uneven(self) -> frozenset[str]:
        """Cells in which something is decided at some uses, and nothing at others."""
        return frozenset(
            name
            for name, bodies in self.observed.items()
            if len({body.decides for body in bodies.values() if not body.broken}) > 1
        )

    def alternative(self, choice: s.Choice, name: str, use: Use, scope: Scope) -> Step:
        """An alternative that was chosen as a value, applied."""
        inner = self._inside(use, choice.parameters, choice.name.text, scope)
        alternative = next(a for a in choice.alternatives if a.name.text == name)

        def body(env: Scope, k: Known) -> Step:
            if alternative.guard is not None and not truth(
                self.joiner.value(alternative.guard, env), alternative.guard.span, "a guard"
            ):
                raise EvaluationError(
                    "NAS225",
                    f"the alternative '{name}' was chosen as a value, and its guard forbids it here",
                    use.at.span,
                )
            return Named(name, self.joiner.apply(alternative.body, env, use.types, k))

        return named(use.label, self.joiner.bindings(choice.where, inner, use.known, body))

    def apply(self, template: Template, use: Use, scope: Scope) -> Step:
        """A template applied to inputs of these types."""
        name = template.name.text
        inner = self._inside(use, template.parameters, name, scope)
        if isinstance(template, s.Block):
            return self._block(template, use, inner)
        if isinstance(template, s.Choice):
            return self._choice(template, use, inner)
        if isinstance(template, s.Cell):
            return self._cell(template, use, inner)
        settings = dict(inner.local)
        for parameter, value in settings.items():
            if not isinstance(value, bool | int | float | str):
                raise EvaluationError(
                    "NAS228",
                    f"'{parameter}' of {name} must be a number, truth value or text, "
                    f"found {kind_of(value)}",
                    use.at.span,
                )
        settings[PYTHON] = template.target.value
        operation = self.joiner.operations[name]
        inputs = tuple(range(len(use.types)))
        return emitted(operation, settings, use.types, use.known, use.at, use.label, inputs)

    def _inside(
        self, use: Use, parameters: tuple[s.Parameter, ...], name: str, scope: Scope
    ) -> Scope:
        """The scope inside a template; its guards and values after 'where' may read ``cin``."""
        inner = scope.fresh(self.joiner.arguments(use.at, parameters, name, scope))
        return inner.with_cin(use.types[0].channels) if use.types else inner

    def _block(self, block: s.Block, use: Use, scope: Scope) -> Step:
        name, body = block.name.text, block.body
        if scope.levels.get(f"block {name}", 0) > MAX_LEVELS:
            raise EvaluationError("NAS106", f"'{name}' uses itself without end", use.at.span)
        if name in self.joiner.program.deep(body):
            scope = scope.entered(f"block {name}")
        made = self.joiner.bindings(
            block.where, scope, use.known, lambda env, k: self.joiner.apply(body, env, use.types, k)
        )
        return named(use.label, made)

    def _choice(self, choice: s.Choice, use: Use, scope: Scope) -> Step:
        name = choice.name.text
        deepest: int | None = None
        if choice.recursion is not None:
            deepest = whole(
                self.joiner.value(choice.recursion, scope), choice.recursion.span, "a depth"
            )
            scope = scope.entered(name)
        level = scope.levels.get(name, 0)

        def body(env: Scope, k: Known) -> Step:
            options: dict[str, Step] = {}
            for alternative in choice.alternatives:
                if (
                    deepest is not None
                    and level >= deepest
                    and self.joiner.program.recursive(choice, alternative)
                ):
                    continue
                if alternative.guard is not None and not truth(
                    self.joiner.value(alternative.guard, env), alternative.guard.span, "a guard"
                ):
                    continue
                made = self.joiner.apply(alternative.body, env, use.types, k)
                options[alternative.name.text] = Named(alternative.name.text, made)
            if not options:
                values = ", ".join(f"{n} = {shown(v)}" for n, v in sorted(env.local.items()))
                raise EvaluationError(
                    "NAS302",
                    f"no alternative of '{name}' is allowed here"
                    + (f" with {values}" if values else ""),
                    use.at.span,
                )
            return Branch("", "choice", name, options, choice.name.span)

        return named(use.label, self.joiner.bindings(choice.where, scope, use.known, body))

    def _cell(self, cell: s.Cell, use: Use, scope: Scope) -> Step:
        name = cell.name.text
        types, known = use.types, use.known
        if POISON in types:
            return Fail(Diagnostic("", "", use.at.span), known)
        deep = self.joiner.program.deep(cell)
        scope = self.joiner.late.resolved(scope, deep, name)
        decided = tuple((n, v) for n, v in scope.decided.items() if n in deep)
        local = tuple([(n, v, type(v) is bool) for n, v in sorted(scope.local.items())])
        signature = (local, types, decided)
        bodies = self.observed.setdefault(name, {})
        if signature not in bodies:
            if name in self._running:
                raise EvaluationError("NAS106", f"the cell '{name}' uses itself", use.at.span)
            self._running.append(name)
            try:
                with self.joiner.late.at(frozenset(), NOTHING):
                    bodies[signature] = self.joiner.bindings(
                        cell.where,
                        scope,
                        frozenset(),
                        lambda env, k: graph_body(self.joiner, cell.graph, env, types, k, use.at),
                    )
            finally:
                self._running.pop()
        body = bodies[signature]
        idle = not body.decides and not any(key[1] for key in body.outcomes)
        if idle and name not in self._agreeing:
            # Nothing is decided inside, so there is nothing that its uses have to agree on.
            return named(use.label, Lift(body, known) if known else body)
        keys: dict[Key, Key] = {}
        mine = {key for c, sig, key in known if c == name and sig == signature}
        for key in body.outcomes:
            if mine and key not in mine:
                continue
            merged = merge(known, key[1] | {(name, signature, key)})
            if merged is not None:
                keys[key] = (key[0], merged)
        if not keys:
            return Fail(Diagnostic("", "", use.at.span), known)
        return named(use.label, UseCell(name, signature, body, keys))


def merge(known: Known, more: Known) -> Known | None:
    """Two sets of observations together, or none where they contradict each other."""
    together = known | more
    found: dict[tuple[str, Any], Any] = {}
    for cell, signature, key in together:
        if found.setdefault((cell, signature), key) != key:
            return None
    return together
