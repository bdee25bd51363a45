"""Whether the unit of an exposure's pixels, BUNIT, is electrons or electrons per second, however it is written."""

from __future__ import annotations

import re

_ELECTRONS = r"(?:ELECTRONS?|E-)"
_SECONDS = r"(?:S|SEC|SECONDS?)"
_PER_SECOND = rf"{_SECONDS} ?(?:\*\*|\^)? ?\(?-1\)?"
_TIMES = r" ?[ .*] ?"
_COUNT = re.compile(_ELECTRONS)
_RATE = re.compile(
    rf"{_ELECTRONS} ?/ ?{_SECONDS}|{_ELECTRONS}{_TIMES}{_PER_SECOND}|{_PER_SECOND}{_TIMES}{_ELECTRONS}",
)


def is_rate_unit(bunit: str) -> bool | None:
    """True for electrons per second, False for electrons, None for any other unit.

    Headers of the archive have `ELECTRONS`, `electrons` and `ELECTRONS/S`; astropy writes `electron / s`.
    """
    text = " ".join(bunit.upper().split())
    if _RATE.fullmatch(text):
        return True
    return False if _COUNT.fullmatch(text) else None
