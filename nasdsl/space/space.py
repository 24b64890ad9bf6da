"""A space of architectures: exact count, ranks, uniform samples, and their networks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from nasdsl.diagnostics import Diagnostic, DiagnosticError, problem, suggestion
from nasdsl.graph.network import Network, Node
from nasdsl.language.settings import Entry
from nasdsl.operations.operation import Operation, TensorType
from nasdsl.operations.table import OPERATIONS
from nasdsl.seeding import generator
from nasdsl.space.architecture import Architecture
from nasdsl.space.blocks import Blocks, Goal
from nasdsl.space.bounds import Sizes, size_bounds
from nasdsl.space.building import Builder, LiveBuilder, Recorder
from nasdsl.space.constraints import Constraints
from nasdsl.space.costs import is_additive
from nasdsl.space.edits import Edits, Neighbor
from nasdsl.space.feasible import Feasible, feasible
from nasdsl.space.find import Keys, find, from_json, frozen
from nasdsl.space.flat import Flat, flatten
from nasdsl.space.fragments import Fragments
from nasdsl.space.identity import Identity
from nasdsl.space.outline import Filler, Outline
from nasdsl.space.outside import Outside
from nasdsl.space.program import Program
from nasdsl.space.quantities import Window, windows
from nasdsl.space.ranks import Missing, Walk, rank_of, unrank
from nasdsl.space.registers import NotSo
from nasdsl.space.residual import DONE, Branch, Owned, Step, UseCell, steps
from nasdsl.space.residual import Scope as Named
from nasdsl.space.sampling import Sampler
from nasdsl.space.values import EvaluationError, shown
from nasdsl.space.walk import run

CLASSES = 1_000_000


class Space:
    """All architectures that a program declares.

    ``space[rank]`` and :meth:`rank` are inverse to each other; ranks run from 0 to
    ``size - 1`` in the order of the text, whatever the constraints say.
    """

    def __init__(
        self,
        program: Program,
        step: Step,
        inputs: tuple[TensorType, ...],
        output: TensorType,
        warnings: tuple[Diagnostic, ...] = (),
        operations: Mapping[str, Operation] | None = None,
        blocks: Blocks | None = None,
        edits: Callable[[Space], Edits] | None = None,
        used: tuple[tuple[str, str], ...] = (),
        checkpoint_bytes: Callable[[Network], int] | None = None,
    ):
        self.used = used
        self._checkpoint_bytes = checkpoint_bytes
        self.blocks = blocks or Blocks()
        self._counts: dict[Any, Any] = {}
        self._edits = edits
        self.program = program
        self.step = step
        self.inputs = inputs
        self.output = output
        self.warnings = warnings
        self.operations = operations or OPERATIONS
        self._fragments = Fragments(self.operations)

    @property
    def name(self) -> str:
        """The space's name."""
        return self.program.name

    @property
    def doc(self) -> str:
        """What the text says the space is."""
        return self.program.doc

    @property
    def text(self) -> str:
        """The text it was declared by."""
        return self.program.source.text

    @property
    def source_name(self) -> str:
        """Where the text came from."""
        return self.program.source.name

    @property
    def input(self) -> TensorType:
        """The type of the (first) input."""
        return self.inputs[0]

    @cached_property
    def size(self) -> int:
        """The number of architectures, exact."""
        return self.step.outcomes.get(DONE, 0)

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return self.size > 0  # a space may be larger than 'len' can say

    def __repr__(self) -> str:
        return f"<space {self.name}: {self.size:,} architectures>"

    # ---- ranks

    def __getitem__(self, rank: int) -> Architecture:
        if not isinstance(rank, int) or isinstance(rank, bool):
            raise TypeError(f"a rank is a whole number, not {type(rank).__name__}")
        if rank < 0:
            rank += self.size
        if not 0 <= rank < self.size:
            raise IndexError(f"ranks of {self.name} run from 0 to {self.size - 1}")
        if self.flat is not None:
            return Architecture(self, self.flat.decisions(rank), rank)
        walk = Walk(counts=self._counts)
        unrank(self.step, {DONE: 1}, rank, walk)
        return Architecture(self, walk.decided, rank)

    @cached_property
    def flat(self) -> Flat | None:
        """The decisions as a plain product, where they are one."""
        return flatten(self.step) if self.size else None

    def __iter__(self) -> Iterator[Architecture]:
        return (self[rank] for rank in range(self.size))

    def __contains__(self, architecture: object) -> bool:
        if not isinstance(architecture, Architecture):
            return False
        try:
            self.rank(architecture)
        except DiagnosticError:
            return False
        return True

    def rank(self, architecture: Architecture | Mapping[str, Any]) -> int:
        """The rank of an architecture or of its decisions.

        Raises :class:`~nasdsl.diagnostics.DiagnosticError` where they are not of this space.
        """
        if isinstance(architecture, Architecture) and architecture.space is self:
            return architecture.rank
        decisions = (
            architecture.decisions if isinstance(architecture, Architecture) else architecture
        )
        return self.architecture(decisions).rank

    def architecture(self, decisions: Mapping[str, Any]) -> Architecture:
        """The architecture with these decisions, checked.

        Lists stand for sets, as JSON has it. Raises
        :class:`~nasdsl.diagnostics.DiagnosticError` for a missing, unknown or impossible one.
        """
        given = {name: frozen(value) for name, value in decisions.items()}
        return self[self.rank_of(given)]

    def rank_of(self, given: Mapping[str, Any]) -> int:
        """The rank of decisions whose sets are tuples; as :meth:`architecture`."""
        try:
            recorder = Recorder(given)
            run(self.step, self._handles, recorder)
            walk = Walk(dict(given), recorder.cells, counts=self._counts)
            _, rank = rank_of(self.step, {DONE: 1}, walk)
        except Missing as error:
            options = ", ".join(shown(o) for o in error.options[:12])
            if error.value is None:
                raise problem(
                    "NAS311", f"the decision '{error.name}' is missing; one of {options}"
                ) from None
            message = f"'{error.name}' cannot be {shown(error.value)}; one of {options}"
            raise problem("NAS312", message) from None
        extra = [n for n in given if n not in recorder.decided]
        if extra:
            known = list(recorder.decided)
            raise problem(
                "NAS313",
                f"there is no decision '{extra[0]}' here{suggestion(extra[0], known)}",
            )
        return rank

    @property
    def _handles(self) -> tuple[str, ...]:
        return tuple(p.name.text for p in self.program.input_ports)

    # ---- what stands beside the space

    @property
    def data(self) -> Entry | None:
        """The data that candidates are trained on."""
        return self.blocks.data

    @property
    def train(self) -> tuple[Entry, ...]:
        """How candidates are trained."""
        return self.blocks.train

    @property
    def search(self) -> Entry | None:
        """The searcher and its settings."""
        return self.blocks.search

    @property
    def report(self) -> tuple[Entry, ...]:
        """What the report holds."""
        return self.blocks.report

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The objectives."""
        return self.blocks.goals

    @property
    def best(self) -> Goal | None:
        """How the best is picked, where the text says so."""
        return self.blocks.best

    # ---- constraints

    @cached_property
    def constraints(self) -> Constraints:
        """The conditions after ``require``."""
        return Constraints(self.program)

    @cached_property
    def windows(self) -> tuple[tuple[Window, ...] | None, ...]:
        """Each ``require`` as windows on sums that all hold; none where it is no such."""
        return tuple([windows(self, require.condition) for require in self.program.requires])

    @cached_property
    def additive(self) -> bool:
        """Whether sizes of live networks are sums of what is written."""
        return is_additive(self.step, len(self.inputs))

    @cached_property
    def sizes(self) -> Sizes:
        """The least and greatest sizes of networks, whatever the constraints say."""
        return size_bounds(self)

    def allows(self, architecture: Architecture | Outside) -> bool:
        """Whether an architecture meets every ``require``."""
        try:
            return self.constraints.holds(architecture)
        except EvaluationError as error:
            raise DiagnosticError([error.diagnostic]) from None

    def checkpoint_bytes(self, network: Network) -> int:
        """Bytes of the file of a network's weights; loads torch."""
        if self._checkpoint_bytes is None:
            raise TypeError("this space was made without a size of checkpoints")
        return self._checkpoint_bytes(network)

    @property
    def feasible(self) -> int | None:
        """The number of architectures under ``require``; none where it is not known."""
        return self.feasibility.count

    @cached_property
    def feasibility(self) -> Feasible:
        """The number of architectures under ``require``, or its bounds and the reason."""
        return feasible(self)

    # ---- facts

    @cached_property
    def choices(self) -> list[dict[str, Any]]:
        """The choices of the text: name, kind, the most values, and the line."""
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for step in steps(self.step):
            if isinstance(step, Branch):
                at = step.span.start if step.span else 0
                known = found.setdefault(
                    (step.of, at),
                    {
                        "name": step.of,
                        "kind": step.kind,
                        "values": 0,
                        "line": step.span.line if step.span else None,
                    },
                )
                known["values"] = max(known["values"], len(step.options))
        return [found[key] for key in sorted(found, key=lambda k: k[1])]

    def _feasible_bounds(self) -> dict[str, Any]:
        found = self.feasibility
        if found.count is not None:
            return {}
        most = self.size if found.most is None else found.most
        return {"feasible_bounds": {"min": found.least, "max": most, "reason": found.reason}}

    def info(self) -> dict[str, Any]:
        """What can be said of the space without training: counts, and bounds of costs.

        A bound that is not exact has ``exact: false`` beside it.
        """
        params, macs, _ = self.sizes
        return {
            "name": self.name,
            "architectures": self.size,
            "feasible": self.feasible,
            **self._feasible_bounds(),
            "choices": self.choices,
            "neighbors": self.edits.extent().to_json(),
            "params": params.to_json(),
            "macs": macs.to_json(),
        }

    def classes(self) -> int:
        """How many different networks there are, by building every architecture.

        Raises :class:`~nasdsl.diagnostics.DiagnosticError` for a space that is too large.
        """
        if self.size > CLASSES:
            raise problem(
                "NAS319",
                f"'{self.name}' has {self.size:,} architectures; "
                f"up to {CLASSES:,} are built one by one",
            )
        return len({architecture.fingerprint for architecture in self})

    # ---- samples

    def draw(self, *keys: Any) -> int:
        """A uniform rank derived from keys, whatever the constraints say."""
        return generator("sample", self.name, *keys).randrange(self.size)

    def sample(self, seed: Any = 0) -> Architecture:
        """One architecture, uniform over those that meet every ``require``.

        Raises :class:`~nasdsl.diagnostics.DiagnosticError` where none is found.
        """
        return self._drawn(generator("sample", self.name, seed))

    def samples(self, n: int, seed: Any = 0) -> list[Architecture]:
        """Independent uniform samples; architectures may repeat."""
        draw = generator("samples", self.name, seed)
        return [self._drawn(draw) for _ in range(n)]

    @cached_property
    def _sampler(self) -> Sampler:
        """Draws under the conditions."""
        return Sampler(self)

    def _drawn(self, draw: random.Random) -> Architecture:
        if self.program.requires:
            return self._sampler.draw(draw)
        if self.flat is not None:
            rank = draw.randrange(self.size)
            return Architecture(self, self.flat.decisions(rank), rank)
        walk = Walk(ordered=False)
        unrank(self.step, {DONE: 1}, draw.randrange(self.size), walk)
        return self.assembled(walk.decided)

    def assembled(self, decided: dict[str, Any]) -> Architecture:
        """An architecture of legal decisions, put in the order of ranks."""
        if self.flat is not None:
            ordered = {name: decided[name] for name in self.flat.names}
            return Architecture(self, ordered, self.flat.rank(ordered))
        if self._late or self._cells:
            return self[self.rank_of(decided)]
        return Architecture(self, decided)

    @cached_property
    def indexed(self) -> frozenset[str]:
        """Names in paths that hold an index of their own, as ``n[3]``; others count copies."""
        found = set()
        for step in steps(self.step):
            name = step.segment if isinstance(step, Named) else ""
            name = step.name if isinstance(step, Branch) else name
            if name.endswith("]"):
                found.add(name)
        return frozenset(found)

    @cached_property
    def _cells(self) -> bool:
        return any(isinstance(step, UseCell) for step in steps(self.step))

    @cached_property
    def _late(self) -> bool:
        return any(isinstance(step, Owned) for step in steps(self.step))

    # ---- neighbors

    @cached_property
    def edits(self) -> Edits:
        """The edit rules."""
        if self._edits is None:
            raise TypeError("this space was made without edit rules")
        return self._edits(self)

    def neighbors(
        self, center: Architecture | Outside, radius: int | None = None
    ) -> Sequence[Neighbor]:
        """All neighbors: feasible, different from the center, each once, in a fixed order."""
        return self.edits.of(center, radius)

    def sample_neighbors(
        self, center: Architecture | Outside, n: int, seed: Any = 0, radius: int | None = None
    ) -> Sequence[Neighbor]:
        """Different neighbors drawn by the weights of their edits; all where there are fewer."""
        return self.edits.sample(center, n, seed, radius)

    # ---- networks

    def written(self, decisions: Mapping[str, Any]) -> tuple[list[Node], str]:
        """The operations of an architecture as written, and the id of the result."""
        inputs = zip(self._handles, self.inputs, strict=True)
        builder = Builder(decisions, inputs, self._fragments)
        _, handle = run(self.step, self._handles, builder)
        return builder.nodes, handle

    @property
    def outlined(self) -> bool:
        """Whether networks differ in the designs of cells alone, so that they are made fast."""
        return self._filler is not None

    @cached_property
    def _filler(self) -> Filler | None:
        """Makes networks of what all have in common, where only the designs of cells differ."""
        inputs = zip(self._handles, self.inputs, strict=True)
        try:
            outline = Outline(self.step, inputs, self.operations, self.name)
        except NotSo:
            return None
        return Filler(outline, self._fragments) if outline.places and outline.uses else None

    @cached_property
    def identity(self) -> Identity:
        """Fingerprints that need no network."""
        return Identity(self)

    def network(self, decisions: Mapping[str, Any]) -> Network:
        """The live network of an architecture."""
        network = self._filler.network(decisions) if self._filler is not None else None
        if network is not None:
            return network
        inputs = zip(self._handles, self.inputs, strict=True)
        builder = LiveBuilder(decisions, inputs, self._fragments, self.operations)
        _, handle = run(self.step, self._handles, builder)
        return builder.network(handle, self.name)

    # ---- finding

    def find(self, text: str) -> Architecture | Outside:
        """An architecture by rank (``7712`` or ``#7712``), key, or a JSON file.

        Raises :class:`~nasdsl.diagnostics.DiagnosticError` where nothing of the kind is there.
        """
        return find(self, text)

    def from_json(self, data: Any) -> Architecture | Outside:
        """An architecture from what its ``to_json`` gives, or from its parts.

        Data with a ``network`` and no decisions are a network outside the space.
        """
        return from_json(self, data)

    @cached_property
    def _keys(self) -> Keys:
        """Names of architectures by the key template."""
        return Keys(self)

    def key_of(self, decisions: Mapping[str, Any]) -> str | None:
        """The key of an architecture, where the space declares keys."""
        return self._keys.key_of(decisions)

    def by_key(self, key: str) -> Architecture:
        """The architecture of a key."""
        return self._keys.by_key(key)
