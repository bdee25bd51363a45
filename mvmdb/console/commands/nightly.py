"""The command nightly."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.records import Mark


@click.command(short_help="Run the night: ingest, pollers, reconcile.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.executor
@options.jobs
@options.memory
@options.mark
@options.available
@options.progress
@options.as_json
@click.pass_obj
def nightly(
    session: Session,
    paths: tuple[str, ...],
    output: Path | None,
    executor: str | None,
    jobs: int | None,
    memory_mb: int | None,
    mark: Mark,
    available: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """The night's work in one run: ingest, pollers for stale sky cells, reconcile; then a report.

    An inbox without exposures is no error here: what is stale is made fresh all the same.

    Example: mvmdb nightly /data/inbox -o /data/mvm
    """
    from mvmdb.console.render import ingest_json, ingest_words, reconcile_json, reconcile_words
    from mvmdb.nightly import run_night
    from mvmdb.reconcile.layer_jobs import Options

    exposures = options.find_files(paths, quiet_night=True)
    with (
        options.open_workers(executor, jobs, memory_mb) as workers,
        options.catalog(session, create=True) as (engine, policy),
    ):
        products = options.chosen_products(engine, output)
        with Progress(progress) as monitor:
            report = run_night(
                engine,
                exposures.paths,
                products,
                policy,
                options=Options(available=available),
                mark=mark,
                workers=workers,
                monitor=monitor,
            )
    if as_json:
        options.emit_json(
            {
                "ingest": ingest_json(report.ingest),
                "plan": {
                    "fresh": report.fresh,
                    "stale": report.stale,
                    "orphaned": report.orphaned,
                    "waiting": report.waiting,
                },
                "pollers": report.pollers,
                "poller_problems": report.poller_problems,
                "reconcile": reconcile_json(report.reconcile),
            }
        )
    else:
        say(*ingest_words(report.ingest))
        waiting = f", {report.waiting} waiting for files" if report.waiting else ""
        say(f"plan: {report.stale} stale, {report.fresh} fresh, {report.orphaned} orphaned{waiting}")
        lines = [f"poller: {path}" for path in report.pollers]
        lines += [f"poller not written: {problem}" for problem in report.poller_problems]
        say(*lines, *reconcile_words(report.reconcile))
    troubles = (report.ingest.problems, report.poller_problems, report.reconcile.problems, exposures.unreadable_folders)
    options.finish(any(troubles) or report.reconcile.failed > 0)
