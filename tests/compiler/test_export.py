"""Files for other programs, loaded back by them and compared."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, fx, nn

import nasdsl
from nasdsl.cli import main
from nasdsl.compiler import compile_network
from nasdsl.compiler.export import (
    load_weights,
    save_exported,
    save_onnx,
    to_exported,
)
from nasdsl.compiler.supernet import compile_supernet, extract
from nasdsl.diagnostics import DiagnosticError
from tests.compiler.by_hand import Draft
from tests.compiler.spaces import space

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(n) is None for n in ("onnx", "onnxscript", "onnxruntime")),
    reason="onnx, onnxscript and onnxruntime (the extra 'export') are not installed",
)


def several() -> fx.GraphModule:
    """Two inputs, one of whole numbers, and two outputs."""
    draft = Draft()
    image, words = draft.input("image", 3, 8, 8), draft.input("words", 5, dtype="int")
    x = draft.at("pool", "global_avgpool", draft.at("conv", "conv", image, 6, 3))
    y = draft.at("embed", "embedding", words, 11, 6)
    y = draft.at("mean", "global_avgpool", draft.at("attend", "attention", y, 2, 6))
    both = draft.at("sum", "add", [x, y])
    return compile_network(draft.network(draft.at("linear", "linear", both, 4), both))


def one(name: str) -> fx.GraphModule:
    module = compile_network(space(name).sample(2).network)
    module(torch.randn(4, 3, 8, 8))  # so that norms have statistics
    return module


MODULES = {
    "several": several,
    "cell": lambda: one("cell"),
    "picks": lambda: one("picks"),
    "mobile": lambda: one("mobile"),
}


def inputs(module: fx.GraphModule, batch: int) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(batch)
    return tuple(
        torch.randint(0, 11, (batch, *n.type.shape), generator=draw)
        if n.type.dtype == "int"
        else torch.randn(batch, *n.type.shape, generator=draw)
        for n in module.meta["network"].inputs
    )


def results(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    with torch.no_grad():
        made = module(*given)
    return made if isinstance(made, tuple) else (made,)


def expected(module: fx.GraphModule, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    was = module.training
    found = results(module.eval(), given)
    module.train(was)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_exported_programs_load_back(name: str, tmp_path: Path) -> None:
    module = MODULES[name]().train()
    save_exported(module, tmp_path / "x.pt2")
    assert module.training and all(m.training for m in module.modules())
    again = torch.export.load(tmp_path / "x.pt2").module()
    for batch in (1, 2, 7):
        given = inputs(module, batch)
        for mine, theirs in zip(results(again, given), expected(module, given), strict=True):
            torch.testing.assert_close(mine, theirs)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt2"]


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_onnx_loads_into_its_runtime(name: str, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    module = MODULES[name]()
    save_onnx(module, tmp_path / "x.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["x.onnx"]  # weights inside
    onnx.checker.check_model(tmp_path / "x.onnx", full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == [n.id for n in module.meta["network"].inputs]
    for batch in (1, 2, 7):
        given = inputs(module, batch)
        named = {i.name: x.numpy() for i, x in zip(session.get_inputs(), given, strict=True)}
        found = session.run(None, named)
        for mine, theirs in zip(found, expected(module, given), strict=True):
            torch.testing.assert_close(torch.from_numpy(mine), theirs, rtol=1e-4, atol=1e-5)


def test_a_network_of_a_supernet_is_exported() -> None:
    nets = space("cell")
    alone = extract(compile_supernet(nets, "elastic"), nets.sample(2))
    again = to_exported(alone).module()
    given = inputs(alone, 3)
    torch.testing.assert_close(results(again, given), expected(alone, given))


def test_a_mixed_supernet_is_not() -> None:
    with pytest.raises(DiagnosticError, match="extract one"):
        to_exported(compile_supernet(space("cell"), "mixed"))


def test_onnx_without_its_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "onnx" else find(n))
    with pytest.raises(DiagnosticError, match=r"needs onnx( and \w+)*; install .* extra 'export'"):
        save_onnx(one("cell"), tmp_path / "x.onnx")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "x.pt2"):
        with pytest.raises(DiagnosticError, match="cannot be written"):
            save_exported(one("cell"), path)
    assert not list(tmp_path.iterdir())


def test_weights_of_a_file(tmp_path: Path) -> None:
    network = space("cell").sample(2).network
    trained, fresh = compile_network(network, 5), compile_network(network)
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    load_weights(fresh, tmp_path / "w.safetensors")
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)
    with pytest.raises(DiagnosticError, match="of another network"):
        load_weights(one("mobile"), tmp_path / "w.safetensors")
    with pytest.raises(DiagnosticError, match="no file"):
        load_weights(fresh, tmp_path / "none")
    (tmp_path / "w.safetensors").write_text("no tensors")
    with pytest.raises(DiagnosticError, match="cannot be read"):
        load_weights(fresh, tmp_path / "w.safetensors")


def test_the_command_line_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nets = nasdsl.load("spaces/digits_tiny.nas")
    network = nets[9].network
    trained = compile_network(network, 5).eval()
    save_file(trained.state_dict(), tmp_path / "w.safetensors")
    target = tmp_path / "x.pt2"
    weights = str(tmp_path / "w.safetensors")
    call = ["compile", "spaces/digits_tiny.nas", "9", "--json", "--weights", weights]
    assert main([*call, "-o", str(target)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["file"] == str(target) and record["params"] == network.params
    x = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(torch.export.load(target).module()(x), trained(x))
    assert main([*call, "-o", str(tmp_path / "x.py")]) == 2
    assert "ending in .pt2 or .onnx" in capsys.readouterr().err
