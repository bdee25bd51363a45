"""The command hips."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.errors import UsageError


@click.command(short_help="Make tiles of a filter's mosaics for sky atlases.")
@click.argument("wanted", metavar="FILTER")
@options.output
@click.option("--camera", metavar="C", help="Instrument and detector, joined by /, if several have the filter.")
@click.option("--scale", type=click.Choice(["fine", "coarse"]), default="fine", show_default=True)
@click.option(
    "--order", type=click.IntRange(3, 18), metavar="N",
    help="Of the smallest tiles (default: 14 for fine mosaics, 0.025 arcsec/pixel; 12 for coarse ones, 0.1).",
)  # fmt: skip
@click.option("--cut", type=(float, float), metavar="LOW HIGH", help="Black and white in pictures, electrons/s/pixel.")
@click.option("--publisher", metavar="IVOID", help="The authority in its identifier, ivo://...")
@options.who
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def hips(
    session: Session, /, wanted: str, output: Path | None, who: Who, progress: Form, as_json: bool, **chosen: Any
) -> None:
    """Make a HiPS of a filter's mosaics in a folder, for Aladin and other atlases, or bring it up to date.

    Only tiles below which a mosaic changed, came or went are made again, and what follows from them. Values are
    electrons/s per pixel of the mosaics. It needs the extra `hips`. Serve the folder with any web server.

    Example: mvmdb hips f160w -o /data/hips/f160w
    """
    if output is None:
        raise UsageError("there is no folder for the tiles; expected -o DIR")
    with Progress(progress) as monitor:
        done = session.archive(who, monitor=monitor).hips(wanted, output, **chosen)
    if as_json:
        options.emit_json(asdict(done))
        return
    say(
        f"{done.mosaics} mosaics in {done.tiles} tiles of order {done.order}: {done.made} made, "
        f"{done.removed} removed, {done.unchanged} unchanged; {done.folder}"
    )
