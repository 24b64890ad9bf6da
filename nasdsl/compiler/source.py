"""From a network to a model file that a person can read and that needs only torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from nasdsl.compiler.closure import definitions
from nasdsl.compiler.forward import forward
from nasdsl.compiler.names import identifier
from nasdsl.compiler.plan import plan
from nasdsl.compiler.recipe import Foreign, Module
from nasdsl.diagnostics import problem
from nasdsl.graph.network import Network

WIDTH = 100

Tree = dict[str, "Tree | Module"]

GROUP = '''class Group(nn.Module):
    """Modules by name."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
'''


def to_source(network: Network) -> str:
    """The text of a ``model.py`` with the network as a class and ``build()``.

    The keys of its state dictionary are those of the compiled module, so that weights go from
    one to the other. Weights are not in the text; a new model has fresh ones. Raises a
    diagnostic for a registered operation whose code is a built module and cannot be written.
    """
    planned = plan(network)
    name = _class_name(network.name)
    recipes = {path: _written(recipe) for path, recipe in planned.modules.items()}
    tree = _tree(recipes)
    imports, classes = definitions(_classes(recipes.values()), {name, "Group", "build"})
    parts = [
        _head(network, name),
        *_imports({*imports, "import torch", "from torch import Tensor", "from torch import nn"}),
        "",
        "",
    ]
    grouped = any(isinstance(child, dict) for child in tree.values())
    for text in [*classes, *([GROUP] if grouped else [])]:
        parts += [text.rstrip(), "", ""]
    parts += [
        f"class {name}(nn.Module):",
        f'    """{_summary(network)}"""',
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *(_assignment(key, child) for key, child in tree.items()),
        "",
        *forward(planned.graph),
        "",
        "",
        f"def build() -> {name}:",
        '    """The network with fresh weights."""',
        f"    return {name}()",
        "",
    ]
    return "\n".join(parts)


def _head(network: Network, name: str) -> str:
    return (
        f'"""The network {name}: {network.params:,} parameters, {network.macs:,} '
        "multiply-accumulates.\n\n"
        "Written by nasdsl; needs only torch. With weights from a file:\n\n"
        "    from safetensors.torch import load_file\n\n"
        "    model = build()\n"
        '    model.load_state_dict(load_file("weights.safetensors"))\n'
        '    model.eval()\n"""\n'
    )


def _summary(network: Network) -> str:
    takes = ", ".join(f"{identifier(node.id)} {node.type}" for node in network.inputs)
    gives = ", ".join(str(network.by_id[id].type) for id in network.outputs)
    return f"Takes {takes} and gives {gives}, each after the batch."


def _class_name(name: str) -> str:
    word = "".join(part[:1].upper() + part[1:] for part in identifier(name).split("_"))
    return word if word.isidentifier() else f"Network{word}"


def _imports(lines: set[str]) -> list[str]:
    """Import lines in the usual order: the language's, the standard library's, then others."""

    def group(line: str) -> int:
        package = line.split()[1].partition(".")[0]
        return 0 if package == "__future__" else 1 if package in sys.stdlib_module_names else 2

    written: list[str] = []
    last = None
    ordered = sorted(lines, key=lambda line: (group(line), line.startswith("from"), line))
    for line in _joined(["from __future__ import annotations", *ordered]):
        if last is not None and group(line) != last:
            written.append("")
        last = group(line)
        written.append(line)
    return written


def _joined(lines: list[str]) -> list[str]:
    """Import lines with the names from one module together."""
    named: dict[str, list[str]] = {}
    for line in lines:
        module, _, name = line.partition(" import ")
        named.setdefault(module if name else line, []).append(name)
    return [
        f"{module} import {', '.join(sorted(n))}" if any(n) else module
        for module, n in named.items()
    ]


def _written(recipe: Module | Foreign) -> Module:
    if isinstance(recipe, Module):
        return recipe
    state = torch.default_generator.get_state()
    try:
        made = recipe.make(recipe.node.settings, recipe.inputs, recipe.node.type)
    finally:
        torch.default_generator.set_state(state)
    if not isinstance(made, Module) or not isinstance(made.cls, type):
        raise problem(
            "NAS820",
            f"operation '{recipe.node.op}' cannot be written into a model file, because its code "
            "does not give nasdsl.compiler.Module(class, arguments)",
            recipe.node.span,
        )
    return made


def _classes(recipes: Iterable[Module]) -> list[type]:
    found: list[type] = []
    for recipe in recipes:
        for value in (recipe.cls, *recipe.args, *recipe.kwargs.values()):
            if isinstance(value, type):
                found.append(value)
    return list(dict.fromkeys(found))


def _tree(recipes: Mapping[str, Module]) -> Tree:
    root: Tree = {}
    for path, recipe in recipes.items():
        *parents, last = path.split(".")
        here = root
        for name in parents:
            inside = here.setdefault(name, {})
            assert isinstance(inside, dict)
            here = inside
        here[last] = recipe
    return root


def _assignment(name: str, child: Tree | Module) -> str:
    return f"        self.{name} = " + _construction(child, 8, len(f"self.{name} = "))


def _construction(child: Tree | Module, indent: int, used: int) -> str:
    """The expression that builds a module or a group, in one line where it fits."""
    line = _call(child)
    if indent + used + len(line) + 1 <= WIDTH:
        return line
    if isinstance(child, Module):
        name, items = _name(child.cls), _arguments(child)
    else:
        name = "Group"
        items = [
            f"{key}=" + _construction(value, indent + 4, len(key) + 1)
            for key, value in child.items()
        ]
    pad = " " * (indent + 4)
    return f"{name}(\n" + "".join(f"{pad}{item},\n" for item in items) + " " * indent + ")"


def _call(child: Tree | Module) -> str:
    if isinstance(child, Module):
        return f"{_name(child.cls)}({', '.join(_arguments(child))})"
    return f"Group({', '.join(f'{key}={_call(value)}' for key, value in child.items())})"


def _arguments(module: Module) -> list[str]:
    named = [f"{key}={_value(value)}" for key, value in module.kwargs.items()]
    return [*map(_value, module.args), *named]


def _name(cls: type) -> str:
    return f"nn.{cls.__name__}" if getattr(nn, cls.__name__, None) is cls else cls.__name__


def _value(value: Any) -> str:
    if isinstance(value, type):
        return _name(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' if len(value) == 1 else ''})"
    return repr(value)
