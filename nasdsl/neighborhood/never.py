"""What a text says that can never happen, or that always does: warnings with their places."""

from __future__ import annotations

from collections.abc import Sequence

from nasdsl.diagnostics import Diagnostic, DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.neighborhood.neighborhood import Neighborhood
from nasdsl.neighborhood.reading import EditRule
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.rules import Change, Exchange, Flip, Relabel, Resize, Step
from nasdsl.neighborhood.sites import Site
from nasdsl.space.bounds import term_bounds
from nasdsl.space.combined import combined
from nasdsl.space.quantities import Window, together
from nasdsl.space.residual import Branch, Emit, steps
from nasdsl.space.sampling import excluded, unreachable
from nasdsl.space.shortfall import Conditions, Shortfall
from nasdsl.space.space import Space
from nasdsl.space.values import EvaluationError

SMALL = 300
"""Spaces of up to so many architectures, or cases, are run through for conditions of any kind."""


def never(space: Space) -> list[Diagnostic]:
    """Alternatives that are never reached, edits that never fit, idle conditions."""
    found: list[Diagnostic] = []
    everything = steps(space.step)
    branches = [step for step in everything if isinstance(step, Branch)]
    ops = {step.op for step in everything if isinstance(step, Emit)}
    found += _alternatives(space, branches)
    found += _edits(space, branches, ops)
    found += _conditions(space)
    return found


def _warning(code: str, message: str, place: s.Syntax) -> Diagnostic:
    return Diagnostic(code, message, place.span, "warning")


def _alternatives(space: Space, branches: list[Branch]) -> list[Diagnostic]:
    reached: dict[str, set[str]] = {}
    for branch in branches:
        if branch.kind in ("choice", "label"):
            name = branch.of.rpartition(" in ")[2]
            reached.setdefault(name, set()).update(branch.options)
    found = []
    for name, template in space.program.templates.items():
        if not isinstance(template, s.Choice) or name not in reached:
            continue
        for alternative in template.alternatives:
            if alternative.name.text not in reached[name]:
                found.append(
                    _warning(
                        "NAS511",
                        f"the alternative '{alternative.name}' of '{name}' is never reached",
                        alternative.guard or alternative.name,
                    )
                )
    return found


def _edits(space: Space, branches: list[Branch], ops: set[str]) -> list[Diagnostic]:
    declared = space.program.neighborhood
    if declared is None:
        return []
    rules = {rule.name: rule for rule in Neighborhood(space).rules}
    return [
        _warning("NAS512", f"the edit '{edit.name}' can never be made", edit.name)
        for edit in declared.edits
        if edit.name.text in rules and not _possible(rules[edit.name.text], branches, ops)
    ]


def _possible(edit: EditRule, branches: list[Branch], ops: set[str]) -> bool:
    # Only the first rule meets the space as it is declared; later ones meet what it made.
    rule = edit.rules[0]
    if isinstance(rule, Rewrite):
        return any(
            all(part.op in ops for part in pattern) for before, _ in rule.ways for pattern in before
        )
    if isinstance(rule, Resize):
        return True
    for branch in branches:
        values = tuple(branch.options)
        for value in values:
            # A step does not know its path; that a rule names a place is no reason to warn.
            within = getattr(rule, "within", "")
            name = branch.name or branch.of
            name = f"{within}.{name}" if within else name
            site = Site(name, branch.of, branch.kind, value, values)
            if isinstance(rule, Exchange):
                if branch.kind == "pick" and len(values) > 1:
                    return True
                continue
            assert isinstance(rule, Change | Relabel | Step | Flip)
            if next(iter(rule.apply({site.name: value}, [site])), None) is not None:
                return True
    return False


def _conditions(space: Space) -> list[Diagnostic]:
    requires = space.program.requires
    found = []
    for require, read in zip(requires, space.windows, strict=True):
        windows = together(list(read or ()))
        told = [clause for window in windows for clause in unreachable(space, window)]
        if told:
            found.append(_warning("NAS513", f"no architecture is feasible: {told[0]}", require))
        elif windows and all(_certain(space, window) for window in windows):
            found.append(_warning("NAS514", "every architecture meets this condition", require))
        elif not windows or any(term_bounds(space, w.terms) is None for w in windows):
            found += _cases(space, [require])
    if len(requires) > 1 and not any(d.code == "NAS513" for d in found):
        told = excluded(space)
        if told:
            message = f"no architecture is feasible: {told[0]}"
            found.append(_warning("NAS513", message, requires[-1]))
        else:
            found += _cases(space, requires)
    return found


def _certain(space: Space, window: Window) -> bool:
    """Whether every architecture is within a window."""
    bounds = term_bounds(space, window.terms)
    return bounds is not None and window.holds(bounds.low) and window.holds(bounds.high)


def _cases(space: Space, requires: Sequence[s.Require]) -> list[Diagnostic]:
    """What few cases, or running through a small space, show of conditions, one or all."""
    conditions = Conditions(space, requires)
    seen = Shortfall(conditions.texts)
    try:
        cases = combined(space, requires, SMALL)
        if cases is not None:
            met = [seen.see(gaps) for gaps, _ in cases]
        elif space.size <= SMALL:
            met = [seen.see(conditions.gaps(a)) for a in space]
        else:
            return []
    except (DiagnosticError, EvaluationError):
        return []
    if not any(met):
        message = f"no architecture is feasible: {seen.told()[0]}"
        return [_warning("NAS513", message, requires[-1])]
    if all(met) and len(requires) == 1:
        return [_warning("NAS514", "every architecture meets this condition", requires[0])]
    return []
