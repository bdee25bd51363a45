"""Dates as programs and users give them, as the catalog keeps those of exposures: MJD."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from mvmdb.catalog.clock import utc_time
from mvmdb.errors import UsageError

_ZERO = dt.datetime(1858, 11, 17)
_DAY = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")


def to_mjd(time: Any, *, end: bool = False) -> float:
    """The MJD of a datetime, an astropy Time, or a text as `mvmdb.catalog.clock.utc_time` takes it; UTC.

    As the `end` of a range that excludes it, a text that names a day stands for the end of this day. Raises UsageError
    for anything else.
    """
    mjd = getattr(getattr(time, "utc", None), "mjd", None)
    if mjd is not None:
        return float(mjd)
    if not isinstance(time, dt.datetime | str):
        raise UsageError(f"{time!r} is no time; expected a datetime, an astropy Time, or a date like 2026-11-24")
    whole_day = end and isinstance(time, str) and _DAY.fullmatch(time) is not None
    return (utc_time(time) - _ZERO) / dt.timedelta(days=1) + whole_day
