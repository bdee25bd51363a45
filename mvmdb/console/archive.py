"""Commands about the catalog: init, ingest, withdraw, cells, query."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.records import ExptimeLayers, Rule


@click.command()
@click.option("--rule", type=click.Choice(["overlap", "nearest"]), help="Which sky cells an exposure is a member of.")
@click.option(
    "--products", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the mosaics are."
)
@click.option(
    "--layers",
    type=click.Choice(["all", "classes", "clusters"]),
    help="One layer for all exposure times, or layers by classes (short < 15 s <= med < 120 s <= long) or clusters.",
)
@click.option("--epochs", metavar="EPOCHS", help="Layers by date: none, yearly, or dates like 2009-01-01,2012-06-30.")
@click.option("--errors/--no-errors", default=None, help="Mosaics with or without a plane of errors, ERR.")
@click.option("--upgrade", is_flag=True, help="Bring an older catalog's schema up to date.")
@click.pass_obj
def init(
    session: Session,
    rule: Rule | None,
    products: Path | None,
    layers: ExptimeLayers | None,
    epochs: str | None,
    errors: bool | None,
    upgrade: bool,
) -> None:
    """Create the catalog, or change its configuration.

    The rule `overlap` (the default) makes an exposure a member of every sky cell that it overlaps; `nearest` only of
    cells of the projection cell nearest to it in each ring, as mosaics made before 2023 have it.

    Layers divided by exposure time or date have `short`, `med`, `long`, `2010` or `20090101-20120630` in their names,
    where others have `all`. After a change, mosaics that are expected no more are stale, and so are those to be made.
    A change of --errors makes all mosaics stale.

    Example: mvmdb --db mvm.db init --products /data/mvm
    """
    from mvmdb.catalog.setup import initialise

    initialise(
        session.address, rule=rule, products=products, exptime_layers=layers, epochs=epochs, errors=errors,
        upgrade=upgrade,
    )  # fmt: skip


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.executor
@options.jobs
@options.progress
@options.as_json
@click.pass_obj
def ingest(
    session: Session,
    paths: tuple[str, ...],
    executor: str | None,
    jobs: int | None,
    progress: Form,
    as_json: bool,
) -> None:
    """Register FLT and FLC exposures: files, folders (with all folders below), and @LIST files.

    Files that have not changed since are not opened. A file that cannot be used is quarantined with the reason, and
    the exit code is 1.

    Example: mvmdb ingest /data/inbox @more.txt
    """
    from mvmdb.catalog.ingest import ingest_files
    from mvmdb.console.render import ingest_json, ingest_words

    found = options.find_files(paths)
    with (
        options.hired(executor, jobs) as crew,
        options.catalog(session, create=True) as (engine, _),
        Progress(progress) as told,
    ):
        told.announce_files(len(found.paths))
        report = ingest_files(engine, found.paths, crew=crew, progress=told.files)
    if as_json:
        options.emit_json(ingest_json(report))
    else:
        click.echo("\n".join(ingest_words(report)))
    options.finish(bool(report.problems) or bool(found.unreadable_folders))


@click.command()
@click.argument("exposures", nargs=-1, required=True, metavar="EXPOSURE...")
@click.option("--why", default="", metavar="TEXT", help="The reason, kept in the catalog.")
@click.pass_obj
def withdraw(session: Session, exposures: tuple[str, ...], why: str) -> None:
    """Record that exposures left the archive; their layers become stale.

    An exposure is given by its ROOTNAME or the first eight characters of it. A new version of its file, with other
    pixels or another WCS, brings it back.

    Example: mvmdb withdraw ib6o04tuq --why "guide star lost"
    """
    from mvmdb.catalog.describe import find_exposure
    from mvmdb.catalog.register import withdraw as withdraw_exposures

    with options.catalog(session) as (engine, policy), engine.begin() as connection:
        names = [find_exposure(connection, name) for name in exposures]
        withdraw_exposures(connection, names, why, policy)
    click.echo(f"withdrawn: {', '.join(names)}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE...]")
@click.option("--at", type=(float, float), metavar="RA DEC", help="Cells at this position, degrees (ICRS).")
@click.option(
    "--radius", type=click.FloatRange(0), default=0.0, help="With --at: cells that this circle overlaps, degrees."
)
@click.option(
    "--rule", type=click.Choice(["overlap", "nearest"]), default="overlap", help="With files.", show_default=True
)
@options.as_json
@click.pass_obj
def cells(
    session: Session,
    names: tuple[str, ...],
    at: tuple[float, float] | None,
    radius: float,
    rule: Rule,
    as_json: bool,
) -> None:
    """List sky cells: by name, those that files overlap, or those at a position. No catalog is needed.

    Members are the files given; for names and positions, the exposures of the catalog, where there is one.

    Example: mvmdb cells --at 53.06 -27.71 --radius 0.05
    """
    from mvmdb.cells import list_cells
    from mvmdb.console.render import table

    found = list_cells(list(names), at=at, radius=radius, rule=rule, address=session.address)
    if as_json:
        options.emit_json(
            [
                {
                    "skycell": str(cell.id),
                    "projection_cell": cell.id.projection_cell,
                    "x": cell.id.x,
                    "y": cell.id.y,
                    "ra": cell.ra,
                    "dec": cell.dec,
                    "members": list(cell.members),
                }
                for cell in found
            ]
        )
        return
    rows = [(str(cell.id), f"{cell.ra:.6f}", f"{cell.dec:.6f}", len(cell.members)) for cell in found]
    click.echo(table(("skycell", "ra", "dec", "members"), rows))


@click.command()
@click.argument("sql")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
@click.option("--nl", "form", flag_value="nl", help="One JSON object a line.")
@click.option("--json", "form", flag_value="json", help="One JSON list of objects.")
@click.pass_obj
def query(session: Session, sql: str, form: str | None) -> None:
    """Ask the catalog an SQL question, on a connection that cannot write.

    Tables and views: docs/catalog.md. With them come sky_separation(ra1, dec1, ra2, dec2) and in_cone(ra, dec, ra0,
    dec0, radius), all in degrees, and skycell_name(projection_cell, x, y). A cone goes by the index on positions when
    `dec BETWEEN dec0 - radius AND dec0 + radius` stands beside in_cone; on PostgreSQL it does so by itself.

    Example: mvmdb query "SELECT skycell, filter, exptime FROM coverage ORDER BY exptime DESC LIMIT 5"
    """
    from mvmdb.catalog.query import run_query
    from mvmdb.console.render import table

    with run_query(session.address, sql) as (names, rows):
        if form == "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(rows)
        elif form == "nl":
            for row in rows:
                click.echo(json.dumps(dict(zip(names, row, strict=True)), default=_plain))
        elif form == "json":
            click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=_plain, indent=1))
        else:
            click.echo(table(names, rows))


def _plain(value: Any) -> str:
    """Dates and other values that JSON does not know, as text."""
    return str(value)
