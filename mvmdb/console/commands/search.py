"""The command search."""

from __future__ import annotations

from typing import Any

import click

from mvmdb.catalog.ask.search.question import KINDS, Kind
from mvmdb.console.conditions import conditions, showing
from mvmdb.console.options import Session


@click.command(short_help="Find exposures, layers or products.")
@click.argument("kind", type=click.Choice(KINDS), metavar="exposures|layers|products")
@conditions
@showing
@click.pass_obj
def search(
    session: Session, /, kind: Kind, conditions: dict[str, Any], shown: dict[str, Any], form: str | None
) -> None:
    """Find the exposures, layers or products that meet all of these conditions.

    An option that may be repeated is met by any of its values. A layer meets a condition on exposures, such as --target
    or --at, if one of its members does, and a product if an exposure that it holds does.

    Example: mvmdb search layers --at 03:32:14.4 -27:42:36 --radius 0.05 --sort -exptime
    """
    from mvmdb.catalog.ask.search.relations import meanings_of
    from mvmdb.console.rows import print_answer

    with session.archive().found(kind, **conditions, **shown) as (names, rows):
        print_answer(form, names, rows, meanings_of(kind))
