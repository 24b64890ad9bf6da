"""Working out a program: everything that no decision changes is done here, once.

Modules are applied to the types of their inputs, and what is left is a graph of steps
(:mod:`nasdsl.space.residual`). Because every value of every decision is followed, with states
that agree merged, a program that elaborates without a broken step is correct for every
architecture: this is the proof that ``check`` gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.language import syntax as s
from nasdsl.operations.foreign import PYTHON
from nasdsl.operations.operation import Cost, Operation, Settings, ShapeError, TensorType
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.declared import declared_operation
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.labels import label_uses
from nasdsl.space.late import NOTHING, LateValues
from nasdsl.space.program import COMBINING, SPECIAL, Program, Template
from nasdsl.space.residual import (
    POISON,
    Branch,
    Copy,
    Emit,
    Fail,
    Key,
    Known,
    Lift,
    On,
    Ret,
    Step,
    Then,
    UseCell,
)
from nasdsl.space.residual import (
    Scope as Named,
)
from nasdsl.space.values import (
    Closure,
    EvaluationError,
    Family,
    Label,
    Pending,
    Scope,
    kind_of,
    members,
    shown,
    truth,
    whole,
)

Types = tuple[TensorType, ...]
MAX_COPIES = 10_000
MAX_OPTIONS = 20_000
MAX_MEMBERS_OF_SOME = 14
MAX_STEPS = 150_000
MAX_OPERATIONS = 100_000


class TooLarge(Exception):
    """The space needs more steps than are allowed; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic):
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Elaborator(Evaluator):
    """Applies the modules of one program to types."""

    def __init__(self, program: Program, operations: Mapping[str, Operation] | None = None):
        super().__init__(program)
        self.operations: Mapping[str, Operation] = {
            **(operations or OPERATIONS),
            **{
                name: declared_operation(template, self)
                for name, template in program.templates.items()
                if isinstance(template, s.OperationDeclaration)
            },
        }
        self.labels: dict[int, str] = {}
        self.observed: dict[str, dict[Any, Step]] = {}
        """Bodies of cells by cell and signature, in the order of first use."""
        self.late = LateValues(self)
        self._memo: dict[Any, Step] = {}
        self._bodies: dict[Any, Step] = {}
        self._count = 0
        for template in program.templates.values():
            self._label_template(template)
        if program.network is not None:
            self._label_body(program.network.body)

    # ---- names in paths

    def _label_template(self, template: Template) -> None:
        names = self.program.templates
        if isinstance(template, s.Block):
            self.labels.update(label_uses(template.body, names))
        elif isinstance(template, s.Choice):
            for alternative in template.alternatives:
                self.labels.update(label_uses(alternative.body, names))
        elif isinstance(template, s.Cell):
            self._label_body(template.graph)

    def _label_body(self, body: s.Expr | s.Graph) -> None:
        bodies = (
            [*(n.body for n in body.nodes), *body.outputs] if isinstance(body, s.Graph) else [body]
        )
        for expr in bodies:
            self.labels.update(label_uses(expr, self.program.templates))

    def settled(self, value: Any) -> Any:
        """A value in scope, late ones as they are decided."""
        return self.late.settled(value)

    # ---- steps

    def fail(self, error: EvaluationError | Diagnostic, known: Known) -> Step:
        """A broken step."""
        return Fail(error.diagnostic if isinstance(error, EvaluationError) else error, known)

    def _grow(self, expr: s.Syntax) -> None:
        self._count += 1
        if self._count > MAX_STEPS:
            raise TooLarge(
                Diagnostic(
                    "NAS301",
                    f"the space is undecided: working it out takes more than {MAX_STEPS:,} steps "
                    "(this is the place reached)",
                    expr.span,
                )
            )

    def _env(self, expr: s.Expr, scope: Scope) -> tuple[Any, ...]:
        deep = self.program.deep(expr)
        return (
            tuple([(n, v, type(v) is bool) for n, v in scope.local.items() if n in expr.refs]),
            tuple([(n, v, type(v) is bool) for n, v in scope.decided.items() if n in deep]),
            tuple([(n, v) for n, v in scope.levels.items() if n in deep]),
        )

    # ---- modules

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
            self._grow(expr)
            inner = scope.with_cin(types[0].channels if types and types[0] != POISON else None)
            with self.late.at(known, needed):
                found = self.late.branching(
                    known, lambda k: self._apply(expr, inner, types, k), self.fail
                )
            found = self.late.trimmed(found, needed)
            self.bounded(found, expr)
            self._memo[key] = found
        return found

    def bounded(self, step: Step, at: s.Syntax) -> None:
        """Refuse what no machine would build; raises :class:`TooLarge`."""
        if step.most > MAX_OPERATIONS:
            message = (
                f"an architecture may have {_about(step.most)} operations here; "
                f"at most {MAX_OPERATIONS:,} are allowed"
            )
            raise TooLarge(Diagnostic("NAS304", message, at.span))

    def _apply(self, expr: s.Expr, scope: Scope, types: Types, known: Known) -> Step:
        if isinstance(expr, s.Group):
            return self.apply(expr.inner, scope, types, known)
        if isinstance(expr, s.Chain):
            parts = [
                lambda t, k, p=p, before=before: self._after(before, p, scope, t, k)
                for before, p in zip((None, *expr.parts), expr.parts, strict=False)
            ]
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

    def sequence(
        self,
        parts: Sequence[Callable[[Types, Known], Step]],
        types: Types,
        known: Known,
        reads: Sequence[frozenset[Pending]] | None = None,
    ) -> Step:
        """Modules one after another, states that agree merged between them.

        ``reads``: the late values that each part reads, where there are any.
        """
        if not parts:
            return Ret(0, (types[0], known))
        levels: list[dict[Any, Step]] = []
        states: dict[Any, tuple[Types, Known]] = {(types, known): (types, known)}
        for index, part in enumerate(parts):
            later_reads = reads[index + 1 :] if reads else ()
            with self.late.needing(*later_reads):
                level = {at: part(t, k) for at, (t, k) in states.items()}
            levels.append(level)
            states = {}
            for step in level.values():
                for out_type, out_known in step.outcomes:
                    after = ((out_type,), out_known)
                    states[after] = after
        later: dict[Any, Step] = levels[-1]
        for level in reversed(levels[:-1]):
            here: dict[Any, Step] = {}
            for at, step in level.items():
                rest = {key: later[(key[0],), key[1]] for key in step.outcomes}
                here[at] = Then(step, rest, keep=False)
            later = here
        return later[types, known]

    def _terms_module(self, e: s.Terms, scope: Scope, types: Types, known: Known) -> Step:
        if id(e) in self.program.bad:
            raise EvaluationError("", "", e.span)
        if "-" in e.operators:
            raise EvaluationError("NAS107", "modules cannot be subtracted", e.span)
        op = "concat" if "++" in e.operators else "add"
        branches = [lambda t, k, o=o: self.apply(o, scope, t, k) for o in e.operands]
        reads = [self.late.reads(o, scope) for o in e.operands] if self.late.active else None
        return self.fan(op, branches, types, known, e, op, e.operands, reads)

    def fan(
        self,
        op: str,
        branches: Sequence[Callable[[Types, Known], Step]],
        types: Types,
        known: Known,
        at: s.Expr,
        label: str,
        places: Sequence[s.Expr],
        reads: Sequence[frozenset[Pending]] | None = None,
    ) -> Step:
        """Modules on the same inputs, their results combined; ``places`` are their texts."""
        n = len(types)
        inputs = tuple(range(n))

        def go(index: int, results: Types, k: Known) -> Step:
            if index == len(branches):
                operands = tuple(range(n, n + len(results)))
                try:
                    return self.emit(op, {}, results, k, at, label, operands, places)
                except EvaluationError as error:
                    return self.fail(error, k)
            with self.late.needing(*(reads[index + 1 :] if reads else ())):
                step = branches[index](types, k)
            if results:
                step = On(inputs, step)
            rest = {key: go(index + 1, (*results, key[0]), key[1]) for key in step.outcomes}
            return Then(step, rest, keep=True)

        if not branches:
            return self.emit("zero", {}, types[:1], known, at, label, (0,))
        return go(0, (), known)

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
        parts = [lambda t, k, i=i: Copy(i, self.apply(e.left, scope, t, k)) for i in range(count)]
        reads = [self.late.reads(e.left, scope)] * count if self.late.active else None
        return self.sequence(parts, types, known, reads)

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
            return self._template(
                template, label, callee if call is None else call, scope, types, known
            )
        if name in SPECIAL:
            return self._special(name, label, expr, scope, types, known)
        if name in COMBINING and call is not None and (call.arguments or name == "sum"):
            return self._combine(name, label, call, scope, types, known)
        operation = self.operations.get("add" if name == "sum" else name)
        if operation is not None:
            settings = self.settings(operation, expr, scope)
            return self.emit(
                operation.name, settings, types, known, expr, label, tuple(range(len(types)))
            )
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
            return self._scoped(label, self.apply(value.expr, value.scope, types, known))
        if isinstance(value, Label):
            choice = self.program.templates[value.choice]
            assert isinstance(choice, s.Choice)
            return self._alternative(choice, value.alternative, label, expr, scope, types, known)
        raise EvaluationError(
            "NAS107", f"expected a module here, found {kind_of(value)}", expr.span
        )

    def _alternative(
        self,
        choice: s.Choice,
        name: str,
        label: str,
        use: s.Expr,
        scope: Scope,
        types: Types,
        known: Known,
    ) -> Step:
        """An alternative that was chosen as a value, applied."""
        call: s.Call | s.Ref = use if isinstance(use, s.Call | s.Ref) else s.Ref(use.span, name)
        inner = scope.fresh(self.arguments(call, choice.parameters, choice.name.text, scope))
        alternative = next(a for a in choice.alternatives if a.name.text == name)

        def body(env: Scope, k: Known) -> Step:
            if alternative.guard is not None and not truth(
                self.value(alternative.guard, env), alternative.guard.span, "a guard"
            ):
                raise EvaluationError(
                    "NAS225",
                    f"the alternative '{name}' was chosen as a value, and its guard forbids it here",
                    use.span,
                )
            return Named(name, self.apply(alternative.body, env, types, k))

        return self._scoped(label, self.bindings(choice.where, inner, known, body))

    def _template(
        self,
        template: Template,
        label: str,
        use: s.Call | s.Ref,
        scope: Scope,
        types: Types,
        known: Known,
    ) -> Step:
        name = template.name.text
        inner = scope.fresh(self.arguments(use, template.parameters, name, scope))
        if isinstance(template, s.Block):
            if inner.levels.get(f"block {name}", 0) > 60:
                raise EvaluationError("NAS106", f"'{name}' uses itself without end", use.span)
            inner = (
                inner.entered(f"block {name}")
                if name in self.program.deep(template.body)
                else inner
            )
            body = template.body
            return self._scoped(
                label,
                self.bindings(
                    template.where, inner, known, lambda env, k: self.apply(body, env, types, k)
                ),
            )
        if isinstance(template, s.Choice):
            return self._choice(template, label, use, inner, types, known)
        if isinstance(template, s.Cell):
            return self._cell(template, label, use, inner, types, known)
        settings = dict(inner.local)
        for parameter, value in settings.items():
            if not isinstance(value, bool | int | float | str):
                raise EvaluationError(
                    "NAS228",
                    f"'{parameter}' of {name} must be a number, truth value or text, "
                    f"found {kind_of(value)}",
                    use.span,
                )
        settings[PYTHON] = template.target.value
        return self.emit(name, settings, types, known, use, label, tuple(range(len(types))))

    def _choice(
        self,
        choice: s.Choice,
        label: str,
        use: s.Expr,
        scope: Scope,
        types: Types,
        known: Known,
    ) -> Step:
        name = choice.name.text
        deepest: int | None = None
        if choice.recursion is not None:
            deepest = whole(self.value(choice.recursion, scope), choice.recursion.span, "a depth")
            scope = scope.entered(name)
        level = scope.levels.get(name, 0)

        def body(env: Scope, k: Known) -> Step:
            options: dict[str, Step] = {}
            for alternative in choice.alternatives:
                if (
                    deepest is not None
                    and level >= deepest
                    and self.program.recursive(choice, alternative)
                ):
                    continue
                if alternative.guard is not None and not truth(
                    self.value(alternative.guard, env), alternative.guard.span, "a guard"
                ):
                    continue
                made = self.apply(alternative.body, env, types, k)
                options[alternative.name.text] = Named(alternative.name.text, made)
            if not options:
                values = ", ".join(f"{n} = {shown(v)}" for n, v in sorted(env.local.items()))
                raise EvaluationError(
                    "NAS302",
                    f"no alternative of '{name}' is allowed here"
                    + (f" with {values}" if values else ""),
                    use.span,
                )
            return Branch("", "choice", name, options, choice.name.span)

        return self._scoped(label, self.bindings(choice.where, scope, known, body))

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
                parts.append(
                    lambda t, k, env=inner, i=index: Copy(i, self.apply(argument.value, env, t, k))
                )
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
            message = "'optional' needs a module with one output type to switch off"
            options["off"] = self.fail(EvaluationError("NAS227", message, expr.span), known)
        else:
            end = next(iter(ends - {POISON}), POISON)
            options["off"] = self.zero(end, (0,), known, expr)
        options["on"] = Named("on", made)
        return Named(label, Branch("", "optional", "optional", options, expr.span))

    def zero(self, type_: TensorType, inputs: tuple[int, ...], known: Known, at: s.Expr) -> Step:
        """Zeros of a type, whatever comes in; an input tells the size of the batch."""
        return Emit(
            "zero",
            {},
            inputs,
            (type_, known),
            self.operations["zero"].cost({}, (), type_),
            "zero",
            at.span,
        )

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
            branches = [
                lambda t, kk, it=it: self._scoped(it.label, self.apply(it.expr, it.scope, t, kk))
                for it in items
            ]
            reads = None
            if self.late.active:
                reads = [self.late.reads(it.expr, it.scope) for it in items]
            places = [it.expr for it in items]
            return self.fan(op, branches, types, k, call, label, places, reads)

        return self.gathered(call, self.expand(call.arguments, scope, known, finish))

    @staticmethod
    def _scoped(label: str | None, step: Step) -> Step:
        """A step under a name, where it has one."""
        return Named(label, step) if label else step

    # ---- operations

    def settings(self, operation: Operation, use: s.Expr, scope: Scope) -> dict[str, Any]:
        """The settings of an operation at one use."""
        call = use if isinstance(use, s.Call) else None
        parameters = {p.name: p for p in operation.parameters}
        order = list(parameters)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        places: dict[str, s.Argument] = {}
        for position, argument in enumerate(call.arguments if call else ()):
            if argument.clauses:
                raise EvaluationError("NAS219", f"'{operation.name}' takes no 'for'", argument.span)
            name = argument.name.text if argument.name else None
            if name is None and position < len(order):
                name = order[position]
            parameter = parameters.get(name) if name else None
            if parameter is not None and parameter.kind == "name":
                value: Any = self._word(argument.value, scope)
            else:
                value = self.value(argument.value, scope)
                if isinstance(value, Closure):
                    value = _Module(shown(value))
            if argument.name is None:
                args.append(value)
                if name:
                    places[name] = argument
            else:
                kwargs[argument.name.text] = value
                places.setdefault(argument.name.text, argument)
        try:
            return resolve(operation, args, kwargs)
        except SettingError as error:
            place = places.get(error.parameter or "")
            span = place.value.span if place else use.span
            if place and place.name and error.parameter not in parameters:
                span = place.name.span
            code = "NAS104" if error.parameter and error.parameter not in parameters else "NAS228"
            if (not place and "needs a value" in error.message) or (
                "at most" in error.message and not place
            ):
                code = "NAS103"
            raise EvaluationError(code, error.message, span) from None

    def _word(self, expr: s.Expr, scope: Scope) -> Any:
        while isinstance(expr, s.Group):
            expr = expr.inner
        if (
            isinstance(expr, s.Ref)
            and expr.name not in scope
            and expr.name not in self.program.lets
        ):
            return expr.name
        value = self.value(expr, scope)
        if isinstance(value, Closure) and isinstance(value.expr, s.Ref):
            return value.expr.name
        return value

    def emit(
        self,
        op: str,
        settings: Mapping[str, Any],
        types: Types,
        known: Known,
        at: s.Expr,
        label: str,
        inputs: tuple[int, ...],
        places: Sequence[s.Expr] = (),
    ) -> Step:
        """An operation on tensors of the frame, its type and cost worked out.

        ``places`` are the texts of its operands, where it joins several.
        """
        operation = self.operations[op]
        low, high = operation.arity
        if op == "add" and len(types) == 0:
            raise EvaluationError("NAS220", "the sum of nothing has no shape here", at.span)
        if len(types) < low or (high is not None and len(types) > high):
            wanted = (
                f"{low}"
                if high == low
                else f"at least {low}"
                if high is None
                else f"{low} to {high}"
            )
            raise EvaluationError(
                "NAS223",
                f"'{op}' takes {wanted} input{'' if wanted == '1' else 's'}, found {len(types)}",
                at.span,
            )
        if POISON in types:
            return Emit(op, settings, inputs, (POISON, known), Cost(), label, at.span)
        try:
            out = operation.shape(settings, types)
        except ShapeError as error:
            notes = _disagreeing(operation, settings, types, places)
            raise EvaluationError("NAS303", str(error), at.span, *notes) from None
        try:
            cost = operation.cost(settings, types, out)
        except ShapeError as error:
            raise EvaluationError("NAS303", str(error), at.span) from None
        if max(cost.params, cost.macs, out.size) >= 2**62:
            raise EvaluationError("NAS304", f"'{op}' is too large here: {out}", at.span)
        return Emit(op, settings, inputs, (out, known), cost, label, at.span)

    # ---- decisions

    def bindings(
        self,
        bindings: Sequence[s.Binding],
        scope: Scope,
        known: Known,
        body: Callable[[Scope, Known], Step],
    ) -> Step:
        """The bindings of a ``where`` in order, then the body under each combination."""
        if bindings and self.late.many(bindings, scope):
            return self.late.declared(bindings, scope, known, body)
        return self._bound(bindings, scope, known, body)

    def _bound(
        self,
        bindings: Sequence[s.Binding],
        scope: Scope,
        known: Known,
        body: Callable[[Scope, Known], Step],
    ) -> Step:
        if not bindings:
            try:
                return body(scope, known)
            except EvaluationError as error:
                return self.fail(error, known)
        head, tail = bindings[0], bindings[1:]
        name = head.name.text

        def after(value: Any) -> Step:
            return self._bound(tail, scope.bind(**{name: value}), known, body)

        try:
            if not head.indices:
                if not head.decides:
                    return after(self.value(head.source, scope))
                return self.branch(name, head, scope, known, after)
            indexed = list(self.indexed(head.indices, scope))
            if not head.decides:
                return after(self.family(head, scope))

            def family(at: int, chosen: tuple[tuple[Any, Any], ...]) -> Step:
                if at == len(indexed):
                    return after(Family(name, chosen))
                index, inner = indexed[at]
                shown_index = (
                    ",".join(map(shown, index)) if isinstance(index, tuple) else shown(index)
                )
                return self.branch(
                    f"{name}[{shown_index}]",
                    head,
                    inner,
                    known,
                    lambda v: family(at + 1, (*chosen, (index, v))),
                )

            return family(0, ())
        except EvaluationError as error:
            return self.fail(error, known)

    def branch(
        self,
        name: str,
        binding: s.Binding,
        scope: Scope,
        known: Known,
        after: Callable[[Any], Step],
    ) -> Step:
        """The decision that one binding introduces."""
        kind, domain = self.domain(binding.source, scope, binding.chosen)
        self._grow(binding.source)
        options = {value: after(bound) for value, bound in domain}
        of = binding.name.text
        if kind == "label" and isinstance(binding.source, s.Ref):
            of = f"{of} in {binding.source.name}"
        return Branch(name, kind, of, options, binding.span)

    def domain(
        self, source: s.Expr, scope: Scope, chosen: bool = True
    ) -> tuple[str, list[tuple[Any, Any]]]:
        """The values of a decision in rank order: (as recorded, as bound)."""
        if isinstance(source, s.Pick | s.Some):
            base = tuple(dict.fromkeys(members(self.value(source.source, scope), source.span)))
            ordered = _sorted(base)
            if isinstance(source, s.Pick):
                k = whole(self.value(source.number, scope), source.number.span, "how many to pick")
                if not 0 <= k <= len(ordered):
                    raise EvaluationError(
                        "NAS305", f"cannot pick {k} of {len(ordered)}", source.span
                    )
                subsets = list(
                    itertools.islice(itertools.combinations(ordered, k), MAX_OPTIONS + 1)
                )
                kind = "pick"
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
                kind = "some"
            if len(subsets) > MAX_OPTIONS:
                raise EvaluationError(
                    "NAS306", f"this has more than {MAX_OPTIONS:,} values", source.span
                )
            return kind, [(v, v) for v in subsets]
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
            raise EvaluationError("NAS204", message, source.span)
        ordered = _sorted(tuple(dict.fromkeys(values)))
        if len(ordered) > MAX_OPTIONS:
            message = f"a choice of {len(ordered):,} values; at most {MAX_OPTIONS:,} are allowed"
            raise EvaluationError("NAS306", message, source.span)
        if not ordered:
            raise EvaluationError("NAS305", "there is nothing to choose from here", source.span)
        return "value", [(v, v) for v in ordered]

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

    def gathered(self, call: s.Expr, step: Step) -> Step:
        """A call's step under its name, where its body holds several comprehensions."""
        return self._scoped(self.labels.get(id(call)), step)

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

    # ---- cells

    def _cell(
        self,
        cell: s.Cell,
        label: str,
        use: s.Expr,
        scope: Scope,
        types: Types,
        known: Known,
    ) -> Step:
        from nasdsl.space.bodies import graph_body

        name = cell.name.text
        if POISON in types:
            return Fail(Diagnostic("", "", use.span), known)
        deep = self.program.deep(cell)
        scope = self.late.resolved(scope, deep)
        decided = tuple((n, v) for n, v in scope.decided.items() if n in deep)
        local = tuple([(n, v, type(v) is bool) for n, v in sorted(scope.local.items())])
        signature = (local, types, decided)
        bodies = self.observed.setdefault(name, {})
        if signature not in bodies:
            if name in self._running:
                raise EvaluationError("NAS106", f"the cell '{name}' uses itself", use.span)
            self._running.append(name)
            try:
                with self.late.at(frozenset(), NOTHING):
                    bodies[signature] = self.bindings(
                        cell.where,
                        scope,
                        frozenset(),
                        lambda env, k: graph_body(self, cell.graph, env, types, k, use),
                    )
            finally:
                self._running.pop()
        body = bodies[signature]
        if not body.decides and not any(key[1] for key in body.outcomes):
            # Nothing is decided inside, so there is nothing that its uses have to agree on.
            return self._scoped(label, Lift(body, known) if known else body)
        keys: dict[Key, Key] = {}
        mine = {key for c, sig, key in known if c == name and sig == signature}
        for key in body.outcomes:
            if mine and key not in mine:
                continue
            merged = merge(known, key[1] | {(name, signature, key)})
            if merged is not None:
                keys[key] = (key[0], merged)
        if not keys:
            return Fail(Diagnostic("", "", use.span), known)
        return self._scoped(label, UseCell(name, signature, body, keys))


def _disagreeing(
    operation: Operation, settings: Settings, types: Types, places: Sequence[s.Expr]
) -> list[Note]:
    """The first operand, and the first one that does not go with it, each with its place."""
    if len(places) != len(types):
        return []
    for other in range(1, len(types)):
        try:
            operation.shape(settings, (types[0], types[other]))
        except ShapeError:
            if places[other].span == places[0].span:  # items of one comprehension
                return []
            return [Note(f"{types[i]} comes from here", places[i].span) for i in (0, other)]
    return []


def _about(number: int) -> str:
    """A number, a very long one by its length."""
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"


class Item:
    """One item of an argument list: an expression, its scope, and its name in paths."""

    __slots__ = ("expr", "label", "scope")

    def __init__(self, expr: s.Expr, scope: Scope, label: str | None):
        self.expr = expr
        self.scope = scope
        self.label = label


class _Module:
    """A module where a number was wanted; only its name is of use, in a message."""

    def __init__(self, name: str):
        self.name = name


def merge(known: Known, more: Known) -> Known | None:
    """Two sets of observations together, or none where they contradict each other."""
    together = known | more
    found: dict[tuple[str, Any], Any] = {}
    for cell, signature, key in together:
        if found.setdefault((cell, signature), key) != key:
            return None
    return together


def _sorted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Numbers ascending; anything else as declared."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return tuple(sorted(values))
    return values
