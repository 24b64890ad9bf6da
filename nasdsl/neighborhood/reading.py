"""From a text to its edit rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Span, problem, suggestion
from nasdsl.language import syntax as s
from nasdsl.neighborhood.rewrite import Rewrite, free_variables, read_pattern
from nasdsl.neighborhood.rules import (
    Change,
    Decisions,
    Exchange,
    Flip,
    Relabel,
    Resize,
    Step,
)
from nasdsl.neighborhood.sites import Site
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.constraints import Constraints
from nasdsl.space.program import Program
from nasdsl.space.values import EvaluationError, Scope, number, whole


class RuleLike(Protocol):
    """An elementary edit of decisions."""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""


@dataclass(frozen=True)
class EditRule:
    """A named edit: elementary edits one after another, with where they may apply."""

    name: str
    rules: tuple[RuleLike | Rewrite, ...]
    at: tuple[str, ...] = ()
    where: s.Expr | None = None
    weight: float = 1.0
    span: Span | None = None

    def here(self, site: Site) -> bool:
        """Whether a decision lies where the edit may apply."""
        return not self.at or any(site.inside(place) for place in self.at)

    def at_node(self, name: str) -> bool:
        """Whether an operation lies where the edit may apply."""
        site = Site(name, "", "", None, ())
        return not self.at or any(site.inside(place) for place in self.at)


def compile_rules(program: Program) -> tuple[tuple[EditRule, ...], list[Diagnostic], int]:
    """The edit rules of a program, what is wrong with them, and the radius."""
    declared = program.neighborhood
    if declared is None:
        return (EditRule("change", (Change(),)),), [], 1
    problems: list[Diagnostic] = []
    rules: list[EditRule] = []
    seen: dict[str, s.Edit] = {}
    reader = _Reader(program)
    for edit in declared.edits:
        if edit.name.text in seen:
            problems.append(
                Diagnostic("NAS102", f"the edit '{edit.name}' stands twice", edit.name.span)
            )
            continue
        seen[edit.name.text] = edit
        try:
            rules.append(reader.edit(edit))
        except DiagnosticError as error:
            problems += error.diagnostics
        except EvaluationError as error:
            problems.append(error.diagnostic)
    radius = 1
    if declared.radius is not None:
        try:
            radius = whole(
                reader.evaluator.value(declared.radius, Scope()), declared.radius.span, "the radius"
            )
            if not 1 <= radius <= 10:
                problems.append(
                    Diagnostic(
                        "NAS343", f"the radius is 1 to 10, found {radius}", declared.radius.span
                    )
                )
                radius = 1
        except EvaluationError as error:
            problems.append(error.diagnostic)
    return tuple(rules), problems, radius


WORDS = {
    word
    for operation in OPERATIONS.values()
    for parameter in operation.parameters
    for word in parameter.values
}
"""Words that settings take; in a rewrite they are no variables."""


class _Reader:
    def __init__(self, program: Program):
        self.program = program
        self.evaluator = Constraints(program)
        self.labels = program.labels
        self.variables = {
            part.name.text
            for root in (*program.lets.values(), *program.templates.values(), program.network)
            if root is not None
            for part in root.walk()
            if isinstance(part, s.Binding) and part.decides
        }

    @property
    def choices(self) -> list[str]:
        """The names of choices."""
        return [n for n, t in self.program.templates.items() if isinstance(t, s.Choice)]

    def edit(self, edit: s.Edit) -> EditRule:
        """One edit, checked."""
        weight = 1.0
        if edit.weight is not None:
            weight = float(number(self.evaluator.value(edit.weight, Scope()), edit.weight.span))
            if weight < 0:
                raise problem("NAS344", "a weight must not be negative", edit.weight.span)
        rules = tuple(self.rule(r) for r in edit.rules)
        at = tuple(str(p) for p in edit.at)
        for path in edit.at:
            self._place(path)
        return EditRule(edit.name.text, rules, at, edit.where, weight, edit.span)

    def _place(self, path: s.Path) -> None:
        head = path.parts[0].text
        known = [*self.program.templates, *self.variables]
        nodes = {
            part.name.text
            for t in [*self.program.templates.values(), self.program.network]
            if t is not None
            for part in t.walk()
            if isinstance(part, s.NodeEquation)
        }
        if head not in known and head not in nodes:
            raise problem(
                "NAS101",
                f"no place is called '{head}'{suggestion(head, [*known, *nodes])}",
                path.span,
            )

    def rule(self, rule: s.Rule) -> RuleLike | Rewrite:
        """One elementary edit."""
        if isinstance(rule, s.AnyRule):
            return self._any(rule)
        if isinstance(rule, s.StepRule):
            target, within = self._variable(rule.target, None, "step")
            by = None
            if rule.by is not None:
                by = whole(
                    self.evaluator.value(rule.by, Scope()), rule.by.span, "the number of places"
                )
            return Step(target, by, within)
        if isinstance(rule, s.FlipRule):
            return Flip(*self._variable(rule.target, rule.scope, "flip"))
        if isinstance(rule, s.InsertRule):
            return self._resize(rule)
        assert isinstance(rule, s.ReplaceRule)
        return self._replace(rule)

    def _resize(self, rule: s.InsertRule) -> RuleLike:
        name = rule.target.parts[-1].text
        if name not in self.program.templates:
            raise problem(
                "NAS341",
                f"no template is called '{name}'{suggestion(name, self.program.templates)}",
                rule.target.span,
            )
        counters = self._counters(name)
        if not counters:
            raise problem(
                "NAS341",
                f"the number of copies of '{name}' is not chosen, so none can be "
                f"{'inserted' if rule.insert else 'removed'}",
                rule.target.span,
            )
        return Resize(name, rule.insert, counters)

    def _counters(self, template: str) -> frozenset[str]:
        """The chosen values on which the number of copies of a template depends."""
        found: set[str] = set()
        owners: list[s.Syntax] = [*self.program.templates.values()]
        if self.program.network is not None:
            owners.append(self.program.network)
        for owner in owners:
            for part in owner.walk():
                numbers: list[s.Syntax] = []
                if isinstance(part, s.Binary) and part.operator == "*":
                    numbers = [part.right] if template in part.left.refs else []
                elif isinstance(part, s.Argument) and part.clauses:
                    numbers = list(part.clauses) if template in part.value.refs else []
                for number_of in numbers:
                    names = {r.name for r in number_of.walk() if isinstance(r, s.Ref)}
                    found |= self._chosen(names, owner, set())
        return frozenset(found)

    def _chosen(self, names: set[str], owner: s.Syntax, seen: set[Any]) -> set[str]:
        """The chosen values behind names: through values, and parameters to their arguments."""
        found: set[str] = set()
        for name in names:
            if (name, id(owner)) in seen:
                continue
            seen.add((name, id(owner)))
            let = self.program.lets.get(name)
            bindings = [b for b in owner.walk() if isinstance(b, s.Binding)]
            if let is not None:
                bindings.append(let.binding)
            for binding in bindings:
                if binding.name.text == name:
                    if binding.decides:
                        found.add(name)
                    else:
                        inner = {r.name for r in binding.walk() if isinstance(r, s.Ref)}
                        found |= self._chosen(inner, owner, seen)
            found |= self._given(name, owner, seen)
        return found

    def _given(self, name: str, owner: s.Syntax, seen: set[Any]) -> set[str]:
        """The chosen values behind what is given for a parameter, wherever it is."""
        if not isinstance(owner, s.Block | s.Choice | s.Cell):
            return set()
        names = [p.name.text for p in owner.parameters]
        if name not in names:
            return set()
        found: set[str] = set()
        users: list[s.Syntax] = [*self.program.templates.values()]
        if self.program.network is not None:
            users.append(self.program.network)
        for user in users:
            for call in user.walk():
                if not isinstance(call, s.Call) or not isinstance(call.callee, s.Ref):
                    continue
                if call.callee.name != owner.name.text:
                    continue
                for place, argument in enumerate(call.arguments):
                    at = argument.name.text if argument.name else names[place : place + 1]
                    if at in (name, [name]):
                        inner = {r.name for r in argument.walk() if isinstance(r, s.Ref)}
                        found |= self._chosen(inner, user, seen)
        return found

    def _any(self, rule: s.AnyRule) -> RuleLike:
        target, within = self._split(rule.target, rule.scope)
        if target == "inputs":
            return Exchange(within)
        known = [*self.choices, *self.variables, "maybe", "optional"]
        if target not in known:
            raise problem(
                "NAS341",
                f"'{target}' is no choice of this space{suggestion(target, [*known, 'inputs'])}",
                rule.target.span,
            )
        return Change(target, within)

    def _split(self, path: s.Path, scope: s.Path | None) -> tuple[str, str]:
        """What an edit is about, and where: before it (``Cell.k``) or after (``k of Cell``)."""
        name = path.parts[-1].text
        before = s.Path(path.span, path.parts[:-1]) if len(path.parts) > 1 else None
        for place in (before, scope):
            if place is not None:
                self._place(place)
        within = ".".join(str(place) for place in (scope, before) if place is not None)
        let = self.program.lets.get(name)
        if within and let is not None and let.binding.decides:
            # It is chosen for the whole space; the place must read it.
            user = self.program.templates.get(within)
            if user is not None and name not in self.program.deep(user):
                raise problem("NAS341", f"'{within}' does not use '{name}'", path.span)
            return name, ""
        return name, within

    def _variable(self, path: s.Path, scope: s.Path | None, verb: str) -> tuple[str, str]:
        name, within = self._split(path, scope)
        if name not in self.variables:
            raise problem(
                "NAS341",
                f"'{verb}' needs a value that is chosen; '{name}' is none"
                f"{suggestion(name, self.variables)}",
                path.span,
            )
        return name, within

    def _replace(self, rule: s.ReplaceRule) -> RuleLike | Rewrite:
        if any(self._is_pattern(e) for e in (*rule.before, *rule.after)):
            return self._rewrite(rule)
        return Relabel(
            tuple(self._label(e) for e in rule.before),
            tuple(self._label(e) for e in rule.after),
            rule.both,
        )

    def _is_pattern(self, expr: s.Expr) -> bool:
        """Whether a side of a replacement is of operations; alternatives are plain names."""
        if isinstance(expr, s.Ref):
            return expr.name not in self.labels and expr.name in OPERATIONS
        return not isinstance(expr, s.Member)

    def _rewrite(self, rule: s.ReplaceRule) -> Rewrite:
        before = tuple(read_pattern(e, self.program, OPERATIONS) for e in rule.before)
        after = tuple(read_pattern(e, self.program, OPERATIONS) for e in rule.after)
        ways = [(before, after[0], rule.before, rule.after[0])]
        if rule.both:
            ways.append((after, before[0], rule.after, rule.before[0]))
        for patterns, made, written, target in ways:
            for pattern, expr in zip(patterns, written, strict=True):
                if not pattern:
                    raise problem(
                        "NAS342", "'identity' stands everywhere; name what is replaced", expr.span
                    )
                known = free_variables(pattern, self.program)
                for name in sorted(free_variables(made, self.program) - known):
                    if name not in WORDS:
                        raise problem(
                            "NAS346",
                            f"the variable '{name}' stands only on one side of the rewrite"
                            f"{suggestion(name, known)}",
                            target.span,
                        )
        if len(after) != 1:
            raise problem("NAS342", "a rewrite has one right side", rule.after[1].span)
        return Rewrite(tuple((b, a) for b, a, _, _ in ways), self.program, OPERATIONS)

    def _label(self, expr: s.Expr) -> tuple[str | None, str]:
        choice: str | None = None
        if isinstance(expr, s.Member) and isinstance(expr.base, s.Ref):
            choice, label, span = expr.base.name, expr.name.text, expr.span
        elif isinstance(expr, s.Ref):
            label, span = expr.name, expr.span
        else:
            raise problem(
                "NAS342",
                "an edit replaces alternatives by their names, as conv3x3 -> skip",
                expr.span,
            )
        owners = self.labels.get(label, [])
        if choice is not None and choice not in owners:
            known = [n for n, cs in self.labels.items() if choice in cs]
            if choice not in self.choices and choice not in ("maybe", "optional"):
                raise problem(
                    "NAS341", f"'{choice}' is no choice{suggestion(choice, self.choices)}", span
                )
            raise problem(
                "NAS341", f"'{choice}' has no alternative '{label}'{suggestion(label, known)}", span
            )
        if not owners:
            raise problem(
                "NAS341",
                f"no alternative is called '{label}'{suggestion(label, self.labels)}",
                span,
            )
        if choice is None and len(owners) > 1:
            qualified = " or ".join(f"{o}.{label}" for o in owners)
            raise problem("NAS345", f"'{label}' is ambiguous; write {qualified}", span)
        return choice, label
