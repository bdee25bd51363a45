"""The command coverage map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mvmdb.console.conditions import conditions
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say
from mvmdb.errors import UsageError
from mvmdb.names import Scale


@click.command("map", short_help="Write maps of exposure time and number of exposures.")
@click.argument("names", nargs=-1, metavar="[LAYER|SKYCELL]...")
@click.option(
    "-o", "--output", type=LocalPath(), required=True, metavar="PATH",
    help="The FITS file of the HEALPix map; for layers and sky cells, the folder.",
)  # fmt: skip
@click.option(
    "--nside",
    type=int,
    metavar="N",
    help="Pixels along a side of HEALPix's 12 squares, a power of 2. [default: 4096: 52 arcsec]",
)
@click.option("--multiorder", is_flag=True, help="Divide pixels only where the depth changes, down to --nside.")
@click.option("--frame", metavar="SKYCELL", help="Instead of HEALPix pixels, the grid of the mosaics of this sky cell.")
@click.option("--scale", type=click.Choice(["fine", "coarse"]), help="The scale of that grid. [default: fine]")
@click.option(
    "--adds", multiple=True, metavar="ID", help="Only where this program is, and how much of the depth is its."
)
@conditions
@click.pass_obj
def coverage_map(
    session: Session,
    /,
    names: tuple[str, ...],
    output: Path,
    nside: int | None,
    multiorder: bool,
    frame: str | None,
    scale: Scale | None,
    adds: tuple[str, ...],
    conditions: dict[str, Any],
) -> None:
    """Write a map of the exposures that meet the conditions; or maps in the grids of the mosaics of layers.

    A HEALPix map (FITS) has the mean exposure time and the mean number of exposures of each pixel that is covered. In
    the frame of a sky cell, pixels are those of its mosaics. For each layer that is named, and each one of a sky cell
    that is: a map with the pixels of its mosaic, and the list of the exposures.

    Example: mvmdb coverage map --filter f125w --nside 8192 --multiorder -o f125w.fits
    """
    if scale is not None and frame is None:
        raise UsageError("--scale is given without --frame; expected both")
    if not names:
        say(
            session.archive().coverage_map(
                output, nside=nside, multiorder=multiorder, frame=frame, scale=scale or "fine", adds=adds, **conditions
            )
        )
        return
    if nside is not None or multiorder or frame is not None or adds or any(conditions.values()):
        raise UsageError(
            "a layer or sky cell is named; expected no conditions, --nside, --multiorder, --frame or --adds"
        )
    say(*session.archive().exposure_maps(names, output))
