"""The command nightly."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mvmdb.console import options, products
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.records import Mark


@click.command(short_help="Do the night's work: ingest, reconcile, write poller files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.who
@options.memory
@options.mark
@options.available
@products.yes
@products.move_products
@options.progress
@options.as_json
@click.pass_obj
def nightly(
    session: Session,
    paths: tuple[str, ...],
    output: Path | None,
    who: Who,
    memory_mb: int | None,
    mark: Mark,
    available: bool,
    rebuild: bool,
    move: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Do the night's work in one run: ingest, reconcile, and write the poller files of the sky cells that it worked in.

    An inbox without exposures is not an error here: stale layers are made fresh nevertheless. The exit code is 1 if a
    layer failed, or if anything else in the report needs attention.

    Example: mvmdb nightly /data/inbox -o /data/mvm
    """
    from mvmdb.console.render import file_words, ingest_json, ingest_words, reconcile_json, reconcile_words
    from mvmdb.nightly import run_night
    from mvmdb.reconcile.layer_jobs import Options

    exposures = options.find_files(paths, quiet_night=True)
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
                options=Options(available=available, move=move),
                mark=mark,
                workers=workers,
                monitor=monitor,
            )
    if as_json:
        options.emit_json(
            {
                "ingest": ingest_json(report.ingest),
                "vanished": [asdict(file) for file in report.vanished],
                "plan": {name: getattr(report, name) for name in ("fresh", "stale", "orphaned", "waiting")},
                "pollers": report.pollers,
                "planned_pollers": report.planned,
                "poller_problems": report.poller_problems + report.gone,
                "reconcile": reconcile_json(report.reconcile),
            }
        )
    else:
        say(*ingest_words(report.ingest), *file_words("vanished", report.vanished))
        waiting = f", {report.waiting} waiting for files" if report.waiting else ""
        say(f"plan: {report.stale} stale, {report.fresh} fresh, {report.orphaned} orphaned{waiting}")
        lines = [f"poller: {path}" for path in report.pollers]
        lines += [f"poller not written: {problem}" for problem in report.poller_problems]
        lines += [f"problem: {line}" for line in report.gone]
        say(*lines, *reconcile_words(report.reconcile))
    troubles = (
        report.ingest.news, [file for file in report.vanished if file.new], report.poller_problems, report.gone,
        report.reconcile.problems, exposures.unreadable_folders, exposures.compressed,
    )  # fmt: skip
    options.finish(any(troubles) or report.reconcile.failed > 0)
