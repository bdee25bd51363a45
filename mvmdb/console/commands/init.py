"""The command init."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.products import move_products, yes
from mvmdb.recipe import Method, Shallow, Weight
from mvmdb.records import ExptimeLayers, Frames, Rule


@click.command(short_help="Create the catalog, or change its configuration.")
@click.option("--rule", type=click.Choice(["overlap", "nearest"]), help="Which sky cells an exposure is a member of.")
@click.option("--products", type=LocalPath(file_okay=False), metavar="DIR", help="The products folder.")
@click.option(
    "--layers",
    type=click.Choice(["all", "classes", "clusters"]),
    help="One layer for all exposure times, or layers by classes (short < 15 s <= med < 120 s <= long) or clusters.",
)
@click.option("--epochs", metavar="EPOCHS", help="Layers by date: none, yearly, or dates like 2009-01-01,2012-06-30.")
@click.option("--errors/--no-errors", default=None, help="Make mosaics with or without an ERR plane.")
@click.option(
    "--weight", type=click.Choice(["exptime", "ivm"]),
    help="Members count by their exposure time, or by the inverse variance of their background.",
)  # fmt: skip
@click.option(
    "--frames", type=click.Choice(get_args(Frames)),
    help="Layers take exposures of any astrometric frame; on Gaia, or an absolute frame; each of the frame of most of "
    "its members; those that agree with most of them; or all, with measured shifts corrected.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["hap", "mvmdb"]),
    help="Make mosaics by mvmdb's own methods (mvmdb, as new catalogs do), or as drizzlepac does (hap).",
)  # fmt: skip
@click.option(
    "--shallow", type=click.Choice(["hap", "match"]),
    help="Make mosaics of a mean depth of one exposure of all pixels without sky matching (hap), or match skies, and "
    "take flagged pixels only where there is no good one (match; it goes with --method mvmdb).",
)  # fmt: skip
@click.option(
    "--alternate", metavar="NAME", help="The solution of `align` that layers use where there is one, or none."
)
@click.option(
    "--beside", metavar="KINDS",
    help="Files that nights keep beside products: jpg, thumb, wht, color, exptime, exposures, with commas between, "
    "or none.",
)  # fmt: skip
@click.option(
    "--keep-history", type=click.IntRange(0), metavar="DAYS",
    help="How many days of history nightly keeps; 0, the default, is for ever.",
)  # fmt: skip
@move_products
@yes
@click.option("--upgrade", is_flag=True, help="Bring an older catalog's schema up to date.")
@options.as_json
@click.pass_obj
def init(
    session: Session,
    rule: Rule | None,
    products: Path | None,
    layers: ExptimeLayers | None,
    epochs: str | None,
    errors: bool | None,
    weight: Weight | None,
    frames: Frames | None,
    method: Method | None,
    shallow: Shallow | None,
    alternate: str | None,
    beside: str | None,
    keep_history: int | None,
    move: bool,
    rebuild: bool,
    upgrade: bool,
    as_json: bool,
) -> None:
    """Create the catalog, or change its configuration.

    With the rule `overlap` (the default), an exposure is a member of every sky cell that it overlaps; with `nearest`,
    only of those in the nearest projection cell of each ring, as in mosaics made before 2023.

    Layers divided by exposure time or date have `short`, `med`, `long`, `2010` or `20090101-20120630` in their names
    instead of `all`. After such a change, mosaics that are no longer expected are orphaned, and the new layers are
    stale until they are made. A change of --errors, --weight or --method makes all mosaics stale, one of
    --shallow those of a mean depth of one exposure. A change of --alternate makes those of exposures stale that have
    the solution, or had it (member-realigned), and one of --frames those whose members it adds or removes.

    Example: mvmdb --db mvm.db init --products /data/mvm
    """
    archive = session.archive()
    archive.configure(
        rule=rule, products=products, layers=layers, epochs=epochs, errors=errors, weight=weight, frames=frames,
        method=method, shallow=shallow, alternate=alternate, beside=beside, keep_history=keep_history,
        rebuild=rebuild, move=move, upgrade=upgrade,
    )  # fmt: skip
    if as_json:
        options.emit_json(archive.config())
