"""Commands that make mosaics: reconcile, nightly, process."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.progress import Form, Progress
from mvmdb.records import Mark


@click.command()
@options.output
@options.cells
@options.executor
@options.jobs
@options.memory
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--full", is_flag=True, help="Drizzle every layer from all its members, fresh ones too; skies stay.")
@click.option("--resky", is_flag=True, help="As --full, with the skies of all members matched anew.")
@options.progress
@options.as_json
@click.pass_obj
def reconcile(
    session: Session,
    output: Path | None,
    cells: tuple[str, ...],
    executor: str | None,
    jobs: int | None,
    memory_mb: int | None,
    dry_run: bool,
    full: bool,
    resky: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Make every stale layer fresh, and remove mosaics that no exposure is expected in any more.

    The exit code is 1 when a layer failed. A layer that failed stays stale and is tried again by the next run.

    Example: mvmdb reconcile -o /data/mvm --jobs 2
    """
    from mvmdb.console.looks import looked, show_outlook
    from mvmdb.console.render import reconcile_json, reconcile_words
    from mvmdb.reconcile.run import Options
    from mvmdb.reconcile.run import reconcile as make_fresh

    if dry_run:
        with looked(session, cells, products=output) as (outlook, _):
            show_outlook(outlook, as_json)
        return
    with options.hired(executor, jobs) as crew, options.catalog(session) as (engine, policy):
        chosen = Options(options.chosen_cells(engine.begin, cells), full=full, resky=resky, memory_mb=memory_mb)
        products = options.chosen_products(engine, output)
        with Progress(progress) as told:
            report = make_fresh(
                engine,
                products,
                policy,
                chosen,
                crew=crew,
                announce=lambda outlook: told.announce_layers(len(outlook.plan.layers)),
                progress=told.layer,
            )
    if as_json:
        options.emit_json(reconcile_json(report))
    else:
        click.echo("\n".join(reconcile_words(report)))
    options.finish(report.failed > 0 or bool(report.problems))


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.executor
@options.jobs
@options.memory
@options.mark
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
    progress: Form,
    as_json: bool,
) -> None:
    """The night's work in one run: ingest, pollers for stale sky cells, reconcile; then a report.

    An inbox without exposures is no error here: what is stale is made fresh all the same.

    Example: mvmdb nightly /data/inbox -o /data/mvm
    """
    from mvmdb.console.render import ingest_json, ingest_words, reconcile_json, reconcile_words
    from mvmdb.nightly import run_night
    from mvmdb.reconcile.run import Options

    found = options.find_files(paths, quiet_night=True)
    with options.hired(executor, jobs) as crew, options.catalog(session, create=True) as (engine, policy):
        products = options.chosen_products(engine, output)
        with Progress(progress) as told:
            told.announce_files(len(found.paths))
            report = run_night(
                engine,
                found.paths,
                products,
                policy,
                options=Options(memory_mb=memory_mb),
                mark=mark,
                crew=crew,
                announce=lambda outlook: told.announce_layers(len(outlook.plan.layers)),
                reading=told.files,
                making=told.layer,
            )
    if as_json:
        options.emit_json(
            {
                "ingest": ingest_json(report.ingest),
                "plan": {"fresh": report.fresh, "stale": report.stale, "orphaned": report.orphaned},
                "pollers": report.pollers,
                "poller_problems": report.poller_problems,
                "reconcile": reconcile_json(report.reconcile),
            }
        )
    else:
        click.echo("\n".join(ingest_words(report.ingest)))
        click.echo(f"plan: {report.stale} stale, {report.fresh} fresh, {report.orphaned} orphaned")
        lines = [f"poller: {path}" for path in report.pollers]
        lines += [f"poller not written: {problem}" for problem in report.poller_problems]
        click.echo("\n".join([*lines, *reconcile_words(report.reconcile)]))
    troubles = (report.ingest.problems, report.poller_problems, report.reconcile.problems, found.unreadable_folders)
    options.finish(any(troubles) or report.reconcile.failed > 0)


@click.command()
@click.argument("poller", type=click.Path(path_type=Path))
@options.output
@click.option(
    "--limits",
    type=(int, int, int, int),
    metavar="X0 X1 Y0 Y1",
    help="One rectangle instead of sky cells: fine pixels of the projection cell, first and last.",
)
@options.executor
@options.jobs
@options.memory
@options.progress
@options.as_json
@click.pass_obj
def process(
    session: Session,
    poller: Path,
    output: Path | None,
    limits: tuple[int, int, int, int] | None,
    executor: str | None,
    jobs: int | None,
    memory_mb: int | None,
    progress: Form,
    as_json: bool,
) -> None:
    """Make the mosaics of one poller file, basic or full, with no catalog.

    A layer with a NEW row is made from all its rows. The products go to DIR/<skycell>/ (default: this folder). The exit
    code is 1 when a layer failed or an exposure could not be used.

    Example: mvmdb process skycell-p0726x10y04_input.out -o /data/mvm
    """
    import os

    from mvmdb.console.render import reconcile_json, reconcile_words
    from mvmdb.exposures.eligibility import apply_switches
    from mvmdb.reconcile.standalone import process_poller
    from mvmdb.records import Policy

    policy = apply_switches(Policy(), os.environ)
    folder = (output or Path()).absolute()  # a worker elsewhere has another current folder
    with options.hired(executor, jobs) as crew, Progress(progress) as told:
        report = process_poller(
            poller.absolute(), folder, policy, crew=crew, announce=told.announce_layers, progress=told.layer,
            limits=limits, memory_mb=memory_mb,
        )  # fmt: skip
    if as_json:
        options.emit_json(reconcile_json(report))
    else:
        click.echo("\n".join(reconcile_words(report)))
    options.finish(report.failed > 0 or bool(report.refused))
