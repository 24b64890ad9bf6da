"""Write the tables of operations and of settings from the tables of the code.

python docs/reference/generate.py           writes operations.md and settings.md
python docs/reference/generate.py --check   tells whether they are current
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nasdsl.language.settings import REQUIRED as SETTING_REQUIRED
from nasdsl.language.settings import Item, Option
from nasdsl.objectives.metrics import METRICS
from nasdsl.objectives.report_settings import REPORT_ITEMS
from nasdsl.operations import (
    activation,
    attention,
    basic,
    combine,
    convolution,
    dense,
    mobile,
    normalization,
    pooling,
    shape,
)
from nasdsl.operations.operation import REQUIRED, Operation, Parameter
from nasdsl.search.table import COMMON, SEARCHERS
from nasdsl.training.settings import DATA_ITEMS, TRAIN_ITEMS

FOLDER = Path(__file__).parent
FAMILIES = {
    "Basic": basic.BASIC,
    "Convolution": convolution.CONVOLUTION,
    "Normalization": normalization.NORMALIZATION,
    "Activation": activation.ACTIVATION,
    "Pooling": pooling.POOLING,
    "Dense": dense.DENSE,
    "Attention": attention.ATTENTION,
    "Mobile": mobile.MOBILE,
    "Shape": shape.SHAPE,
    "Combining": combine.COMBINE,
}
HEAD = "<!-- Written by docs/reference/generate.py. -->\n"


def value(given: Any) -> str:
    """A default as it would be written."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, tuple):
        return "{" + ", ".join(map(value, given)) + "}"
    return f"{given:g}" if isinstance(given, float) else str(given)


def cell(text: str) -> str:
    """Text that does not end a column."""
    return text.replace("|", "\\|").replace("\n", " ")


def bounds(option: Parameter | Option) -> str:
    """Words, or the least and greatest number."""
    if option.values:
        return ", ".join(option.values)
    least = option.minimum
    most = getattr(option, "maximum", None)
    if least is not None and most is not None:
        return f"{value(least)} to {value(most)}"
    if least is not None:
        return f"at least {value(least)}"
    return f"at most {value(most)}" if most is not None else ""


def described(option: Parameter | Option) -> str:
    """One parameter: name, default, kind, bounds, meaning."""
    required = option.default is REQUIRED or option.default is SETTING_REQUIRED
    written = option.name
    if not required and option.default is not None:
        written += f"={value(option.default)}"
    facts = [option.kind, *([bounds(option)] if bounds(option) else [])]
    if required:
        facts.append("required")
    meaning = f": {option.doc}" if option.doc else ""
    return cell(f"`{written}` ({'; '.join(facts)}){meaning}")


def inputs(operation: Operation) -> str:
    """How many inputs it takes."""
    least, most = operation.arity
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"


def operations() -> Iterator[str]:
    """The page of operations."""
    yield HEAD
    yield "# Operations\n"
    yield (
        "Settings are given in this order, or by name. A setting without a default that is not "
        "required follows from the others. A plug-in adds operations.\n"
    )
    for family, members in FAMILIES.items():
        yield f"## {family}\n"
        yield "| operation | inputs | settings | what it does |"
        yield "| --- | --- | --- | --- |"
        for operation in members:
            listed = "<br>".join(map(described, operation.parameters)) or "none"
            yield f"| `{operation.name}` | {inputs(operation)} | {listed} | {cell(operation.doc)} |"
        yield ""


def items(found: Iterable[Item]) -> Iterator[str]:
    """A table of entries."""
    yield "| entry | values | meaning |"
    yield "| --- | --- | --- |"
    for item in found:
        listed = "<br>".join(map(described, item.options)) or "none"
        group = f" (one of the group '{item.group}')" if item.group else ""
        yield f"| `{item.name}` | {listed} | {cell(item.doc)}{group} |"
    yield ""


def settings() -> Iterator[str]:
    """The page of settings."""
    yield HEAD
    yield "# Settings\n"
    yield "What the blocks of a text take. Values are given in this order, or by name.\n"
    yield "## data\n"
    yield from items(DATA_ITEMS.values())
    yield "## train\n"
    yield from items(TRAIN_ITEMS.values())
    yield "## search\n"
    yield "Every searcher also takes:\n"
    for option in COMMON:
        yield f"- {described(option)}"
    yield ""
    yield from items(kind.item for kind in SEARCHERS.values())
    yield "## objective and best\n"
    yield "| metric | unit | better | price | values | meaning |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for metric in METRICS.values():
        listed = "<br>".join(map(described, metric.options)) or "none"
        yield (
            f"| `{metric.name}` | {metric.unit} | {metric.direction} | {metric.cost} | {listed} "
            f"| {cell(metric.definition)} |"
        )
    yield ""
    yield "## report\n"
    yield from items(REPORT_ITEMS.values())


def main(arguments: list[str]) -> int:
    """Write or compare; 1 if a page is not current."""
    stale = []
    for name, lines in (("operations.md", operations()), ("settings.md", settings())):
        text = "\n".join(lines).rstrip() + "\n"
        path = FOLDER / name
        if arguments == ["--check"]:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}; run python docs/reference/generate.py")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
