"""The command mosaic: one rectangle of the sky, from the catalog's exposures."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.errors import UsageError
from mvmdb.inputs import read_entries

if TYPE_CHECKING:
    from mvmdb.rectangles.estimate import Estimate


@click.command(short_help="Make mosaics of any field of the sky.")
@click.option("--at", "position", type=(str, str), metavar="RA DEC", help="The centre: degrees (ICRS), or sexagesimal.")
@click.option("--size", type=float, metavar="ARCMIN", help="With --at: the side of the square.")
@click.option("--fit", is_flag=True, help="Cover all exposures that meet the conditions below (and --filter).")
@click.option("--program", "programs", multiple=True, metavar="ID", help="With --fit: of this program.")
@click.option("--target", "targets", multiple=True, metavar="TEXT", help="With --fit: with this in TARGNAME.")
@click.option("--exposure", "exposures", multiple=True, metavar="TEXT", help="With --fit: with this in its name.")
@click.option("--date", "dates", type=(str, str), metavar="MIN MAX", help="With --fit: begun in this time.")
@click.option(
    "--list", "listed", type=LocalPath(dir_okay=False), metavar="FILE",
    help="With --fit: named in this file, one per line.",
)  # fmt: skip
@click.option(
    "--like", type=LocalPath(dir_okay=False), metavar="REF.fits",
    help="The rectangle and scale of this image, which must be on the grid of a projection cell.",
)  # fmt: skip
@click.option("--filter", "filters", multiple=True, metavar="F", help="This filter, as in layer names (default: all).")
@click.option("--exclude", multiple=True, metavar="EXPOSURE", help="Leave this exposure out.")
@click.option("--detector", metavar="D", help="Only this detector, if several have the filter.")
@click.option("--scale", type=click.Choice(["fine", "coarse"]), help="Only this scale.")
@click.option(
    "--trim/--no-trim", default=None, help="Leave out rows and columns without data (default, but for --like)."
)
@click.option("--picture", is_flag=True, help="Write a JPEG beside each mosaic.")
@click.option("--yes", is_flag=True, help="Make mosaics of more than 2 GB without asking.")
@options.output
@options.who
@options.cache
@options.memory
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def mosaic(
    session: Session,
    /,
    position: tuple[str, str] | None,
    size: float | None,
    fit: bool,
    listed: Path | None,
    yes: bool,
    who: Who,
    memory_mb: int | None,
    progress: Form,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Make mosaics of a rectangle inside one projection cell, across sky cells, from the catalog's exposures.

    The rectangle is a square (--at and --size), or covers a program, a list or a search (--fit), or is that of an image
    (--like). There is one mosaic for each camera, filter and scale. Its pixel grid is that of the projection cell with
    the nearest centre. The catalog does not record it. It goes to DIR/skycell-p<cell>-ra<ra>-dec<dec>/ (default: below
    this folder). The exit code is 1 if a mosaic failed or an exposure could not be used.

    The estimated size, memory and time are printed first. More than 2 GB need confirmation: at the prompt, or with
    --yes.

    Example: mvmdb mosaic --at 53.06 -27.71 --size 3 --filter f125w -o /data/fields
    """
    from mvmdb.archive.positions import read_position
    from mvmdb.console.render import reconcile_json, reconcile_words

    conditions: Any = {name: value for name in _CONDITIONS if (value := chosen.pop(name))}
    if listed is not None:
        conditions["exposures"] = [*conditions.get("exposures", ()), *_read_list(listed)]
    if conditions and not fit:
        raise UsageError(f"{', '.join(conditions)} are given without --fit, which they belong to; expected both")
    with Progress(progress) as monitor:
        done = session.archive(who, memory_mb, monitor).mosaic(
            None if position is None else read_position(*position), size, fit=conditions if fit else None,
            agree=lambda estimate: _confirm(estimate, yes, as_json), **chosen,
        )  # fmt: skip
    if as_json:
        assert done.estimate is not None
        options.emit_json(reconcile_json(done.report) | {"estimate": asdict(done.estimate), "pictures": done.pictures})
    else:
        say(*reconcile_words(done.report), *(f"picture: {path}" for path in done.pictures))
    options.finish(done.incomplete)


_CONDITIONS = ("programs", "targets", "exposures", "dates")


def _read_list(path: Path) -> list[str]:
    """The names in a text file, one per line; blank lines and those that begin with # are skipped."""
    names = [name for _, name in read_entries(path, "the list", "a text file, one name per line")]
    if not names:
        raise UsageError(f"the list {path} is empty; expected the names of exposures, one per line")
    return names


def _confirm(estimate: Estimate, yes: bool, as_json: bool) -> None:
    """Print the estimate, and ask for confirmation if it is large. Raises UsageError if there is no confirmation."""
    from mvmdb.rectangles.estimate import LARGE, require_small

    if not as_json:
        say(str(estimate))
    asked = estimate.bytes > LARGE and not yes and sys.stdin is not None and sys.stdin.isatty()
    if not yes and not (asked and click.confirm("Make them?", err=True)):
        require_small(estimate)
