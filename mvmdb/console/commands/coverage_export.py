"""The command coverage export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mvmdb.console import options
from mvmdb.console.conditions import conditions
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say
from mvmdb.formats.values import DIMENSIONS, FORMATS, GROUPINGS, Dimensions, Format, Grouping, Written


@click.command(short_help="Write coverage and observations in the formats of other programs.")
@click.argument("format", type=click.Choice(FORMATS), metavar="|".join(FORMATS))
@click.option(
    "-o", "--output", required=True, type=LocalPath(), metavar="FILE",
    help="The file to write, or with --by the folder for one file per group.",
)  # fmt: skip
@click.option("--by", type=click.Choice(GROUPINGS), help="One map per group (moc).")
@click.option(
    "--dimensions", type=click.Choice(DIMENSIONS), default="space", show_default=True, help="What a map is of (moc)."
)
@click.option(
    "--order", type=click.IntRange(0, 20), metavar="N",
    help="Cells of a map: order N of HEALPix (moc). [default: 16, cells of 3.2 arcsec]",
)  # fmt: skip
@click.option(
    "--time-order", type=click.IntRange(0, 61), metavar="N",
    help="Steps of time of a map: 2^(61-N) microseconds (moc). [default: 35, 67 s]",
)  # fmt: skip
@conditions
@options.as_json
@click.pass_obj
def export(
    session: Session,
    /,
    format: Format,
    output: Path,
    by: Grouping | None,
    dimensions: Dimensions,
    order: int | None,
    time_order: int | None,
    as_json: bool,
    conditions: dict[str, Any],
) -> None:
    """Write what meets all of these conditions, as for `search`, to a file that other programs open.

    moc, ds9, aladin and geojson hold the footprints of exposures that are members of layers. obscore (a VOTable) and
    parquet hold eligible exposures and mosaics. A file that is there is replaced; one without exposures is valid, too.

    Example: mvmdb coverage export moc --filter f125w -o f125w.fits
    """
    written = session.archive().export(
        format, output, by=by, dimensions=dimensions, order=order, time_order=time_order, **conditions
    )
    if as_json:
        options.emit_json([_as_json(file) for file in written])
        return
    for file in written:
        say(_words(file))
    if not written:
        say("0 exposures meet the conditions; nothing to write")


def _words(file: Written) -> str:
    what = "1 row" if file.rows == 1 else f"{file.rows} rows"
    area = "" if file.area_arcmin2 is None else f", {file.area_arcmin2:.2f} square arcmin"
    without = f"; {file.left_out} without dates left out" if file.left_out else ""
    return f"{file.path}: {what}{area}{without}"


def _as_json(file: Written) -> dict[str, object]:
    return {"path": file.path, "rows": file.rows, "left_out": file.left_out, "area_arcmin2": file.area_arcmin2}
