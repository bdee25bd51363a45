"""The time that the catalog records."""

from __future__ import annotations

import datetime as dt


def utc_text(time: dt.datetime | None) -> str | None:
    """A recorded time (UTC, without a time zone) in ISO 8601, as in `2026-11-24T02:00:01Z`; None stays None."""
    return None if time is None else f"{time.isoformat()}Z"


def now() -> dt.datetime:
    """The current time for `..._at` columns: UTC, without a time zone, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
