"""Commands about layers and their mosaics: status, explain, poller, reconcile, nightly, process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.records import Mark

if TYPE_CHECKING:
    from mvmdb.reconcile.planning import Outlook
    from mvmdb.reconcile.run import LayerOutcome


@click.command()
@options.cells
@click.option("--deep", is_flag=True, help="Compare the digests of products, not only their size and time.")
@options.as_json
@click.pass_obj
def status(session: Session, cells: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """Say what is stale, and why, in one line a layer. The exit code is 1 when anything is.

    Example: mvmdb status --skycell skycell-p0726x10y04
    """
    from mvmdb.console.render import plan_json, plan_words

    outlook = _look(session, cells, deep=deep)
    if as_json:
        options.emit_json(plan_json(outlook))
    else:
        click.echo("\n".join(plan_words(outlook)))
    options.finish(bool(outlook.plan.layers))


def _look(session: Session, cells: tuple[str, ...], *, deep: bool = False, products: Path | None = None) -> Outlook:
    from mvmdb.catalog.archive import recorded_products_folder
    from mvmdb.reconcile.planning import look_ahead

    with options.catalog(session) as (engine, policy):
        keys = options.chosen_cells(engine, cells)
        with engine.begin() as connection:
            folder = products or recorded_products_folder(connection)
        return look_ahead(engine, folder, policy, cells=keys, deep=deep)


@click.command()
@click.argument("name")
@options.as_json
@click.pass_obj
def explain(session: Session, name: str, as_json: bool) -> None:
    """Say in words everything that is known about one layer, sky cell or exposure.

    Example: mvmdb explain hst_skycell-p0726x10y04_wfc3_ir_f125w_all
    """
    from mvmdb.catalog.describe import describe
    from mvmdb.console.render import plan_line

    with options.catalog(session) as (engine, _), engine.begin() as connection:
        found = describe(connection, name)
    stale = [
        line for line in _look(session, found.skycells).plan.layers if line.name in found.layers
    ] if found.skycells else []  # fmt: skip
    if as_json:
        options.emit_json(
            {
                "kind": found.kind,
                "name": found.name,
                "lines": list(found.lines),
                "stale": [plan_line(line) for line in stale],
            }
        )
        return
    click.echo(f"{found.name} ({found.kind})")
    for line in found.lines:
        click.echo(f"  {line}")
    for item in stale:
        because = f" ({item.drizzle_because})" if item.drizzle_because else ""
        click.echo(f"  Stale: {plan_line(item)}{because}")
    if found.layers and not stale:
        click.echo("  Fresh: nothing has to be done for it.")


@click.command()
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@options.output
@click.option("--all", "everything", is_flag=True, help="Every sky cell, also where nothing is stale.")
@options.mark
@options.as_json
@click.pass_obj
def poller(
    session: Session, cells: tuple[str, ...], output: Path | None, everything: bool, mark: Mark, as_json: bool
) -> None:
    """Write `<skycell>_input.out` for the sky cells named, or for every cell with a stale layer.

    The files go to DIR/<skycell>/. A stale layer's rows are marked NEW, all others OLD.

    Example: mvmdb poller skycell-p0726x10y04 -o /data/pollers
    """
    from mvmdb.catalog.archive import all_cells
    from mvmdb.nightly import write_pollers

    outlook = _look(session, cells)
    with options.catalog(session) as (engine, _):
        keys = options.chosen_cells(engine, cells)
        if keys is None and everything:
            with engine.begin() as connection:
                keys = all_cells(connection)
        folder = output or options.chosen_products(engine, None)
        with options.claimed(folder):
            paths = write_pollers(engine, outlook, folder, mark, keys)
    if as_json:
        options.emit_json({"pollers": paths})
    else:
        click.echo("\n".join(paths) if paths else "no poller is needed: nothing is stale")


@click.command()
@options.output
@options.cells
@options.jobs
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--full", is_flag=True, help="Drizzle every layer from all its members, fresh ones too; skies stay.")
@click.option("--resky", is_flag=True, help="As --full, with the skies of all members matched anew.")
@options.as_json
@click.pass_obj
def reconcile(
    session: Session,
    output: Path | None,
    cells: tuple[str, ...],
    jobs: int | None,
    dry_run: bool,
    full: bool,
    resky: bool,
    as_json: bool,
) -> None:
    """Make every stale layer fresh, and remove mosaics that no exposure is expected in any more.

    The exit code is 1 when a layer failed. A layer that failed stays stale and is tried again by the next run.

    Example: mvmdb reconcile -o /data/mvm --jobs 2
    """
    from mvmdb.console.render import plan_json, plan_words, reconcile_json, reconcile_words
    from mvmdb.reconcile.run import Options
    from mvmdb.reconcile.run import reconcile as make_fresh

    if dry_run:
        outlook = _look(session, cells, products=output)
        if as_json:
            options.emit_json(plan_json(outlook))
        else:
            click.echo("\n".join(plan_words(outlook)))
        return
    with options.catalog(session) as (engine, policy):
        chosen = Options(options.chosen_cells(engine, cells), jobs, full, resky)
        products = options.chosen_products(engine, output)
        with _LayerBar() as progress:
            report = make_fresh(engine, products, policy, chosen, announce=progress.announce, progress=progress.advance)
    if as_json:
        options.emit_json(reconcile_json(report))
    else:
        click.echo("\n".join(reconcile_words(report)))
    options.finish(report.failed > 0)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.output
@options.jobs
@options.mark
@options.as_json
@click.pass_obj
def nightly(
    session: Session, paths: tuple[str, ...], output: Path | None, jobs: int | None, mark: Mark, as_json: bool
) -> None:
    """The night's work in one run: ingest, pollers for stale sky cells, reconcile; then a report.

    An inbox without exposures is no error here: what is stale is made fresh all the same.

    Example: mvmdb nightly /data/inbox -o /data/mvm
    """
    from mvmdb.console.render import ingest_json, ingest_words, reconcile_json, reconcile_words
    from mvmdb.exposures.find import find_exposures
    from mvmdb.nightly import run_night
    from mvmdb.reconcile.run import Options

    found = find_exposures(paths)
    for folder in found.empty_folders:
        click.echo(f"mvmdb: no exposures in {folder} (*_flt.fits, *_flc.fits)", err=True)
    with options.catalog(session, create=True) as (engine, policy):
        products = options.chosen_products(engine, output)
        with options.bar("ingest", len(found.paths)) as reading, _LayerBar() as progress:
            report = run_night(
                engine,
                found.paths,
                products,
                policy,
                options=Options(jobs=jobs),
                mark=mark,
                announce=progress.announce,
                reading=reading,
                making=progress.advance,
            )
    if as_json:
        options.emit_json(
            {
                "ingest": ingest_json(report.ingest),
                "plan": {"fresh": report.fresh, "stale": report.stale, "orphaned": report.orphaned},
                "pollers": report.pollers,
                "reconcile": reconcile_json(report.reconcile),
            }
        )
    else:
        click.echo("\n".join(ingest_words(report.ingest)))
        click.echo(f"plan: {report.stale} stale, {report.fresh} fresh, {report.orphaned} orphaned")
        click.echo("\n".join([*(f"poller: {path}" for path in report.pollers), *reconcile_words(report.reconcile)]))
    options.finish(bool(report.ingest.problems) or report.reconcile.failed > 0)


@click.command()
@click.argument("poller", type=click.Path(path_type=Path))
@options.output
@options.jobs
@options.as_json
@click.pass_obj
def process(session: Session, poller: Path, output: Path | None, jobs: int | None, as_json: bool) -> None:
    """Make the mosaics of one poller file, basic or full, with no catalog.

    A layer with a NEW row is made from all its rows. The products go to DIR/<skycell>/ (default: this folder).

    Example: mvmdb process skycell-p0726x10y04_input.out -o /data/mvm
    """
    import os

    from mvmdb.console.render import reconcile_json, reconcile_words
    from mvmdb.exposures.eligibility import apply_switches
    from mvmdb.reconcile.standalone import process_poller
    from mvmdb.records import Policy

    report = process_poller(poller, output or Path(), apply_switches(Policy(), os.environ), jobs=jobs)
    if as_json:
        options.emit_json(reconcile_json(report))
    else:
        click.echo("\n".join(reconcile_words(report)))
    options.finish(report.failed > 0)


class _LayerBar:
    """A progress bar over layers that gets its length when the plan is known."""

    def __enter__(self) -> _LayerBar:
        self._bar: Any = None
        self._step: Any = None
        return self

    def announce(self, outlook: Outlook) -> None:
        if outlook.plan.layers:
            self._bar = options.bar("mosaics", len(outlook.plan.layers))
            self._step = self._bar.__enter__()

    def advance(self, outcome: LayerOutcome) -> None:
        if self._step is not None:
            self._step(1)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
