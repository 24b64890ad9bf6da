"""Declarations decided late: the work grows with what a use reads, not with whole families."""

from __future__ import annotations

import nasdsl
from nasdsl.space.residual import steps

STAGES = """
input image[3, 32, 32]
output logits[10]
let width[s in 1..4] in {16, 24, 32, 40, 48}
let depth[s in 1..4] in 1..4
block Unit(c) = conv(c, 3, bias=false) >> bn >> relu
block Stage(s) = Unit(width[s]) * depth[s] >> maxpool(2)
network = NETWORK >> global_avgpool >> linear(10)
"""


def test_a_use_reads_the_members_that_its_arguments_pick() -> None:
    written = nasdsl.load(
        STAGES.replace("NETWORK", " >> ".join(f"Stage({s})" for s in range(1, 5)))
    )
    chained = nasdsl.load(STAGES.replace("NETWORK", "chain(Stage(s) for s in 1..4)"))
    assert written.size == chained.size == 5**4 * 4**4
    assert written.info()["params"] == chained.info()["params"]
    for rank in (0, 12_345, written.size - 1):
        assert dict(written[rank].decisions) == dict(chained[rank].decisions)
        assert written[rank].fingerprint == chained[rank].fingerprint
    # Five widths come in and five go out, in four stages of one to four units.
    assert len(steps(chained.step)) < 4_000
    assert len(steps(chained.step)) < 1.5 * len(steps(written.step))
