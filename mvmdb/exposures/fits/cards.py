"""How the 80-character cards of a FITS header become values; the callers decide which keywords matter.

A Hubble header has 200 to 300 cards, of which the catalog needs thirty. These are found by searching the raw bytes,
which is ten times faster than building a general header object, and a million files are registered this way.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping

CARD = 80
Value = str | int | float | bool | None

# A text, an integer, or whatever else precedes a comment: one match per card, as a million files have 150 each.
_VALUE = re.compile(r"\s*(?:'([^']*(?:''[^']*)*)'|([+-]?\d+)\s*(?:/|\Z)|([^/]*))")
_KEYWORD = struct.Struct(f"8s{CARD - 8}x")
_RECORD = re.compile(r"([A-Z0-9.]+): +(\S+)")


class Cards(Mapping[str, Value]):
    """One header as a mapping of keyword to value; values are parsed on demand.

    Texts come without trailing blanks; a keyword that occurs twice has its first value. COMMENT, HISTORY and blank
    keywords have no value and are not found. `raw` is the header up to, but without, its END card.
    """

    __slots__ = ("_index", "_values", "raw")

    def __init__(self, raw: bytes):
        self.raw = raw
        self._index: dict[bytes, int] | None = None
        self._values: dict[str, Value] = {}

    def __getitem__(self, keyword: str) -> Value:
        if keyword not in self:
            raise KeyError(keyword)
        return self.get(keyword)

    def __contains__(self, keyword: object) -> bool:
        position = self._positions().get(str(keyword).ljust(8).encode())
        return position is not None and self._has_value(position)

    def get(self, keyword: str, default: Value = None) -> Value:  # type: ignore[override]  # defaults are values too
        """The value of a keyword; `default` where it is absent, None where its value is undefined."""
        if keyword in self._values:
            return self._values[keyword]
        position = self._positions().get(keyword.ljust(8).encode())
        if position is None:
            return default
        card = self._card(position)
        if card[8:10] != "= ":
            return default
        value = parse_card(card)
        if isinstance(value, str) and value.endswith("&"):
            value = self._continue(value, position)
        self._values[keyword] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return (
            key.decode("latin-1").rstrip() for key, position in self._positions().items() if self._has_value(position)
        )

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

    def starting(self, *prefixes: str) -> list[str]:
        """The keywords that begin with one of these texts, whether they have a value or not."""
        starts = tuple(prefix.encode() for prefix in prefixes)
        return [key.decode("latin-1").rstrip() for key in self._positions() if key.startswith(starts)]

    def records(self, keyword: str) -> dict[str, float]:
        """The record values of one keyword: `DP1 = 'EXTVER: 2'` and the like give {"EXTVER": 2.0, ...}."""
        key = keyword.ljust(8).encode()
        fields: dict[str, float] = {}
        position = self.raw.find(key)
        while position >= 0:
            if position % CARD == 0:
                match = _RECORD.fullmatch(str(parse_card(self._card(position))))
                if match is not None:
                    fields[match[1]] = parse_number(match[2])
            position = self.raw.find(key, position + 1)
        return fields

    def _continue(self, text: str, position: int) -> str:
        """The text of the card at `position`, joined with those of the cards that continue it."""
        while text.endswith("&") and self._card(position + CARD).startswith("CONTINUE"):
            position += CARD
            text = text[:-1] + str(parse_card(self._card(position)) or "")
        return text

    def _positions(self) -> dict[bytes, int]:
        if self._index is None:
            keywords = [keyword for (keyword,) in _KEYWORD.iter_unpack(self.raw)]
            # Backwards, so that the first of two equal keywords wins.
            self._index = dict(zip(reversed(keywords), range(len(self.raw) - CARD, -1, -CARD), strict=True))
        return self._index

    def _has_value(self, position: int) -> bool:
        return self.raw[position + 8 : position + 10] == b"= "

    def _card(self, position: int) -> str:
        return self.raw[position : position + CARD].decode("latin-1")


def parse_card(card: str) -> Value:
    """The value of one card, by section 4.2 of the FITS standard 4.0; None for an undefined value.

    A value that is not a text, logical or number (`NaN` is a number) is returned as it is written.
    """
    match = _VALUE.match(card, 10)
    if match is None:  # never, as the last alternative may be empty
        return None
    quoted, integer, token = match.groups()
    if quoted is not None:
        return str(quoted).replace("''", "'").rstrip()
    if integer is not None:
        return int(integer)
    token = token.strip()
    if not token:
        return None
    if token[0] == "'":  # unclosed
        return card[10:].lstrip()[1:].rstrip()
    if token in ("T", "F"):
        return bool(token == "T")
    try:
        return parse_number(token)
    except ValueError:
        return str(token)


def parse_number(token: str) -> float:
    """The value of a FITS floating-point text, whose exponent may be written with D."""
    try:
        return float(token)
    except ValueError:
        return float(token.upper().replace("D", "E", 1))


def to_number(value: Value) -> float | None:
    """A value as a finite number, also where a header has it as text (`'57645.5'`); None where it is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = parse_number(value.strip()) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
