"""The command search."""

from __future__ import annotations

from typing import Any

import click

from mvmdb.catalog.ask.search.question import KINDS, Kind
from mvmdb.console.conditions import with_conditions
from mvmdb.console.options import Session


@click.command(short_help="Find exposures, layers or products.")
@click.argument("kind", type=click.Choice(KINDS), metavar="exposures|layers|products")
@with_conditions
@click.option("--columns", metavar="A,B,...", help="Show these columns; `mvmdb schema` says what they mean.")
@click.option("--sort", metavar="A,-B,...", help="Sort by these columns, one with - before it from high to low.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Show N rows at most.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
@click.option("--nl", "form", flag_value="nl", help="One JSON object per line (NDJSON).")
@click.option("--json", "form", flag_value="json", help="One JSON list of objects.")
@click.option("--ecsv", "form", flag_value="ecsv", help="ECSV, with units and meanings.")
@click.option("--votable", "form", flag_value="votable", help="VOTable, with units and meanings.")
@click.pass_obj
def search(
    session: Session,
    /,
    kind: Kind,
    columns: str | None,
    sort: str | None,
    limit: int | None,
    form: str | None,
    **conditions: Any,
) -> None:
    """Find the exposures, layers or products that meet all of these conditions.

    An option that may be repeated is met by any of its values. A layer meets a condition on exposures, such as --target
    or --at, if one of its members does, and a product if an exposure that it holds does.

    Example: mvmdb search layers --at 03:32:14.4 -27:42:36 --radius 0.05 --sort -exptime
    """
    from mvmdb.console.rows import print_answer

    limits: dict[str, Any] = {} if limit is None else {"limit": limit}
    with session.archive().found(kind, columns=_split(columns), sort=_split(sort), **limits, **conditions) as found:
        print_answer(form, *found, kind)


def _split(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))
