"""The command status."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import show_outlook


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
    Nor do warnings of exposures, which are counted by kind, of layers that mix astrometric frames or whose members do
    not lie together, and runs that make layers now, which are named.

    Example: mvmdb status --skycell skycell-p0726x10y04
    """
    found = session.archive().status(cells, deep=deep)
    show_outlook(found.outlook, as_json, found.warnings, found.at_work, found.mixing, found.misalignment)
    options.finish(found.attention)
