"""The command import: exposures from tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console import options
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session
from mvmdb.console.show import say, warn
from mvmdb.errors import UsageError
from mvmdb.tables.formats.source import FORMATS, Format

if TYPE_CHECKING:
    from mvmdb.catalog.exposures.bulk_load import BulkReport
    from mvmdb.tables.problems import ProblemList


@click.command("import", short_help="Register exposures from a table.")
@click.argument("table", type=LocalPath(), metavar="TABLE")
@click.option(
    "--map", "maps", multiple=True, metavar="OURS=THEIRS", help="The column of a field (may be repeated), e.g. name=id."
)
@click.option("--format", "form", type=click.Choice(FORMATS), help="The format, if the content does not reveal it.")
@click.option(
    "--siaf", type=LocalPath(dir_okay=False), metavar="FILE",
    help="The telescope's aperture file, for rows without a region (default: the one of the package pysiaf).",
)  # fmt: skip
@click.option(
    "--problems", type=LocalPath(dir_okay=False), metavar="FILE",
    help="The file that lists unusable rows (default: TABLE.problems.csv in this folder, if there are more than 20).",
)  # fmt: skip
@options.as_json
@click.pass_obj
def import_table(
    session: Session,
    table: Path,
    maps: tuple[str, ...],
    form: Format | None,
    siaf: Path | None,
    problems: Path | None,
    as_json: bool,
) -> None:
    """Register footprints from a table: CSV, ECSV, VOTable, FITS or Parquet.

    Column names of ObsCore, MAST and the archive's HST search are recognized; name other columns with --map. A row
    without s_region gets its footprint from ra, dec, pa_v3 and aperture. A row that cannot be used is listed with the
    reason, and the exit code is 1. A file that was ingested takes precedence over a row.

    Example: mvmdb import exposures.parquet --map filters=wheels
    """
    mapping = _read_mapping(maps)
    with _bar(table) as meter:
        done = session.archive().import_table(
            table, mapping=mapping, form=form, siaf=siaf, problems=problems, progress=meter
        )
    report, listed = done.report, done.listed
    values = _as_json(done.rows, report, listed) | {"seconds": round(done.seconds, 3)}
    for line in _remarks(report):
        warn(f"mvmdb: {line}")
    if as_json:
        options.emit_json(values)
    else:
        say(*_as_words(values, listed))
    options.finish(done.attention)


def _read_mapping(maps: tuple[str, ...]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for text in maps:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(f"--map {text}: expected OURS=THEIRS, a field and the name of its column")
        field = ours.strip().lower()
        if mapping.setdefault(field, theirs) != theirs:
            raise UsageError(f"--map {text}: {field} was mapped to {mapping[field]} already; give it once")
    return mapping


@contextmanager
def _bar(table: Path) -> Iterator[Callable[[int, int, int], object]]:
    """Moves a progress bar, if standard error is a terminal, by bytes or rows, whichever the format counts."""
    if not sys.stderr.isatty():
        yield lambda done, length, rows: None
        return
    with click.progressbar(length=1, label=f"import {table.name}", file=sys.stderr) as bar:

        def move(done: int, length: int, rows: int) -> None:
            bar.length = max(1, length)
            bar.update(done - bar.pos)

        yield move


def _remarks(report: BulkReport) -> list[str]:
    """Lines for standard error about rows that were registered but need attention."""
    lines = [f"{name}: no solution: {why}" for name, why in sorted(report.unplaced.items())]
    if report.doubtful:
        rows = "1 row was" if report.doubtful == 1 else f"{report.doubtful} rows were"
        lines.append(f"{rows} registered with a warning, such as a region that crosses itself: see exposure.warnings")
    return lines


def _as_json(rows: int, report: BulkReport, listed: ProblemList) -> dict[str, Any]:
    return {
        "rows": rows,
        "new": report.new,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "ineligible": report.ineligible,
        "skipped": listed.count,
        "memberships": report.memberships,
        "layers": report.layers,
        "problems": [asdict(problem) for problem in listed.first],
        "problems_file": str(listed.path) if listed.written else None,
    }


def _as_words(values: dict[str, Any], listed: ProblemList) -> list[str]:
    lines = [
        "{rows} rows: {new} new, {changed} changed, {unchanged} unchanged, {skipped} left out; {ineligible} "
        "ineligible; {memberships} memberships written".format(**values)
    ]
    if listed.written:
        lines.append(f"rows left out are listed in {listed.path}; the first of them:")
    shown = listed.first[:5] if listed.written else listed.first
    lines += [f"row {item.row}{f' ({item.dataset})' if item.dataset else ''}: {item.reason}" for item in shown]
    return lines
