"""Fuzz the language: no text may crash the parser, the checker or the formatter, or stall them.

    python benchmarks/fuzz_language.py --seconds 60          random texts, nothing else needed
    python benchmarks/fuzz_language.py --runs 10000 --seed 7
    python benchmarks/fuzz_language.py --atheris -- -max_total_time=600   guided by coverage

Three sources of texts: derivations from the grammar file itself (they parse), mutations of
these and of the shipped files (most do not), and raw bytes. What is held of every text:

- ``analyze`` returns, and every place it tells lies in the text;
- ``format_text`` returns, or raises ``DiagnosticError``, exactly where ``parse`` finds a mistake;
- a formatted text formats to itself, and parses to the same tree;
- none takes longer than ``--limit`` seconds.

A failure prints the text and the seed that repeats it, and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from lark.grammar import Rule

from nasdsl.api import analyze
from nasdsl.diagnostics import DiagnosticError, Source, errors
from nasdsl.language.format import format_text
from nasdsl.language.grammar import build_parser
from nasdsl.language.parser import STATEMENTS, parse
from nasdsl.language.syntax import Syntax

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("a", "b", "c", "n", "x", "width", "Op", "Cell", "conv", "identity", "data", "step", "key")
INTEGERS = ("0", "1", "2", "3", "17")
NUMBERS = ("0.5", "1e-3", "60k", "1.5M", "2")
TEXTS = ('"a"', '""', '"{n[1].0}~0|"', '"\\"quoted\\" \\\\ é 𝔘 # no comment"')
GAPS = ("", " ", " ", " ", " ", "  ", "\t", "\n  ", "\n\n\n    ", "  # why\n  ", "\n  # own\n  ")
MARKS = frozenset("()[]{},")


# ---- texts from the grammar


@cache
def _grammar() -> tuple[dict[str, list[tuple[int, Rule]]], dict[str, str]]:
    """Rules by what they define, each with the depth it needs, and the texts of fixed terminals."""
    parser = build_parser(None)
    rules: dict[str, list[Rule]] = {}
    for rule in parser.rules:
        rules.setdefault(str(rule.origin.name), []).append(rule)
    fixed = {
        t.name: t.pattern.value.removesuffix("\\b")
        for t in parser.terminals
        if t.name not in ("NAME", "INTEGER", "NUMBER", "STRING", "COMMENT")
    }
    depth = dict.fromkeys(rules, 10**6)
    changed = True
    while changed:
        changed = False
        for name, alternatives in rules.items():
            best = min(_needs(r, depth) for r in alternatives)
            if best < depth[name]:
                depth[name], changed = best, True
    by_depth = {
        name: sorted([(_needs(r, depth), r) for r in alternatives], key=lambda r: r[0])
        for name, alternatives in rules.items()
    }
    return by_depth, fixed


@cache
def _fitting(name: str, left: int) -> list[Rule]:
    """The rules that need no more than a depth, or those that need least."""
    rules = _grammar()[0][name]
    limit = max(left, rules[0][0])
    return [rule for needs, rule in rules if needs <= limit]


def _needs(rule: Rule, depth: dict[str, int]) -> int:
    return 1 + max((depth.get(str(s.name), 0) for s in rule.expansion if not s.is_term), default=0)


def derive_tokens(rng: random.Random, start: str = "statement", depth: int = 18) -> list[str]:
    """The tokens of a random sentence; ``depth`` bounds how deep rules are nested."""
    rules, fixed = _grammar()
    tokens: list[str] = []
    stack: list[tuple[Any, int]] = [(rng.choice([r for _, r in rules[start]]), depth)]
    while stack:
        top, left = stack.pop()
        if isinstance(top, str):
            tokens.append(top)
            continue
        for symbol in reversed(top.expansion):
            name = str(symbol.name)
            if symbol.is_term:
                stack.append((_terminal(rng, name, fixed), left))
                continue
            stack.append((rng.choice(_fitting(name, left)), left - 1))
    return tokens


def _terminal(rng: random.Random, name: str, fixed: dict[str, str]) -> str:
    choices = {"NAME": NAMES, "INTEGER": INTEGERS, "NUMBER": NUMBERS, "STRING": TEXTS}
    return rng.choice(choices[name]) if name in choices else fixed[name]


def space_out(rng: random.Random, tokens: list[str], gaps: tuple[str, ...] = GAPS) -> str:
    """Tokens as a text, blanks, line ends and comments between them at random.

    Two tokens are put together only where that makes no other token, and a word that would
    begin a statement never begins a line outside brackets.
    """
    text = tokens[0]
    depth = 0
    for before, token in pairwise(tokens):
        depth += (before in "([{") - (before in ")]}")
        gap = rng.choice(gaps)
        if not gap and not (token in MARKS or before in MARKS):
            gap = " "
        if "\n" in gap and token in STATEMENTS and not depth:
            gap = " "
        text += gap + token
    return text


def derive_statement(rng: random.Random, depth: int = 18, gaps: tuple[str, ...] = GAPS) -> str:
    """A random statement that parses."""
    while True:
        tokens = derive_tokens(rng, depth=depth)
        if len(tokens) > 400:
            continue
        text = space_out(rng, tokens, gaps)
        if not parse(Source("<text>", text)).problems:
            return text


def derive_text(rng: random.Random, statements: int, gaps: tuple[str, ...] = GAPS) -> str:
    """Random statements one after another, with comments and empty lines between them."""
    text = rng.choice(("", "# head\n", "\n\n# head\n\n"))
    for _ in range(statements):
        end = rng.choice(("\n", "\n", "\n\n\n", "  # end\n", "\n  # tail\n", "\n# own\n\n"))
        text += derive_statement(rng, rng.randint(6, 22), gaps) + end
    return text


# ---- mutations


def mutate(rng: random.Random, text: str) -> str:
    """A text with a few random changes, of characters, words and lines."""
    for _ in range(rng.randint(1, 4)):
        pieces = re.findall(r"\w+|\s+|[^\w\s]", text) or [""]
        at = rng.randrange(len(pieces))
        kind = rng.randrange(7)
        if kind == 0:
            del pieces[at]
        elif kind == 1:
            pieces.insert(at, rng.choice(pieces))
        elif kind == 2:
            other = rng.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif kind == 3:
            pieces[at] = rng.choice((*_grammar()[1].values(), *NAMES, *NUMBERS, "10^12", "-1"))
        elif kind == 4:
            pieces.insert(at, rng.choice(("\0", "\r\n", "\t", "𝔘", "\ufeff", '"', "#", "é", ";")))
        elif kind == 5:
            pieces.insert(at, rng.choice("([{") * rng.choice((1, 3, 200)))
        else:
            pieces = pieces[:at]
        text = "".join(pieces)
    return text


@cache
def shipped() -> tuple[str, ...]:
    """The texts of the files that come with the project."""
    files = [*ROOT.glob("examples/*.nas"), *ROOT.glob("spaces/*.nas")]
    return tuple(f.read_text(encoding="utf-8") for f in sorted(files))


# ---- what must hold


def same(a: Any, b: Any) -> bool:
    """Two syntax trees are equal, places apart."""
    stack = [(a, b)]
    while stack:
        x, y = stack.pop()
        if type(x) is not type(y):
            return False
        if isinstance(x, Syntax):
            stack += [(getattr(x, n), getattr(y, n)) for n in x._fields if n != "span"]
        elif isinstance(x, tuple):
            if len(x) != len(y):
                return False
            stack += list(zip(x, y, strict=True))
        elif x != y:
            return False
    return True


def hold_format(text: str) -> None:
    """Formatting keeps the meaning, is done once, and fails only where parsing does."""
    tree = parse(Source("<text>", text))
    try:
        once = format_text(text)
    except DiagnosticError:
        assert errors(tree.problems), "format_text refused a text that parses"
        return
    assert not errors(tree.problems), "format_text took a text that does not parse"
    again = parse(Source("<text>", once))
    assert not again.problems, "the formatted text does not parse"
    assert same(tree.statements, again.statements), "formatting changed the tree"
    assert format_text(once) == once, "formatting again changed the text"


def hold_analysis(text: str) -> None:
    """Analysis tells mistakes with places in the text, and never raises."""
    source = Source("<text>", text)
    for found in analyze(source).diagnostics:
        for span in (found.span, *(n.span for n in found.notes)):
            if span is not None and span.source is source:
                assert 0 <= span.start <= span.end <= len(text), f"{found.code}: no such place"


def hold(text: str) -> None:
    """Everything that must hold of any text."""
    hold_format(text)
    hold_analysis(text)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeoutError inside when the time is up (main thread of a POSIX system)."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def random_text(rng: random.Random) -> str:
    """A text from any of the sources."""
    kind = rng.randrange(10)
    if kind < 3:
        return derive_text(rng, rng.randint(1, 4))
    if kind < 5:
        return mutate(rng, derive_text(rng, rng.randint(1, 4)))
    if kind < 9:
        return mutate(rng, rng.choice(shipped()))
    return rng.randbytes(rng.randint(0, 200)).decode("utf-8", "replace")


def run(seconds: float | None, runs: int | None, seed: int, limit: float) -> int:
    """Random texts until the time or the number is used up; the number of failures."""
    began, count, failures = time.monotonic(), 0, 0
    while (seconds is None or time.monotonic() - began < seconds) and count != runs:
        text = random_text(random.Random(seed + count))
        try:
            with limited(limit):
                hold(text)
        except Exception:  # whatever is raised is what a fuzzer looks for
            failures += 1
            print(f"---- seed {seed + count}\n{text}\n----\n{traceback.format_exc()}", flush=True)
        count += 1
    print(f"{count:,} texts in {time.monotonic() - began:.0f} s, {failures} failures")
    return failures


def run_atheris(arguments: list[str], limit: float) -> None:
    """The same, the texts guided by coverage; needs the package atheris."""
    import atheris

    def one(data: bytes) -> None:
        with limited(limit):
            hold(data.decode("utf-8", "replace"))

    instrument: Callable[[], None] = atheris.instrument_all
    instrument()
    with tempfile.TemporaryDirectory() as corpus:
        texts = [*shipped(), *(derive_text(random.Random(n), 2) for n in range(200))]
        for number, text in enumerate(texts):
            (Path(corpus) / str(number)).write_text(text, encoding="utf-8")
        atheris.Setup([sys.argv[0], *arguments, corpus], one)
        atheris.Fuzz()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="how long (default: 60 if no --runs)")
    parser.add_argument("--runs", type=int, help="how many texts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds allowed for one text")
    parser.add_argument("--atheris", action="store_true", help="texts guided by coverage")
    parser.add_argument("rest", nargs="*", help="arguments of atheris, after --")
    options = parser.parse_args()
    if options.atheris:
        run_atheris(options.rest, options.limit)
        return 0
    seconds = options.seconds if options.seconds or options.runs else 60.0
    return 1 if run(seconds, options.runs, options.seed, options.limit) else 0


if __name__ == "__main__":
    sys.exit(main())
