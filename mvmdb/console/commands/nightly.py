"""The command nightly."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options, products
from mvmdb.console.localpath import LocalPath
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.pruning import Pruning, pruning
from mvmdb.console.show import say
from mvmdb.records import Mark


@click.command(short_help="Do the night's work: ingest, reconcile, write poller files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.who
@options.cache
@options.memory
@options.wait
@options.programs
@options.filters
@options.cells
@options.mark
@pruning()
@options.available
@options.beside
@products.yes
@products.move_products
@click.option(
    "--report", "report_path", type=LocalPath(dir_okay=False), metavar="FILE",
    help="Write the night's report there: text, a page or JSON, by its ending (.txt, .html, .json).",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Print nothing if nothing came, was made, refused or failed, as for cron.")
@options.progress
@options.as_json
@click.pass_obj
def nightly(
    session: Session,
    paths: tuple[str, ...],
    output: Path | None,
    who: Who,
    memory_mb: int | None,
    wait: float,
    programs: tuple[str, ...],
    filters: tuple[str, ...],
    cells: tuple[str, ...],
    mark: Mark,
    pruning: Pruning,
    available: bool,
    beside: str | None,
    rebuild: bool,
    move: bool,
    report_path: Path | None,
    quiet: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Do the night's work in one run: ingest, reconcile, and write the poller files of the sky cells that it worked in.

    An inbox without exposures is not an error here: stale layers are made fresh nevertheless. The exit code is 1 if a
    layer failed, or if anything else in the report needs attention. The report is kept in the catalog too. --prune is
    as in ingest.

    Example: mvmdb nightly /data/inbox -o /data/mvm
    """
    from mvmdb.console.night import night_json, night_words
    from mvmdb.console.night_report import check_report_path, write_report

    if report_path is not None:
        check_report_path(report_path)
    with Progress(progress) as monitor:
        night = session.archive(who, memory_mb, monitor).nightly(
            *paths, products=output, programs=programs, filters=filters, skycells=cells, mark=mark,
            prune=pruning.chosen(monitor.close), available=available, rebuild=rebuild, move=move, wait=wait,
            beside=beside,
        )  # fmt: skip
    options.warn_of(night.found, empty=not quiet)
    if report_path is not None:
        write_report(report_path, night.summary)
    if quiet and not night.eventful:
        return
    if as_json:
        options.emit_json({"run": night.run, **night_json(night.report)})
    else:
        say(*night_words(night.report, night.summary))
    options.finish(night.attention)
