"""The command contributors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say
from mvmdb.errors import UsageError

if TYPE_CHECKING:
    from mvmdb.mosaic.contributing.pixel import Contributors

_SHOWN = ("row", "rootname", "extver", "exptime", "date_obs", "proposal_id", "target", "covered", "wht", "share")


@click.command(short_help="List the exposures in a pixel of a mosaic.")
@click.argument("mosaic", type=LocalPath(), metavar="FILE")
@click.argument("x", type=float, required=False)
@click.argument("y", type=float, required=False)
@click.option(
    "--at", "--sky", "position", type=(str, str), metavar="RA DEC",
    help="Instead of X Y: this position, in degrees or sexagesimal.",
)  # fmt: skip
@click.option(
    "--image", type=LocalPath(dir_okay=False), metavar="OUT",
    help="Instead of one pixel: write all of them as a context image (FITS), as drizzlepac's CTX.",
)  # fmt: skip
@options.as_json
@click.pass_obj
def contributors(
    session: Session,
    mosaic: Path,
    x: float | None,
    y: float | None,
    position: tuple[str, str] | None,
    image: Path | None,
    as_json: bool,
) -> None:
    """List the chips that contribute to the pixel X Y (from 1) of a mosaic that mvmdb made.

    They follow from the mosaic's own table, so no catalog is needed; where there is one, --json has the exposures'
    files. Which pixels were left out as bad is not known: the last line says if some were.

    Example: mvmdb contributors hst_skycell-p0726x10y04_wfc3_ir_f125w_all_drz.fits 1024 980
    """
    from mvmdb.archive.positions import read_position

    if image is not None:
        if x is not None or position is not None:
            raise UsageError("--image is given with a pixel or position; expected one of them")
        written = session.archive().context_image(mosaic, image)
        if as_json:
            options.emit_json({"image": written})
        else:
            say(written)
        return
    if y is None and position is None:
        raise UsageError("found no pixel; expected X and Y, or --at RA DEC, or --image OUT")
    at = None if position is None else read_position(*position)
    _show(session.archive().contributors(mosaic, x, y, at=at), as_json)


def _show(found: Contributors, as_json: bool) -> None:
    from mvmdb.console.rows import print_table

    chips = [asdict(chip) for chip in found.chips]
    if as_json:
        place = {
            name: getattr(found, name) for name in ("mosaic", "x", "y", "ra", "dec", "wht", "expected", "some_bad")
        }
        options.emit_json({**place, "chips": chips})
        return
    rounded = {"covered": 3, "wht": 2, "share": 4, "exptime": 2}
    print_table(_SHOWN, [[round(chip[n], rounded[n]) if n in rounded else chip[n] for n in _SHOWN] for chip in chips])
    say("", found.tell().line)
