"""Every operation that some architecture of a space has, found without listing architectures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nasdsl.compiler.plan import recipe_of
from nasdsl.compiler.recipe import Foreign, Function, Module, Recipe
from nasdsl.diagnostics import problem
from nasdsl.graph.network import Node
from nasdsl.operations.operation import TensorType
from nasdsl.space import Space
from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Lift,
    On,
    Owned,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
)
from nasdsl.space.walk import join

LIMIT = 200_000
"""How many places a space may have; beyond, its supernet would not fit anywhere."""

Types = tuple[TensorType, ...]
RecipeKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A node as some architectures have it: its id, and the module that computes it."""

    node: Node
    recipe: Module | Foreign


def recipe_key(recipe: Recipe) -> RecipeKey:
    """Equal for recipes that construct equal modules, and hashable."""
    if isinstance(recipe, Module):
        return ("module", recipe.cls, recipe.args, tuple(sorted(recipe.kwargs.items())))
    assert isinstance(recipe, Foreign)
    return ("foreign", recipe.node.op, tuple(recipe.node.settings.items()), recipe.inputs)


def variants(space: Space) -> dict[str, list[Variant]]:
    """All modules of a space: the variants of each node, by its id, in the order of the text.

    Variants of one id differ in their recipe: by settings, or by the types that reach them.
    """
    found: dict[str, dict[RecipeKey, Variant]] = {}
    for node, types in _operations(space):
        recipe = recipe_of(node, types)
        if not isinstance(recipe, Function):
            found.setdefault(node.id, {}).setdefault(recipe_key(recipe), Variant(node, recipe))
    return {id: list(of.values()) for id, of in found.items()}


def _operations(space: Space) -> Iterator[tuple[Node, Types]]:
    """Every operation with the types of its operands, repeated where parts of paths differ."""
    whole = space.step
    stack: list[tuple[Step, Types, str, str]] = [(whole, space.inputs, "", "")]
    seen: set[tuple[int, Types, str, str]] = set()
    while stack:
        step, frame, place, pending = stack.pop()
        state = (id(step), frame, place, pending)
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > LIMIT:
            raise problem(
                "NAS821",
                f"the supernet of '{space.name}' would have more than {LIMIT:,} places; bind "
                "fewer decisions for the whole network",
            )
        if isinstance(step, Emit):
            types = tuple([frame[i] for i in step.inputs])
            name = join(place, step.label + pending)
            yield Node(name, step.op, step.settings, (), step.type, step.cost, step.span), types
        elif isinstance(step, Then):
            for key, rest in reversed(step.rest.items()):
                inner = (*frame, key[0]) if step.keep else (key[0],)
                stack.append((rest, inner, place, pending))
            stack.append((step.first, frame, place, pending))
        elif isinstance(step, Scope):
            stack.append((step.step, frame, join(place, step.segment + pending), ""))
        elif isinstance(step, Owned | Lift):
            stack.append((step.step, frame, place, pending))
        elif isinstance(step, On):
            stack.append((step.step, tuple([frame[i] for i in step.indices]), place, pending))
        elif isinstance(step, Branch):
            stack += [(o, frame, place, pending) for o in reversed(step.options.values())]
        elif isinstance(step, Copy):
            stack.append((step.step, frame, place, f"{pending}[{step.index}]"))
        elif isinstance(step, UseCell):
            stack.append((step.body, frame, place, ""))
        elif isinstance(step, Whole):
            stack.append((step.body, frame, place, pending))
