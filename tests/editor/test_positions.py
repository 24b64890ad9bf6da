"""Places as editors count them, against Python's own encoders and line ends written out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasdsl.editor.positions import Encoding, Positions

UNITS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
encodings = st.sampled_from(["utf-8", "utf-16", "utf-32"])
texts = st.text(st.sampled_from("ab é𝔘\n\r\t\u2028\x0b😀"), max_size=40)


def units(text: str, encoding: str) -> int:
    return (
        len(text.encode(f"{encoding}-le" if encoding != "utf-8" else encoding)) // UNITS[encoding]
    )


@given(texts, encodings)
def test_places_are_those_of_the_encoded_lines(text: str, encoding: Encoding) -> None:
    positions = Positions(text, encoding)
    for offset in range(len(text) + 1):
        before = text[:offset]
        if before.endswith("\r") and text[offset:].startswith("\n"):
            continue  # between the two characters of one line end
        lines = re.split(r"\r\n|\n|\r", before)
        assert positions.place(offset) == (len(lines) - 1, units(lines[-1], encoding))


@given(texts, encodings)
def test_offsets_and_places_are_inverse(text: str, encoding: Encoding) -> None:
    positions = Positions(text, encoding)
    for offset in range(len(text) + 1):
        if text[:offset].endswith("\r") and text[offset:].startswith("\n"):
            assert positions.offset(*positions.place(offset)) == offset - 1
        else:
            assert positions.offset(*positions.place(offset)) == offset


@pytest.mark.parametrize(
    ("place", "offset"), [((-1, 5), 0), ((0, -3), 0), ((0, 99), 2), ((1, 99), 5), ((7, 0), 5)]
)
def test_places_outside_are_clipped(place: tuple[int, int], offset: int) -> None:
    assert Positions("ab\ncd").offset(*place) == offset


def test_a_column_inside_an_astral_character_is_that_of_the_character() -> None:
    positions = Positions("a𝔘b")
    assert [positions.offset(0, c) for c in range(5)] == [0, 1, 1, 2, 3]
