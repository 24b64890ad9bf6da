"""Fingerprints without networks: what differs is the cells, so only their designs are looked at.

Where nothing but the designs of cells with one input tells two networks of a space apart, the
canonical form of a network is a fixed text with the cells' parts put in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasdsl.graph.fingerprint import canonical, cuts, digest, fingerprint, head, sequence
from nasdsl.graph.live import ZERO
from nasdsl.graph.network import INPUT, Node
from nasdsl.space.bounds import innermost
from nasdsl.space.outline import CELL, Outline
from nasdsl.space.registers import Apart, NotSo, Parts, Program, compiled
from nasdsl.space.residual import (
    UseCell,
    Whole,
)

if TYPE_CHECKING:
    from nasdsl.space.space import Space


KEPT = 100_000


class Identity:
    """The fingerprints of a space's architectures, where they follow from cells alone."""

    def __init__(self, space: Space):
        self._space = space
        self._known: list[dict[Any, Parts | Apart | None]] = []
        self._digests: dict[tuple[Parts | Apart, ...], str] = {}
        self._programs: list[Program] = []
        self._compiled: dict[tuple[str, int], tuple[int, int]] = {}
        self._layouts: dict[frozenset[int], _Layout | None] = {}
        self._plain = self._layout(frozenset())

    def of(self, decisions: Mapping[str, Any]) -> str | None:
        """The fingerprint of an architecture, or none where its network has to be built."""
        if self._plain is None:
            return None
        forms: list[Parts | Apart] = []
        for number, program in enumerate(self._programs):
            design = tuple(map(decisions.get, program.names))
            known = self._known[number]
            try:
                found = known[design]
            except KeyError:
                if len(known) >= KEPT:
                    known.clear()
                found = known[design] = program.parts(decisions, design)
            if found is None:
                return None
            forms.append(found)
        made = tuple(forms)
        same = self._digests.get(made)
        if same is None:
            same = self._digest(made)
            if same is None:
                network = self._space.network(decisions)
                same = fingerprint(network, self._space.operations)
            if len(self._digests) >= KEPT:
                self._digests.clear()
            self._digests[made] = same
        return same

    def _digest(self, forms: tuple[Parts | Apart, ...]) -> str | None:
        """The fingerprint of a network with cells of these parts; none where it has to be built."""
        layout = self._layout(frozenset([i for i, form in enumerate(forms) if form == ()]))
        if layout is None:
            return None
        out = []
        for piece in layout.pieces:
            if isinstance(piece, bytes):
                out.append(piece)
            else:
                form = forms[piece[0]]
                if isinstance(form, Apart):
                    return None
                out.append(form[piece[1]])
        return digest(b"".join(out))

    def _layout(self, zero: frozenset[int]) -> _Layout | None:
        """The layout where the cells of some programs come to zero; none where there is none."""
        if zero not in self._layouts:
            try:
                self._layouts[zero] = self._laid_out(zero)
            except NotSo:
                self._layouts[zero] = None
        return self._layouts[zero]

    def _laid_out(self, zero: frozenset[int]) -> _Layout:
        space = self._space
        if len(space.inputs) != 1 or not isinstance(innermost(space.step), Whole):
            raise NotSo

        def is_zero(use: UseCell, inputs: int) -> bool:
            if inputs != 1:
                raise NotSo
            return self._program(use)[0] in zero

        given = [("x", space.inputs[0])]
        outline = Outline(space.step, given, space.operations, space.name, is_zero)
        network = outline.network
        place = {node.id: i for i, node in enumerate(network.nodes)}
        # Zeros take an input for the size of the batch alone.
        operands = [
            () if node.op == ZERO else tuple([place[o] for o in node.inputs])
            for node in network.nodes
        ]
        if not any(0 in below for below in operands):
            if any(node.op == CELL for node in network.nodes):
                raise NotSo
            return _Layout((canonical(network, space.operations),))
        pieces: list[bytes | tuple[int, int]] = []
        before = 0
        for cut in cuts(operands)[1:]:
            inside = network.nodes[before + 1 : cut + 1]
            cells = [node for node in inside if node.op == CELL]
            if not cells:
                source = network.nodes[before]
                entry = Node(source.id, INPUT, {}, (), source.type)
                pieces += sequence((entry, *inside), space.operations)
            elif len(inside) > 1:
                raise NotSo  # something runs beside the cell
            else:
                pieces.append(self._program(outline.uses[cells[0].id][0]))
            before = cut
        return _Layout(_gathered(head(network.nodes[0].type), pieces))

    def _program(self, use: UseCell) -> tuple[int, int]:
        """The number of a cell's program, and which of its uses this is."""
        key = (use.cell, id(use.body))
        if key not in self._compiled:
            made = compiled(use, self._space.operations)
            self._compiled[key] = self._enlisted(made)
        return self._compiled[key]

    def _enlisted(self, made: Program) -> tuple[int, int]:
        # A program that differs in its words alone is the same.
        for number, program in enumerate(self._programs):
            if program.code == made.code:
                return number, program.used(made.words[0])
        self._programs.append(made)
        self._known.append({})
        return len(self._programs) - 1, 0


@dataclass(frozen=True)
class _Layout:
    """A network: its parts, and (program, use) where the parts of a cell belong."""

    pieces: tuple[bytes | tuple[int, int], ...]


def _gathered(
    start: bytes, pieces: Iterable[bytes | tuple[int, int]]
) -> tuple[bytes | tuple[int, int], ...]:
    """Pieces with what stands together joined."""
    out: list[bytes | tuple[int, int]] = [start]
    for piece in pieces:
        if isinstance(piece, bytes) and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)
