"""Sums that need parentheses: ``a + b >> c`` and ``a + b ++ c`` have two readings each."""

from __future__ import annotations

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.language import syntax as s

LONGEST = 400
"""A sum of more characters is told with letters in the place of its terms."""


def mixed_sum(terms: s.Terms) -> Diagnostic | None:
    """What is wrong with a sum whose operators do not say what it means, with both readings."""
    texts = [o.span.text.strip() for o in terms.operands]
    at = next((i for i, o in enumerate(terms.operands) if isinstance(o, s.Chain)), None)
    if at is not None and len(terms.span.text) > LONGEST:
        texts = ["a", "b"] if at == 0 else ["a", "b >> c"]
        at = min(at, 1)
    if at is not None:
        chain = texts[at]
        head, _, tail = chain.partition(">>") if at else chain.rpartition(">>")
        head, tail = head.strip(), tail.strip()
        sign = terms.operators[max(at - 1, 0)]
        if at:
            one = f"{texts[at - 1]} {sign} ({chain})"
            two = f"({texts[at - 1]} {sign} {head}) >> {tail}"
        else:
            one = f"({chain}) {sign} {texts[1]}"
            two = f"{head} >> ({tail} {sign} {texts[1]})"
        return _mixed(terms, f"'{sign}' and '>>'", one, two)
    if "++" in terms.operators and len(set(terms.operators)) > 1:
        a, b, third = (texts + texts)[:3]
        first, second = terms.operators[:2]
        one = f"({a} {first} {b}) {second} {third}"
        two = f"{a} {first} ({b} {second} {third})"
        return _mixed(terms, "'+' and '++'", one, two)
    return None


def _mixed(terms: s.Terms, what: str, *readings: str) -> Diagnostic:
    one, two = (" ".join(r.split()) for r in readings)
    return Diagnostic(
        "NAS010",
        f"{what} stand side by side without parentheses",
        terms.span,
        notes=(Note(f"one reading: {one}"), Note(f"the other: {two}")),
    )
