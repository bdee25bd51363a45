"""Times as users write them in options."""

from __future__ import annotations

import datetime as dt

import click

from mvmdb.errors import UsageError


def utc_time(text: str) -> dt.datetime:
    """As `mvmdb.catalog.clock.utc_time`, for an option. Raises click.BadParameter for a text that is no time."""
    from mvmdb.catalog import clock

    try:
        return clock.utc_time(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
