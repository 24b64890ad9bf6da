"""Decisions: the values that a choice has, and what follows each of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.language import syntax as s
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.limits import Effort
from nasdsl.space.program import Program
from nasdsl.space.residual import Branch, Fail, Known, Step
from nasdsl.space.values import (
    EvaluationError,
    Family,
    Label,
    Scope,
    kind_of,
    members,
    subscript,
    truth,
    whole,
)

MAX_OPTIONS = 20_000
MAX_MEMBERS_OF_SOME = 14


_MODULES = Note(
    "modules to choose from are alternatives: choice Act = | relu = relu | gelu = gelu, "
    "and then 'a in Act', or Act where it is applied"
)


class Decider(Evaluator):
    """Evaluates expressions, and branches where the text leaves something to decide."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.effort = Effort()

    def fail(self, error: EvaluationError | Diagnostic, known: Known) -> Step:
        """A broken step."""
        return Fail(error.diagnostic if isinstance(error, EvaluationError) else error, known)

    def domain(
        self, source: s.Expr, scope: Scope, chosen: bool = True
    ) -> tuple[str, list[tuple[Any, Any]]]:
        """The values of a decision in rank order: (as recorded, as bound)."""
        if isinstance(source, s.Pick | s.Some):
            subsets = self._subsets(source, scope)
            return ("pick" if isinstance(source, s.Pick) else "some"), [(v, v) for v in subsets]
        if isinstance(source, s.Ref) and source.name not in scope:
            template = self.program.templates.get(source.name)
            if isinstance(template, s.Choice):
                names = [a.name.text for a in template.alternatives]
                return "label", [(n, Label(source.name, n)) for n in names]
        values = members(self.value(source, scope), source.span, "what follows 'in'")
        kinds = {kind_of(value) for value in values}
        if not kinds <= {"a number", "a text", "a truth value"} or len(kinds) > 1:
            found = " and ".join(sorted(kinds))
            message = f"a choice is between numbers, texts or truth values, found {found}"
            notes = (_MODULES,) if "a module" in kinds else ()
            raise EvaluationError("NAS204", message, source.span, *notes)
        ordered = _sorted(tuple(dict.fromkeys(values)))
        if len(ordered) > MAX_OPTIONS:
            message = f"a choice of {len(ordered):,} values; at most {MAX_OPTIONS:,} are allowed"
            raise EvaluationError("NAS306", message, source.span)
        if not ordered:
            raise EvaluationError("NAS305", "there is nothing to choose from here", source.span)
        return "value", [(v, v) for v in ordered]

    def _subsets(self, source: s.Pick | s.Some, scope: Scope) -> list[tuple[Any, ...]]:
        base = tuple(dict.fromkeys(members(self.value(source.source, scope), source.span)))
        ordered = _sorted(base)
        if isinstance(source, s.Pick):
            k = whole(self.value(source.number, scope), source.number.span, "how many to pick")
            if not 0 <= k <= len(ordered):
                raise EvaluationError("NAS305", f"cannot pick {k} of {len(ordered)}", source.span)
            subsets = list(itertools.islice(itertools.combinations(ordered, k), MAX_OPTIONS + 1))
        else:
            if len(ordered) > MAX_MEMBERS_OF_SOME:
                raise EvaluationError(
                    "NAS306",
                    f"some of {len(ordered)} members has 2^{len(ordered)} values; "
                    f"at most {MAX_MEMBERS_OF_SOME} members are allowed",
                    source.span,
                )
            subsets = sorted(
                c for k in range(len(ordered) + 1) for c in itertools.combinations(ordered, k)
            )
        if len(subsets) > MAX_OPTIONS:
            raise EvaluationError(
                "NAS306", f"this has more than {MAX_OPTIONS:,} values", source.span
            )
        return subsets

    def chosen(
        self,
        binding: s.Binding,
        scope: Scope,
        after: Callable[[Any], Step],
    ) -> Step:
        """The decision that a binding introduces, or one for each of its indices, and the rest.

        ``after`` is given what is bound to the name: a value, or a family of them.
        """
        name = binding.name.text
        if not binding.indices:
            return self._branch(name, binding, scope, after)
        indexed = list(self.indexed(binding.indices, scope))

        def family(at: int, found: tuple[tuple[Any, Any], ...]) -> Step:
            if at == len(indexed):
                return after(Family(name, found))
            index, inner = indexed[at]
            # A member may depend on those before it (w[i] in 8..w[i-1]).
            inner = inner.bind(**{name: Family(name, found)})
            written = subscript(index)
            return self._branch(
                f"{name}[{written}]",
                binding,
                inner,
                lambda value: family(at + 1, (*found, (index, value))),
            )

        return family(0, ())

    def _branch(
        self,
        name: str,
        binding: s.Binding,
        scope: Scope,
        after: Callable[[Any], Step],
    ) -> Step:
        kind, domain = self.domain(binding.source, scope, binding.chosen)
        self.effort.spend(binding.source)
        options = {value: after(bound) for value, bound in domain}
        of = binding.name.text
        if kind == "label" and isinstance(binding.source, s.Ref):
            of = f"{of} in {binding.source.name}"
        return Branch(name, kind, of, options, binding.span)

    def eager(
        self,
        bindings: Sequence[s.Binding],
        scope: Scope,
        known: Known,
        body: Callable[[Scope, Known], Step],
    ) -> Step:
        """The body under every combination of what the bindings hold, run through one by one."""
        if not bindings:
            try:
                return body(scope, known)
            except EvaluationError as error:
                return self.fail(error, known)
        head, tail = bindings[0], bindings[1:]
        name = head.name.text

        def after(value: Any) -> Step:
            return self.eager(tail, scope.bind(**{name: value}), known, body)

        try:
            if head.decides:
                return self.chosen(head, scope, after)
            if head.indices:
                return after(self.family(head, scope))
            return after(self.value(head.source, scope))
        except EvaluationError as error:
            return self.fail(error, known)

    def expand(
        self,
        arguments: Sequence[s.Argument],
        scope: Scope,
        known: Known,
        finish: Callable[[list[Item], Known], Step],
    ) -> Step:
        """The items of an argument list, comprehensions run out; ``pick`` branches first.

        What belongs to a second comprehension is told apart by ``@2``, and so on.
        """

        def go(at: int, items: list[Item], mark: str, ran: int) -> Step:
            if at == len(arguments):
                try:
                    return finish(items, known)
                except EvaluationError as error:
                    return self.fail(error, known)
            argument = arguments[at]
            if not argument.clauses:
                return go(at + 1, [*items, Item(argument.value, scope, None)], mark, ran)
            head = argument.clauses[0]
            after = f"@{ran + 2}"
            if isinstance(head.source, s.Pick | s.Some):
                kind, domain = self.domain(head.source, scope)
                options = {}
                for value, _ in domain:
                    more = self._items(argument, scope, value, mark)
                    options[value] = go(at + 1, [*items, *more], after, ran + 1)
                return Branch(f"inputs{mark}", kind, "inputs", options, head.source.span)
            more = self._items(argument, scope, None, mark)
            return go(at + 1, [*items, *more], after, ran + 1)

        return go(0, [], "", 0)

    def _items(self, argument: s.Argument, scope: Scope, picked: Any, mark: str) -> list[Item]:
        clauses = argument.clauses
        if picked is None:
            scopes = list(self.each(clauses, scope))
        else:
            scopes = []
            variable = clauses[0].variable.text
            for value in picked:
                inner = scope.bind(**{variable: value})
                condition = clauses[0].condition
                if condition is None or truth(self.value(condition, inner), condition.span):
                    scopes.extend(self.each(clauses[1:], inner))
        return [Item(argument.value, env, f"{i}{mark}") for i, env in enumerate(scopes)]


class Item:
    """One item of an argument list: an expression, its scope, and its name in paths."""

    __slots__ = ("expr", "label", "scope")

    def __init__(self, expr: s.Expr, scope: Scope, label: str | None):
        self.expr = expr
        self.scope = scope
        self.label = label


def _sorted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers ascending; anything else as declared."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return tuple(sorted(values))
    return values
