"""Operations that users register: facts and code by one decorator, or by entry point."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nasdsl.compiler import compile_network, to_source
from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network
from nasdsl.operations import OPERATIONS, lookup, plugins, register
from nasdsl.operations.registry import BUILDERS
from tests.compiler import registered
from tests.compiler.by_hand import Draft
from tests.compiler.test_source import check


@pytest.fixture(autouse=True)
def table_as_it_was() -> Iterator[None]:
    facts, code = dict(OPERATIONS), dict(BUILDERS)
    plugins.load.cache_clear()
    yield
    OPERATIONS.clear()
    OPERATIONS.update(facts)
    BUILDERS.clear()
    BUILDERS.update(code)
    plugins.load.cache_clear()


def network(copies: int = 1) -> Network:
    draft = Draft()
    x = draft.input("image", 3, 4, 4)
    for i in range(copies):
        x = draft.at(f"scale@{i}", "test_scale", x)
    return draft.network(x)


@pytest.mark.parametrize("code", [registered.recipe, registered.built])
def test_a_registered_operation_compiles(code: Any) -> None:
    register(registered.FACTS)(code)
    module = compile_network(network(2), seed=3)
    assert sum(p.numel() for p in module.parameters()) == network(2).params == 6
    assert not torch.equal(module.scale_0.scale, module.scale_1.scale)
    again = compile_network(network(), seed=3)
    assert torch.equal(module.scale_0.scale, again.scale_0.scale)
    x = torch.randn(2, 3, 4, 4)
    expected = x * torch.tanh(again.scale_0.scale) * torch.pi
    torch.testing.assert_close(again(x), expected)
    torch.testing.assert_close(pickle.loads(pickle.dumps(again))(x), expected)


def test_a_class_with_arguments_can_be_written() -> None:
    register(registered.FACTS)(registered.recipe)
    check(network(2), [torch.randn(2, 3, 4, 4)])
    text = to_source(network())
    for line in ("import math as maths", "START = 0.5", "def bounded(x: Tensor) -> Tensor:"):
        assert line in text.splitlines()
    assert "tests" not in text


def test_a_built_module_cannot_be_written() -> None:
    register(registered.FACTS)(registered.built)
    with pytest.raises(DiagnosticError, match="'test_scale' cannot be written into a model file"):
        to_source(network())


def test_writing_leaves_the_global_generator_alone() -> None:
    register(registered.FACTS)(registered.built)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with pytest.raises(DiagnosticError):
        to_source(network())
    assert torch.equal(torch.rand(2), expected)


def test_a_class_inside_a_function_cannot_be_written() -> None:
    from nasdsl.compiler import Module

    class Local(torch.nn.Identity):
        pass

    register(registered.FACTS)(lambda s, i, o: Module(Local))
    with pytest.raises(DiagnosticError, match="it is defined inside a function"):
        to_source(network())


def test_code_that_gives_something_else() -> None:
    register(registered.FACTS)(lambda s, i, o: "module")
    with pytest.raises(DiagnosticError, match="gave a str; expected a torch"):
        compile_network(network())


def test_names_are_not_taken_over() -> None:
    from dataclasses import replace

    with pytest.raises(DiagnosticError, match="there is already an operation 'conv'"):
        register(replace(registered.FACTS, name="conv"))(registered.recipe)
    with pytest.raises(DiagnosticError, match="'two words' cannot name an operation"):
        register(replace(registered.FACTS, name="two words"))(registered.recipe)
    register(registered.FACTS)(registered.recipe)
    register(registered.FACTS)(registered.recipe)
    with pytest.raises(DiagnosticError, match="there is already an operation 'test_scale'"):
        register(registered.FACTS)(registered.built)


def install(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as its metadata and one module."""
    info = folder / "someones_operations-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-operations\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[nasdsl.operations]\nsomeones = someones_operations\n")
    (folder / "someones_operations.py").write_text(body)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "someones_operations", raising=False)
    importlib.invalidate_caches()


def test_a_package_offers_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "from nasdsl.operations import Operation, register\n"
        "FACTS = Operation('test_same', 'Passes on.', (), lambda s, i: i[0])\n"
        "@register(FACTS)\n"
        "def code(settings, inputs, output):\n"
        "    import torch\n"
        "    return torch.nn.Identity()\n"
    )
    install(tmp_path, body, monkeypatch)
    assert "test_same" not in OPERATIONS
    found = lookup("test_same")
    assert found is not None and found.doc == "Passes on."
    assert lookup("nothing_of_this_name") is None


def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "import nothing_of_this_name\n", monkeypatch)
    assert lookup("conv") is not None
    with pytest.raises(DiagnosticError, match=r"the operations of 'someones' .* do not load: No"):
        lookup("test_same")
