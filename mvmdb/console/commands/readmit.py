"""The command readmit."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.show import say


@click.command(short_help="Bring withdrawn exposures back.")
@click.argument("exposures", nargs=-1, required=True, metavar="EXPOSURE...")
@options.as_json
@click.pass_obj
def readmit(session: Session, exposures: tuple[str, ...], as_json: bool) -> None:
    """Bring withdrawn exposures back; their layers become stale. The opposite of withdraw.

    Give an exposure by its ROOTNAME, or by the first eight characters of it.

    Example: mvmdb readmit ib6o04tuq
    """
    names = session.archive().readmit(*exposures)
    if as_json:
        options.emit_json({"readmitted": names})
    else:
        say(f"readmitted: {', '.join(names)}")
