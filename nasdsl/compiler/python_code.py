"""The Python code of a graph: torch's text to the letter, written in a fraction of its time.

Torch's writer serves every kind of graph: it gives each node another way to print itself, looks
every name up in a new namespace, and copies the text line by line. Graphs of networks are plain
(inputs, modules, functions of torch, sums), so that their text can be written down directly.
Whatever is not plain is left to torch, as are all graphs where torch's text is not the one that
is known here, as in another version.
"""

from __future__ import annotations

import builtins
import keyword
import operator
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import torch
from torch import fx
from torch.fx.graph import CodeGen, PythonCode

from nasdsl.compiler.forward import INFIX

PLAIN = (int, float, str, bool, type(None), torch.dtype)
"""What an argument may be, beside nodes and lists and tuples of all these."""

TAKEN = frozenset(dir(builtins)) | frozenset(keyword.kwlist)
"""Names that torch gives no variable."""


class NetworkGraph(fx.Graph):
    """A graph whose code is written quickly where it is plain."""

    def python_code(self, root_module: str, **options: Any) -> PythonCode:
        """As torch's, which is asked where an option is set or the graph is not plain."""
        if not any(options.values()) and _agrees():
            written = _written(self, root_module)
            if written is not None:
                return written
        return super().python_code(root_module, **options)


@cache
def _agrees() -> bool:
    """Whether this version of torch writes what is written here."""
    graph = fx.Graph()
    x, y = graph.placeholder("x"), graph.placeholder("y")
    conv = graph.call_module("cell.conv", (x,))
    graph.call_function(torch.relu, (conv,))
    both = graph.call_function(operator.add, (conv, y))
    size = graph.call_method("size", (both, 0))
    zeros = graph.call_method("new_zeros", (both, (size, 2)), {"dtype": torch.int64})
    graph.output((graph.call_function(torch.cat, ([both, zeros],), {"dim": 1}), both))
    return _written(graph, "self") == graph.python_code("self")


def _written(graph: fx.Graph, root: str) -> PythonCode | None:
    """The code of a plain graph, ``None`` for another one."""
    if vars(graph._codegen) != vars(CodeGen()) or type(graph._codegen) is not CodeGen:
        return None
    if os.environ.get("FX_GRAPH_SHOW_META", "0") == "1":
        return None
    # What surrounds the text, as the names that each graph may use, is that of an empty graph.
    frame = fx.Graph().python_code(root)
    nodes = list(graph.nodes)
    names = {node: node.name for node in nodes}
    if not _free(names.values(), TAKEN | frame.globals.keys()):
        return None
    done = _done(nodes)
    arguments = ["self"]
    lines: list[str] = []
    numbers: dict[int, int | None] = {}
    at = None
    for at, node in enumerate(nodes):
        if node.type is not None:
            return None
        if node.op == "placeholder":
            argument = str(node.target)
            if node.args or argument == "self" or not argument.isidentifier():
                return None
            arguments.append(argument)
            if argument == names[node]:
                continue
            statement = f"{names[node]} = {argument}"
        else:
            written = _statement(node, names, root)
            if written is None:
                return None
            unused = done.get(node, [])
            if not node.users and node.op != "output":
                unused = [*unused, node]
            statement = written
            if unused and node.op != "output":
                statement += f";  {' = '.join([names[n] for n in unused])} = None"
        lines.append(f"    {statement}")
        numbers[len(lines)] = at
    lines.append("    ")
    numbers[len(lines)] = at
    source = f"\n\n\ndef forward({', '.join(arguments)}):\n" + "\n".join(lines)
    return replace(frame, src=source, _lineno_map=numbers)


def _free(names: Iterable[str], taken: Iterable[str]) -> bool:
    """Whether every name is a word of Python, none stands twice or for something else."""
    given = list(names)
    return (
        len(set(given)) == len(given)
        and all(map(str.isidentifier, given))
        and "".join(given).isascii()
        and not set(given).intersection(taken)
    )


def _done(nodes: list[fx.Node]) -> dict[fx.Node, list[fx.Node]]:
    """By node the operands that nothing reads after it, as torch's own writer orders them."""
    seen: set[fx.Node] = set()
    done: dict[fx.Node, list[fx.Node]] = {}
    for node in reversed(nodes):
        for operand in node.all_input_nodes:
            if operand not in seen:
                seen.add(operand)
                done.setdefault(node, []).append(operand)
    return done


def _statement(node: fx.Node, names: dict[fx.Node, str], root: str) -> str | None:
    if node.op == "output":
        result = _value(node.args[0], names)
        return None if result is None else f"return {result}"
    values = [_value(value, names) for value in node.args]
    values += [_named(key, _value(value, names)) for key, value in node.kwargs.items()]
    given = [value for value in values if value is not None]
    if len(given) != len(values):
        return None
    if node.op == "call_module":
        call = _attribute(root, str(node.target))
    elif node.op == "call_method" and node.args and isinstance(node.args[0], fx.Node):
        call = _attribute(given.pop(0), str(node.target))
    elif node.op == "call_function":
        sign = INFIX.get(node.target)
        if sign is not None and len(given) == 2 and not node.kwargs:
            return f"{names[node]} = {given[0]} {sign} {given[1]}"
        call = None if "is_wrapped" in node.meta else _function(node.target)
    else:
        return None
    return None if call is None else f"{names[node]} = {call}({', '.join(given)})"


def _named(key: str, value: str | None) -> str | None:
    return None if value is None else f"{key} = {value}"


def _value(value: Any, names: dict[fx.Node, str]) -> str | None:
    if type(value) is fx.Node:
        return names.get(value)
    if type(value) in PLAIN:
        return repr(value)
    if type(value) is not tuple and not isinstance(value, list):
        return None
    inside = [_value(part, names) for part in value]
    given = [part for part in inside if part is not None]
    if len(given) != len(inside):
        return None
    if isinstance(value, list):
        return f"[{', '.join(given)}]"
    return f"({given[0]},)" if len(given) == 1 else f"({', '.join(given)})"


@lru_cache(maxsize=65536)
def _attribute(root: str, path: str) -> str | None:
    """The place of a module or method; ``None`` where a name is not a word of Python."""
    return f"{root}.{path}" if all(map(str.isidentifier, path.split("."))) else None


def _function(function: Any) -> str | None:
    """A function of torch by its name there."""
    name = getattr(function, "__name__", "")
    return f"torch.{name}" if getattr(torch, name, None) is function else None
