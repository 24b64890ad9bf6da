"""Texts in which ``‸`` marks the cursor."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from nasdsl.editor.document import Document
from nasdsl.editor.worker import Report, reports

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*ROOT.glob("spaces/*.nas"), *ROOT.glob("examples/*.nas")])
TINY = (ROOT / "spaces" / "digits_tiny.nas").read_text(encoding="utf-8")


def marked(text: str) -> tuple[Document, int]:
    """The text without its mark, and where the mark stood."""
    offset = text.index("‸")
    return Document("<text>", text.replace("‸", "", 1)), offset


@cache
def reported(text: str) -> tuple[Report, ...]:
    """What the checker reports of a text, worked out once."""
    return tuple(reports(text, "<text>", "utf-16"))
