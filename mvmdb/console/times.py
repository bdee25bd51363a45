"""Times as users write them in options."""

from __future__ import annotations

import datetime as dt
import re

import click

_AGE = re.compile(r"(\d{1,6}) *(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}


def utc_time(text: str) -> dt.datetime:
    """The time, in UTC and without a time zone, that a user writes.

    `2026-11-24`, `2026-11-24T06:00`, `yesterday`, `today`, or an age such as `36h`, `7d` or `2w`. Raises
    click.BadParameter for any other text.
    """
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0)
    if text in ("today", "yesterday"):
        return midnight - dt.timedelta(days=text == "yesterday")
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return now - dt.timedelta(hours=int(age[1]) * _HOURS[age[2]])
        time = dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no time; expected a date like 2026-11-24 or 2026-11-24T06:00 (UTC), or an age like 7d."
        ) from error
    return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)
