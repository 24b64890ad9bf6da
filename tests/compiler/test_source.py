"""Generated model files: they stand alone and are the compiled network."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from safetensors.torch import save_file
from torch import nn

from nasdsl.compiler import compile_network, to_source
from nasdsl.graph.network import Network
from tests.compiler.by_hand import ALL_3X3, Draft, nasbench201, relu_conv_bn
from tests.compiler.cases import USES, Use, uses
from tests.compiler.test_facts import NAMES, QUICK, batch, network_of

MIXED = "|nor_conv_1x1~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"


def executed(text: str) -> nn.Module:
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile(text, "model.py", "exec", dont_inherit=True), namespace)
    module = namespace["build"]()
    assert isinstance(module, nn.Module)
    return module


def check(network: Network, inputs: list[torch.Tensor]) -> None:
    module = compile_network(network).eval()
    model = executed(to_source(network)).eval()
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in module.state_dict().items()
    }
    model.load_state_dict(module.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(*inputs), module(*inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_can_be_written(name: str) -> None:
    from hypothesis import settings

    @settings(QUICK, max_examples=6)
    @given(uses(name))
    def every(use: Use) -> None:
        network = network_of(use)
        if network is not None:
            check(network, batch(use[1], 3))

    assert name in USES
    every()


def test_a_network_of_many_parts() -> None:
    draft = Draft()
    image, other = draft.input("image", 3, 16, 16), draft.input("self", 4)
    a = relu_conv_bn(draft, "Op@1[0].conv3x3", image, 8, 3)
    b = draft.at("Op@2[0].double", "inverted_residual", a, 8, expand=4, se=True, act="hswish")
    c = draft.at("Op@2[0].n[2]", "add", [a, b, a])
    d = draft.at("Op@2[0].n[2].0.reduce", "factorized_reduction", c, 16)
    e = draft.at("join", "concat", [d, draft.at("z", "zero", d), draft.at("m", "mean", [d, d])])
    f = draft.at("torch", "linear", draft.at("pool", "global_avgpool", e), 4)
    g = draft.at("nn", "mul", [f, draft.at("Tensor", "add", [f, f]), other])
    h = draft.at("Group", "linear", g, 5)
    network = draft.network(h, e, name="a space: \"x\" '''")
    check(network, [torch.randn(2, 3, 16, 16), torch.randn(2, 4)])


def test_it_runs_where_nasdsl_is_not(tmp_path: Path) -> None:
    """A process that cannot import nasdsl loads the weights and computes the same."""
    network = nasbench201(MIXED, 4, 1, 8)
    module = compile_network(network).eval()
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        save_file(module.state_dict() | {"": x}, tmp_path / "given.safetensors")
        expected = module(x)
    (tmp_path / "model.py").write_text(to_source(network), encoding="utf-8")
    script = """
        import sys
        sys.modules["nasdsl"] = None
        from model import build
        from safetensors.torch import load_file, save_file
        given = load_file("given.safetensors")
        x = given.pop("")
        model = build()
        model.load_state_dict(given)
        save_file({"y": model.eval()(x).detach()}, "found.safetensors")
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        check=True,
        env={"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    from safetensors.torch import load_file

    found = load_file(tmp_path / "found.safetensors")["y"]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("cell", [ALL_3X3, MIXED])
def test_it_is_well_formatted(cell: str, tmp_path: Path) -> None:
    """The formatter of this project finds nothing to change, its linter nothing to say."""
    path = tmp_path / "model.py"
    path.write_text(to_source(nasbench201(cell, 4, 1, 8)), encoding="utf-8")
    config = ["--line-length", "100", "--isolated"]
    for command in (["check", "--select", "E,F,W,I", *config], ["format", "--diff", *config]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", command[0], *command[1:], str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_reads_well() -> None:
    text = to_source(nasbench201(MIXED, 4, 1, 8))
    assert text.startswith('"""The network Nasbench201: ')
    assert "nasdsl." not in text
    assert "        Cell_1_0_n_2 = bn_1 + " not in text  # a chain is one variable
    assert "\n        # " not in text
    for line in (
        "class Nasbench201(nn.Module):",
        '    """Takes image [3, 8, 8] and gives [10], each after the batch."""',
        "    def forward(self, image: Tensor) -> Tensor:",
        "        self.linear = nn.Linear(16, 10)",
        "def build() -> Nasbench201:",
    ):
        assert line in text.splitlines(), line


def test_sums_of_many_are_cut_into_lines() -> None:
    draft = Draft()
    x = draft.input("x", 3)
    terms = [draft.at(f"relu@{i}", "relu", x) for i in range(2000)]
    network = draft.network(draft.at("sum", "add", terms))
    check(network, [torch.randn(2, 3)])
    assert max(map(len, to_source(network).splitlines())) <= 100


def test_variables_are_taken_over() -> None:
    """A value that is still read keeps its name; one that is not gives it away."""
    draft = Draft()
    x = draft.input("y", 3)
    a = draft.at("a", "relu", x)
    b = draft.at("b", "tanh", a)
    c = draft.at("c", "add", [a, b])
    unread = draft.at("d", "sigmoid", c)
    assert unread
    e = draft.at("e", "concat", [c, b])
    lines = to_source(draft.network(e, b)).splitlines()
    start = lines.index("    def forward(self, y: Tensor) -> tuple[Tensor, ...]:")
    assert [line.strip() for line in lines[start + 1 : start + 7]] == [
        "x = self.a(y)",
        "z = self.b(x)",
        "x = x + z",
        "u = self.d(x)",
        "x = torch.cat([x, z], dim=-1)",
        "return x, z",
    ]


def test_the_same_network_gives_the_same_text() -> None:
    assert to_source(nasbench201(MIXED, 4, 1, 8)) == to_source(nasbench201(MIXED, 4, 1, 8))
