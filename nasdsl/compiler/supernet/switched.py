"""Supernets that compute one path at a time: shared modules, and a graph that is exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from nasdsl.compiler import names
from nasdsl.compiler.build import assemble, drawn
from nasdsl.compiler.module import CompiledNetwork
from nasdsl.compiler.plan import Home, plan, recipes_of
from nasdsl.compiler.recipe import Function, Recipe
from nasdsl.compiler.supernet.elastic import Elastic, elastic
from nasdsl.compiler.supernet.walk import RecipeKey, recipe_key, variants
from nasdsl.diagnostics import problem
from nasdsl.graph.network import Network
from nasdsl.space import Architecture, Space


class SwitchedSupernet(CompiledNetwork):
    """A GraphModule whose modules are those of a whole space and whose graph is one path.

    :meth:`set_path` chooses the path. ``parameters`` and ``state_dict`` are those of all paths;
    weights off the path get no gradient. In a network of kind ``path`` a module is shared by
    all architectures that have its node with the same settings on operands of the same type,
    in an ``elastic`` one by all that have its node, whatever the settings.

    ``meta["homes"]`` maps (id of a node, key of its recipe) to its :class:`Home`.
    """

    def set_path(self, subject: Architecture | Network | Mapping[str, Any]) -> None:
        """Compute this architecture from now on; decisions are looked up in the space.

        Raises a diagnostic for an architecture that is not of the supernet's space.
        """
        network = self._network(subject)
        planned = plan(network, self._home)
        self.postpone(planned.graph)
        self.meta["network"] = network
        self.meta["paths"] = dict(planned.places)

    def state_of(self, network: Network) -> dict[str, dict[str, Tensor]]:
        """The state of each node's module as a network of its own would hold it, by id.

        Tensors share memory with the supernet where nothing is transformed.
        """
        states: dict[str, dict[str, Tensor]] = {}
        for id, recipe in recipes_of(network).items():
            if isinstance(recipe, Function):
                continue
            home = self._home(id, recipe)
            module = self.get_submodule(home.path)
            if isinstance(module, Elastic):
                states[id] = dict(module.state(home.settings["variant"]))
            else:
                states[id] = module.state_dict()
        return states

    def _home(self, id: str, recipe: Recipe) -> Home:
        homes: Mapping[tuple[str, RecipeKey], Home] = self.meta["homes"]
        found = homes.get((id, recipe_key(recipe)))
        if found is None:
            raise problem(
                "NAS812",
                f"the supernet has no module for '{id}'; the architecture is not of its space",
            )
        return found

    def _network(self, subject: Architecture | Network | Mapping[str, Any]) -> Network:
        if isinstance(subject, Network):
            return subject
        if isinstance(subject, Architecture):
            return subject.network
        space: Space | None = self.meta.get("space")
        if space is None:
            raise problem(
                "NAS813",
                "a supernet that was read from a file has no space to look decisions up in; "
                "give it an architecture of the space",
            )
        return space.architecture(subject).network


def compile_switched(space: Space, shared: bool, transform: bool, seed: int) -> SwitchedSupernet:
    """A supernet of kind ``elastic`` where weights are ``shared`` by settings, else ``path``.

    It starts on the space's first architecture.
    """
    found = variants(space)
    wanted: dict[str, Any] = {}
    keys: dict[tuple[str, RecipeKey], tuple[str, str | None]] = {}
    for id, of in found.items():
        if shared and len(of) > 1:
            recipe, labels = elastic(id, of, transform)
            wanted[id] = (recipe, id)
            for variant, label in zip(of, labels, strict=True):
                keys[id, recipe_key(variant.recipe)] = id, label
            continue
        for number, variant in enumerate(of):
            name = f"{id}~{number + 1}" if number else id
            wanted[name] = (variant.recipe, id)
            keys[id, recipe_key(variant.recipe)] = name, None
    paths = names.module_paths(wanted)
    # A node is drawn as in a network of its own, so that a path starts equal to that.
    modules = drawn({paths[n]: (recipe, id) for n, (recipe, id) in wanted.items()}, seed)
    homes = {
        key: Home(paths[name], {} if label is None else {"variant": label})
        for key, (name, label) in keys.items()
    }
    first = space[0].network

    def home(id: str, recipe: Recipe) -> Home:
        return homes[id, recipe_key(recipe)]

    planned = plan(first, home)
    supernet = assemble(SwitchedSupernet, planned.graph, modules, space.name)
    supernet.meta.update(
        network=first,
        paths=dict(planned.places),
        space=space,
        homes=homes,
        kind="elastic" if shared else "path",
    )
    return supernet
