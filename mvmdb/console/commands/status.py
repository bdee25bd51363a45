"""The command status."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import looked, show_outlook
from mvmdb.garbage import gc_paused


@click.command(short_help="List what is stale, and why.")
@options.cells
@click.option("--deep", is_flag=True, help="Compare the digests of products, not only their size and time.")
@options.as_json
@click.pass_obj
def status(session: Session, cells: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """Say what is stale, and why, with one line per layer. The exit code is 1 if anything is stale.

    A layer with members that are known from a table alone waits for their files, which is no fault.

    Example: mvmdb status --skycell skycell-p0726x10y04
    """
    with gc_paused(), looked(session, cells, deep=deep) as (outlook, _):
        show_outlook(outlook, as_json)
    options.finish(outlook.stale + outlook.orphaned > 0)
