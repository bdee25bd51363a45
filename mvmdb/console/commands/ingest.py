"""The command ingest."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say


@click.command(short_help="Register FLT and FLC exposures.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.programs
@options.filters
@options.cells
@options.who
@options.progress
@options.as_json
@click.pass_obj
def ingest(
    session: Session,
    paths: tuple[str, ...],
    programs: tuple[str, ...],
    filters: tuple[str, ...],
    cells: tuple[str, ...],
    who: Who,
    progress: Form,
    as_json: bool,
) -> None:
    """Register FLT and FLC exposures: files, folders with their subfolders, and @LIST files.

    Unchanged files are not opened. A file that cannot be used is quarantined with the reason. The exit code is 1 if the
    fault is new, or the file has changed since. Exposures outside the programs, filters and sky cells that are given
    are left out, and the next ingest reads them again.

    Example: mvmdb ingest /data/inbox @more.txt
    """
    from mvmdb.catalog.exposures.ingest import ingest_files
    from mvmdb.catalog.narrow import Narrowing
    from mvmdb.console.render import growth_words, ingest_json, ingest_words

    narrowing = Narrowing(programs, filters, options.cell_keys(cells))
    exposures = options.find_files(paths)
    with (
        options.open_workers(who) as workers,
        options.catalog(session, create=True) as (engine, _),
        Progress(progress) as monitor,
    ):
        report = ingest_files(engine, exposures.paths, narrowing=narrowing, workers=workers, monitor=monitor)
    if as_json:
        options.emit_json(ingest_json(report))
    else:
        say(*ingest_words(report), *growth_words(report))
    options.finish(any((report.news, exposures.unreadable_folders, exposures.compressed)))
