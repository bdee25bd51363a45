"""How the 80-character cards of a FITS header become values; which keywords matter is decided elsewhere.

A Hubble header has 200 to 300 cards, of which the catalog wants thirty. These are found by searching the raw bytes,
which is ten times faster than building a general header object, and a million files are registered this way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

CARD = 80
Value = str | int | float | bool | None

_INTEGER = re.compile(r"[+-]?\d+")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_RECORD = re.compile(r"([A-Z0-9.]+): +(\S+)")


class Cards(Mapping[str, Value]):
    """One header as a mapping of keyword to value; values are parsed when they are asked for.

    Texts come without trailing blanks; a keyword that occurs twice has its first value. COMMENT, HISTORY and blank
    keywords are no values and are not found. `raw` is the header up to, and without, its END card.
    """

    __slots__ = ("_index", "raw")

    def __init__(self, raw: bytes):
        self.raw = raw
        self._index: dict[bytes, int] | None = None

    def __getitem__(self, keyword: str) -> Value:
        position = self._positions().get(keyword.ljust(8).encode())
        if position is None or not self._has_value(position):
            raise KeyError(keyword)
        text = parse_card(self._card(position))
        while isinstance(text, str) and text.endswith("&") and self._card(position + CARD).startswith("CONTINUE"):
            position += CARD
            text = text[:-1] + str(parse_card(self._card(position)) or "")
        return text

    def __iter__(self) -> Iterator[str]:
        return (key.decode("latin-1").rstrip() for key, at in self._positions().items() if self._has_value(at))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def find(self, keyword: str) -> Value:
        """The value of one keyword, None where it is absent, without indexing the whole header first."""
        key = keyword.ljust(8).encode()
        position = self.raw.find(key)
        while position >= 0 and position % CARD:
            position = self.raw.find(key, position + 1)
        if position < 0 or not self._has_value(position):
            return None
        return parse_card(self._card(position))

    def records(self, keyword: str) -> dict[str, float]:
        """The record values of one keyword: `DP1 = 'EXTVER: 2'` and its like give {"EXTVER": 2.0, ...}."""
        key = keyword.ljust(8).encode()
        found: dict[str, float] = {}
        for position in range(0, len(self.raw), CARD):
            if self.raw.startswith(key, position):
                match = _RECORD.fullmatch(str(parse_card(self._card(position))))
                if match is not None:
                    found[match[1]] = parse_number(match[2])
        return found

    def _positions(self) -> dict[bytes, int]:
        if self._index is None:
            raw = self.raw
            # Backwards, so that the first of two equal keywords stays.
            self._index = {raw[at : at + 8]: at for at in range(len(raw) - CARD, -1, -CARD)}
        return self._index

    def _has_value(self, position: int) -> bool:
        return self.raw[position + 8 : position + 10] == b"= "

    def _card(self, position: int) -> str:
        return self.raw[position : position + CARD].decode("latin-1")


def parse_card(card: str) -> Value:
    """The value of one card, by section 4.2 of the FITS standard 4.0; None for an undefined value.

    A value that is no text, logical or number (`NaN` is a number) is returned as the text that it is.
    """
    field = card[10:].lstrip()
    if field.startswith("'"):
        match = _STRING.match(field)
        return match[1].replace("''", "'").rstrip() if match else field[1:].rstrip()
    token = field.partition("/")[0].strip()
    if not token:
        return None
    if token in ("T", "F"):
        return token == "T"
    if _INTEGER.fullmatch(token):
        return int(token)
    try:
        return parse_number(token)
    except ValueError:
        return token


def parse_number(token: str) -> float:
    """A FITS floating-point text, whose exponent may be written with D."""
    return float(token.upper().replace("D", "E", 1))
