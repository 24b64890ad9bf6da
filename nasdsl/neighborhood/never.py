"""What a text says that can never happen, or that always does: warnings with their places."""

from __future__ import annotations

from nasdsl.diagnostics import Diagnostic, DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.neighborhood.neighborhood import Neighborhood
from nasdsl.neighborhood.reading import EditRule
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.rules import Change, Exchange, Flip, Relabel, Resize, Step
from nasdsl.neighborhood.sites import Site
from nasdsl.space.bounds import cost_bounds
from nasdsl.space.feasible import simple_tests
from nasdsl.space.residual import Branch, Emit, steps
from nasdsl.space.space import Space
from nasdsl.space.values import EvaluationError

SMALL = 300
"""Spaces of up to so many architectures are run through for conditions of any kind."""


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
    if not requires:
        return []
    found = []
    tests = simple_tests(space)
    if tests is not None and len(tests) == len(requires):
        bounds = cost_bounds(space)
        for require, test in zip(requires, tests, strict=True):
            bound = bounds[test.which]
            if (test.high is not None and bound.low > test.high and bound.exact) or (
                test.low is not None and bound.high < test.low
            ):
                least = f"the least is {bound.low:,}, the greatest {bound.high:,}"
                found.append(
                    _warning("NAS513", f"no architecture meets this condition: {least}", require)
                )
            elif (test.high is None or bound.high <= test.high) and (
                test.low is None or (bound.low >= test.low and bound.exact)
            ):
                found.append(_warning("NAS514", "every architecture meets this condition", require))
        return found
    if space.size > SMALL:
        return []
    try:
        for require in requires:
            met = sum(1 for a in space if space.constraints.test(require.condition, a))
            if met == 0:
                found.append(_warning("NAS513", "no architecture meets this condition", require))
            elif met == space.size:
                found.append(_warning("NAS514", "every architecture meets this condition", require))
    except (DiagnosticError, EvaluationError):
        return []
    return found
