"""The command nightly."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options, products
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
@products.yes
@products.move_products
@click.option(
    "--report", "report_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
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
    from mvmdb.catalog.ask.night import is_eventful, save_report, summarize_night
    from mvmdb.catalog.narrow import Narrowing
    from mvmdb.console.night import night_json, night_words
    from mvmdb.console.night_report import check_report_path, write_report
    from mvmdb.nightly import run_night
    from mvmdb.reconcile.layer_jobs import Options

    if report_path is not None:
        check_report_path(report_path)
    exposures = options.find_files(paths, quiet_night=True, silent=quiet)
    with (
        options.open_workers(who, memory_mb) as workers,
        options.catalog(session, create=True, check=True) as (engine, policy),
    ):
        folder = products.agreed_products(engine, output, rebuild=rebuild, move=move)
        with Progress(progress) as monitor:
            report = run_night(
                engine,
                exposures.paths,
                folder,
                policy,
                options=Options(
                    options.cell_keys(cells),
                    available=available,
                    move=move,
                    patient=True,
                    wait=wait,
                    narrowing=Narrowing(programs, filters),
                ),
                mark=mark,
                folders=exposures.folders,
                stamps=exposures.stamps,
                watched=pruning.watch(exposures.folders, monitor.close),
                workers=workers,
                monitor=monitor,
            )
        assert session.run.key is not None  # the catalog was opened to be changed
        problems = [*report.poller_problems, *report.gone, *report.reconcile.problems]
        night = summarize_night(engine, session.run.key, resting=report.reconcile.resting.values(), problems=problems)
        save_report(engine, session.run.key, night)
    if report_path is not None:
        write_report(report_path, night)
    news = [file for file in report.vanished if file.new]
    refused = report.prune is not None and report.prune.refused
    troubles = (report.ingest.news, news, refused, problems, exposures.unreadable_folders, exposures.compressed)
    if quiet and not is_eventful(night, troubles):
        return
    if as_json:
        options.emit_json({"run": session.run.key, **night_json(report)})
    else:
        say(*night_words(report, night))
    options.finish(any(troubles) or report.reconcile.failed > 0)
