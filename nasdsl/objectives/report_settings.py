"""What ``report { ... }`` may say. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nasdsl.diagnostics import Diagnostic
from nasdsl.language.settings import Entry, Item, Option, read, table
from nasdsl.objectives.profile import ITEMS, ProfileSettings

FRONT = 5

REPORT_ITEMS: dict[str, Item] = {
    **table(
        Item("retrain", (), "train the best network on training and validation samples together"),
    ),
    **ITEMS,
    **table(
        Item(
            "front",
            (Option("most", "int", FRONT, minimum=1, doc="networks beside the best"),),
            "the same of networks of the Pareto front, each trained once more",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What is done with the networks that a search ends with.

    Attributes:
        retrain: they are trained on the training and validation samples together before they are
            measured on the test samples; else on the training samples, as in the search.
        profile: what they are looked at for beyond the test samples as they are.
        front: how many networks of the front are looked at so, beside the best.
    """

    retrain: bool = False
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    front: int = 0


def read_report(entries: Iterable[Entry]) -> tuple[ReportSettings, list[Diagnostic]]:
    """The settings of a ``report`` block, defaults filled in, and what is wrong with it."""
    entries = list(entries)
    found, problems = read(entries, REPORT_ITEMS, "report")
    profile = ProfileSettings({name: found[name] for name in ITEMS if name in found})
    if "front" in found and not profile:
        entry = next(e for e in entries if e.name == "front")
        problems.append(
            Diagnostic(
                "NAS712",
                f"'front' says whose robustness is reported; add one of {', '.join(ITEMS)}",
                entry.span,
            )
        )
    most = found["front"].get("most", FRONT) if "front" in found else 0
    return ReportSettings("retrain" in found, profile, most), problems
