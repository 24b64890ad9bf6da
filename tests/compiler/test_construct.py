"""Modules from prototypes against those that torch constructs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nasdsl.compiler.construct import construct
from nasdsl.compiler.recipe import Module

RECIPES = [
    Module(nn.Conv2d, (3, 8, 3), {"padding": 1, "bias": False}),
    Module(nn.Conv2d, (4, 4, 5), {"padding": 2, "groups": 4, "stride": 2}),
    Module(nn.Conv2d, (6, 9, 1), {"groups": 3, "dilation": 2}),
    Module(nn.Linear, (7, 5)),
    Module(nn.Linear, (1, 3), {"bias": False}),
    Module(nn.BatchNorm1d, (4,), {"eps": 1e-3}),
    Module(nn.BatchNorm2d, (4,), {"momentum": 0.3, "affine": False}),
    Module(nn.Module),
    Module(nn.ReLU),
    Module(nn.LeakyReLU, (), {"negative_slope": 0.2}),
    Module(nn.AvgPool2d, (3,), {"stride": 1, "padding": 1, "count_include_pad": False}),
    Module(nn.MaxPool2d, (3,), {"stride": 1, "padding": 1}),
    Module(nn.Dropout, (0.3,)),
    Module(nn.GroupNorm, (2, 4)),  # constructed by itself
]


def both(recipe: Module, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        one = construct(recipe)
        after = torch.random.get_rng_state()
        torch.manual_seed(seed)
        other = recipe.build()
        assert torch.equal(after, torch.random.get_rng_state())
    return one, other


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.cls.__name__}{r.args}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bit_for_bit_as_torch_makes_it(recipe: Module, dtype: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        one, other = both(recipe)
    finally:
        torch.set_default_dtype(before)
    mine, theirs = one.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    for name, value in theirs.items():
        assert torch.equal(mine[name], value) and mine[name].dtype == value.dtype, name
        assert mine[name].device == value.device
    assert repr(one) == repr(other)
    assert [n for n, p in one.named_parameters() if p.requires_grad] == [
        n for n, _ in other.named_parameters()
    ]
    plain: dict[str, Any] = {k: v for k, v in vars(one).items() if not k.startswith("_")}
    assert plain == {k: v for k, v in vars(other).items() if not k.startswith("_")}
    assert {k: type(v) for k, v in vars(one).items()} == {
        k: type(v) for k, v in vars(other).items()
    }


def test_modules_of_one_recipe_share_nothing() -> None:
    recipe = RECIPES[0]
    one, other = construct(recipe), construct(recipe)
    one.register_buffer("more", torch.ones(1))
    one.register_forward_hook(lambda *args: None)
    one.add_module("inner", nn.ReLU())
    assert not list(other.buffers()) and not other._forward_hooks and not list(other.children())
    third = construct(recipe)
    assert not list(third.buffers()) and not third._forward_hooks
    assert one.get_parameter("weight") is not other.get_parameter("weight")


def test_the_default_device_is_respected() -> None:
    with torch.device("meta"):
        assert all(p.is_meta for recipe in RECIPES for p in construct(recipe).parameters())
    assert not any(p.is_meta for recipe in RECIPES for p in construct(recipe).parameters())
