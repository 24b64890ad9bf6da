"""Values decided late, so that the work grows with the text and not with their product.

A ``let`` or ``where`` with many combinations is not run through combination by combination.
Its values are decided where the network first needs them, remembered as long as something
still reads them, and then forgotten, so that states that differ in nothing that matters are
merged. What is decided, and in which order ranks count it, is not changed by this
(:class:`nasdsl.space.residual.Owned`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from nasdsl.language import syntax as s
from nasdsl.space.residual import Branch, Key, Known, Owned, Ret, Step, Then
from nasdsl.space.values import (
    Closure,
    Deferred,
    EvaluationError,
    Family,
    Label,
    Pending,
    Scope,
    Undecided,
    subscript,
)

if TYPE_CHECKING:
    from nasdsl.space.decisions import Decider

T = TypeVar("T")
U = TypeVar("U")

NOTHING: frozenset[Pending] = frozenset()
EAGER = 128
"""Up to so many combinations of a declaration are run through one by one."""

MAX_CHOICES = 300
"""So many choices may one declaration hold."""

LATE = ""
"""In what is known, late values stand under this name of a cell, which no cell has."""


class _Past:
    """Stands for a value that was decided and is not read any more."""

    def __repr__(self) -> str:
        return "past"


PAST: Any = _Past()


class LateValues:
    """The late values of one elaboration: which are decided, and which are still needed."""

    def __init__(self, elaborator: Decider):
        self.elaborator = elaborator
        self.active = False
        self.known: Known = frozenset()
        self.needed: frozenset[Pending] = NOTHING
        self.read_by: dict[str, set[str]] = {}
        """Cells, with the late values of the whole space that they read."""
        self._owners = 0
        self._reads: dict[Any, frozenset[Pending]] = {}

    # ---- where we are

    @contextmanager
    def at(self, known: Known, needed: frozenset[Pending]) -> Iterator[None]:
        """What is known, and which late values are read after what is worked out inside."""
        before = self.known, self.needed
        self.known, self.needed = known, needed
        try:
            yield
        finally:
            self.known, self.needed = before

    @contextmanager
    def needing(self, *more: frozenset[Pending]) -> Iterator[None]:
        """Late values that are read later in the same sequence."""
        before = self.needed
        self.needed = before.union(*more) if more else before
        try:
            yield
        finally:
            self.needed = before

    def settled(self, value: Any) -> Any:
        """A value in scope; raises :class:`Undecided` for a late one that is not decided."""
        if isinstance(value, Deferred):
            return self.elaborator.value(value.expr, value.scope)
        if not isinstance(value, Pending):
            return value
        for cell, pending, bound in self.known:
            if cell == LATE and pending is value:
                assert bound is not PAST, f"{value.label} is read after it was forgotten"
                return bound
        raise Undecided(value)

    def branching(
        self,
        known: Known,
        make: Callable[[Known], Step],
        fail: Callable[[EvaluationError, Known], Step],
    ) -> Step:
        """What ``make`` gives, after deciding the late values that it turns out to need."""
        try:
            with self.at(known, self.needed):
                return make(known)
        except EvaluationError as error:
            return fail(error, known)
        except Undecided as missing:
            return self._decide(missing.pending, known, make, fail)

    def _decide(
        self,
        pending: Pending,
        known: Known,
        make: Callable[[Known], Step],
        fail: Callable[[EvaluationError, Known], Step],
        waiting: tuple[Pending, ...] = (),
    ) -> Step:
        """A late value, after those that its own values depend on; ``waiting`` wait for it."""
        binding = pending.binding
        try:
            if pending in waiting:
                message = f"the values of '{pending.label}' depend on '{pending.label}' itself"
                raise EvaluationError("NAS106", message, binding.span)
            with self.at(known, self.needed):
                kind, domain = self.elaborator.domain(binding.source, pending.scope)
        except EvaluationError as error:
            return fail(error, known)
        except Undecided as missing:
            return self._decide(
                missing.pending,
                known,
                lambda k: self._decide(pending, k, make, fail, waiting),
                fail,
                (*waiting, pending),
            )
        self.elaborator.effort.spend(binding.source)
        options = {
            value: self.branching(known | {(LATE, pending, bound)}, make, fail)
            for value, bound in domain
        }
        of = binding.name.text
        if kind == "label" and isinstance(binding.source, s.Ref):
            of = f"{of} in {binding.source.name}"
        return Branch(pending.label, kind, of, options, binding.span, pending.owner)

    # ---- what is read

    @staticmethod
    def relevant(known: Known, reads: frozenset[Pending]) -> Known:
        """What is known and may matter to something that reads these late values."""
        return frozenset([o for o in known if o[0] != LATE or o[1] in reads])

    def trimmed(self, step: Step, needed: frozenset[Pending]) -> Step:
        """A step whose outcomes forget the late values that nothing reads afterwards."""
        if not self.active:
            return step
        rest: dict[Key, Step] = {}
        changed = False
        for key in step.outcomes:
            known = self.forgotten(key[1], needed)
            changed = changed or known != key[1]
            rest[key] = Ret(0, (key[0], known))
        return Then(step, rest, keep=False) if changed else step

    @staticmethod
    def forgotten(known: Known, needed: frozenset[Pending]) -> Known:
        """What is known without the late values that nothing reads any more."""
        return frozenset(
            [
                (LATE, o[1], PAST)
                if o[0] == LATE and o[2] is not PAST and o[1] not in needed
                else o
                for o in known
            ]
        )

    def reads(self, expr: s.Syntax, scope: Scope) -> frozenset[Pending]:
        """The late values that an expression may read under a scope."""
        key = (id(expr), scope)
        found = self._reads.get(key)
        if found is None:
            self._reads[key] = NOTHING  # a recursive template adds nothing of its own
            found = frozenset(self._walk(expr, scope))
            self._reads[key] = found
        return found

    def _walk(self, expr: s.Syntax, scope: Scope) -> Iterator[Pending]:
        if isinstance(expr, s.Ref):
            if expr.name in scope:
                yield from self._inside(scope.get(expr.name))
            elif scope.decided:
                for name in self.elaborator.program.deep(expr):
                    if name in scope.decided:
                        yield from self._inside(scope.decided[name])
            return
        if isinstance(expr, s.Item) and isinstance(expr.base, s.Ref) and expr.base.name in scope:
            family = scope.get(expr.base.name)
            if isinstance(family, Family):
                yield from self._walk(expr.index, scope)
                try:
                    yield from self._inside(family.get(self.elaborator.value(expr.index, scope)))
                except (EvaluationError, Undecided, KeyError, TypeError):
                    yield from self._inside(family)
                return
        if isinstance(expr, s.Call) and isinstance(expr.callee, s.Ref):
            used = self._used(expr, expr.callee.name, scope)
            if used is not None:
                for argument in expr.arguments:
                    yield from self._walk(argument.value, scope)
                yield from self._template(*used)
                return
        if isinstance(expr, s.Argument | s.Collection) and expr.clauses:
            inner = [scope]
            for clause in expr.clauses:
                yield from self._walk(clause.source, scope)
                if clause.condition is not None:
                    yield from self._walk(clause.condition, scope)
            try:
                inner = list(self.elaborator.each(expr.clauses, scope))
            except (EvaluationError, Undecided):
                inner = [scope]
            item = expr.value if isinstance(expr, s.Argument) else expr.item
            for env in inner:
                yield from self._walk(item, env)
            return
        for child in expr.children():
            yield from self._walk(child, scope)

    def _used(self, call: s.Call, name: str, scope: Scope) -> tuple[s.Syntax, Scope] | None:
        """A template with the scope inside it, where a use's arguments are known already.

        So a use reads the members of families that its arguments pick, and no others.
        """
        template = self.elaborator.program.templates.get(name)
        if name in scope or not isinstance(template, s.Block | s.Choice | s.Cell):
            return None
        if name in self.elaborator.program.deep(template):
            return None  # its arguments may grow without end
        try:
            given = self.elaborator.arguments(call, template.parameters, name, scope)
        except (EvaluationError, Undecided):
            return None
        return template, scope.fresh(given)

    def _template(self, template: s.Syntax, scope: Scope) -> frozenset[Pending]:
        key = (id(template), scope)
        found = self._reads.get(key)
        if found is None:
            reads = (self._walk(child, scope) for child in template.children())
            found = self._reads[key] = frozenset().union(*reads)
        return found

    def _inside(self, value: Any) -> Iterator[Pending]:
        if isinstance(value, Pending):
            yield value
            yield from self.reads(value.binding.source, value.scope)
        elif isinstance(value, Family):
            for _, member in value.members:
                yield from self._inside(member)
        elif isinstance(value, Closure | Deferred):
            yield from self.reads(value.expr, value.scope)
        elif isinstance(value, Label):
            yield from ()

    def ways(self, at: s.Syntax, make: Callable[[], T]) -> list[T]:
        """What ``make`` gives under every combination of the late values that it asks for.

        A combination that ends in a mistake gives nothing: it is told where it is decided.
        """

        def under(
            known: Known, work: Callable[[], U], waiting: frozenset[Pending]
        ) -> list[tuple[Known, U]]:
            try:
                with self.at(known, self.needed):
                    return [(known, work())]
            except EvaluationError:
                return []
            except Undecided as missing:
                pending = missing.pending
            if pending in waiting:
                return []
            self.elaborator.effort.spend(at)
            source = pending.binding.source
            values = under(
                known,
                lambda: self.elaborator.domain(source, pending.scope)[1],
                waiting | {pending},
            )
            return [
                found
                for k, domain in values
                for _, bound in domain
                for found in under(k | {(LATE, pending, bound)}, work, waiting)
            ]

        return [found for _, found in under(self.known, make, NOTHING)]

    def resolved(self, scope: Scope, names: frozenset[str], cell: str) -> Scope:
        """A scope in which the late values of the whole space that a cell names are decided."""
        if not self.active:
            return scope
        decided = dict(scope.decided)
        for name in sorted(names & set(decided)):
            value = decided[name]
            if any(self._inside(value)):
                self.read_by.setdefault(cell, set()).add(name)
            if isinstance(value, Family):
                members = tuple((i, self.settled(v)) for i, v in value.members)
                decided[name] = Family(value.name, members)
            else:
                decided[name] = self.settled(value)
        return Scope(decided, scope.local, scope.levels, scope.cin)

    # ---- declarations

    def many(self, bindings: Sequence[s.Binding], scope: Scope) -> bool:
        """Whether a declaration has so many combinations that it is decided late."""
        combinations = 1
        try:
            for binding in bindings:
                if not binding.decides:
                    value = (
                        self.elaborator.family(binding, scope)
                        if binding.indices
                        else self.elaborator.value(binding.source, scope)
                    )
                    scope = scope.bind(**{binding.name.text: value})
                    continue
                members: list[tuple[Any, Any]] = []
                places = (
                    list(self.elaborator.indexed(binding.indices, scope))
                    if binding.indices
                    else [(None, scope)]
                )
                for index, inner in places:
                    if binding.indices:
                        inner = inner.bind(
                            **{binding.name.text: Family(binding.name.text, tuple(members))}
                        )
                    _, domain = self.elaborator.domain(binding.source, inner, binding.chosen)
                    combinations *= max(len(domain), 1)
                    if combinations > EAGER:
                        return True
                    members.append((index, domain[-1][1] if domain else None))
                last: Any = Family(binding.name.text, tuple(members))
                scope = scope.bind(
                    **{binding.name.text: last if binding.indices else members[0][1]}
                )
        except (EvaluationError, Undecided):
            return self.active
        return False

    def introduce(
        self, bindings: Sequence[s.Binding], scope: Scope, globally: bool = False
    ) -> tuple[Scope, int, list[Pending]]:
        """A scope with the names of a declaration, its choices late; and these in order."""
        self.active = True
        self._owners += 1
        owner = self._owners
        found: list[Pending] = []

        def bind(name: str, value: Any) -> Scope:
            if globally:
                return Scope({**scope.decided, name: value}, scope.local, scope.levels)
            return scope.bind(**{name: value})

        for binding in bindings:
            name = binding.name.text
            if not binding.decides:
                value: Any = Deferred(binding.source, scope)
                if binding.indices:
                    members = tuple(
                        (i, Deferred(binding.source, env))
                        for i, env in self.elaborator.indexed(binding.indices, scope)
                    )
                    value = Family(name, members)
                scope = bind(name, value)
                continue
            if not binding.indices:
                found.append(Pending(owner, name, binding, scope))
                scope = bind(name, found[-1])
                continue
            late = []
            for index, inner in self.elaborator.indexed(binding.indices, scope):
                written = subscript(index)
                late.append((index, Pending(owner, f"{name}[{written}]", binding, inner)))
                if len(late) > MAX_CHOICES:
                    message = f"more than the {MAX_CHOICES} choices that one name may have"
                    raise EvaluationError("NAS306", message, binding.span)
            found += [p for _, p in late]
            # Members of one family may refer to each other (w[i] in 8..w[i-1]).
            family = Family(name, tuple(late))
            scope = bind(name, family)
            for _, pending in late:
                pending.scope = pending.scope.bind(**{name: family})
        return scope, owner, found

    def declared(
        self,
        bindings: Sequence[s.Binding],
        scope: Scope,
        known: Known,
        body: Callable[[Scope, Known], Step],
        globally: bool = False,
    ) -> Step:
        """The body under a declaration whose choices are decided late."""
        fail = self.elaborator.fail
        try:
            inner, owner, late = self.introduce(bindings, scope, globally)
        except EvaluationError as error:
            return fail(error, known)
        # What the values of others depend on is remembered to the end, since a value that
        # nothing reads is decided there.
        kept = frozenset().union(*(self.reads(p.binding.source, p.scope) & set(late) for p in late))
        with self.needing(kept):
            step = self.branching(known, lambda k: body(inner, k), fail)
        mine = set(late)
        rest: dict[Key, Step] = {}
        for key in step.outcomes:
            rest[key] = self._ending(key, late, mine)
        return Owned(owner, tuple(p.label for p in late), Then(step, rest, keep=False))

    def _ending(self, key: Key, late: list[Pending], mine: set[Pending]) -> Step:
        """Decide what was never needed, and forget the declaration."""
        made: dict[Known, Step] = {}
        reading = {p: r for p in late if (r := self.reads(p.binding.source, p.scope))}

        def go(known: Known) -> Step:
            decided = {o[1] for o in known if o[0] == LATE}
            left = [p for p in late if p not in decided]
            # Only what the others' values depend on is remembered, so that all ways meet again.
            needed = NOTHING.union(*(r for p, r in reading.items() if p not in decided))
            others = frozenset(o[1] for o in known if o[0] == LATE and o[1] not in mine)
            known = self.forgotten(known, needed | others)
            if known not in made:
                if left:
                    made[known] = self._decide(left[0], known, go, self.elaborator.fail)
                else:
                    clean = frozenset(o for o in known if o[0] != LATE or o[1] not in mine)
                    made[known] = Ret(0, (key[0], clean))
            return made[known]

        return go(key[1])
