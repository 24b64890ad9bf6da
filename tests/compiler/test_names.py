"""Names of modules, from ids."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from nasdsl.compiler.names import arguments, identifier, module_path, module_paths


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("conv", "conv"),
        ("ConvBnRelu@1.conv", "ConvBnRelu_1.conv"),
        ("Op@2[0].conv3x3.ConvBnRelu.bn", "Op_2_0.conv3x3.ConvBnRelu.bn"),
        (
            "Cell@1[3].n[2].0.nor_conv_3x3.ReluConvBn.conv",
            "Cell_1_3.n_2_0.nor_conv_3x3.ReluConvBn.conv",
        ),
        ("s[0].1.2.relu", "s_0_1_2.relu"),
        ("0.conv", "_0.conv"),
        ("Op.double.conv", "Op.double_.conv"),
        ("Op.lambda", "Op.lambda_"),
        ("Op.self", "Op.self_"),
        ("Op.T_destination", "Op.T_destination_"),
        ("größe.conv", "größe.conv"),
    ],
)
def test_paths(id: str, path: str) -> None:
    assert module_path(id) == path


def test_clashes_get_a_number() -> None:
    paths = module_paths(["n[2].0", "n_2_0", "n[2][0]", "n[2]", "n[2].0.a", "a.b.c", "a.b", "a"])
    assert paths == {
        "n[2].0": "n_2_0",
        "n_2_0": "n_2_0_2",
        "n[2][0]": "n_2_0_3",
        "n[2]": "n_2",
        "n[2].0.a": "n_2_0_a",
        "a.b.c": "a.b.c",
        "a.b": "a.b_2",
        "a": "a_2",
    }


SEGMENT = st.text(st.sampled_from("ab1_@[].é "), min_size=1, max_size=4) | st.sampled_from(
    ["train", "forward", "for", "self", "_modules", "0", "12", "ﬁ", "__x"]
)
ID = st.lists(SEGMENT, min_size=1, max_size=4).map(".".join)


@given(st.lists(ID, unique=True, max_size=12))
def test_any_ids_give_paths_that_a_module_takes(ids: list[str]) -> None:
    paths = module_paths(ids)
    assert list(paths) == ids
    root = nn.Module()
    leaves = {}
    for id, path in paths.items():
        here = root
        *groups, last = path.split(".")
        for name in (*groups, last):
            assert name.isidentifier() and not keyword.iskeyword(name)
            assert not name.startswith("__")
        for name in groups:
            if not hasattr(here, name):
                here.add_module(name, nn.Module())
            here = getattr(here, name)
        leaves[id] = nn.Identity()
        here.add_module(last, leaves[id])  # refuses a name that the module has a use for
    for id, path in paths.items():
        assert root.get_submodule(path) is leaves[id]
        assert not list(leaves[id].children())


@given(st.lists(ID, unique=True, max_size=8))
def test_any_inputs_give_a_signature(ids: list[str]) -> None:
    names = arguments(ids)
    assert len(set(names.values())) == len(ids)
    compile(f"def forward(self, {', '.join(names.values())}): pass", "x", "exec")


@given(st.text(max_size=8))
@example("\N{OLD ITALIC NUMERAL ONE}")
def test_any_text_gives_an_identifier(text: str) -> None:
    word = identifier(text)
    assert word.isidentifier() and not keyword.iskeyword(word)
