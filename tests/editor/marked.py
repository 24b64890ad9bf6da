"""Texts in which ``‸`` marks the cursor."""

from __future__ import annotations

from pathlib import Path

from nasdsl.editor.document import Document

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted([*ROOT.glob("spaces/*.nas"), *ROOT.glob("examples/*.nas")])
TINY = (ROOT / "spaces" / "digits_tiny.nas").read_text(encoding="utf-8")


def marked(text: str) -> tuple[Document, int]:
    """The text without its mark, and where the mark stood."""
    offset = text.index("‸")
    return Document("<text>", text.replace("‸", "", 1)), offset
