"""DARTS and NA-DARTS: gradients by finite differences, neighborhoods by enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import nasdsl
from nasdsl.compiler.supernet import MixedSupernet, compile_supernet, extract
from nasdsl.space import Space
from nasdsl.training.data import Dataset, Split
from nasdsl.training.data.dataset import statistics
from nasdsl.training.history import Diverged
from nasdsl.training.oneshot.bilevel import Step, first_order, second_order
from nasdsl.training.oneshot.darts import DartsEpoch, DartsResult, halves, train_darts
from nasdsl.training.oneshot.mixture import Decisions, Move, drawn, moves
from nasdsl.training.oneshot.settings import DartsSettings, Order, Relaxed
from nasdsl.training.oneshot.skips import skips_of
from nasdsl.training.settings import TrainSettings
from nasdsl.training.sharpness import frozen_statistics

HEAD = "input image[2, 4, 4]\noutput logits[3]\n"
CHAIN = HEAD + (
    "choice Op = | skip = identity | none = zero | conv = conv(2, 3) >> bn >> relu\n"
    "network = conv(2, 3) >> Op >> Op >> global_avgpool >> linear(3)\n"
)
CELL = HEAD + (
    "choice Op = | none = zero | skip = identity | conv = conv(2, 1) >> bn | pool = avgpool(3,"
    " stride=1)\n"
    "cell Cell {\n  input n[0]\n  node n[j in 1..2] = sum(Op(n[i]) for i in 0..j-1)\n"
    "  output n[2]\n}\n"
    "network = conv(2, 3) >> Cell >> global_avgpool >> linear(3)\n"
    "neighborhood { edit swap: any Op }\n"
)


def space(text: str) -> Space:
    return nasdsl.load(text)


def mixed(nets: Space) -> MixedSupernet:
    found = compile_supernet(nets, "mixed", relaxation=None, seed=1)
    assert isinstance(found, MixedSupernet)
    return found


def batch(seed: int, n: int = 6, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, 4, 4, generator=draw, dtype=dtype)
    return x, torch.randint(3, (n,), generator=draw)


def loss(y: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda output: F.cross_entropy(output, y)


def numerically(value: Callable[[], float], decisions: Decisions) -> list[Tensor]:
    """Central differences of a function of the decisions' vectors."""
    found = []
    for p in decisions.parameters():
        slope = torch.zeros_like(p)
        for i in range(p.numel()):
            with torch.no_grad():
                kept = p[i].item()
                p[i] = kept + 1e-5
                above = value()
                p[i] = kept - 1e-5
                below = value()
                p[i] = kept
            slope[i] = (above - below) / 2e-5
        found.append(slope)
    return found


@pytest.mark.parametrize("neighbors", [0, 3])
def test_the_second_order_gradient_is_that_of_the_loss_after_the_step(neighbors: int) -> None:
    """Against finite differences of ``a -> mean L_val(w'(a), neighbor of a)``, in float64."""
    net = mixed(space(CHAIN)).double().train()
    decisions = Decisions(net, "softmax", 0).double()
    with torch.no_grad():
        for p in decisions.parameters():
            p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(2)))
    (x, y), (held, target) = batch(0), batch(1)
    near = drawn(moves(net), neighbors, "near")
    draw = torch.Generator().manual_seed(3)
    velocity: dict[str, Tensor | None] = {
        name: 0.1 * torch.randn(p.shape, generator=draw, dtype=p.dtype)
        for name, p in net.named_parameters()
    }
    step = Step(0.5, 0.9, 0.01, velocity)
    start = {name: p.detach().clone() for name, p in net.named_parameters()}

    def after() -> float:
        """The loss after a plain step of torch's own SGD on the same batch."""
        rule = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9, weight_decay=0.01)
        for name, p in net.named_parameters():
            before = velocity[name]
            assert before is not None
            rule.state[p]["momentum_buffer"] = before.clone()
        with torch.no_grad():
            weights = decisions()
        net.zero_grad()
        with torch.enable_grad():
            torch.autograd.backward(loss(y)(net(x, weights)))
        for p in net.parameters():  # an unused weight decays too
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        rule.step()
        with torch.no_grad():
            values = [
                loss(target)(net(held, weights if m is None else m.of(weights)))
                for m in (None, *near)
            ]
            for name, p in net.named_parameters():
                p.copy_(start[name])
        return float(sum(values) / len(values))

    with frozen_statistics(net):
        expected = numerically(after, decisions)
        decisions.zero_grad()
        second_order(net, decisions, (x, loss(y)), (held, loss(target)), step, near)
        plain = [p.grad.clone() for p in decisions.parameters() if p.grad is not None]
        decisions.zero_grad()
        first_order(net, decisions, held, loss(target), near)
    torch.testing.assert_close(plain, expected, rtol=1e-5, atol=1e-8)
    # The step matters here: the gradient that ignores it is another one.
    ignoring = torch.cat([p.grad for p in decisions.parameters() if p.grad is not None])
    assert (ignoring - torch.cat(expected)).abs().max() > 1e-3
    for name, p in net.named_parameters():
        assert torch.equal(p, start[name])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), neighbors=st.integers(0, 9))
def test_the_first_order_gradient_is_that_of_the_mean_loss(seed: int, neighbors: int) -> None:
    net = mixed(space(CELL)).double().train()
    decisions = Decisions(net, "softmax", seed).double()
    x, y = batch(seed)
    near = drawn(moves(net), neighbors, seed)
    with frozen_statistics(net):
        center = first_order(net, decisions, x, loss(y), near)
        found = [p.grad.clone() for p in decisions.parameters() if p.grad is not None]
        assert all(p.grad is None for p in net.parameters())
        decisions.zero_grad()
        weights = decisions()
        mixtures = (weights, *(m.of(weights) for m in near))
        mean = torch.stack([loss(y)(net(x, m)) for m in mixtures]).mean()
        torch.autograd.backward(mean)
        assert center == pytest.approx(loss(y)(net(x, weights)).item())
    expected = [p.grad for p in decisions.parameters()]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


# The neighborhood


@pytest.mark.parametrize("rank", [0, 7, 13, 40, 63])
def test_neighbors_of_an_architecture_are_all_at_distance_one(rank: int) -> None:
    """Over all moves: what changing one decision gives, each once, by enumeration."""
    nets = space(CELL)
    net = mixed(nets)
    center = nets[rank]
    names = list(center.decisions)
    by_hand = {
        a.rank for a in nets if sum(a.decisions[n] != center.decisions[n] for n in names) == 1
    }
    found = [net.best(m.of(net.weights_of(center))).rank for m in moves(net)]
    assert sorted(found) == sorted(by_hand)
    assert len(found) == len(set(found)) == 9


def test_the_mean_over_all_moves_is_that_over_the_neighborhood() -> None:
    """The loss of the supernet on moved one-hot weights against extracted neighbors, alone."""
    nets = space(CELL)
    net = mixed(nets).double().eval()
    x, y = batch(4)
    center = nets[27]
    weights = {n: w.double() for n, w in net.weights_of(center).items()}
    mixture = [loss(y)(net(x, m.of(weights))).item() for m in moves(net)]
    ball = [n.architecture for n in nets.neighbors(center)]
    alone = {}
    for a in nets:
        if sum(a.decisions[n] != center.decisions[n] for n in a.decisions) == 1:
            alone[a.rank] = loss(y)(extract(net, a)(x)).item()
    assert sorted(mixture) == pytest.approx(sorted(alone.values()), rel=1e-9)
    # The space's own neighborhood is part of it: equal networks are one neighbor there.
    assert {a.rank for a in ball if a is not None} <= set(alone)


@settings(max_examples=20, deadline=None)
@given(weights=st.lists(st.floats(0.01, 1), min_size=4, max_size=4), at=st.integers(0, 8))
def test_a_move_is_a_permutation_of_one_decision(weights: list[float], at: int) -> None:
    net = mixed(space(CELL))
    vector = torch.tensor(weights) / sum(weights)
    mixture = dict.fromkeys(net.meta["decisions"], vector)
    move = moves(net)[at]
    moved = move.of(mixture)
    assert torch.equal(moved[move.decision].sort().values, vector.sort().values)
    assert not any(i == j for i, j in enumerate(move.order))
    others = [n for n in mixture if n != move.decision]
    assert all(torch.equal(moved[n], vector) for n in others)


def test_moves_of_a_pick_exchange_members() -> None:
    from tests.compiler.spaces import space as named

    net = mixed(named("picks"))
    picked = net.meta["picked"]
    assert picked
    for name, k in picked.items():
        members = net.meta["decisions"][name]
        one = torch.zeros(len(members))
        one[:k] = 1.0
        own = [m for m in moves(net) if m.decision == name]
        found = {tuple(m.of({name: one})[name].tolist()) for m in own}
        by_hand = set()
        for taken in itertools.combinations(range(len(members)), k):
            if len(set(taken) & set(range(k))) >= k - 1:
                by_hand.add(tuple(float(i in taken) for i in range(len(members))))
        assert found | {tuple(one.tolist())} == by_hand


def test_drawn_moves_differ_and_are_functions_of_the_keys() -> None:
    every = moves(mixed(space(CELL)))
    assert drawn(every, 4, 1, 2) == drawn(every, 4, 1, 2)
    assert drawn(every, 4, 1, 2) != drawn(every, 4, 1, 3)
    assert len(set(drawn(every, 4, 5))) == 4
    assert drawn(every, 99, 0) == list(every)
    seen = {move for k in range(40) for move in drawn(every, 2, "all", k)}
    assert seen == set(every)


# Skips


def test_skips_are_the_alternatives_that_do_nothing() -> None:
    assert skips_of(space(CELL)).alternatives == {
        "Cell.n[1].0": (1,),
        "Cell.n[2].0": (1,),
        "Cell.n[2].1": (1,),
    }
    nested = space(
        HEAD + "block Id = identity >> identity\n"
        "choice In = | a = identity | b = relu\n"
        "choice Op = | x = Id | y = In | z = conv(2, 1)\n"
        "network = conv(2, 3) >> Op >> global_avgpool >> linear(3)\n"
    )
    found = skips_of(nested).alternatives
    assert found["Op"] == (0,)
    assert sorted(len(v) for v in found.values()) == [1, 1]
    none = space(HEAD + "network = conv(2, k) >> global_avgpool >> linear(3)\n where k in {1, 3}\n")
    assert skips_of(none).alternatives == {}
    assert skips_of(none).mass({}) == 0.0


def test_skips_are_counted_where_they_lead() -> None:
    skips = skips_of(space(CELL))
    weights: dict[str, Sequence[float]] = {
        "Cell.n[1].0": (0.1, 0.6, 0.2, 0.1),
        "Cell.n[2].0": (0.7, 0.1, 0.1, 0.1),
        "Cell.n[2].1": (0.2, 0.5, 0.2, 0.1),
    }
    assert skips.taken(weights) == 2
    assert skips.mass(weights) == pytest.approx(0.4)


# Training


def samples(n: int = 48) -> Dataset:
    """Three classes told apart by where the mean of the first channel is."""
    draw = torch.Generator().manual_seed(7)
    y = torch.arange(n) % 3
    x = torch.randn(n, 2, 4, 4, generator=draw)
    x[:, 0] += 2.0 * y.view(-1, 1, 1)
    mean, std = statistics(x)
    return Dataset("made", Split(x, y), Split(x[:12], y[:12]), ("a", "b", "c"), mean, std)


SHORT = DartsSettings(epochs=3, batch=8, decision_lr=0.05)


def trained(own: DartsSettings = SHORT, **given: Any) -> DartsResult:
    return train_darts(space(CELL), samples(), own, TrainSettings(), 5, **given)


@pytest.mark.parametrize(
    ("order", "neighbors", "relaxation"),
    [
        ("first", 0, "softmax"),
        ("second", 2, "softmax"),
        ("first", 2, "gumbel"),
        ("first", 0, "hard"),
    ],
)
def test_a_training_that_was_cut_goes_on_as_if_it_had_not_been(
    order: Order, neighbors: int, relaxation: Relaxed
) -> None:
    own = replace(SHORT, order=order, neighbors=neighbors, relaxation=relaxation)
    states: list[bytes] = []
    whole = trained(own, keep=states.append)
    global_state = torch.random.get_rng_state()
    for state in states:
        resumed = trained(own, taken=state)
        assert resumed.weights == whole.weights
        assert resumed.epochs == whole.epochs
        assert resumed.passes == whole.passes
    assert torch.equal(torch.random.get_rng_state(), global_state)
    assert DartsResult.from_json(whole.to_json()) == whole


def test_the_cost_is_counted_in_passes() -> None:
    """24 samples a side in batches of 8 are 3 steps an epoch."""
    assert trained(SHORT).passes == 3 * 3 * 2
    assert trained(replace(SHORT, neighbors=4)).passes == 3 * 3 * (2 + 4)
    assert trained(replace(SHORT, order="second")).passes == 3 * 3 * 4
    assert trained(replace(SHORT, warmup=1)).passes == 3 * 3 + 2 * 3


def test_decisions_learn_what_helps_and_rest_during_warmup() -> None:
    """With ``none`` everywhere on the way nothing arrives: its weights must fall."""
    text = HEAD + (
        "choice Op = | none = zero | conv = conv(2, 3)\n"
        "network = Op >> global_avgpool >> linear(3)\n"
    )
    told: list[DartsEpoch] = []
    own = DartsSettings(epochs=8, batch=8, lr=0.1, decision_lr=0.1, warmup=2)
    found = train_darts(space(text), samples(), own, TrainSettings(), 1, tell=told.append)
    assert found.weights["Op"][1] > 0.6
    assert told[0].entropy == told[1].entropy > told[-1].entropy
    assert [e.epoch for e in told] == list(range(1, 9))
    assert space(text)[int(told[-1].rank)].decisions == {"Op": "conv"}
    assert told[-1].loss < told[0].loss


def test_the_halves_part_the_training_samples() -> None:
    data = samples()
    first, second = halves(data, 0.25, 3)
    assert (len(first), len(second)) == (12, 36)
    both = torch.cat([first.x, second.x]).flatten(1)
    assert {tuple(r.tolist()) for r in both} == {tuple(r.tolist()) for r in data.train.x.flatten(1)}


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    with pytest.raises(Diverged):
        trained(replace(SHORT, lr=1e30, clip=1e30, epochs=6))


def test_seeds_matter_and_nothing_else_does() -> None:
    one, two = trained(), trained()
    assert one.weights == two.weights
    other = train_darts(space(CELL), samples(), SHORT, TrainSettings(), 6)
    assert other.weights != one.weights


def test_a_move_by_hand() -> None:
    vector = torch.tensor([0.1, 0.2, 0.7])
    assert Move("a", (2, 0, 1)).of({"a": vector})["a"].tolist() == pytest.approx([0.7, 0.1, 0.2])
