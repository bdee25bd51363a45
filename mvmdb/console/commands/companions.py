"""The command companions."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.show import say


@click.command(short_help="Make the previews and other files beside mosaics.")
@click.option(
    "--beside", metavar="KINDS",
    help="These kinds: jpg, thumb, wht, color, exptime, exposures, with commas between. "
    "[default: as init --beside says]",
)  # fmt: skip
@options.cells
@options.who
@options.wait
@options.as_json
@click.pass_obj
def companions(
    session: Session, beside: str | None, cells: tuple[str, ...], who: Who, wait: float, as_json: bool
) -> None:
    """Make the files beside mosaics that are missing or stale, without drizzling, and remove those of lost mosaics.

    `jpg` is the mosaic, `thumb` a small one, `wht` its weights, and `color` one picture for a sky cell, from its
    filters in the order of wavelength; `exptime` is the map of exposure time and number of exposures, and `exposures`
    the list of what the mosaic holds. `mvmdb init --beside` has every night keep them. The exit code is 1 if one could
    not be made. Pictures need the extra `pictures`.

    Example: mvmdb companions --beside jpg,thumb --skycell p0647x10y11
    """
    done = session.archive(who).companions(beside, skycells=cells, wait=wait)
    if as_json:
        options.emit_json({"made": done.made, "removed": done.removed, "problems": done.problems})
    else:
        say(
            *(f"made: {path}" for path in done.made),
            *(f"removed: {path}" for path in done.removed),
            *(f"problem: {problem}" for problem in done.problems),
            done.tell().line,
        )
    options.finish(done.attention)
