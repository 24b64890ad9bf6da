"""The shipped spaces against closed forms and published numbers."""

from __future__ import annotations

import itertools
import math
from functools import cache
from pathlib import Path

import pytest

import nasdsl
from nasdsl.cli import main

SPACES = Path(__file__).parents[2] / "spaces"
FILES = sorted(SPACES.glob("*.nas"))


@cache
def space(name: str) -> nasdsl.Space:
    return nasdsl.load(SPACES / f"{name}.nas")


def darts() -> int:
    """Two cells of four nodes, each with two of k earlier tensors and one of 7 operations each."""
    cell = math.prod(math.comb(k, 2) * 7**2 for k in (2, 3, 4, 5))
    return cell**2


def once_for_all() -> int:
    """Five stages of 2 to 4 layers, each of 3 kernels and 3 expansions."""
    return sum((3 * 3) ** depth for depth in (2, 3, 4)) ** 5


def grammar(level: int) -> int:
    """Modules of a level: a leaf; on other levels two in a row, one with a skip, two in parallel."""
    if level == 1:
        return 1
    below = grammar(level - 1)
    return 1 + below**2 + below + below**2


COUNTS = {
    "darts": darts(),
    "digits_tiny": 3 * 4**2 * (4 + 4**2 + 4**3),
    "hierarchical": grammar(4) ** 3 * 2**2,
    "macro": 3**8,
    "mobilenetv3_ofa": once_for_all(),
    "nasbench101": 2**21 * 3**5,
    "nasbench201": 5**6,
    "nats_size": 8**5,
    # A width; four blocks on the way down and three on the way up of 3 kinds; three joins of 3.
    "segmenter": 3 * 3**4 * (3 * 3) ** 3,
    "transnas_micro": 4**6,
    # A width; in each of 12 to 14 layers 2 numbers of heads and 2 ratios.
    "vit": 3 * sum((2 * 2) ** depth for depth in (12, 13, 14)),
}


def test_every_shipped_space_is_here():
    assert {file.stem for file in FILES} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_as_many_architectures_as_the_closed_form(name):
    assert space(name).size == COUNTS[name]


def test_the_published_numbers():
    assert grammar(4) == 2_776
    assert COUNTS["digits_tiny"] == 4_032
    assert round(COUNTS["mobilenetv3_ofa"] / 1e19) == 2  # "about 2 x 10^19", Cai et al. 2020
    assert round(math.sqrt(COUNTS["darts"]) / 1e9) == 1  # "about 10^9" a cell, Liu et al. 2019


@pytest.mark.parametrize("name", COUNTS)
def test_ranks_and_decisions_are_inverse(name):
    size = COUNTS[name]
    for rank in {0, 1, size // 3, size // 2, size - 2, size - 1}:
        architecture = space(name)[rank]
        assert space(name).rank_of(dict(architecture.decisions)) == rank


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_files_are_short_sound_and_formatted(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 80
    assert nasdsl.check(file) == []
    assert main(["fmt", "--check", str(file)]) == 0


@pytest.mark.parametrize("name", COUNTS)
def test_samples_have_the_declared_output(name):
    declared = space(name)
    for architecture in declared.samples(2, seed="output"):
        network = architecture.network
        assert tuple(network.by_id[o].type for o in network.outputs) == (declared.output,)
        assert declared.allows(architecture)


@pytest.mark.parametrize("name", ["macro", "transnas_micro"])
def test_product_spaces_in_the_order_of_the_text(name):
    alternatives = {
        "macro": (("skip", "mb3_k3", "mb6_k5"), 8),
        "transnas_micro": (("none", "skip", "conv1x1", "conv3x3"), 6),
    }
    values, number = alternatives[name]
    expected = itertools.product(values, repeat=number)
    for architecture, decided in zip(space(name), expected, strict=True):
        if architecture.rank % 61 == 0:
            assert tuple(architecture.decisions.values()) == decided


def test_digits_tiny_under_its_limit():
    """Parameters by hand: convolutions without bias, two for each channel of a norm."""
    cost = {
        "skip": lambda w: 0,
        "pool": lambda w: 0,
        "conv3x3": lambda w: 9 * w * w + 2 * w,
        "conv5x5": lambda w: 25 * w * w + 2 * w,
    }
    within = 0
    for width in (8, 16, 32):
        fixed = 9 * width + 2 * width + width * 10 + 10
        for depth in (1, 2, 3):
            for chosen in itertools.product(cost, repeat=2 + depth):
                within += fixed + sum(cost[op](width) for op in chosen) <= 60_000
    assert space("digits_tiny").feasible == within


def vit_params(dim: int, heads: list[int], ratios: list[float]) -> int:
    """Learned parameters of a vision transformer on 196 patches of 16 x 16, biases everywhere."""
    total = 3 * 16 * 16 * dim + dim  # patches
    total += dim + 197 * dim  # the class token and the places
    for h, ratio in zip(heads, ratios, strict=True):
        inner, hidden = 64 * h, int(ratio * dim)
        total += 2 * dim + 3 * (dim * inner + inner) + inner * dim + dim
        total += 2 * dim + dim * hidden + hidden + hidden * dim + dim
    return total + 2 * dim + dim * 1000 + 1000


def test_vit_under_its_limits():
    """Layers cost by how many have 4 heads and how many the greater ratio, in any order."""
    within = 0
    for dim, depth in itertools.product((192, 216, 240), (12, 13, 14)):
        for many, wide in itertools.product(range(depth + 1), repeat=2):
            heads = [4] * many + [3] * (depth - many)
            ratios = [4.0] * wide + [3.5] * (depth - wide)
            if 5_000_000 <= vit_params(dim, heads, ratios) <= 9_000_000:
                within += math.comb(depth, many) * math.comb(depth, wide)
    assert space("vit").feasible == within


def size_params(w: tuple[int, ...]) -> int:
    """The NATS-Bench network of five widths: five convolutions and a skip in each cell."""

    def conv(a: int, b: int, k: int) -> int:
        return a * b * k * k + 2 * b

    def cell(a: int, b: int) -> int:
        skip = 0 if a == b else conv(a, b, 1)
        return 2 * conv(a, b, 3) + 3 * conv(b, b, 3) + skip

    def reduce(a: int, b: int) -> int:
        return conv(a, b, 3) + conv(b, b, 3) + a * b

    total = conv(3, w[0], 3) + cell(w[0], w[0]) + reduce(w[0], w[1]) + cell(w[1], w[2])
    total += reduce(w[2], w[3]) + cell(w[3], w[4])
    return total + 2 * w[4] + 10 * w[4] + 10


def test_nats_size_by_its_widths():
    declared = space("nats_size")
    widths = itertools.product(range(8, 65, 8), repeat=5)
    for rank, w in enumerate(widths):
        if rank % 1171 == 0:
            architecture = declared[rank]
            assert tuple(architecture.decisions.values()) == w
            assert architecture.params == architecture.declared_params == size_params(w)
            near = sum((v > 8) + (v < 64) for v in w)
            assert len(declared.neighbors(architecture)) == near


def test_neighbors_of_darts():
    """Swap any of 16 operations for 6 others; exchange either input of a node for a free one."""
    center = space("darts").sample("darts")
    exchanged = sum(2 * (k - 2) for k in (2, 3, 4, 5))
    assert len(space("darts").neighbors(center)) == 2 * (8 * 6 + exchanged)


def test_once_for_all_has_the_published_extremes():
    """Shallow, narrow, small kernels everywhere against deep, wide, large ones."""
    declared = space("mobilenetv3_ofa")
    bounds = declared.info()["params"]
    ends = (declared[0], declared[declared.size - 1])
    assert (bounds["min"], bounds["max"]) == tuple(a.params for a in ends)
    assert [a.params for a in ends] == [mobile_params(2, 3, 3), mobile_params(4, 7, 6)]


def mobile_params(depth: int, kernel: int, expand: int) -> int:
    """MobileNetV3-Large as once-for-all has it, with one depth, kernel and expansion for all.

    An inverted residual: widen, filter each channel, squeeze and excite where the stage does
    (through a quarter of the channels in multiples of 8, with biases), project.
    """

    def rounded(n: float) -> int:
        near = max(8, int(n + 4) // 8 * 8)
        return near + 8 if near < 0.9 * n else near

    def layer(a: int, b: int, k: int, e: int, excited: bool) -> int:
        wide = a * e
        total = a * wide + 2 * wide if e > 1 else 0
        total += wide * k * k + 2 * wide
        if excited:
            squeezed = rounded(wide / 4)
            total += wide * squeezed + squeezed + squeezed * wide + wide
        return total + wide * b + 2 * b

    total = 3 * 16 * 9 + 2 * 16 + layer(16, 16, 3, 1, False)
    channels = 16
    stages = ((24, False), (40, True), (80, False), (112, True), (160, True))
    for width, excited in stages:
        for _ in range(depth):
            total += layer(channels, width, kernel, expand, excited)
            channels = width
    total += 160 * 960 + 2 * 960 + 960 * 1280 + 1280 + 1280 * 1000 + 1000
    return total


def test_cells_of_nasbench101_within_nine_edges():
    """Any of 21 edges, at most nine of them, and one of three operations at five nodes."""
    cells = sum(math.comb(21, edges) for edges in range(10)) * 3**5
    assert space("nasbench101").feasible == cells
