"""A slow, direct interpreter of the language, to hold the compiler of spaces to.

It is written from the meaning of the language and shares nothing with ``nasdsl.space``: a
program is run from top to bottom, and every decision asks an oracle. Running it once for each
run of answers enumerates all architectures. Only the syntax tree and the facts of single
operations (which are held to torch elsewhere) are taken from the package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nasdsl.diagnostics import Source
from nasdsl.language import syntax as s
from nasdsl.language.parser import parse
from nasdsl.operations.operation import ShapeError, TensorType
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.operations.table import OPERATIONS

COMBINING = ("add", "mul", "concat", "first", "mean", "sum")
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda x: math.floor(x + 0.5),
    "sqrt": math.sqrt,
    "log2": math.log2,
}


COPY = "\x01"
"""Marks the index of a copy in a path, which is no index of a node or name; never shown."""
BROKEN = -1
"""Stands for a tensor that could not be made."""


class Wrong(Exception):
    """The architecture at hand cannot be built."""


class Outside(Exception):
    """The decisions at hand are no architecture: two uses of a cell allow different values."""


class TooMany(Exception):
    """More architectures than the caller wants to see."""


@dataclass(frozen=True)
class Op:
    """One operation as written: operands are positions in the list of operations."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    type: TensorType
    params: int = 0
    macs: int = 0


@dataclass(frozen=True)
class Built:
    """One architecture by the reference: its decisions in the order taken, and what it is."""

    decisions: dict[str, Any]
    options: dict[str, tuple[Any, ...]]
    written: tuple[Op, ...] = ()
    output: int = -1
    wrong: str | None = None

    @property
    def declared_params(self) -> int:
        """Parameters of everything written."""
        return sum(op.params for op in self.written)

    def _zero(self) -> list[bool]:
        found: list[bool] = []
        for op in self.written:
            below = [found[i] for i in op.inputs]
            if op.name == "zero":
                found.append(True)
            elif op.name == "input":
                found.append(False)
            elif op.name == "mul":
                found.append(any(below))
            elif op.name == "first":
                found.append(below[0])
            else:
                found.append(all(below) and OPERATIONS[op.name].zero(dict(op.settings)))
        return found

    @property
    def live(self) -> set[int]:
        """The operations that the result depends on, constants of zero left out."""
        zero = self._zero()
        needed: set[int] = set()
        todo = [self.output]
        while todo:
            at = todo.pop()
            if at in needed or zero[at]:
                continue
            needed.add(at)
            inputs = self.written[at].inputs
            todo += inputs[:1] if self.written[at].name == "first" else inputs
        return needed

    @property
    def params(self) -> int:
        """Parameters of the live network."""
        return sum(self.written[i].params for i in self.live)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the live network."""
        return sum(self.written[i].macs for i in self.live)


@dataclass(frozen=True)
class Label:
    """An alternative as a value."""

    choice: str
    name: str


@dataclass(eq=False)
class Module:
    """A module as a value: an expression with its environment."""

    expr: s.Expr
    env: Env


@dataclass
class Env:
    """Names in scope, and how deep each recursive choice is in itself."""

    values: dict[str, Any]
    levels: dict[str, int] = field(default_factory=dict)
    cin: int | None = None

    def bind(self, name: str, value: Any) -> Env:
        return Env({**self.values, name: value}, self.levels, self.cin)


@dataclass(frozen=True)
class Place:
    """Where we are: the path of names, and indices of copies that wait for the next name."""

    path: str = ""
    copies: str = ""

    def named(self, name: str) -> Place:
        return Place(_join(self.path, name + self.copies))

    def copy(self, index: Any) -> Place:
        return Place(self.path, f"{self.copies}{COPY}[{_shown(index)}]")

    def decision(self, name: str = "") -> str:
        return _join(self.path, name + self.copies) if name else self.path + self.copies


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_shown(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


class Reference:
    """A program, run with the answers of an oracle."""

    def __init__(self, text: str):
        tree = parse(Source("<text>", text))
        assert not tree.problems, [d.message for d in tree.problems]
        self.lets = {x.name.text: x for x in tree.statements if isinstance(x, s.Let)}
        self.templates = {
            x.name.text: x for x in tree.statements if isinstance(x, s.Block | s.Choice | s.Cell)
        }
        (self.network,) = [x for x in tree.statements if isinstance(x, s.NetworkBody)]
        self.ports = [x for x in tree.statements if isinstance(x, s.Port)]
        self.labels: dict[int, str] = {}
        for statement in tree.statements:
            for body in _bodies(statement):
                self._label(body, item=False)
        self._reads: dict[str, set[str]] = {}

    # ---- every architecture

    def architectures(self, limit: int = 100_000) -> Iterator[Built]:
        """All architectures, in the order in which decisions are taken; wrong ones too."""
        prefix: list[int] = []
        seen = 0
        while True:
            self.answers: list[tuple[int, int]] = []
            self.prefix = prefix
            built = self._built()
            if built is not None:
                seen += 1
                if seen > limit:
                    raise TooMany
                yield built
            while self.answers and self.answers[-1][0] + 1 == self.answers[-1][1]:
                self.answers.pop()
            if not self.answers:
                return
            prefix = [a for a, _ in self.answers]
            prefix[-1] += 1

    def _built(self) -> Built | None:
        self.decisions: dict[str, Any] = {}
        self.options: dict[str, tuple[Any, ...]] = {}
        self.written: list[Op] = []
        self.used: dict[str, set[str]] = {}
        self.inside: list[set[str]] = []
        self.decided: dict[str, Any] = {}
        self.wrong: list[str] = []
        try:
            output = self._run()
        except Outside:
            return None
        except (Wrong, ShapeError, SettingError) as error:
            output = self._broken(error)
        if self.wrong:
            return Built(self.decisions, self.options, wrong=self.wrong[0])
        return Built(self.decisions, self.options, tuple(self.written), output)

    def _run(self) -> int:
        handles = []
        for port in self.ports:
            if port.direction == "input":
                self.written.append(Op("input", (), (), self._port(port)))
                handles.append(len(self.written) - 1)
        env = Env({})
        for name, let in self.lets.items():
            if let.binding.chosen or isinstance(let.binding.source, s.Pick | s.Some):
                env = Env({**env.values, name: self._bound(let.binding, env, Place())})
        self.decided = dict(env.values)
        env = self._where(self.network.where, env, Place())
        if isinstance(self.network.body, s.Graph):
            out = self._graph(self.network.body, env, tuple(handles), Place())
        else:
            out = self._module(self.network.body, env, tuple(handles), Place())
        wanted = self._port(next(p for p in self.ports if p.direction == "output"))
        if out != BROKEN and self._type(out) != wanted:
            raise Wrong(f"ends in {self._type(out)}, declared {wanted}")
        return out

    def _port(self, port: s.Port) -> TensorType:
        return TensorType(tuple(int(self._value(d.size, Env({}))) for d in port.dimensions))

    def _type(self, handle: int) -> TensorType:
        return self.written[handle].type if handle != BROKEN else TensorType((0,))

    # ---- decisions

    def _decide(self, marked: str, options: tuple[Any, ...]) -> Any:
        name = marked.replace(COPY, "")
        if not options:
            raise Wrong(f"nothing to choose for {name}")
        if self.inside:
            self.inside[-1].add(name)
            if name in self.decisions:
                # Another use of the cell has decided: its value must be allowed here too.
                if self.decisions[name] not in options:
                    raise Outside
                self.options[name] = tuple(o for o in self.options[name] if o in options)
                return self.decisions[name]
        assert name not in self.decisions, f"two decisions are called {name}"
        answer = self._answer(marked, options)
        self.decisions[name] = options[answer]
        self.options[name] = options
        return options[answer]

    def _answer(self, marked: str, options: tuple[Any, ...]) -> int:
        """What the oracle says: the next of its answers, or the first option."""
        at = len(self.answers)
        answer = self.prefix[at] if at < len(self.prefix) else 0
        self.answers.append((answer, len(options)))
        return answer

    def _where(self, bindings: tuple[s.Binding, ...], env: Env, place: Place) -> Env:
        for binding in bindings:
            env = env.bind(binding.name.text, self._bound(binding, env, place))
        return env

    def _bound(self, binding: s.Binding, env: Env, place: Place) -> Any:
        name = binding.name.text
        if not binding.indices:
            return self._source(binding, env, place.decision(name))
        family: dict[Any, Any] = {}
        for index, inner in self._indexed(binding.indices, env):
            family[index] = self._source(binding, inner, place.decision(f"{name}[{_shown(index)}]"))
        return family

    def _indexed(self, indices: tuple[s.IndexVariable, ...], env: Env) -> Iterator[tuple[Any, Env]]:
        def go(at: int, chosen: tuple[Any, ...], inner: Env) -> Iterator[tuple[Any, Env]]:
            if at == len(indices):
                yield (chosen[0] if len(chosen) == 1 else chosen), inner
                return
            for v in self._members(indices[at].source, inner):
                yield from go(at + 1, (*chosen, v), inner.bind(indices[at].name.text, v))

        yield from go(0, (), env)

    def _source(self, binding: s.Binding, env: Env, name: str) -> Any:
        source = binding.source
        if isinstance(source, s.Pick | s.Some):
            return self._decide(name, self._subsets(source, env))
        if not binding.chosen:
            return self._value(source, env)
        if isinstance(source, s.Ref) and isinstance(self.templates.get(source.name), s.Choice):
            choice = self.templates[source.name]
            assert isinstance(choice, s.Choice)
            names = tuple(a.name.text for a in choice.alternatives)
            return Label(source.name, self._decide(name, names))
        values = self._members(source, env)
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            values = tuple(sorted(values))
        return self._decide(name, values)

    def _subsets(self, source: s.Pick | s.Some, env: Env) -> tuple[Any, ...]:
        members = tuple(sorted(self._members(source.source, env)))
        sizes = range(len(members) + 1)
        if isinstance(source, s.Pick):
            k = self._value(source.number, env)
            if not 0 <= k <= len(members):
                raise Wrong("cannot pick so many")
            sizes = range(k, k + 1)
        return tuple(sorted(c for k in sizes for c in itertools.combinations(members, k)))

    # ---- modules

    def _module(self, e: s.Expr, env: Env, inputs: tuple[int, ...], place: Place) -> int:
        """A module applied to tensors: the position of its result."""
        channels = self._type(inputs[0]).channels if inputs else None
        env = Env(env.values, env.levels, channels if inputs[:1] != (BROKEN,) else None)
        try:
            return self._taken(e, env, inputs, place)
        except (Wrong, ShapeError, SettingError) as error:
            return self._broken(error)

    def _broken(self, error: Exception) -> int:
        """Go on with a tensor of no type: later decisions may show that all this is outside."""
        self.wrong.append(str(error) or type(error).__name__)
        return BROKEN

    def _taken(self, e: s.Expr, env: Env, inputs: tuple[int, ...], place: Place) -> int:
        match e:
            case s.Group():
                return self._module(e.inner, env, inputs, place)
            case s.Chain():
                for part in e.parts:
                    inputs = (self._module(part, env, inputs, place),)
                return inputs[0]
            case s.Terms():
                op = "concat" if "++" in e.operators else "add"
                return self._emit(
                    op, {}, tuple(self._module(o, env, inputs, place) for o in e.operands)
                )
            case s.Binary(operator="*"):
                count = self._value(e.right, env)
                if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                    raise Wrong("no number of copies")
                return self._copies([(i, e.left, env) for i in range(count)], inputs, place)
            case s.Conditional():
                side = e.then if self._truth(e.condition, env) else e.other
                return self._module(side, env, inputs, place)
            case s.Call() | s.Ref() | s.Item():
                return self._use(e, env, inputs, place)
        raise Wrong(f"no module: {e}")

    def _copies(
        self, copies: list[tuple[Any, s.Expr, Env]], inputs: tuple[int, ...], place: Place
    ) -> int:
        if len(inputs) != 1:
            raise Wrong("copies take one input")
        for index, e, env in copies:
            inputs = (self._module(e, env, inputs, place.copy(index)),)
        return inputs[0]

    def _use(self, e: s.Expr, env: Env, inputs: tuple[int, ...], place: Place) -> int:
        call = e if isinstance(e, s.Call) else None
        callee = e.callee if call else e
        while isinstance(callee, s.Group):
            callee = callee.inner
        if isinstance(callee, s.Item):
            assert isinstance(callee.base, s.Ref)
            at = self._value(callee.index, env)
            family = self._name(callee.base.name, env)
            if not isinstance(family, dict) or at not in family:
                raise Wrong("no such member")
            value, index = family[at], _shown(at)
            label = f"{self.labels[id(callee.base)]}[{index}]"
            return self._applied(value, label, call, env, inputs, place)
        if not isinstance(callee, s.Ref):
            raise Wrong("no module")
        name, label = callee.name, self.labels[id(callee)]
        if name in env.values:
            return self._applied(env.values[name], label, call, env, inputs, place)
        if name in self.lets:
            value = self._value(e if call else callee, env)
            if call and self.lets[name].parameters is None:
                value = self._value(callee, env)
            else:
                call = None
            return self._applied(value, label, call, env, inputs, place)
        template = self.templates.get(name)
        if template is not None:
            return self._template(template, label, call, env, inputs, place)
        if name in ("maybe", "optional", "chain"):
            assert call
            return self._special(name, label, call, env, inputs, place)
        if name in COMBINING and call and (call.arguments or name == "sum"):
            place = self._prefixed(call, place)
            items = self._items(call.arguments, env, place)
            results = [self._module(x, inner, inputs, at) for x, inner, at in items]
            if not results:
                return self._emit("zero", {}, inputs[:1])
            return self._emit("add" if name == "sum" else name, {}, tuple(results))
        op = "add" if name == "sum" else name
        return self._emit(op, self._settings(op, call, env), inputs)

    def _applied(
        self,
        value: Any,
        label: str,
        call: s.Call | None,
        env: Env,
        inputs: tuple[int, ...],
        place: Place,
    ) -> int:
        if isinstance(value, Module):
            if call and call.arguments:
                raise Wrong("this module has its parameters")
            return self._module(value.expr, value.env, inputs, place.named(label))
        if isinstance(value, Label):
            choice = self.templates[value.choice]
            assert isinstance(choice, s.Choice)
            inner = self._parameters(choice.parameters, call, env)
            place = place.named(label) if label else place
            inner = self._where(choice.where, inner, place)
            (taken,) = [a for a in choice.alternatives if a.name.text == value.name]
            if taken.guard is not None and not self._truth(taken.guard, inner):
                raise Wrong("a chosen alternative is forbidden by its guard")
            return self._module(taken.body, inner, inputs, place.named(value.name))
        raise Wrong("no module")

    def _template(
        self,
        template: s.Block | s.Choice | s.Cell,
        label: str,
        call: s.Call | None,
        env: Env,
        inputs: tuple[int, ...],
        place: Place,
    ) -> int:
        inner = self._parameters(template.parameters, call, env)
        name = template.name.text
        if label:
            place = place.named(label)
        if isinstance(template, s.Block):
            inner = self._where(template.where, inner, place)
            return self._module(template.body, inner, inputs, place)
        if isinstance(template, s.Cell):
            return self._cell(template, inner, inputs)
        allowed = list(template.alternatives)
        if template.recursion is not None:
            deepest = self._value(template.recursion, inner)
            level = inner.levels.get(name, 0) + 1
            inner = Env(inner.values, {**inner.levels, name: level})
            if level >= deepest:
                allowed = [a for a in allowed if name not in self._deep(a.body)]
        inner = self._where(template.where, inner, place)
        allowed = [a for a in allowed if a.guard is None or self._truth(a.guard, inner)]
        if not allowed:
            raise Wrong(f"no alternative of {name}")
        chosen = self._decide(place.decision(), tuple(a.name.text for a in allowed))
        (taken,) = [a for a in allowed if a.name.text == chosen]
        return self._module(taken.body, inner, inputs, place.named(chosen))

    def _deep(self, e: s.Syntax) -> set[str]:
        """Every name that an expression leads to."""
        found: set[str] = set()
        todo = [r.name for r in e.walk() if isinstance(r, s.Ref)]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                declared = self.templates.get(name) or self.lets.get(name)
                if declared is not None:
                    todo += [r.name for r in declared.walk() if isinstance(r, s.Ref)]
        return found

    def _parameters(
        self, parameters: tuple[s.Parameter, ...], call: s.Call | None, env: Env
    ) -> Env:
        values: dict[str, Any] = {}
        names = [p.name.text for p in parameters]
        position = 0
        for argument in call.arguments if call else ():
            if argument.name is None:
                if position >= len(names):
                    raise Wrong("too many arguments")
                name = names[position]
                position += 1
            else:
                name = argument.name.text
            if name not in names or name in values:
                raise Wrong("no such parameter")
            values[name] = self._value(argument.value, env)
        for parameter in parameters:
            if parameter.name.text not in values:
                if parameter.default is None:
                    raise Wrong("a parameter is missing")
                values[parameter.name.text] = self._value(
                    parameter.default, Env({**self.decided, **values})
                )
        return Env({**self.decided, **values}, env.levels)

    def _special(
        self,
        name: str,
        label: str,
        call: s.Call,
        env: Env,
        inputs: tuple[int, ...],
        place: Place,
    ) -> int:
        (argument,) = call.arguments
        if name == "chain":
            copies = []
            for position, inner in enumerate(self._each(argument.clauses, env)):
                index: Any = position
                if len(argument.clauses) == 1:
                    index = inner.values[argument.clauses[0].variable.text]
                copies.append((index, argument.value, inner))
            return self._copies(copies, inputs, place)
        place = place.named(label)
        if name == "maybe":
            if len(inputs) != 1:
                raise Wrong("maybe takes one input")
            if self._decide(place.decision(), ("without", "with")) == "without":
                return inputs[0]
            return self._module(argument.value, env, inputs, place.named("with"))
        types = self._types(argument.value, env, inputs)
        if self._decide(place.decision(), ("off", "on")) == "on":
            return self._module(argument.value, env, inputs, place.named("on"))
        if len(types) != 1:
            raise Wrong("optional needs one type")
        if BROKEN in inputs:
            return BROKEN
        self.written.append(Op("zero", (), inputs[:1], next(iter(types))))
        return len(self.written) - 1

    def _types(self, e: s.Expr, env: Env, inputs: tuple[int, ...]) -> set[TensorType]:
        """Every type that a module may come to, by running it with an oracle of its own."""
        kept = (self.answers, self.prefix, self.decisions, self.options, self.written, self.inside)
        wrong = self.wrong
        found: set[TensorType] = set()
        prefix: list[int] = []
        while True:
            self.answers, self.prefix = [], prefix
            self.decisions, self.options = {}, {}
            self.written, self.inside, self.wrong = list(kept[4]), [], []
            out = self._module(e, env, inputs, Place())
            if not self.wrong and out != BROKEN:
                found.add(self._type(out))
            while self.answers and self.answers[-1][0] + 1 == self.answers[-1][1]:
                self.answers.pop()
            if not self.answers:
                break
            prefix = [a for a, _ in self.answers]
            prefix[-1] += 1
        self.answers, self.prefix, self.decisions, self.options, self.written, self.inside = kept
        self.wrong = wrong
        return found

    # ---- operations

    def _settings(self, op: str, call: s.Call | None, env: Env) -> dict[str, Any]:
        operation = OPERATIONS[op]
        args, kwargs = [], {}
        for position, argument in enumerate(call.arguments if call else ()):
            at = argument.name.text if argument.name else None
            if at is None and position < len(operation.parameters):
                at = operation.parameters[position].name
            kinds = {p.name: p.kind for p in operation.parameters}
            word = kinds.get(at or "") == "name" and isinstance(argument.value, s.Ref)
            if word and argument.value.name not in {**env.values, **self.lets}:  # type: ignore[attr-defined]
                value = argument.value.name  # type: ignore[attr-defined]
            else:
                value = self._value(argument.value, env)
            if argument.name is None:
                args.append(value)
            else:
                kwargs[argument.name.text] = value
        return resolve(operation, args, kwargs)

    def _emit(self, op: str, settings: dict[str, Any], inputs: tuple[int, ...]) -> int:
        operation = OPERATIONS.get(op)
        if operation is None:
            raise Wrong(f"unknown name {op}")
        settings = settings or resolve(operation, [], {})
        if BROKEN in inputs:
            return BROKEN
        low, high = operation.arity
        if len(inputs) < low or (high is not None and len(inputs) > high):
            raise Wrong(f"{op} takes another number of inputs")
        types = tuple(self._type(i) for i in inputs)
        out = operation.shape(settings, types)
        cost = operation.cost(settings, types, out)
        self.written.append(Op(op, tuple(settings.items()), inputs, out, cost.params, cost.macs))
        return len(self.written) - 1

    # ---- cells and graphs

    def _cell(self, cell: s.Cell, env: Env, inputs: tuple[int, ...]) -> int:
        """A use of a cell: its decisions go by the cell's name alone, and are shared."""
        mine: set[str] = set()
        self.inside.append(mine)
        place = Place(cell.name.text)
        before = len(self.wrong)
        try:
            env = self._where(cell.where, env, place)
            out = self._graph(cell.graph, env, inputs, place)
        except (Wrong, ShapeError, SettingError) as error:
            out = self._broken(error)
        finally:
            self.inside.pop()
        if BROKEN in inputs or len(self.wrong) > before:
            return BROKEN
        if self.used.setdefault(cell.name.text, mine) != mine:
            raise Wrong("the uses of a cell differ in what there is to decide")
        return out

    def _graph(self, graph: s.Graph, env: Env, inputs: tuple[int, ...], place: Place) -> int:
        env = self._where(tuple(x.binding for x in graph.lets), env, place)
        tensors: dict[tuple[str, Any], int | None] = {}
        names: list[tuple[str, Any]] = []
        for port in graph.inputs:
            if port.number is None:
                names.append((port.name.text, None))
                continue
            index = self._value(port.number, env)
            names += [
                (port.name.text, i) for i in (index if isinstance(index, tuple) else (index,))
            ]
        if len(names) != len(inputs):
            raise Wrong("another number of inputs")
        tensors.update(zip(names, inputs, strict=True))
        equations: dict[tuple[str, Any], tuple[s.Expr, Env]] = {}
        for node in graph.nodes:
            if node.number is not None:
                equations[node.name.text, self._value(node.number, env)] = (node.body, env)
            elif node.indices:
                for index, inner in self._indexed(node.indices, env):
                    equations[node.name.text, index] = (node.body, inner)
            else:
                equations[node.name.text, None] = (node.body, env)
        if set(equations) & set(tensors):
            raise Wrong("a node is defined twice")
        graph_of = _Graph(self, tensors, equations, inputs, place)
        for name in equations:
            graph_of.tensor(name)
        (result,) = graph.outputs
        return graph_of.value(result, env, place)

    def _items(
        self, arguments: tuple[s.Argument, ...], env: Env, place: Place
    ) -> list[tuple[s.Expr, Env, Place]]:
        """Arguments with comprehensions run out; their items are numbered in the path."""
        found: list[tuple[s.Expr, Env, Place]] = []
        ran = 0
        for argument in arguments:
            if not argument.clauses:
                found.append((argument.value, env, place))
                continue
            head = argument.clauses[0]
            ran += 1
            mark = f"@{ran}" if ran > 1 else ""
            if isinstance(head.source, s.Pick | s.Some):
                name = place.decision(f"inputs{mark}")
                chosen = self._decide(name, self._subsets(head.source, env))
                scopes = []
                for value in chosen:
                    inner = env.bind(head.variable.text, value)
                    if head.condition is None or self._truth(head.condition, inner):
                        scopes += list(self._each(argument.clauses[1:], inner))
            else:
                scopes = list(self._each(argument.clauses, env))
            for number, inner in enumerate(scopes):
                found.append((argument.value, inner, place.named(f"{number}{mark}")))
        return found

    def _prefixed(self, call: s.Call, place: Place) -> Place:
        """Comprehensions are told apart by name where a body has several."""
        prefix = self.labels.get(id(call), "")
        return place.named(prefix) if prefix else place

    # ---- values

    def _truth(self, e: s.Expr, env: Env) -> bool:
        value = self._value(e, env)
        if not isinstance(value, bool):
            raise Wrong("no truth value")
        return value

    def _members(self, e: s.Expr, env: Env) -> tuple[Any, ...]:
        value = self._value(e, env)
        if not isinstance(value, tuple):
            raise Wrong("no set")
        return value

    def _each(self, clauses: tuple[s.Clause, ...], env: Env) -> Iterator[Env]:
        if not clauses:
            yield env
            return
        head = clauses[0]
        for value in self._members(head.source, env):
            inner = env.bind(head.variable.text, value)
            if head.condition is None or self._truth(head.condition, inner):
                yield from self._each(clauses[1:], inner)

    def _is_module(self, e: s.Expr, env: Env) -> bool:
        match e:
            case s.Group():
                return self._is_module(e.inner, env)
            case s.Chain():
                return True
            case s.Terms():
                return "++" in e.operators or self._is_module(e.operands[0], env)
            case s.Binary(operator="*"):
                return self._is_module(e.left, env)
            case s.Conditional():
                return self._is_module(e.then, env) or self._is_module(e.other, env)
            case s.Call(callee=s.Ref(name="sum")):
                if not e.arguments:
                    return True
                inner = env
                for clause in e.arguments[0].clauses:
                    inner = inner.bind(clause.variable.text, 0)
                return self._is_module(e.arguments[0].value, inner)
            case s.Call():
                return self._is_module(e.callee, env)
            case s.Item(base=s.Ref()):
                family = env.values.get(e.base.name)
                return isinstance(family, dict) and any(
                    isinstance(v, Label | Module) for v in family.values()
                )
            case s.Ref():
                if e.name in env.values:
                    return isinstance(env.values[e.name], Label | Module)
                if e.name in self.lets:
                    return False
                return e.name in {*self.templates, *OPERATIONS, "maybe", "optional", "chain"}
        return False

    def _value(self, e: s.Expr, env: Env) -> Any:
        if self._is_module(e, env):
            return Module(e, Env(env.values, env.levels))
        match e:
            case s.Number() | s.Text() | s.Truth():
                return e.value
            case s.Group():
                return self._value(e.inner, env)
            case s.Ref():
                return self._name(e.name, env)
            case s.SetOf():
                found: list[Any] = []
                for item in e.items:
                    value = self._value(item, env)
                    found += value if isinstance(item, s.Range) else [value]
                return tuple(dict.fromkeys(found))
            case s.Collection():
                items = [self._value(e.item, inner) for inner in self._each(e.clauses, env)]
                return tuple(dict.fromkeys(items))
            case s.Range():
                low, high = self._value(e.low, env), self._value(e.high, env)
                step = 1 if e.step is None else self._value(e.step, env)
                return tuple(range(low, high + (1 if step > 0 else -1), step))
            case s.Unary(operator="not"):
                return not self._truth(e.operand, env)
            case s.Unary():
                return -self._number(e.operand, env)
            case s.Binary(operator="and"):
                return self._truth(e.left, env) and self._truth(e.right, env)
            case s.Binary(operator="or"):
                return self._truth(e.left, env) or self._truth(e.right, env)
            case s.Binary():
                return _arithmetic(
                    e.operator, self._number(e.left, env), self._number(e.right, env)
                )
            case s.Terms():
                total = self._number(e.operands[0], env)
                for operator, operand in zip(e.operators, e.operands[1:], strict=True):
                    total = _arithmetic(operator, total, self._number(operand, env))
                return total
            case s.Conditional():
                return self._value(e.then if self._truth(e.condition, env) else e.other, env)
            case s.Compare():
                return self._compared(e, env)
            case s.Item():
                base, index = self._value(e.base, env), self._value(e.index, env)
                if isinstance(base, dict):
                    if index not in base:
                        raise Wrong("no such member")
                    return base[index]
                return base[index]
            case s.Call(callee=s.Ref()):
                return self._function(e.callee.name, e, env)
        raise Wrong(f"no value: {e}")

    def _number(self, e: s.Expr, env: Env) -> Any:
        value = self._value(e, env)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Wrong("no number")
        return value

    def _name(self, name: str, env: Env) -> Any:
        if name in env.values:
            return env.values[name]
        if name == "cin":
            if env.cin is None:
                raise Wrong("cin is not known")
            return env.cin
        if name in self.decided:
            return self.decided[name]
        let = self.lets.get(name)
        if let is None:
            raise Wrong(f"unknown name {name}")
        outer = Env(dict(self.decided))
        if let.binding.indices:
            return {
                index: self._value(let.binding.source, inner)
                for index, inner in self._indexed(let.binding.indices, outer)
            }
        return self._value(let.binding.source, outer)

    def _function(self, name: str, call: s.Call, env: Env) -> Any:
        let = self.lets.get(name)
        if let is not None and let.parameters is not None:
            inner = self._parameters(let.parameters, call, env)
            return self._value(let.binding.source, inner)
        values = []
        for argument in call.arguments:
            for inner in self._each(argument.clauses, env):
                values.append(self._value(argument.value, inner))
        if len(call.arguments) == 1 and not call.arguments[0].clauses and values:
            values = list(values[0]) if isinstance(values[0], tuple) else values
        if name == "sum":
            return sum(values)
        if name == "size":
            return len(values)
        if name in ("all", "any"):
            return all(values) if name == "all" else any(values)
        if name not in FUNCTIONS or not values:
            raise Wrong(f"no function {name}")
        return FUNCTIONS[name](values) if name in ("min", "max") else FUNCTIONS[name](*values)

    def _compared(self, e: s.Compare, env: Env) -> bool:
        values = [self._value(x, env) for x in e.operands]
        for at, operator in enumerate(e.operators):
            a, b = values[at], values[at + 1]
            if isinstance(a, Label):
                a = a.name
            if isinstance(b, Label):
                b = b.name
            if operator in ("in", "not in"):
                inside = a in b
                if isinstance(e.operands[at + 1], s.Range) and len(b) and not isinstance(a, str):
                    inside = min(b) <= a <= max(b)
                holds = inside == (operator == "in")
            else:
                holds = {
                    "==": lambda a, b: a == b and isinstance(a, bool) == isinstance(b, bool),
                    "!=": lambda a, b: a != b or isinstance(a, bool) != isinstance(b, bool),
                    "<": lambda a, b: a < b,
                    "<=": lambda a, b: a <= b,
                    ">": lambda a, b: a > b,
                    ">=": lambda a, b: a >= b,
                }[operator](a, b)
            if not holds:
                return False
        return True

    # ---- names of uses

    def _label(self, body: s.Syntax, item: bool) -> None:
        """Number the uses of each name in a body, in the order of the text."""
        uses: dict[str, list[s.Ref]] = {}
        calls: list[s.Call] = []
        items: list[s.Expr] = []
        _collect(body, uses, calls, items)
        for name, refs in uses.items():
            for number, ref in enumerate(refs, 1):
                self.labels[id(ref)] = name if len(refs) == 1 else f"{name}@{number}"
        deciding = [r for name, refs in uses.items() if name in self.templates for r in refs]
        if item and len(deciding) == 1:
            self.labels[id(deciding[0])] = ""
        if len(calls) > 1:
            for call in calls:
                self.labels[id(call)] = self.labels[id(_root(call))]
        for inner in items:
            self._label(inner, item=True)


class _Graph:
    """Tensors of one graph, worked out when they are asked for."""

    def __init__(
        self,
        reference: Reference,
        tensors: dict[tuple[str, Any], int | None],
        equations: dict[tuple[str, Any], tuple[s.Expr, Env]],
        inputs: tuple[int, ...],
        place: Place,
    ):
        self.reference = reference
        self.tensors = tensors
        self.equations = equations
        self.names = {n for n, _ in (*tensors, *equations)}
        self.inputs = inputs
        self.place = place

    def tensor(self, name: tuple[str, Any]) -> int:
        if name not in self.tensors:
            if name not in self.equations:
                raise Wrong(f"no tensor {name}")
            body, env = self.equations[name]
            self.tensors[name] = None  # being worked out: to need it now is a cycle
            written = name[0] if name[1] is None else f"{name[0]}[{_shown(name[1])}]"
            try:
                self.tensors[name] = self.value(body, env, self.place.named(written))
            except (Wrong, ShapeError, SettingError) as error:
                self.tensors[name] = self.reference._broken(error)
        found = self.tensors[name]
        if found is None:
            raise Wrong("a cycle")
        return found

    def named(self, e: s.Expr, env: Env) -> list[int] | None:
        """The tensors that an expression names, or none where it names no tensor."""
        while isinstance(e, s.Group):
            e = e.inner
        if isinstance(e, s.Ref) and e.name in self.names and e.name not in env.values:
            return [self.tensor((e.name, None))]
        if isinstance(e, s.Item) and isinstance(e.base, s.Ref) and e.base.name in self.names:
            index = self.reference._value(e.index, env)
            many = index if isinstance(index, tuple) else (index,)
            return [self.tensor((e.base.name, i)) for i in many]
        return None

    def value(self, e: s.Expr, env: Env, place: Place) -> int:
        ref = self.reference
        names = self.named(e, env)
        if names is not None:
            if len(names) != 1:
                raise Wrong("several tensors")
            return names[0]
        match e:
            case s.Group():
                return self.value(e.inner, env, place)
            case s.Conditional():
                side = e.then if ref._truth(e.condition, env) else e.other
                return self.value(side, env, place)
            case s.Terms():
                op = "concat" if "++" in e.operators else "add"
                operands = [self.value(o, env, place) for o in e.operands]
                return ref._emit(op, {}, tuple(operands))
            case s.Call():
                callee = e.callee
                while isinstance(callee, s.Group):
                    callee = callee.inner
                place = ref._prefixed(e, place)
                if isinstance(callee, s.Ref) and callee.name in COMBINING:
                    operands = self.arguments(e, env, place)
                    if not operands:
                        return ref._emit("zero", {}, self.inputs[:1])
                    op = "add" if callee.name == "sum" else callee.name
                    return ref._emit(op, {}, tuple(operands))
                operands = self.arguments(e, env, place)
                return ref._module(e.callee, env, tuple(operands), place)
        raise Wrong("no tensor")

    def arguments(self, call: s.Call, env: Env, place: Place) -> list[int]:
        found: list[int] = []
        for e, inner, at in self.reference._items(call.arguments, env, place):
            names = self.named(e, inner)
            found += names if names is not None else [self.value(e, inner, at)]
        return found


def _bodies(statement: s.Statement) -> Iterator[s.Syntax]:
    graph: Any = None
    if isinstance(statement, s.Block):
        yield statement.body
    elif isinstance(statement, s.Choice):
        yield from (a.body for a in statement.alternatives)
    elif isinstance(statement, s.Cell):
        graph = statement.graph
    elif isinstance(statement, s.NetworkBody):
        if isinstance(statement.body, s.Graph):
            graph = statement.body
        else:
            yield statement.body
    if graph is not None:
        yield from (n.body for n in graph.nodes)
        yield from graph.outputs


def _root(call: s.Call) -> s.Syntax:
    found: s.Syntax = call
    while isinstance(found, s.Call | s.Group | s.Item):
        if isinstance(found, s.Item):
            found = found.base
        else:
            found = found.callee if isinstance(found, s.Call) else found.inner
    return found


def _collect(
    part: s.Syntax, uses: dict[str, list[s.Ref]], calls: list[s.Call], items: list[s.Expr]
) -> None:
    """Names, calls with comprehensions and their items in one body; chains belong to it."""
    if isinstance(part, s.Ref):
        uses.setdefault(part.name, []).append(part)
        return
    if isinstance(part, s.Call):
        chain = isinstance(part.callee, s.Ref) and part.callee.name == "chain"
        if not chain and any(a.clauses for a in part.arguments):
            calls.append(part)
        _collect(part.callee, uses, calls, items)
        for argument in part.arguments:
            if argument.clauses and not chain:
                items.append(argument.value)
            else:
                _collect(argument.value, uses, calls, items)
            for clause in argument.clauses:
                _collect(clause, uses, calls, items)
        return
    for child in part.children():
        _collect(child, uses, calls, items)


def _arithmetic(operator: str, a: Any, b: Any) -> Any:
    try:
        if operator == "/":
            return a // b if isinstance(a, int) and isinstance(b, int) and a % b == 0 else a / b
        return {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "//": lambda: a // b,
            "%": lambda: a % b,
            "^": lambda: a**b,
        }[operator]()
    except ZeroDivisionError:
        raise Wrong("division by zero") from None
