"""Places as an editor counts them: lines from 0, columns in code units of an encoding."""

from __future__ import annotations

import bisect
import re
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\n|\r")


class Positions:
    """Offsets into a text (in characters) to places of the Language Server Protocol and back.

    The protocol ends lines at ``\\n``, ``\\r\\n`` and ``\\r``, and counts columns in UTF-16 code
    units unless client and server agree on another encoding.
    """

    def __init__(self, text: str, encoding: Encoding = "utf-16"):
        self.text = text
        self.encoding: Encoding = encoding
        ends = list(_LINE_END.finditer(text))
        self._starts = [0, *(m.end() for m in ends)]
        self._ends = [*(m.start() for m in ends), len(text)]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, clipped to the text."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect.bisect_right(self._starts, offset) - 1
        # An offset between \r and \n belongs to the end of the line.
        within = self.text[self._starts[line] : min(offset, self._ends[line])]
        return line, self._units(within)

    def offset(self, line: int, column: int) -> int:
        """The offset of a place; one beyond a line or the text is clipped to its end.

        A column inside a character that takes two units is that of the character.
        """
        if line < 0:
            return 0
        if line >= len(self._starts):
            return len(self.text)
        start, end = self._starts[line], self._ends[line]
        if self.encoding == "utf-32" or self.text[start:end].isascii():
            return min(start + max(column, 0), end)
        left = column
        for at in range(start, end):
            left -= self._units(self.text[at])
            if left < 0:
                return at
        return end

    def _units(self, text: str) -> int:
        if self.encoding == "utf-32" or text.isascii():
            return len(text)
        if self.encoding == "utf-16":
            return len(text) + sum(c > "\uffff" for c in text)
        return len(text.encode("utf-8", "surrogatepass"))
