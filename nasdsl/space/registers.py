"""Cells as short programs over registers, which give the canonical form of a design at once.

The body of a cell with one input is compiled to instructions that apply operations; its slots
are the decisions. Carrying them out for a design does what building its network, finding what
is live of it and writing its form would do, without any of the three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nasdsl.graph.fingerprint import RANDOM, Entry, cuts, sealed, shaped, word
from nasdsl.graph.fingerprint import name as name_of
from nasdsl.graph.live import COMBINING, IDENTITY, NO_SETTINGS, ZERO
from nasdsl.graph.network import Node
from nasdsl.operations.operation import Operation
from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Lift,
    On,
    Ret,
    Scope,
    Step,
    Then,
    UseCell,
    steps,
)
from nasdsl.space.walk import join, named

KEPT = 1_000_000
"""How many numbers the needs of a program's entries may take in all, and its states."""
KEPT_PARTS = 100_000
LONGEST = 2_000
"""A program of more instructions is not worth its making."""

Entries = list[Entry]
Part = tuple[Entry, ...]
Parts = tuple[bytes, ...]
"""The digests of a cell's parts in a row, for each kind of use; nothing where it is zero."""


@dataclass(frozen=True)
class Apart:
    """A design whose result does not depend on what comes in, as its live operations."""

    entries: Part


class NotSo(Exception):
    """The networks of a space differ in more than the designs of cells with one input."""


def compiled(use: UseCell, operations: Mapping[str, Operation]) -> Program:
    """The program of a cell at a use; raises :class:`NotSo` where its body is no such program."""
    return _Compiler(operations).program(use)


SLOT, CHAIN, ADD, ALL, PUT, MOVE = range(6)
"""What an instruction does.

    (SLOT, name, {value: instructions}): a decision
    (CHAIN, to, of, ((number, zero, keeps, merges), ...)): operations on one operand in a row
    (ADD, to, zero, of, number): a sum, whose operands that are zero drop out
    (ALL, to, zero, of, number, keeps, vanishes, ordered, merges): an operation on several
    (PUT, to, zero): zeros
    (MOVE, to, of): what another register holds

``number`` is the word of the operation, ``zero`` that of a constant of zeros in its place. An
operation that ``keeps`` zeros makes them of zeros alone, one that ``vanishes`` of any.
"""
CONSTANT = -1
"""The number of an entry that is a constant other than zeros."""
Code = tuple[Any, ...]


class _State(NamedTuple):
    """How far a design has been carried out.

    A register holds 0 for what comes in, i + 1 for the program's entry i, and -1 - n for zeros
    whose word is n. ``alike`` counts operations with weights that are of one kind and operand,
    which are not one operation.
    """

    registers: list[int]
    alike: dict[tuple[int, Any], int]


@dataclass(eq=False)
class Program:
    """A cell's body as instructions over registers, of which the first holds what comes in.

    ``words`` has the names of the operations for each kind of use, by number, sorted.
    """

    names: tuple[str, ...]
    code: Any
    segments: tuple[tuple[int, list[Code]], ...]
    registers: int
    result: int
    words: list[tuple[bytes, ...]]

    def __post_init__(self) -> None:
        self._known: dict[Part, Parts] = {}
        self._clear()

    def _clear(self) -> None:
        self._entries: Entries = []
        self._needs: list[tuple[int, ...]] = [()]
        self._size = 0
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._states: dict[tuple[Any, ...], _State] = {}
        self._results: dict[int, Parts | Apart | None] = {}

    def parts(self, decisions: Mapping[str, Any], design: tuple[Any, ...]) -> Parts | Apart | None:
        """The digests of the parts of a design; none where they are not known without a network.

        ``design`` holds the decisions in the order of ``names``.
        """
        if self._size >= KEPT:
            self._clear()
        at = self._result(decisions, design)
        if at < 0:
            # The next cell is given zeros then, and has to make zeros of them.
            zeros = _State([-1] * self.registers, {})
            for _, block in self.segments:
                self._carry_out(block, decisions, zeros)
            return () if zeros.registers[self.result] < 0 else None
        if at not in self._results:
            self._results[at] = self._told(at)
        return self._results[at]

    def _result(self, decisions: Mapping[str, Any], design: tuple[Any, ...]) -> int:
        """What the result's register holds.

        Designs that begin alike are carried out alike up to there, so that is kept.
        """
        known = len(self.segments) - 1
        state = None
        while known and state is None:
            known -= 1
            state = self._states.get(design[: self.segments[known][0]])
            if state is not None:
                known += 1
        if state is None:
            state = _State([0] * self.registers, {})
        for end, block in self.segments[known:]:
            state = _State(state.registers.copy(), state.alike.copy())
            self._carry_out(block, decisions, state)
            if end < len(design):
                if len(self._states) * self.registers >= KEPT:
                    self._states.clear()
                self._states[design[:end]] = state
        return state.registers[self.result]

    def _carry_out(self, block: list[Code], decisions: Mapping[str, Any], state: _State) -> None:
        """Carry out instructions."""
        registers, alike = state
        numbers = self._numbers
        key: tuple[Any, ...]
        for step in block:
            kind = step[0]
            if kind == SLOT:
                self._carry_out(step[2][decisions[step[1]]], decisions, state)
            elif kind == CHAIN:
                _, to, of, applied = step
                at = registers[of]
                for number, zero, keeps, merges in applied:
                    if at < 0:
                        if keeps:
                            at = -1 - zero
                            continue
                        if merges:
                            number = CONSTANT
                    key = (number, at)
                    if not merges:
                        count = alike[key] = alike.get(key, 0) + 1
                        key = (number, at, count)
                    at = numbers.get(key) or self._entry(key, number, (at,), True)
                registers[to] = at
            elif kind == ADD:
                _, to, zero, of, number = step
                left = [r for o in of if (r := registers[o]) >= 0]
                if len(left) < 2:
                    registers[to] = left[0] if left else -1 - zero
                    continue
                left.sort()
                key = (number, tuple(left))
                registers[to] = numbers.get(key) or self._entry(key, number, key[1], False)
            elif kind == MOVE:
                registers[step[1]] = registers[step[2]]
            elif kind == PUT:
                registers[step[1]] = -1 - step[2]
            else:
                _, to, zero, of, number, keeps, vanishes, ordered, merges = step
                given = [registers[o] for o in of]
                if (vanishes and min(given) < 0) or (keeps and max(given) < 0):
                    registers[to] = -1 - zero
                    continue
                if not ordered:
                    given.sort()
                if merges and max(given) < 0:
                    number = CONSTANT
                operands = tuple(given)
                key = (number, operands)
                if not merges:
                    count = alike[key] = alike.get(key, 0) + 1
                    key = (number, operands, count)
                registers[to] = numbers.get(key) or self._entry(key, number, operands, ordered)

    def _entry(
        self, key: tuple[Any, ...], number: int, operands: tuple[int, ...], ordered: bool
    ) -> int:
        """The number of an entry that is new."""
        self._entries.append((number, operands, ordered))
        found = self._numbers[key] = len(self._entries)
        if len(operands) == 1:
            below = self._needs[max(operands[0], 0)]
        else:
            below = tuple(sorted({n for o in operands if o > 0 for n in self._needs[o]}))
        self._needs.append((*below, found))
        self._size += len(below) + 1
        return found

    def _told(self, result: int) -> Parts | Apart | None:
        """The digests of the parts that lead to an entry, for each kind of use."""
        parts = self._parted(result)
        if parts is None or isinstance(parts, Apart):
            return parts
        found = [self._known.get(part) or self._sealed(part) for part in parts]
        return tuple([b"".join([each[i] for each in found]) for i in range(len(self.words))])

    def _parted(self, result: int) -> list[Part] | Apart | None:
        """What an entry needs in parts: one ends where a single tensor carries everything on.

        None where the entry needs a constant other than zeros.
        """
        known, needs = self._entries, self._needs[result]
        lowest = result
        ends = []
        for at in reversed(needs):
            if lowest >= at:
                # Nothing after it reads what is before it.
                ends.append(at)
            operands = known[at - 1][1]
            low = operands[0] if len(operands) == 1 else min(operands)
            if low < lowest:
                lowest = low
        place = {0: 0}
        part: Entries = []
        if lowest < 0:
            for at in needs:
                number, operands, ordered = known[at - 1]
                if number == CONSTANT:
                    return None
                part.append((number, tuple([place.get(o, o) for o in operands]), ordered))
                place[at] = len(part)
            return _with_constants(part)
        parts = []
        for at in needs:
            number, operands, ordered = known[at - 1]
            # Places are in the order of numbers, so the operands of a sum stay sorted.
            part.append((number, tuple([place[o] for o in operands]), ordered))
            if at == ends[-1]:
                ends.pop()
                parts.append(tuple(part))
                part, place = [], {at: 0}
            else:
                place[at] = len(part)
        return parts

    def _sealed(self, part: Part) -> Parts:
        """The digest of a part for each kind of use."""
        used = sorted({number for number, _, _ in part})
        rank = {number: i for i, number in enumerate(used)}
        entries = tuple([(rank[n], of, ordered) for n, of, ordered in part])
        form = shaped(entries, (len(part),))
        found = tuple([sealed(form, [words[n] for n in used]) for words in self.words])
        if len(self._known) >= KEPT_PARTS:
            self._known.clear()
        self._known[part] = found
        return found

    def used(self, words: tuple[bytes, ...]) -> int:
        """The number of another kind of use, with these words."""
        self.words.append(words)
        self._known.clear()
        self._clear()
        return len(self.words) - 1


def _segments(block: list[Code]) -> tuple[tuple[int, list[Code]], ...]:
    """Instructions cut before decisions, each piece with how many have been made by its end."""
    made: set[str] = set()
    out: list[tuple[int, list[Code]]] = [(0, [])]
    for step in block:
        new = set(_decides([step])) - made
        if new and made:
            out.append((0, []))
        made |= new
        out[-1][1].append(step)
        out[-1] = (len(made), out[-1][1])
    return tuple(out)


def _decides(block: Iterable[Code]) -> Iterator[str]:
    """The decisions that instructions ask for."""
    for step in block:
        if step[0] == SLOT:
            yield step[1]
            for inner in step[2].values():
                yield from _decides(inner)


def _with_constants(entries: Entries) -> list[Part] | Apart:
    """The parts of entries that read zeros.

    Zeros become entries of their own. What depends on constants alone stands right before what
    first uses it.
    """
    place = {0: 0}
    alone: set[int] = set()
    left: Entries = []

    def put(i: int) -> int:
        if i < 0:
            left.append((-1 - i, (), True))
            return len(left)
        if i not in place:
            number, operands, ordered = entries[i - 1]
            moved = [put(o) for o in operands]
            if not ordered:
                moved.sort()
            left.append((number, tuple(moved), ordered))
            place[i] = len(left)
        return place[i]

    for i, (_, operands, _) in enumerate(entries, 1):
        if all(o < 0 or o in alone for o in operands):
            alone.add(i)
        else:
            put(i)
    if len(entries) in alone:
        return Apart(tuple(entries))
    parts = []
    before = 0
    for cut in cuts([(), *[e[1] for e in left]])[1:]:
        inside = left[before:cut]
        parts.append(tuple([(n, tuple([o - before for o in of]), q) for n, of, q in inside]))
        before = cut
    return parts


def _zero(step: Emit) -> int:
    """The word of a constant of zeros in the place of an operation."""
    return word(Node("", ZERO, NO_SETTINGS, (), step.type))


class _Compiler:
    """Compiles the body of a cell."""

    def __init__(self, operations: Mapping[str, Operation]):
        self._operations = operations
        self._names: dict[str, None] = {}
        self._paths: dict[int, str] = {}
        self._registers = 1
        self._length = 0

    def program(self, use: UseCell) -> Program:
        """The program of a cell at a use; raises where its body is no such program."""
        emitted = [step for step in steps(use.body) if isinstance(step, Emit)]
        names = {name_of(word(step)) for step in emitted}
        names |= {name_of(_zero(step)) for step in emitted}
        words = tuple(sorted(names))
        self._numbers = {name: i for i, name in enumerate(words)}
        block, result = self._compiled(use.body, (0,), use.cell, "")
        block = _chained(block, result)
        code = (tuple(self._names), result, self._registers, _frozen(block))
        return Program(tuple(self._names), code, _segments(block), self._registers, result, [words])

    def _register(self) -> int:
        self._registers += 1
        return self._registers - 1

    def _compiled(
        self, step: Step, frame: tuple[int, ...], path: str, pending: str
    ) -> tuple[list[Any], int]:
        """Instructions of a step, and the register of its result."""
        block: list[Any] = []
        while True:
            self._length += 1
            if self._length > LONGEST:
                raise NotSo
            if isinstance(step, Emit):
                block.append(self._instruction(step, frame))
                return block, block[-1][1]
            if isinstance(step, Then):
                if len(step.first.outcomes) != 1:
                    raise NotSo
                first, result = self._compiled(step.first, frame, path, pending)
                block += first
                frame = (*frame, result) if step.keep else (result,)
                step = step.rest[step.first.key]
            elif isinstance(step, Scope):
                path, pending, step = join(path, step.segment + pending), "", step.step
            elif isinstance(step, Copy):
                pending, step = f"{pending}[{step.index}]", step.step
            elif isinstance(step, On):
                frame, step = tuple([frame[i] for i in step.indices]), step.step
            elif isinstance(step, Lift):
                step = step.step
            elif isinstance(step, Ret):
                return block, frame[step.index]
            elif isinstance(step, Branch):
                name = named(step, self._paths, path, pending)
                self._names[name] = None
                to = self._register()
                options = {}
                for value, option in step.options.items():
                    inner, result = self._compiled(option, frame, path, pending)
                    options[value] = _chained(_moved(inner, to, result), to)
                block.append((SLOT, name, options))
                return block, to
            else:
                raise NotSo

    def _instruction(self, step: Emit, frame: tuple[int, ...]) -> Code:
        of = tuple([frame[i] for i in step.inputs])
        to = self._register()
        zero = self._numbers[name_of(_zero(step))]
        if step.op == ZERO:
            return PUT, to, zero
        if step.op in (IDENTITY, "first") or (len(of) == 1 and step.op in COMBINING):
            # What is let through of zeros is zeros of the same type.
            return MOVE, to, of[0]
        number = self._numbers[name_of(word(step))]
        fact = self._operations[step.op]
        merges = step.cost.params == 0 and step.op not in RANDOM
        if step.op == "add":
            return ADD, to, zero, of, number
        keeps = fact.zero(step.settings)
        if len(of) == 1:
            return CHAIN, to, of[0], ((number, zero, keeps, merges),)
        return ALL, to, zero, of, number, keeps, step.op == "mul", not fact.commutative, merges


def _moved(block: list[Code], to: int, result: int) -> list[Code]:
    """Instructions whose result is put into another register."""
    if block and block[-1][0] in (CHAIN, ADD, ALL, PUT) and block[-1][1] == result:
        return [*block[:-1], (block[-1][0], to, *block[-1][2:])]
    return [*block, (MOVE, to, result)]


def _chained(block: list[Code], result: int) -> list[Code]:
    """Instructions with chains put together where one only feeds the next."""
    reads = Counter(_read(block))
    out: list[Code] = []
    for step in block:
        last = out[-1] if out else None
        if (
            last is not None
            and step[0] == last[0] == CHAIN
            and step[2] == last[1] != result
            and reads[last[1]] == 1
        ):
            out[-1] = (CHAIN, step[1], last[2], last[3] + step[3])
        else:
            out.append(step)
    return out


def _read(block: Iterable[Code]) -> Iterator[int]:
    """The registers that instructions read."""
    for step in block:
        if step[0] == SLOT:
            for inner in step[2].values():
                yield from _read(inner)
        elif step[0] in (CHAIN, MOVE):
            yield step[2]
        elif step[0] in (ADD, ALL):
            yield from step[3]


def _frozen(value: Any) -> Any:
    """Instructions as something that can be compared."""
    if isinstance(value, dict):
        return tuple([(type(k), k, _frozen(v)) for k, v in value.items()])
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
