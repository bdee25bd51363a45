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


@click.command("map", short_help="Write maps of exposure time and number of exposures.")
@click.argument("names", nargs=-1, metavar="[LAYER|SKYCELL]...")
@click.option(
    "-o", "--output", type=LocalPath(), required=True, metavar="PATH",
    help="The FITS file of the HEALPix map; for layers and sky cells, the folder.",
)  # fmt: skip
@click.option("--nside", type=int, metavar="N", help="Sides of HEALPix pixels, a power of 2. [default: 4096, 52 arcsec]")
@click.option("--multiorder", is_flag=True, help="Divide pixels only where the depth changes, down to --nside.")
@conditions
@click.pass_obj
def coverage_map(
    session: Session,
    /,
    names: tuple[str, ...],
    output: Path,
    nside: int | None,
    multiorder: bool,
    conditions: dict[str, Any],
) -> None:
    """Write a HEALPix map of the exposures that meet the conditions; or maps in the grids of the mosaics of layers.

    A HEALPix map (FITS) has the mean exposure time and the mean number of exposures of each pixel that is covered. For
    each layer that is named, and each one of a sky cell: a map of exposure time and number of exposures with the pixels
    of its mosaic, and the list of the exposures.

    Example: mvmdb coverage map --filter f125w --nside 8192 --multiorder -o f125w.fits
    """
    if not names:
        say(session.archive().coverage_map(output, nside=nside or 4096, multiorder=multiorder, **conditions))
        return
    if nside is not None or multiorder or any(value for name, value in conditions.items()):
        raise UsageError("conditions, --nside and --multiorder are for HEALPix maps; expected none with a layer or cell")
    say(*session.archive().exposure_maps(names, output))
