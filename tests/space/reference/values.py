"""Values of expressions by the reference, read off the meaning of the language."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from nasdsl.diagnostics import Source
from nasdsl.language import syntax as s
from nasdsl.language.parser import parse
from nasdsl.operations.table import OPERATIONS
from tests.space.reference.built import Wrong
from tests.space.reference.scope import Env, Label, Module

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


class Values:
    """The declarations of a text, and what expressions come to under a scope."""

    def __init__(self, text: str):
        tree = parse(Source("<text>", text))
        assert not tree.problems, [d.message for d in tree.problems]
        self.statements = tree.statements
        self.lets = {x.name.text: x for x in tree.statements if isinstance(x, s.Let)}
        self.templates = {
            x.name.text: x for x in tree.statements if isinstance(x, s.Block | s.Choice | s.Cell)
        }
        self.decided: dict[str, Any] = {}
        """What has been decided for the whole space."""

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

    def _indexed(self, indices: tuple[s.IndexVariable, ...], env: Env) -> Iterator[tuple[Any, Env]]:
        def go(at: int, chosen: tuple[Any, ...], inner: Env) -> Iterator[tuple[Any, Env]]:
            if at == len(indices):
                yield (chosen[0] if len(chosen) == 1 else chosen), inner
                return
            for v in self._members(indices[at].source, inner):
                yield from go(at + 1, (*chosen, v), inner.bind(indices[at].name.text, v))

        yield from go(0, (), env)

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
