"""The graph module that networks become: generates its code late, and survives copying."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, cast

from torch import fx, nn
from torch.fx.graph import PythonCode

SHARED = ("network", "space")
"""What ``meta`` holds that is frozen, so that copies of a module share it."""


class _Settled:
    """An attribute that exists only after the code of a module was generated.

    A descriptor on the class that yields: once the code is there, the attribute of the same name
    on the instance, or on its own class, comes first. Torch makes a class for each module, so
    that looking at the class (as tracing again does) finds its ``only`` module too.
    """

    def __init__(self, name: str, only: CompiledNetwork | None = None) -> None:
        self.name = name
        self.only = only if only is None else weakref.ref(only)

    def __get__(self, module: CompiledNetwork | None, owner: type) -> Any:
        if module is not None:
            module.settle()
            return getattr(module, self.name)
        alone = None if self.only is None else self.only()
        if alone is None:
            return self
        alone.settle()
        return getattr(owner, self.name)


class CompiledNetwork(fx.GraphModule):
    """A GraphModule that keeps its ``meta`` and the names of its nodes when it is pickled.

    ``meta["network"]`` is the :class:`Network` it came from, ``meta["paths"]`` maps the ids of
    its nodes to their :class:`Place`, in the network's order.

    Generating Python from the graph takes a third of the time of a compilation, and a network
    that is only counted or copied never needs it, so it waits for the first look at
    ``forward``, ``code`` or a call. From then on this is an ordinary GraphModule.
    """

    _code = _Settled("_code")
    _lineno_map = _Settled("_lineno_map")
    _prologue_start = _Settled("_prologue_start")

    def __init__(
        self, root: nn.Module | dict[str, Any], graph: fx.Graph, class_name: str = "Network"
    ) -> None:
        self.__dict__["_late"] = True
        super().__init__(root, graph, class_name=class_name)

    def postpone(self, graph: fx.Graph) -> None:
        """Take another graph, whose code is generated when it is needed."""
        self.__dict__["_late"] = True
        self.graph = graph

    def settle(self) -> None:
        """Generate the code now, where that is still to be done."""
        if isinstance(vars(type(self)).get("forward"), _Settled):
            self.recompile()

    def recompile(self) -> PythonCode:
        """Generate the code from the graph."""
        cls = type(self)
        if self.__dict__.pop("_late", False):
            for name in ("_code", "_lineno_map", "_prologue_start"):
                self.__dict__.pop(name, None)
            for name in ("forward", "__call__"):
                setattr(cls, name, _Settled(name, self))
            return cast(PythonCode, None)  # only torch's own setter of graphs calls it then
        for name in ("forward", "__call__"):
            if isinstance(vars(cls).get(name), _Settled):
                delattr(cls, name)
        return super().recompile()

    def __reduce__(self) -> tuple[Any, ...]:
        self.settle()
        rebuild, (body, imports) = super().__reduce__()
        body["node_names"] = [node.name for node in self.graph.nodes]
        meta = {key: value for key, value in self.meta.items() if key != "space"}
        body["meta"] = {}
        (kind,) = type(self).__bases__  # torch makes a class of its own for each module
        return _restore, (kind, rebuild, body, imports, meta)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledNetwork:
        for key in SHARED:
            shared = self.meta.get(key)
            if shared is not None:
                memo[id(shared)] = shared
        copied = super().__deepcopy__(memo)
        assert isinstance(copied, CompiledNetwork)
        return copied


def _restore(
    kind: type[CompiledNetwork],
    rebuild: Callable[..., fx.GraphModule],
    body: dict[str, Any],
    imports: str,
    meta: dict[str, Any],
) -> CompiledNetwork:
    plain = rebuild(body, imports)
    module = kind(plain, plain.graph, class_name=type(plain).__name__)
    # Groups as they were: torch makes new ones, which hold only what the graph calls.
    module._modules = plain._modules
    module.meta.update(meta)
    return module
