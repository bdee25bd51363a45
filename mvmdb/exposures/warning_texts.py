"""The texts of exposures' warnings: the kinds that there are, and how a catalog keeps them; doubts.py gives them.

A command imports this at its start, so nothing that takes long to import is used here.
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 400
"""Characters of an exposure's warnings that are kept: an index of PostgreSQL holds no long texts."""

TRAILED = "looks trailed"
NOT_FINITE = "pixels of SCI are infinite or NaN without a flag in DQ"
KINDS = {
    "guiding": "the telescope may have drifted",
    "wcsname": "WCSNAME differs between chips",
    "no-sip": "the solution is a fit, but has no SIP distortion",
    "far-from-target": "degrees from RA_TARG, DEC_TARG",
    "no-idcscale": "IDCSCALE is missing from SCI",
    "no-distortion": "the WCS has no distortion",
    "no-photflam": "PHOTFLAM is missing from SCI",
    "no-flags": "all its pixels are taken as good",
    "trailed": TRAILED,
    "not-finite": NOT_FINITE,
    "crossing-region": "the region crosses itself",
}
"""The words by which each kind of warning is known in `exposure.warnings`; a test compares them with docs."""


def warn_not_finite(count: int) -> str:
    """The warning of so many infinite and NaN pixels that DQ does not flag; empty if there are none."""
    return f"{count} {NOT_FINITE}" if count else ""


def split_warnings(text: str) -> tuple[list[str], list[str]]:
    """The warnings in a text of `exposure.warnings`: those of pixels, and those of headers and tables."""
    texts = [warning for warning in text.split("; ") if warning]
    of_pixels = [warning for warning in texts if TRAILED in warning or NOT_FINITE in warning]
    return of_pixels, [warning for warning in texts if warning not in of_pixels]


def join_warnings(texts: Iterable[str]) -> str:
    """The text of `exposure.warnings`, shortened where it is far longer than warnings of true headers are."""
    text = "; ".join(warning for warning in texts if warning)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def count_kinds(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How many exposures have each kind of warning, from texts of `exposure.warnings` and how many have each text.

    Kinds that none has are left out.
    """
    totals = dict.fromkeys(KINDS, 0)
    for text, number in counts:
        for kind, words in KINDS.items():
            totals[kind] += number if words in text else 0
    return {kind: number for kind, number in totals.items() if number}
