"""Networks of shared weights against each network compiled alone; estimates of neighborhoods."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.neighborhood import CompiledNeighborhood, compile_neighborhood
from nasdsl.diagnostics import DiagnosticError
from nasdsl.objectives.neighborhood_estimates import Estimator, estimates, shrunk
from nasdsl.space import Space
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.loop import train
from nasdsl.training.settings import Sgd, TrainSettings
from tests.compiler.three_classes import three_classes

TEXT = """
space near "a few edits"
input  image[2, 6, 6]
output logits[3]
choice Op(c) =
  | skip = identity
  | none = zero
  | conv = relu >> conv(c, 3, bias=false) >> bn
  | pool = avgpool(3, stride=1)
cell Cell(c) {
  input  n[0]
  node   n[j in 1..2] = sum(Op(c)(n[i]) for i in 0..j-1)
  output n[2]
}
network = conv(width, 3) >> Cell(width) >> global_avgpool >> linear(3)
  where width in {4, 6}
neighborhood {
  edit swap:   any Op
  edit resize: step width
}
"""


@pytest.fixture(scope="module")
def space() -> Space:
    return nasdsl.load(TEXT)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return three_classes()


def image(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def test_every_path_computes_what_its_network_does_alone(space: Space) -> None:
    center = space.sample(4)
    near = compile_neighborhood(center, seed=3)
    assert near.networks == (center.network, *(n.network for n in space.neighbors(center)))
    wanted = []
    for index, network in enumerate(near.networks):
        near.set_path(index)
        alone = compile_network(network, 3)
        wanted.append(alone(image()))
        assert torch.equal(near(image()), wanted[-1])
        member = near.member(index)
        assert member.state_dict().keys() == alone.state_dict().keys()
        # Batch norms have moved by one batch, as the path has.
        torch.testing.assert_close(member.eval()(image()), near.eval()(image()))
        near.train()
    near.set_paths(range(len(near.networks)))
    for ours, theirs in zip(near(image()), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_equal_nodes_are_one_module_and_common_work_is_done_once(space: Space) -> None:
    center = space.sample(4)
    near = compile_neighborhood(center)
    first = near.networks[0]
    places = [near.places(i) for i in range(len(near.networks))]
    shared = 0
    for index, network in enumerate(near.networks[1:], 1):
        for id_, path in places[index].items():
            if id_ not in places[0]:
                continue
            ours, theirs = network.by_id[id_], first.by_id[id_]
            types = [[n.by_id[i].type for i in n.by_id[id_].inputs] for n in (network, first)]
            equal = (ours.op, ours.settings) == (theirs.op, theirs.settings)
            assert (path == places[0][id_]) == (equal and types[0] == types[1])
            shared += path == places[0][id_]
    assert shared
    names = [name for name, _ in near.named_parameters()]
    assert len(names) == len(set(names)) == len({id(p) for p in near.parameters()})
    near.set_paths(range(len(near.networks)))
    stems = [n for n in near.graph.nodes if n.op == "call_module" and n.args[0].op == "placeholder"]
    widths = {n.by_id[n.outputs[0]].type for n in near.networks}
    assert len(widths) == 1 and len([n for n in stems if "conv" in n.name]) == 2  # one a width


def test_the_center_s_weights_reach_what_neighbors_share_with_it(space: Space) -> None:
    center = space.sample(4)
    near = compile_neighborhood(center, seed=0)
    other = compile_network(center.network, 99)
    near.load_path(0, other.state_dict())
    near.set_path(0)
    assert torch.equal(near.eval()(image()), other.eval()(image()))
    with pytest.raises(KeyError):
        near.load_path(0, {})
    with pytest.raises(IndexError):
        near.set_path(len(near.networks))


def test_a_step_on_one_path_moves_no_weight_of_another(space: Space) -> None:
    near = compile_neighborhood(space.sample(4))
    near.set_path(1)
    before = {n: p.detach().clone() for n, p in near.named_parameters()}
    optimizer = torch.optim.SGD(near.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    near(image()).square().sum().backward()
    optimizer.step()
    own = set(near.names(1).values())
    moved = {n for n, p in near.named_parameters() if not torch.equal(p, before[n])}
    assert moved and moved <= own


def test_pickle_and_copy_keep_path_and_mode(space: Space) -> None:
    near = compile_neighborhood(space.sample(4)).eval()
    near.set_path(2)
    wanted = near(image())
    for other in (pickle.loads(pickle.dumps(near)), copy.deepcopy(near)):
        assert isinstance(other, CompiledNeighborhood)
        assert other.chosen == (2,) and not other.training
        assert torch.equal(other(image()), wanted)
        other.set_path(0)
        assert torch.equal(near(image()), wanted)


@pytest.mark.parametrize("method", ["shared", "inherit"])
def test_estimates_are_deterministic_and_touch_nothing(
    space: Space, data: Dataset, method: Estimator
) -> None:
    center = space.sample(4)
    networks = [n.network for n in space.neighbors(center)]
    networks += [networks[0], center.network]
    rule = TrainSettings(steps=15, batch=16, optimizer=Sgd(lr=0.1))
    module = compile_network(center.network)
    train(module, data, rule, 0)
    weights = copy.deepcopy(module.state_dict())
    state = torch.get_rng_state()
    first = estimates(center.network, networks, module, data, rule, 1, method)
    again = estimates(center.network, networks, module, data, rule, 1, method)
    assert first == again
    assert first[-1] is None and first[-2] == first[0]
    assert all(v is None or 0 <= v <= 100 for v in first)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weights[n], t) for n, t in module.state_dict().items())


RUN = (
    TEXT
    + """
data      digits(train=100, validation=100)
train     { steps 12, batch 32, sgd(lr=0.1) }
objective { maximize accuracy, maximize flatness.neighborhood(samples=4, estimate=shared) }
search    random { samples 3, seed 1 }
"""
)


def test_only_estimates_of_networks_that_look_at_their_input_lean_on_the_center(
    space: Space,
) -> None:
    blind, seeing = (
        next(a.network for a in space if {v for v in a.decisions.values() if v != 4} == {op})
        for op in ("none", "conv")
    )
    module = compile_network(blind).eval()
    x = image()
    with torch.no_grad():
        assert torch.equal(module(x), module(x)[:1].expand(len(x), -1))
    found = shrunk(80.0, [blind, seeing, seeing], [10.0, 60.0, None])
    assert found == [10.0, 70.0, 80.0]


def test_a_run_estimates_neighborhoods_without_trials_for_neighbors(tmp_path: Path) -> None:
    text = RUN.replace("image[2, 6, 6]", "image[1, 8, 8]").replace("(3)\n  where", "(10)\n  where")
    text = text.replace("logits[3]", "logits[10]")
    result = nasdsl.run(text, out=tmp_path / "run", progress="quiet")
    assert [t.role for t in result.trials] == ["center"] * 3
    assert all(t.state == "complete" for t in result.trials), [t.reason for t in result.trials]
    for trial in result.trials:
        assert 0 <= trial.objectives["flatness.neighborhood"] <= 100
    again = nasdsl.run(text, out=tmp_path / "again", progress="quiet")
    assert [t.objectives for t in again.trials] == [t.objectives for t in result.trials]


def test_estimates_and_trials_of_neighbors_do_not_mix() -> None:
    mixed = RUN.replace("maximize accuracy", "maximize flatness.neighborhood(samples=2)")
    mixed = mixed.replace("image[2, 6, 6]", "image[1, 8, 8]").replace("logits[3]", "logits[10]")
    mixed = mixed.replace("(3)\n  where", "(10)\n  where")
    with pytest.raises(DiagnosticError, match="in all goals or in none"):
        nasdsl.run(mixed, progress="quiet")
