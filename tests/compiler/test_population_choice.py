"""What is fused: how many members at once, and whether the whole is worth it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx

import nasdsl
from nasdsl.compiler import population as compiled_population
from nasdsl.compiler import population_cost, population_plan
from nasdsl.compiler.population import CompiledPopulation, compile_population
from nasdsl.compiler.population_cost import CACHE, faster, members_at_once

TEXT = """
space small
input  image[2, 6, 6]
output logits[3]
choice Op(c) =
  | skip = identity
  | conv = relu >> conv(c, 3, bias=false) >> bn
  | pool = avgpool(3, stride=1)
network = conv(4, 3) >> Op(4) * 3 >> global_avgpool >> linear(3)
"""
LARGEST = 4 * 6 * 6
"""Values of the largest result of one image."""


def networks(count: int) -> list[nasdsl.Architecture]:
    return nasdsl.load(TEXT).samples(count, seed=1)


def modules_called(population: CompiledPopulation, member: int) -> list[int]:
    """Where in the order of the calls the member's own modules stand."""
    names = {s.name.rpartition(".")[0] for s in population.shares[member].values()}
    calls = [n for n in population.graph.nodes if n.op == "call_module"]
    return [at for at, call in enumerate(calls) if call.target in names]


@pytest.mark.parametrize("members", [1, 2, 5])
def test_as_many_members_at_once_as_the_caches_hold(members: int) -> None:
    some = [a.network for a in networks(3)]
    batch = CACHE // (4 * LARGEST * members)  # so that just these fit
    assert members_at_once(some, batch, "cpu") == members
    assert members_at_once(some, batch + batch // members, "cpu") == max(1, members - 1)
    assert members_at_once(some, batch, "cuda") == 3


def test_one_member_stands_after_another_where_nothing_is_fused() -> None:
    population = compile_population(networks(4), fuse=False)
    order = [at for member in range(4) for at in modules_called(population, member)]
    assert order == sorted(order)


@pytest.fixture
def all_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population_plan, "pays", lambda use: True)
    monkeypatch.setattr(compiled_population, "faster", lambda *_: True)


@pytest.mark.usefixtures("all_pay")
@pytest.mark.parametrize(("limit", "sizes"), [(1, [5]), (2, [1, 2, 2]), (3, [2, 3]), (9, [5])])
def test_blocks_are_even_and_no_larger_than_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(population_plan, "members_at_once", lambda *_: limit)
    population = compile_population(networks(5), range(5))
    parts = [s["conv.weight"] for s in population.shares]
    found = {s.name: s.parts for s in parts}
    assert sorted(found.values()) == ([1] * 5 if limit == 1 else sizes)
    x = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([population.member(k)(x) for k in range(5)])
    torch.testing.assert_close(population(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("all_pay")
def test_nothing_is_fused_where_the_whole_would_not_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compile_population(networks(3)).meta["fused"]
    asked = []

    def slower(together: fx.GraphModule, apart: list[fx.GraphModule], *rest: object) -> bool:
        asked.append((together.meta["fused"], len(apart), rest[1]))
        return False

    monkeypatch.setattr(compiled_population, "faster", slower)
    population = compile_population(networks(3), batch=7)
    assert population.meta["fused"] == 0
    ((fused, members, batch),) = asked
    assert fused > 0 and (members, batch) == (3, 7)
    compile_population(networks(3), fuse=True), compile_population(networks(3), fuse=False)
    assert len(asked) == 1  # only a choice is measured


@pytest.mark.usefixtures("all_pay")
def test_measuring_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    for gain in (0.0, 1e9):
        monkeypatch.setattr(population_cost, "WHOLE_GAIN", gain)
        monkeypatch.setattr(compiled_population, "faster", faster)
        noise = torch.random.get_rng_state()
        population = compile_population(networks(3), range(3))
        assert torch.equal(torch.random.get_rng_state(), noise)
        plain = compile_population(networks(3), range(3), fuse=gain == 0)
        assert bool(population.meta["fused"]) == (gain == 0)
        states: list[dict[str, Tensor]] = [p.state_dict() for p in (population, plain)]
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(t, states[1][name]) for name, t in states[0].items())
        assert all(p.grad is None for p in population.parameters()) and population.training


@pytest.mark.parametrize(("seconds", "expected"), [((1.0, 2.0), True), ((2.0, 1.0), False)])
def test_the_faster_way_is_told(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, float], expected: bool
) -> None:
    """Two members of a second each against a population that takes its time."""

    def timed(run: Callable[[], Tensor], device: torch.device) -> float:
        return seconds[0] if len(run().shape) == 3 else seconds[1] / 2

    monkeypatch.setattr(population_cost, "_step_seconds", timed)
    members = networks(2)
    population = compile_population(members, fuse=True)
    apart = [population.member(k) for k in range(2)]
    inputs = [n.type for n in members[0].network.inputs]
    assert faster(population, apart, inputs, 4) is expected
