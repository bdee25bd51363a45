"""The time that the catalog records."""

from __future__ import annotations

import datetime as dt
import re

import sqlalchemy as sa

from mvmdb.errors import UsageError

_AGE = re.compile(r"(\d{1,6}) *(h|d|w)")
_TIME = "mvmdb-time"
_HOURS = {"h": 1, "d": 24, "w": 168}


def utc_text(time: dt.datetime | None) -> str | None:
    """A recorded time (UTC, without a time zone) in ISO 8601, as in `2026-11-24T02:00:01Z`; None stays None."""
    return None if time is None else f"{time.isoformat()}Z"


def now() -> dt.datetime:
    """The current time for `..._at` columns: UTC, without a time zone, in whole seconds."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


def time_in(connection: sa.Connection) -> dt.datetime:
    """The time of a connection's transaction: that of the first call in it, so that rows and their events agree."""
    transaction = connection.get_transaction()
    began: sa.RootTransaction | None
    time: dt.datetime
    began, time = connection.info.get(_TIME) or (None, now())
    if transaction is None or began is not transaction:
        time = now()
        connection.info[_TIME] = (transaction, time)
    return time


def utc_time(time: dt.datetime | str) -> dt.datetime:
    """A time as the catalog keeps it: UTC, without a time zone. A time that has none is taken as UTC.

    A text is `2026-11-24`, `2026-11-24T06:00`, `yesterday`, `today`, or an age such as `36h`, `7d` or `2w`. Raises
    UsageError for any other text.
    """
    if isinstance(time, str):
        time = _read_time(time)
    try:
        return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise UsageError(f"{time} is no time from the years 1 to 9999, UTC; expected one like 2026-11-24") from error


def _read_time(text: str) -> dt.datetime:
    midnight = now().replace(hour=0, minute=0, second=0)
    if text in ("today", "yesterday"):
        return midnight - dt.timedelta(days=text == "yesterday")
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return now() - dt.timedelta(hours=int(age[1]) * _HOURS[age[2]])
        return dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time; expected a date like 2026-11-24 or 2026-11-24T06:00 (UTC), or an age like 7d."
        ) from error
