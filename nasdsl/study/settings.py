"""What ``report { ... }`` may say. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nasdsl.diagnostics import Diagnostic
from nasdsl.language.settings import Entry, Item, read, table

REPORT_ITEMS: dict[str, Item] = table(
    Item("retrain", (), "train the best network on training and validation samples together"),
)


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What is done with the best network.

    Attributes:
        retrain: it is trained on the training and validation samples together before it is
            measured on the test samples; else on the training samples, as in the search.
    """

    retrain: bool = False


def read_report(entries: Iterable[Entry]) -> tuple[ReportSettings, list[Diagnostic]]:
    """The settings of a ``report`` block, defaults filled in, and what is wrong with it."""
    found, problems = read(entries, REPORT_ITEMS, "report")
    return ReportSettings(retrain="retrain" in found), problems
