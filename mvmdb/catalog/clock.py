"""The time that the catalog records."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """The current time for `..._at` columns: UTC, without a time zone, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
