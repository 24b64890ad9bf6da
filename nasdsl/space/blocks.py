"""The settings of a text, their values worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from nasdsl.diagnostics import Diagnostic, Span
from nasdsl.language import syntax as s
from nasdsl.language.overrides import override_entries, override_entry
from nasdsl.language.settings import Entry, Name
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.program import Program
from nasdsl.space.values import EvaluationError, Scope


@dataclass(frozen=True)
class Goal:
    """One objective: which way is better, and the metric with its settings."""

    direction: Literal["maximize", "minimize"]
    entry: Entry
    span: Span | None = None

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.entry.name


@dataclass(frozen=True)
class Blocks:
    """The settings that stand in a text beside the space itself."""

    data: Entry | None = None
    train: tuple[Entry, ...] = ()
    search: Entry | None = None
    report: tuple[Entry, ...] = ()
    goals: tuple[Goal, ...] = ()
    best: Goal | None = None


def read_blocks(
    program: Program, overrides: Mapping[str, str] | None = None
) -> tuple[Blocks, list[Diagnostic]]:
    """The settings beside the space, overrides put in, and what is wrong with their values."""
    reader = _Reader(program)
    given = overrides or {}
    data, train, report = (reader.block(b) for b in ("data", "train", "report"))
    search: Entry | None = None
    written = program.settings.get("search")
    if written is not None and written.name is not None:
        kwargs = []
        spans = []
        for entry in reader.block("search"):
            value = entry.args[0] if entry.args else True
            kwargs.append((entry.name, value))
            spans.append(entry.span)
        search = Entry(written.name.text, (), tuple(kwargs), written.name.span, tuple(spans))
    train, wrong = override_entries("train", train, given)
    reader.problems += wrong
    report, wrong = override_entries("report", report, given)
    reader.problems += wrong
    source, wrong = override_entry("data", data[0] if data else None, given)
    reader.problems += wrong
    search, wrong = override_entry("search", search, given)
    reader.problems += wrong
    best = reader.goals("best")
    return (
        Blocks(source, train, search, report, reader.goals("objective"), best[0] if best else None),
        reader.problems,
    )


class _Reader(Evaluator):
    def __init__(self, program: Program):
        super().__init__(program)
        self.problems: list[Diagnostic] = []

    def block(self, name: str) -> tuple[Entry, ...]:
        settings = self.program.settings.get(name)
        if settings is None:
            return ()
        found = [self.entry(e) for e in settings.entries]
        return tuple(e for e in found if e is not None)

    def goals(self, block: str) -> tuple[Goal, ...]:
        objective = self.program.goals.get(block)
        found = []
        for goal in objective.goals if objective else ():
            entry = self.entry(goal.metric)
            if entry is not None:
                direction = cast(Literal["maximize", "minimize"], goal.direction)
                found.append(Goal(direction, entry, goal.span))
        return tuple(found)

    def entry(self, setting: s.Setting) -> Entry | None:
        args: list[Any] = []
        kwargs: list[tuple[str, Any]] = []
        spans: dict[bool, list[Any]] = {False: [], True: []}
        for argument in setting.arguments:
            try:
                value = self.setting_value(argument.value)
            except EvaluationError as error:
                self.problems.append(error.diagnostic)
                return None
            spans[argument.name is not None].append(argument.span)
            if argument.name is None:
                args.append(value)
            else:
                kwargs.append((argument.name.text, value))
        return Entry(
            str(setting.path),
            tuple(args),
            tuple(kwargs),
            setting.path.span if not setting.arguments else setting.span,
            (*spans[False], *spans[True]),
        )

    def setting_value(self, expr: s.Expr) -> Any:
        if isinstance(expr, s.Ref) and expr.name not in self.program.lets:
            return Name(expr.name)
        if isinstance(expr, s.Member):
            return Name(expr.span.text)
        if isinstance(expr, s.Call) and isinstance(expr.callee, s.Ref):
            let = self.program.lets.get(expr.callee.name)
            if let is None:
                path = s.Path(expr.callee.span, (s.Ident(expr.callee.span, expr.callee.name),))
                return self.entry(s.Setting(expr.span, path, expr.arguments))
        value = self.value(expr, Scope())
        return tuple(value) if isinstance(value, range) else value
