"""Code that is generated at the first use: nothing else may tell when that was."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx
from torch.fx.graph import PythonCode

from nasdsl.compiler import CompiledNetwork, compile_network
from tests.compiler.spaces import space


def fresh() -> CompiledNetwork:
    module = compile_network(space("cell").sample(2).network)
    assert isinstance(module, CompiledNetwork)
    return module.eval()


def image() -> Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def generated(module: CompiledNetwork) -> bool:
    return "_code" in vars(module)


def plain() -> Tensor:
    """What torch's own graph module of the same modules and graph computes."""
    module = fresh()
    result: Tensor = fx.GraphModule(module, module.graph)(image())
    return result


FIRST: dict[str, Callable[[CompiledNetwork], Any]] = {
    "call": lambda m: m(image()),
    "forward": lambda m: m.forward(image()),
    "bound call": lambda m: m.__call__(image()),
    "functional call": lambda m: torch.func.functional_call(m, dict(m.named_parameters()), image()),
    "copy": lambda m: copy.deepcopy(m)(image()),
    "shallow copy": lambda m: copy.copy(m)(image()),
    "pickle": lambda m: pickle.loads(pickle.dumps(m))(image()),
    "interpreter": lambda m: fx.Interpreter(m).run(image()),
    "trace again": lambda m: fx.symbolic_trace(m)(image()),
    "recompile": lambda m: (m.recompile(), m(image()))[1],
}


@pytest.mark.parametrize("name", FIRST)
def test_any_first_use_computes_the_same(name: str) -> None:
    module = fresh()
    assert not generated(module)
    torch.testing.assert_close(FIRST[name](module), plain())
    torch.testing.assert_close(module(image()), plain())


def test_what_can_be_asked_before_the_first_call() -> None:
    assert "def forward(self, image):" in fresh().code
    assert list(inspect.signature(fresh().forward).parameters) == ["image"]
    assert "ConvBn" in str(fresh()) and "def forward" in str(fresh())
    assert isinstance(fresh().recompile(), PythonCode)
    assert callable(fresh())
    assert "def forward" in fresh().print_readable(print_output=False)


def test_counting_and_copying_weights_need_no_code() -> None:
    module = fresh()
    sum(p.numel() for p in module.parameters())
    module.load_state_dict(module.state_dict())
    module.to(torch.float64).train()
    assert not generated(module)


def test_an_edited_graph_is_what_runs() -> None:
    module = fresh()
    (output,) = [n for n in module.graph.nodes if n.op == "output"]
    with module.graph.inserting_before(output):
        output.args = (module.graph.call_function(torch.neg, output.args),)
    torch.testing.assert_close(module(image()), -plain())  # not generated before the edit
    with module.graph.inserting_before(output):
        output.args = (module.graph.call_function(torch.neg, output.args),)
    module.recompile()
    torch.testing.assert_close(module(image()), plain())


def test_hooks_and_modules_of_two_networks_stay_apart() -> None:
    one, other = fresh(), fresh()
    seen: list[str] = []
    one.register_forward_hook(lambda *args: seen.append("one"))
    one(image()), other(image()), one(image())
    assert seen == ["one", "one"]
    assert type(one) is not type(other)


@pytest.mark.slow
def test_torch_compile_first() -> None:
    try:
        compiled = torch.compile(fresh(), backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(image()), plain())
    finally:
        torch._dynamo.reset()


def test_torch_export_first() -> None:
    program = torch.export.export(fresh(), (image(),))
    torch.testing.assert_close(program.module()(image()), plain())
