"""The command query."""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

import click

from mvmdb.console.options import Session


@click.command(short_help="Ask the catalog an SQL question.")
@click.argument("sql")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
@click.option("--nl", "form", flag_value="nl", help="One JSON object per line.")
@click.option("--json", "form", flag_value="json", help="One JSON list of objects.")
@click.pass_obj
def query(session: Session, sql: str, form: str | None) -> None:
    """Run one SQL query on the catalog, on a read-only connection.

    docs/catalog.md and `mvmdb schema` list tables and views. SQL may call the functions sky_separation(ra1, dec1, ra2,
    dec2) and in_cone(ra, dec, ra0, dec0, radius), all in degrees, and skycell_name(projection_cell, x, y). A cone
    search uses the index of declinations if the query also has `dec BETWEEN dec0 - radius AND dec0 + radius`; on
    PostgreSQL it always does.

    Example: mvmdb query "SELECT skycell, filter, exptime FROM coverage ORDER BY exptime DESC LIMIT 5"
    """
    from mvmdb.catalog.ask.query import run_query
    from mvmdb.console.render import table

    with run_query(session.address, sql) as (names, rows):
        if form == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(rows)
        elif form == "nl":
            for row in rows:
                click.echo(json.dumps(dict(zip(names, row, strict=True)), default=_plain))
        elif form == "json":
            click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=_plain, indent=1))
        else:
            click.echo(table(names, rows))


def _plain(value: Any) -> str:
    """The text of a date, or of another value for which JSON has no type."""
    return str(value)
