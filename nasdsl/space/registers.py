"""Cells as short programs over registers, which give the canonical form of a design at once.

The body of a cell with one input is compiled to instructions that apply operations; its slots
are the decisions. Carrying them out for a design does what building its network, finding what
is live of it and writing its form would do, without any of the three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nasdsl.graph.fingerprint import RANDOM, cuts, sealed, shape, word
from nasdsl.graph.fingerprint import name as name_of
from nasdsl.graph.live import COMBINING, IDENTITY, ZERO
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

KEPT = 100_000
LONGEST = 5_000
"""A program of more instructions is not worth its making."""

Parts = tuple[bytes, ...]
"""The digests of a cell's parts in a row, for each kind of use; nothing where it is zero."""


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
Entries = list[tuple[int, tuple[int, ...], bool]]


@dataclass(eq=False)
class Program:
    """A cell's body as instructions over registers, of which the first holds what comes in.

    ``words`` has the names of the operations for each kind of use, by number, sorted.
    """

    names: tuple[str, ...]
    code: Any
    block: list[Code]
    registers: int
    result: int
    words: list[tuple[bytes, ...]]
    known: dict[tuple[Any, ...], Parts] = field(default_factory=dict)

    def parts(self, decisions: Mapping[str, Any]) -> Parts | None:
        """The digests of the parts of a design, or none where its input does not matter."""
        entries: Entries = []
        at = self._result(decisions, 0, entries)
        if at < 0:
            # The next cell is given zeros then, and has to make zeros of them.
            return () if self._result(decisions, -1, []) < 0 else None
        left = _needed(entries, at)
        if left is None:
            return None
        key = tuple(left)
        found = self.known.get(key)
        if found is None:
            shapes = _shapes(left)
            found = self.known[key] = tuple(
                [
                    b"".join([sealed(form, [words[n] for n in used]) for form, used in shapes])
                    for words in self.words
                ]
            )
            if len(self.known) >= KEPT:
                self.known.clear()
        return found

    def _result(self, decisions: Mapping[str, Any], given: int, entries: Entries) -> int:
        registers = [given] * self.registers
        _carry_out(self.block, decisions, registers, entries, {})
        return registers[self.result]


def _carry_out(
    block: list[Code],
    decisions: Mapping[str, Any],
    registers: list[int],
    entries: Entries,
    merged: dict[Any, int],
) -> None:
    """Carry out instructions.

    A register holds 0 for what comes in, i + 1 for entry i, and -1 - n for zeros whose word is n.
    """
    for step in block:
        kind = step[0]
        if kind == SLOT:
            _carry_out(step[2][decisions[step[1]]], decisions, registers, entries, merged)
            continue
        if kind == CHAIN:
            _, to, of, applied = step
            at = registers[of]
            for number, zero, keeps, merges in applied:
                if at < 0 and keeps:
                    at = -1 - zero
                    continue
                operands: tuple[int, ...] = (at,)
                if merges and at < 0:
                    number = CONSTANT
                elif merges:
                    known = merged.get((number, operands))
                    if known is not None:
                        at = known
                        continue
                    merged[number, operands] = len(entries) + 1
                entries.append((number, operands, True))
                at = len(entries)
            registers[to] = at
            continue
        if kind == MOVE:
            registers[step[1]] = registers[step[2]]
            continue
        if kind == PUT:
            registers[step[1]] = -1 - step[2]
            continue
        if kind == ADD:
            _, to, zero, of, number = step
            left = [r for o in of if (r := registers[o]) >= 0]
            if len(left) < 2:
                registers[to] = left[0] if left else -1 - zero
                continue
            left.sort()
            operands, ordered, merges = tuple(left), False, True
        else:
            _, to, zero, of, number, keeps, vanishes, ordered, merges = step
            given = [registers[o] for o in of]
            if (vanishes and min(given) < 0) or (keeps and max(given) < 0):
                registers[to] = -1 - zero
                continue
            if not ordered:
                given.sort()
            operands = tuple(given)
            if merges and max(given) < 0:
                number = CONSTANT
        if merges:
            known = merged.get((number, operands))
            if known is not None:
                registers[to] = known
                continue
            merged[number, operands] = len(entries) + 1
        entries.append((number, operands, ordered))
        registers[to] = len(entries)


def _needed(entries: Entries, result: int) -> Entries | None:
    """What the result needs, in order.

    None where it needs a constant other than zeros, or does not depend on what comes in.

    What depends on constants alone stands right before what first uses it.
    """
    needed = [False] * (result + 1)
    needed[result] = True
    constants = False
    for i in range(result, 0, -1):
        if needed[i]:
            if entries[i - 1][0] == CONSTANT:
                return None
            for o in entries[i - 1][1]:
                if o >= 0:
                    needed[o] = True
                else:
                    constants = True
    left: Entries = []
    if constants:
        return left if _with_constants(entries, needed, left) else None
    if all(needed[1:]):
        return entries[:result]
    place = [0] * (result + 1)
    for i in range(1, result + 1):
        if needed[i]:
            number, operands, ordered = entries[i - 1]
            if len(operands) == 1:
                given: tuple[int, ...] = (place[operands[0]],)
            else:
                moved = [place[o] for o in operands]
                if not ordered:
                    moved.sort()
                given = tuple(moved)
            left.append((number, given, ordered))
            place[i] = len(left)
    return left


def _shapes(left: Entries) -> list[tuple[bytes, list[int]]]:
    """The shape of each part, and the numbers of the words in it."""
    found = []
    before = 0
    for cut in cuts([(), *[e[1] for e in left]])[1:]:
        inside = left[before:cut]
        used = sorted({e[0] for e in inside})
        rank = {number: i for i, number in enumerate(used)}
        ranked = tuple(
            [(rank[n], tuple([o - before for o in below]), ordered) for n, below, ordered in inside]
        )
        found.append((shape(ranked, (len(inside),)), used))
        before = cut
    return found


def _with_constants(entries: Entries, needed: list[bool], left: Entries) -> bool:
    """Adds what is needed to ``left``; whether the last depends on what comes in."""
    place = {0: 0}
    alone: set[int] = set()

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

    for i in range(1, len(needed)):
        if needed[i]:
            if all(o < 0 or o in alone for o in entries[i - 1][1]):
                alone.add(i)
            else:
                put(i)
    return len(needed) - 1 not in alone


_NO_SETTINGS: Mapping[str, Any] = {}


def _zero(step: Emit) -> int:
    """The word of a constant of zeros in the place of an operation."""
    return word(Node("", ZERO, _NO_SETTINGS, (), step.type))


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
        return Program(tuple(self._names), code, block, self._registers, result, [words])

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
