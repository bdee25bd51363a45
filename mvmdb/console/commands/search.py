"""The command search."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mvmdb.catalog.ask.search.question import KINDS, Kind
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.errors import UsageError


@click.command(short_help="Find exposures, layers or products.")
@click.argument("kind", type=click.Choice(KINDS), metavar="exposures|layers|products")
@click.option("--filter", "filters", multiple=True, metavar="F", help="This filter; two elements are joined by -.")
@click.option(
    "--camera", "cameras", multiple=True, metavar="C", help="Of this instrument and detector, joined by /, or of one."
)
@click.option("--date", "dates", type=(str, str), metavar="MIN MAX", help="Begun in this time; MAX may be a whole day.")
@click.option("--program", "programs", multiple=True, metavar="ID", help="Of this program: 11359, or B6O.")
@click.option("--target", "targets", multiple=True, metavar="TEXT", help="With this in the name of the target.")
@click.option("--skycell", "skycells", multiple=True, metavar="NAME", help="In this sky cell.")
@click.option("--exposure", "exposures", multiple=True, metavar="TEXT", help="With this in ROOTNAME or the file name.")
@click.option("--at", "position", type=(str, str), metavar="RA DEC", help="At this position: degrees, or sexagesimal.")
@click.option(
    "--target-file", type=LocalPath(dir_okay=False), metavar="FILE",
    help="At one of these positions: one per line, RA and DEC.",
)  # fmt: skip
@click.option(
    "--radius", type=click.FloatRange(0, 30), default=0.0, metavar="DEG", help="Within so many degrees of it."
)
@click.option("--astrometry", multiple=True, metavar="TEXT", help="Aligned to it: GAIA, GSC, FIT_REL; or none.")
@click.option("--stale", is_flag=True, help="Layers that are stale, and what belongs to them.")
@click.option("--waiting", is_flag=True, help="Layers that wait for files, and what belongs to them.")
@click.option("--mixed", is_flag=True, help="Layers in which different astrometric frames overlap, and what is theirs.")
@click.option("--columns", metavar="A,B,...", help="Show these columns; `mvmdb schema` says what they mean.")
@click.option("--sort", metavar="A,-B,...", help="Sort by these columns, one with - before it from high to low.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="Show N rows at most.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
@click.option("--nl", "form", flag_value="nl", help="One JSON object per line (NDJSON).")
@click.option("--json", "form", flag_value="json", help="One JSON list of objects.")
@click.option("--ecsv", "form", flag_value="ecsv", help="ECSV, with units and meanings.")
@click.option("--votable", "form", flag_value="votable", help="VOTable, with units and meanings.")
@click.pass_obj
def search(
    session: Session,
    /,
    kind: Kind,
    position: tuple[str, str] | None,
    target_file: Path | None,
    columns: str | None,
    sort: str | None,
    form: str | None,
    **conditions: Any,
) -> None:
    """Find the exposures, layers or products that meet all of these conditions.

    An option that may be repeated is met by any of its values. A layer meets a condition on exposures, such as --target
    or --at, if one of its members does, and a product if an exposure that it holds does.

    Example: mvmdb search layers --at 03:32:14.4 -27:42:36 --radius 0.05 --sort -exptime
    """
    from mvmdb.console.rows import print_answer

    given = asked(position, target_file, columns, sort, conditions)
    with session.archive().found(kind, **given) as found:
        print_answer(form, *found, kind)


def asked(
    position: tuple[str, str] | None,
    target_file: Path | None,
    columns: str | None,
    sort: str | None,
    conditions: Mapping[str, Any],
) -> Any:
    """The conditions of a search, as methods of the archive take them. Raises UsageError for two kinds of position."""
    from mvmdb.archive.positions import read_position, read_positions

    if position is not None and target_file is not None:
        raise UsageError("--at and --target-file are both given; expected one of them")
    at = None if target_file is None else read_positions(str(target_file))
    at = at if position is None else [read_position(*position)]
    given = {name: value for name, value in conditions.items() if value is not None}
    return given | {"at": at, "columns": _split(columns), "sort": _split(sort)}


def _split(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))
