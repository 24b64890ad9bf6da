"""A slow, direct interpreter of the language, to hold the compiler of spaces to.

It is written from the meaning of the language and shares nothing with ``nasdsl.space``: a
program is run from top to bottom, and every decision asks an oracle. Running it once for each
run of answers enumerates all architectures. Only the syntax tree and the facts of single
operations (which are held to torch elsewhere) are taken from the package.
"""

from __future__ import annotations

from typing import Any

from nasdsl.language import syntax as s
from nasdsl.operations.operation import ShapeError, TensorType
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.operations.table import OPERATIONS
from tests.space.reference.built import BROKEN, Op, Wrong
from tests.space.reference.labels import labels_of
from tests.space.reference.oracle import Oracle
from tests.space.reference.scope import Env, Label, Module, Place, shown

COMBINING = ("add", "mul", "concat", "first", "mean", "sum")


class Reference(Oracle):
    """A program, run with the answers of an oracle."""

    def __init__(self, text: str):
        super().__init__(text)
        (self.network,) = [x for x in self.statements if isinstance(x, s.NetworkBody)]
        self.ports = [x for x in self.statements if isinstance(x, s.Port)]
        self.labels = labels_of(self.statements, self.templates)

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

    # ---- modules

    def _module(self, e: s.Expr, env: Env, inputs: tuple[int, ...], place: Place) -> int:
        """A module applied to tensors: the position of its result."""
        channels = self._type(inputs[0]).channels if inputs else None
        env = Env(env.values, env.levels, channels if inputs[:1] != (BROKEN,) else None)
        try:
            return self._taken(e, env, inputs, place)
        except (Wrong, ShapeError, SettingError) as error:
            return self._broken(error)

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
            value, index = family[at], shown(at)
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
            given = argument.value
            if (
                kinds.get(at or "") == "name"
                and isinstance(given, s.Ref)
                and given.name not in {**env.values, **self.lets}
            ):
                value: Any = given.name
            else:
                value = self._value(given, env)
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
            written = name[0] if name[1] is None else f"{name[0]}[{shown(name[1])}]"
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
