"""What the code of an operation is: a module to construct, or calls to functions of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch.fx
from torch import nn

from nasdsl.diagnostics import problem
from nasdsl.graph.network import Node
from nasdsl.operations.operation import Settings, TensorType
from nasdsl.operations.registry import Build


@dataclass(frozen=True, slots=True)
class Module:
    """A module as the class and the arguments that construct it.

    Kept apart from the constructed module, because a generated model file writes it down. The
    arguments are numbers, truth values, words, ``None``, tuples of these, or classes.
    """

    cls: type[nn.Module]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """The module, its weights drawn from torch's global generator."""
        return self.cls(*self.args, **self.kwargs)


class Call(Protocol):
    """Adds one call to the graph: a function of torch, or a method of the first argument."""

    def __call__(
        self, target: Callable[..., Any] | str, *args: Any, part: bool = False, **kwargs: Any
    ) -> torch.fx.Node:
        """The node of the result; ``part`` where it is a step on the way to the operation's."""
        ...


@dataclass(frozen=True, slots=True)
class Function:
    """Calls that need no module; ``emit(call, operands)`` gives the node of the result.

    An operation that gives back an operand adds no call at all.
    """

    emit: Callable[[Call, tuple[torch.fx.Node, ...]], torch.fx.Node]


@dataclass(frozen=True, slots=True)
class Foreign:
    """The code of a registered operation, called only when the module is built."""

    node: Node
    inputs: tuple[TensorType, ...]
    make: Build

    def build(self) -> nn.Module:
        """The module, its weights drawn from torch's global generator."""
        made = self.make(self.node.settings, self.inputs, self.node.type)
        if isinstance(made, Module):
            made = made.build()
        if not isinstance(made, nn.Module):
            raise problem(
                "NAS804",
                f"the code of operation '{self.node.op}' gave a {type(made).__name__}; "
                "expected a torch.nn.Module",
                self.node.span,
            )
        return made


Recipe = Module | Foreign | Function
Builder = Callable[[Settings, tuple[TensorType, ...], TensorType], Module | Function]
