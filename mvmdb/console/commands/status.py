"""The command status."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import looked, show_outlook
from mvmdb.garbage import gc_paused


@click.command(short_help="List what is stale, and why.")
@options.cells
@click.option(
    "--deep", is_flag=True, help="Check the catalog's file, and digests of products, not only their size and time."
)
@options.as_json
@click.pass_obj
def status(session: Session, cells: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """List what is stale, and why, with one line per layer. The exit code is 1 if anything is stale or orphaned.

    A layer with members that are known only from a table waits for their files; this does not affect the exit code.
    Nor do warnings of exposures, which are counted by kind, and runs that make layers now, which are named.

    Example: mvmdb status --skycell skycell-p0726x10y04
    """
    from mvmdb.catalog.ask.warnings import count_warnings
    from mvmdb.catalog.claims.alive import load_at_work
    from mvmdb.catalog.open import as_recorded

    if deep:
        options.check_catalog(session)
    with gc_paused(), looked(session, cells, deep=deep) as (outlook, begin, _):
        chosen = options.chosen_cells(as_recorded(begin), cells)
        with as_recorded(begin)() as connection:
            warnings, at_work = count_warnings(connection, chosen), load_at_work(connection)
    show_outlook(outlook, as_json, warnings, at_work)
    options.finish(outlook.stale + outlook.orphaned > 0)
