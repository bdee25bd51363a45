"""How the 80-character cards of a FITS header become values; the callers decide which keywords matter.

A Hubble header has 200 to 300 cards, of which the catalog needs thirty. These are found by searching the raw bytes,
which is ten times faster than building a general header object, and a million files are registered this way.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping

from mvmdb.errors import ExposureError

CARD = 80
Value = str | int | float | bool | None

# A text, an integer, or whatever else precedes a comment: one match per card, as a million files have 150 each.
_VALUE = re.compile(r"\s*(?:'([^']*(?:''[^']*)*)'|([+-]?\d+)\s*(?:/|\Z)|([^/]*))", re.ASCII)
_WHOLE_TEXT = re.compile(r" *'(?:[^']|'')*' *(?:/.*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_KEYWORD = struct.Struct(f"8s{CARD - 8}x")
_TEXT = bytes(byte if 0x20 <= byte <= 0x7E else ord("?" if byte else " ") for byte in range(256))
_PRINTABLE = _TEXT.decode("latin-1")
_SIGNED = struct.Struct(f"8s2s{CARD - 10}x")
_RECORD = re.compile(r"([A-Z0-9.]+): +(\S+)")


class Cards(Mapping[str, Value]):
    """One header as a mapping of keyword to value; values are parsed on demand.

    Texts come without trailing blanks, with NUL as a blank and whatever else is not printable ASCII, which section 4.1
    of the FITS standard allows alone, as `?`; a keyword that occurs twice has its first value. COMMENT, HISTORY and
    blank keywords have no value and are not found. `raw` is the header up to, but without, its END card, and `path` the
    file that it is of. To ask for a value that is neither a text, logical nor number raises ExposureError
    `contradictory`: another reader would see another value, or none.
    """

    __slots__ = ("_index", "_last", "_values", "path", "raw")

    def __init__(self, raw: bytes, path: str = ""):
        self.raw = raw
        self.path = path
        self._index: dict[bytes, int] | None = None
        self._last: dict[bytes, int] = {}
        self._values: dict[str, Value] = {}

    def __getitem__(self, keyword: str) -> Value:
        if keyword not in self:
            raise KeyError(keyword)
        return self.get(keyword)

    def __contains__(self, keyword: object) -> bool:
        position = self._positions().get(str(keyword).ljust(8).encode())
        return position is not None and self._has_value(position)

    def get(self, keyword: str, default: Value = None) -> Value:  # type: ignore[override]  # defaults are values too
        """The value of a keyword; `default` where it is absent, None where its value is undefined.

        Raises ExposureError `contradictory` for a keyword without `=`, and for a value that is none of FITS.
        """
        if keyword in self._values:
            return self._values[keyword]
        position = self._positions().get(keyword.ljust(8).encode())
        if position is None:
            return default
        card = self._card(position)
        if card[8:10] != "= ":
            raise self._malformed(card)
        value = self._parse(card)
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

    def lacks(self, keyword: str) -> bool:
        """Whether there is no such keyword, with a value or without."""
        return keyword.ljust(8).encode() not in self._positions()

    def find(self, keyword: str) -> Value:
        """The value of one keyword, None where it is absent or has none."""
        position = self._positions().get(keyword.ljust(8).encode())
        if position is None or not self._has_value(position):
            return None
        return self._parse(self._card(position))

    @property
    def printable(self) -> bytes:
        """As `raw`, with printable characters only."""
        return self.raw.translate(_TEXT)

    def starting(self, *prefixes: str) -> list[str]:
        """The keywords that begin with one of these texts, whether they have a value or not."""
        starts = tuple(prefix.encode() for prefix in prefixes)
        return [key.decode("latin-1").rstrip() for key in self._positions() if key.startswith(starts)]

    def doubtful(self) -> frozenset[str]:
        """The keywords that have no value indicator, COMMENT too, or stand there twice with different cards."""
        twice = {key for key, _ in self._positions().items() ^ self._last_positions().items()}
        bare = {key for key, sign in _SIGNED.iter_unpack(self.raw) if sign != b"= "}
        return frozenset(key.decode("latin-1").rstrip() for key in twice | bare if self._is_doubtful(key))

    def is_repeated(self, keyword: str) -> bool:
        """Whether a keyword stands there twice with different cards."""
        key = keyword.ljust(8).encode()
        first, last = self._positions().get(key), self._last_positions().get(key)
        return first is not None and first != last and self._is_doubtful(key)

    def _is_doubtful(self, key: bytes) -> bool:
        first, last = self._positions()[key], self._last_positions()[key]
        return not self._has_value(first) or (first != last and self._card(first) != self._card(last))

    def records(self, keyword: str) -> dict[str, float]:
        """The record values of one keyword: `DP1 = 'EXTVER: 2'` and the like give {"EXTVER": 2.0, ...}.

        Raises ExposureError `contradictory` for one that is no number.
        """
        key = keyword.ljust(8).encode()
        fields: dict[str, float] = {}
        position = self.raw.find(key)
        while position >= 0:
            if position % CARD == 0:
                card = self._card(position)
                if not self._has_value(position):
                    raise self._malformed(card)
                match = _RECORD.fullmatch(str(self._parse(card)))
                if match is None:
                    raise self._malformed(card)
                try:
                    fields[match[1]] = parse_number(match[2])
                except ValueError as error:
                    raise self._malformed(card) from error
            position = self.raw.find(key, position + 1)
        return fields

    def _continue(self, text: str, position: int) -> str:
        """The text of the card at `position`, joined with those of the cards that continue it."""
        texts = [text]
        while texts[-1].endswith("&") and self._card(position + CARD).startswith("CONTINUE"):
            position += CARD
            texts[-1] = texts[-1][:-1]
            texts.append(str(parse_card(self._card(position)) or "").translate(_PRINTABLE))
        if len(texts) > 1 and texts[-1].endswith("&"):
            texts[-1] = texts[-1][:-1]
        return "".join(texts)

    def _parse(self, card: str) -> Value:
        value = parse_card(card)
        if isinstance(value, str) and not (_WHOLE_TEXT.fullmatch(card, 10) or value.startswith("(")):
            raise self._malformed(card)
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            return value.translate(_PRINTABLE).rstrip(" ")
        return value

    def _malformed(self, card: str) -> ExposureError:
        return ExposureError(
            "contradictory",
            f"{self.path}: found the card {card.rstrip()!r}; expected a value of FITS; fetch the file again",
        )

    def _positions(self) -> dict[bytes, int]:
        if self._index is None:
            keywords = [keyword for (keyword,) in _KEYWORD.iter_unpack(self.raw)]
            self._last = dict(zip(keywords, range(0, len(self.raw), CARD), strict=True))
            keywords.reverse()  # so that the first of two equal keywords wins
            self._index = dict(zip(keywords, range(len(self.raw) - CARD, -1, -CARD), strict=True))
        return self._index

    def _last_positions(self) -> dict[bytes, int]:
        self._positions()
        return self._last

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
        return str(quoted).replace("''", "'").rstrip(" ")
    if integer is not None:
        return int(integer)
    token = token.strip(" ")
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
    if not _NUMBER.fullmatch(token):  # float takes 1_0 for 10
        raise ValueError(f"{token!r} is no number")
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
