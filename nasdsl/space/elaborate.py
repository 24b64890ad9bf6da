"""Working out a program: everything that no decision changes is done here, once.

Modules are applied to the types of their inputs, and what is left is a graph of steps
(:mod:`nasdsl.space.residual`). Because every value of every decision is followed, with states
that agree merged, a program that elaborates without a broken step is correct for every
architecture: this is the proof that ``check`` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.language import syntax as s
from nasdsl.operations.operation import Operation
from nasdsl.space.decisions import Item
from nasdsl.space.emission import Types, emitted, settings_of, zeros
from nasdsl.space.joining import Joiner, named
from nasdsl.space.late import NOTHING
from nasdsl.space.limits import bounded
from nasdsl.space.program import COMBINING, SPECIAL, Program
from nasdsl.space.residual import POISON, Branch, Copy, Fail, Known, Lift, Ret, Step
from nasdsl.space.residual import Scope as Named
from nasdsl.space.templates import Templates, Use
from nasdsl.space.values import (
    Closure,
    EvaluationError,
    Label,
    Pending,
    Scope,
    kind_of,
    shown,
    whole,
)

MAX_COPIES = 10_000


class Elaborator(Joiner):
    """Applies the modules of one program to types."""

    def __init__(
        self,
        program: Program,
        operations: Mapping[str, Operation] | None = None,
        agreeing: frozenset[str] = frozenset(),
    ):
        super().__init__(program, operations)
        self.templates = Templates(self, agreeing)
        self._memo: dict[Any, Step] = {}

    def _env(self, expr: s.Expr, scope: Scope) -> tuple[Any, ...]:
        deep = self.program.deep(expr)
        return (
            tuple([(n, v, type(v) is bool) for n, v in scope.local.items() if n in expr.refs]),
            tuple([(n, v, type(v) is bool) for n, v in scope.decided.items() if n in deep]),
            tuple([(n, v) for n, v in scope.levels.items() if n in deep]),
        )

    def apply(self, expr: s.Expr, scope: Scope, types: Types, known: Known) -> Step:
        """A module applied to inputs of these types. The frame is the inputs."""
        if not self.late.active:
            return self._applied(expr, scope, types, known, NOTHING)
        # What is known of late values that the expression cannot read is left out while it is
        # worked out, so that it is worked out once for all of them.
        reads = self.late.reads(expr, scope)
        matters = self.late.relevant(known, reads)
        step = self._applied(expr, scope, types, matters, self.late.needed & reads)
        return Lift(step, known - matters) if len(matters) < len(known) else step

    def _applied(
        self,
        expr: s.Expr,
        scope: Scope,
        types: Types,
        known: Known,
        needed: frozenset[Pending],
    ) -> Step:
        key = (id(expr), types, known, needed, *self._env(expr, scope))
        found = self._memo.get(key)
        if found is None:
            self.effort.spend(expr)
            inner = scope.with_cin(types[0].channels if types else None)
            with self.late.at(known, needed):
                found = self.late.branching(
                    known, lambda k: self._apply(expr, inner, types, k), self.fail
                )
            found = self.late.trimmed(found, needed)
            bounded(found, expr)
            self._memo[key] = found
        return found

    def _apply(self, expr: s.Expr, scope: Scope, types: Types, known: Known) -> Step:
        if isinstance(expr, s.Group):
            return self.apply(expr.inner, scope, types, known)
        if isinstance(expr, s.Chain):
            pairs = zip((None, *expr.parts[:-1]), expr.parts, strict=True)
            parts = [partial(self._after, before, part, scope) for before, part in pairs]
            reads = [self.late.reads(p, scope) for p in expr.parts] if self.late.active else None
            return self.sequence(parts, types, known, reads)
        if isinstance(expr, s.Terms):
            return self._terms_module(expr, scope, types, known)
        if isinstance(expr, s.Binary) and expr.operator == "*":
            return self._repeat(expr, scope, types, known)
        if isinstance(expr, s.Conditional):
            return self.apply(self.taken(expr, scope), scope, types, known)
        if isinstance(expr, s.Call | s.Ref | s.Item):
            return self._use(expr, scope, types, known)
        what = kind_of(self.value(expr, scope))
        raise EvaluationError("NAS107", f"expected a module here, found {what}", expr.span)

    def _after(
        self, before: s.Expr | None, part: s.Expr, scope: Scope, types: Types, known: Known
    ) -> Step:
        """A part of a chain; where it cannot take what comes in, it is told from where."""
        step = self.apply(part, scope, types, known)
        if before is None or not isinstance(step, Fail) or step.diagnostic.code != "NAS303":
            return step
        if step.diagnostic.notes or step.diagnostic.span != part.span:
            return step
        note = Note(f"{types[0]} comes from here", before.span)
        return Fail(replace(step.diagnostic, notes=(note,)), step.key[1])

    def _terms_module(self, e: s.Terms, scope: Scope, types: Types, known: Known) -> Step:
        if id(e) in self.program.bad:
            raise EvaluationError("", "", e.span)
        if "-" in e.operators:
            raise EvaluationError("NAS107", "modules cannot be subtracted", e.span)
        op = "concat" if "++" in e.operators else "add"
        branches = [partial(self.apply, o, scope) for o in e.operands]
        reads = [self.late.reads(o, scope) for o in e.operands] if self.late.active else None
        return self.fan(op, branches, types, known, e, op, e.operands, reads)

    def _repeat(self, e: s.Binary, scope: Scope, types: Types, known: Known) -> Step:
        if self.is_module(e.right, scope):
            raise EvaluationError(
                "NAS107", "write the module first, then how many copies: e * n", e.right.span
            )
        if not self.is_module(e.left, scope):
            what = kind_of(self.value(e.left, scope))
            raise EvaluationError("NAS107", f"expected a module here, found {what}", e.left.span)
        count = whole(self.value(e.right, scope), e.right.span, "the number of copies")
        if count < 0:
            raise EvaluationError(
                "NAS221", f"the number of copies must not be negative, found {count}", e.right.span
            )
        if count > MAX_COPIES:
            message = f"{count:,} copies are more than the {MAX_COPIES:,} that are allowed"
            raise EvaluationError("NAS222", message, e.right.span)
        self._single(types, e)
        parts = [partial(self._copy, i, e.left, scope) for i in range(count)]
        reads = [self.late.reads(e.left, scope)] * count if self.late.active else None
        return self.sequence(parts, types, known, reads)

    def _copy(self, index: Any, expr: s.Expr, scope: Scope, types: Types, known: Known) -> Step:
        """One of several copies of a module."""
        return Copy(index, self.apply(expr, scope, types, known))

    def _single(self, types: Types, at: s.Expr) -> None:
        if len(types) != 1:
            raise EvaluationError("NAS223", f"this takes one input, found {len(types)}", at.span)

    # ---- uses of names

    def _use(self, expr: s.Call | s.Ref | s.Item, scope: Scope, types: Types, known: Known) -> Step:
        callee = expr.callee if isinstance(expr, s.Call) else expr
        while isinstance(callee, s.Group):
            callee = callee.inner
        call = expr if isinstance(expr, s.Call) else None
        if id(expr) in self.program.bad or id(callee) in self.program.bad:
            raise EvaluationError("", "", expr.span)
        if isinstance(callee, s.Conditional):
            taken = self.taken(callee, scope)
            if call is None:
                return self.apply(taken, scope, types, known)
            callee = taken
        if isinstance(callee, s.Item):
            value = self.value(callee, scope)
            base = callee.base
            name = base.name if isinstance(base, s.Ref) else "item"
            label = f"{self.labels.get(id(base), name)}[{shown(self.value(callee.index, scope))}]"
            return self._apply_value(value, label, expr, scope, types, known)
        if not isinstance(callee, s.Ref):
            if call is not None and isinstance(callee, s.Call):
                raise EvaluationError(
                    "NAS224",
                    "inputs are named only inside a cell or network { … }; here a module is "
                    "applied by '>>'",
                    expr.span,
                )
            return self._apply_value(self.value(callee, scope), "", expr, scope, types, known)
        name = callee.name
        label = self.labels.get(id(callee), name)
        if name in scope:
            return self._apply_value(
                self.settled(scope.get(name)), label, expr, scope, types, known
            )
        let = self.program.lets.get(name)
        if let is not None and (let.parameters is None or call is None):
            return self._apply_value(
                self.constant(let, scope, callee), label, expr, scope, types, known
            )
        if let is not None:
            return self._apply_value(self.value(expr, scope), label, callee, scope, types, known)
        template = self.program.templates.get(name)
        if template is not None:
            use = Use(label, callee if call is None else call, types, known)
            return self.templates.apply(template, use, scope)
        if name in SPECIAL:
            return self._special(name, label, expr, scope, types, known)
        if name in COMBINING and call is not None and (call.arguments or name == "sum"):
            return self._combine(name, label, call, scope, types, known)
        operation = self.operations.get("add" if name == "sum" else name)
        if operation is not None:
            settings = settings_of(self, operation, expr, scope)
            return emitted(operation, settings, types, known, expr, label, tuple(range(len(types))))
        if name in self.program.lost:
            return Fail(Diagnostic("", "", expr.span), known)
        self.value(callee, scope)
        raise EvaluationError("NAS107", f"'{name}' is no module", callee.span)

    def _apply_value(
        self, value: Any, label: str, expr: s.Expr, scope: Scope, types: Types, known: Known
    ) -> Step:
        call = expr if isinstance(expr, s.Call) else None
        if isinstance(value, Closure):
            if call is not None and call.arguments:
                raise EvaluationError("NAS218", "this module has its parameters already", call.span)
            return named(label, self.apply(value.expr, value.scope, types, known))
        if isinstance(value, Label):
            choice = self.program.templates[value.choice]
            assert isinstance(choice, s.Choice)
            at = expr if isinstance(expr, s.Call | s.Ref) else s.Ref(expr.span, value.alternative)
            use = Use(label, at, types, known)
            return self.templates.alternative(choice, value.alternative, use, scope)
        raise EvaluationError(
            "NAS107", f"expected a module here, found {kind_of(value)}", expr.span
        )

    def _special(
        self, name: str, label: str, expr: s.Expr, scope: Scope, types: Types, known: Known
    ) -> Step:
        call = expr if isinstance(expr, s.Call) else None
        if call is None or len(call.arguments) != 1 or call.arguments[0].name is not None:
            wanted = "e for i in 1..n" if name == "chain" else "e"
            raise EvaluationError("NAS103", f"write {name}({wanted})", expr.span)
        argument = call.arguments[0]
        if name == "chain":
            self._single(types, expr)
            parts = []
            reads = []
            for inner, index in self._chain_scopes(argument, scope):
                if self.late.active:
                    reads.append(self.late.reads(argument.value, inner))
                parts.append(partial(self._copy, index, argument.value, inner))
            return self.sequence(parts, types, known, reads or None)
        if argument.clauses:
            raise EvaluationError("NAS219", f"'{name}' takes no 'for'", argument.span)
        made = self.apply(argument.value, scope, types, known)
        if name == "maybe":
            self._single(types, expr)
            without: Step = Ret(0, (types[0], known))
            return Named(
                label,
                Branch(
                    "",
                    "maybe",
                    "maybe",
                    {"without": without, "with": Named("with", made)},
                    expr.span,
                ),
            )
        options: dict[str, Step] = {}
        ends = {key[0] for key in made.outcomes}
        if len(ends - {POISON}) > 1:
            # Values of the whole space are decided first: under each of them the type may be one.
            for pending in sorted(self.late.reads(argument.value, scope), key=lambda p: p.label):
                self.late.settled(pending)
            message = "'optional' needs a module with one output type to switch off"
            options["off"] = self.fail(EvaluationError("NAS227", message, expr.span), known)
        else:
            end = next(iter(ends - {POISON}), POISON)
            options["off"] = zeros(self.operations["zero"], end, (0,), known, expr)
        options["on"] = Named("on", made)
        return Named(label, Branch("", "optional", "optional", options, expr.span))

    def _chain_scopes(self, argument: s.Argument, scope: Scope) -> list[tuple[Scope, Any]]:
        found: list[tuple[Scope, Any]] = []
        for position, inner in enumerate(self.each(argument.clauses, scope)):
            index: Any = position
            if len(argument.clauses) == 1:
                index = inner.get(argument.clauses[0].variable.text)
            if len(found) >= MAX_COPIES:
                raise EvaluationError(
                    "NAS222", f"more than the {MAX_COPIES:,} copies that are allowed", argument.span
                )
            found.append((inner, index))
        return found

    def _combine(
        self, name: str, label: str, call: s.Call, scope: Scope, types: Types, known: Known
    ) -> Step:
        """``mul(a, b)`` or ``sum(F(i) for i in s)``: modules on the same inputs."""
        op = "add" if name == "sum" else name
        if any(a.name is not None for a in call.arguments):
            raise EvaluationError("NAS104", f"'{name}' takes modules, without names", call.span)

        def finish(items: list[Item], k: Known) -> Step:
            branches = [partial(self._item_applied, it) for it in items]
            reads = None
            if self.late.active:
                reads = [self.late.reads(it.expr, it.scope) for it in items]
            places = [it.expr for it in items]
            return self.fan(op, branches, types, k, call, label, places, reads)

        return self.gathered(call, self.expand(call.arguments, scope, known, finish))

    def _item_applied(self, item: Item, types: Types, known: Known) -> Step:
        return named(item.label, self.apply(item.expr, item.scope, types, known))
