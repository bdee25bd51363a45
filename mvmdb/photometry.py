"""The photometry of an exposure as one text, and the scale that brings a layer's members to one flux.

PHOTFLAM is the inverse sensitivity: erg/s/cm2/Angstrom of a source that gives one electron/s (WFC3 Data Handbook 9.1).
So a source of one flux gives electrons in inverse proportion to it, and pixels times
`PHOTFLAM of the chip / PHOTFLAM of the reference` are those that the reference would have had.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

PHOTFLAM = "PHOTFLAM"
KEYWORDS = (PHOTFLAM, "PHOTMODE", "PHOTPLAM", "PHOTZPT")
"""What a product's calibration takes from its members. PHOTFLAM is per electron, whatever the unit of a file."""

Value: TypeAlias = str | float | None

SAME = 1e-9
"""Factors that differ by less are equal: PHOTFLAM of all members times one number leaves rounding errors."""

_REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Photometry:
    """What the headers of an exposure say: the `values` of each keyword, one per chip.

    `reference` is the place of the chip whose sensitivity stands for the exposure.
    """

    values: Mapping[str, tuple[Value, ...]]
    reference: int

    @property
    def sensitivities(self) -> tuple[float, ...] | None:
        """PHOTFLAM of each chip; None where a chip has none above 0, so that the exposure cannot be scaled."""
        numbers = tuple(value for value in self.values[PHOTFLAM] if isinstance(value, float) and value > 0)
        return numbers if numbers and len(numbers) == len(self.values[PHOTFLAM]) else None

    @property
    def photflam(self) -> float | None:
        """PHOTFLAM of the reference chip; None where the exposure cannot be scaled."""
        return None if self.sensitivities is None else self.sensitivities[self.reference]

    @property
    def photmode(self) -> str | None:
        """PHOTMODE of the reference chip."""
        value = self.values["PHOTMODE"][self.reference]
        return None if value is None else str(value)

    def scales(self, photflam: float | None) -> tuple[float, ...]:
        """The factor of each chip's electrons that brings them to a PHOTFLAM; 1 where it or the chips' is not known."""
        if photflam is None or self.sensitivities is None:
            return (1.0,) * len(self.values[PHOTFLAM])
        return tuple(sensitivity / photflam for sensitivity in self.sensitivities)


def format_photometry(chips: Sequence[Mapping[str, Value]], reference: int) -> str:
    """The photometry of an exposure as text, from the values of KEYWORDS that each chip has."""
    values: dict[str, object] = {keyword: [chip.get(keyword) for chip in chips] for keyword in KEYWORDS}
    return json.dumps(values | {_REFERENCE: reference})


@lru_cache(maxsize=10_000)
def parse_photometry(text: str) -> Photometry | None:
    """The inverse of `format_photometry`; None for an empty text: it is not known. Raises ValueError for others."""
    if not text:
        return None
    try:
        read = json.loads(text)
        values = {keyword: tuple(read[keyword]) for keyword in KEYWORDS}
        photometry = Photometry(values, read[_REFERENCE])
        _ = photometry.photflam, photometry.photmode
    except (TypeError, LookupError) as error:
        raise ValueError(f"{text!r} is no photometry: {error}") from error
    return photometry


def name_changes(now: str, then: str) -> str:
    """The keywords that differ between two texts: `PHOTFLAM 1e-19 -> 1.03e-19`; empty where either is not known.

    Where chips differ, the first one that changed is shown.
    """
    new, old = parse_photometry(now), parse_photometry(then)
    if new is None or old is None:
        return ""
    words = []
    for keyword in KEYWORDS:
        before, after = old.values[keyword], new.values[keyword]
        if len(before) != len(after):
            words.append(f"{keyword} of {len(before)} chips -> {len(after)}")
            continue
        changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        words += [f"{keyword} {_show(changed[0][0])} -> {_show(changed[0][1])}"] if changed else []
    return ", ".join(words)


def _show(value: Value) -> str:
    return "none" if value is None else str(value)


def differs(now: str, then: str) -> bool:
    """Whether two photometries are known, and not the same."""
    return bool(now and then and now != then)


def identify_calibrated(pixel_digest: str, photometry: str) -> str:
    """The identity of pixels that came with a photometry, of an exposure that was known with others: `c:` and hex."""
    return "c:" + hashlib.blake2b(f"{pixel_digest}|{photometry}".encode(), digest_size=16).hexdigest()


def choose_reference(members: Mapping[str, str]) -> str | None:
    """The member (ipppssoo) whose PHOTFLAM a layer gets: the first in order that has one; None if none has.

    `members` maps each to its photometry. The choice depends on who the members are, not on when they came.
    """
    for ipppssoo in sorted(members):
        photometry = parse_photometry(members[ipppssoo])
        if photometry is not None and photometry.photflam is not None:
            return ipppssoo
    return None


def find_photflam(members: Mapping[str, str]) -> float | None:
    """The PHOTFLAM of a layer with these members: that of `choose_reference`; None if no member has one."""
    reference = choose_reference(members)
    photometry = None if reference is None else parse_photometry(members[reference])
    return None if photometry is None else photometry.photflam


def find_factor(now: Mapping[str, str], then: Mapping[str, str]) -> float | None:
    """The one factor that brings a product, of members scaled to each other, from a photometry to another.

    `now` has the photometry of all members that there are to be, `then` of those that the product has and keeps, with
    the reference that it had. None where chips need unlike factors, or it is not known which: the product has to be
    drizzled. Exactly 1 where it is 1 to SAME.
    """
    to, was = find_photflam(now), find_photflam(then)
    kept = {name: text for name, text in then.items() if name in now}
    if not all(kept.values()) or not all(now.values()):
        return None
    return common_factor(factor for name in kept for factor in _compare(now[name], kept[name], to, was))


def _compare(now: str, then: str, to: float | None, was: float | None) -> list[float]:
    new, old = parse_photometry(now), parse_photometry(then)
    if new is None or old is None:
        return [math.nan]
    scales, before = new.scales(to), old.scales(was)
    if len(scales) != len(before) or (new.photflam is None) != (old.photflam is None):
        return [math.nan]
    return [scale / other for scale, other in zip(scales, before, strict=True)]


def common_factor(factors: Iterable[float]) -> float | None:
    """The number that all of these are, to SAME; None if they differ, or one is NaN. Exactly 1 where it is nearly 1."""
    listed = list(factors)
    if not listed:
        return 1.0
    first = listed[0]
    if not all(abs(factor / first - 1.0) < SAME for factor in listed):
        return None
    return 1.0 if abs(first - 1.0) < SAME else first
