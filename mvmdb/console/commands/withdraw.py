"""The command withdraw."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say


@click.command(short_help="Record that exposures have left the archive.")
@click.argument("exposures", nargs=-1, required=True, metavar="EXPOSURE...")
@click.option("--why", default="", metavar="TEXT", help="The reason, kept in the catalog.")
@options.as_json
@click.pass_obj
def withdraw(session: Session, exposures: tuple[str, ...], why: str, as_json: bool) -> None:
    """Record that exposures left the archive; their layers become stale.

    Give an exposure by its ROOTNAME, or by the first eight characters of it. A new version of its file, with other
    pixels or another WCS, brings it back, and so does `mvmdb readmit`. To change the reason, withdraw it again.

    Example: mvmdb withdraw ib6o04tuq --why "guide star lost"
    """
    names = session.archive().withdraw(*exposures, why=why)
    if as_json:
        options.emit_json({"withdrawn": names})
    else:
        say(f"withdrawn: {', '.join(names)}")
