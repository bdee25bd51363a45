"""Commands that look and write no mosaic: status, explain, poller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mvmdb.collection import no_collection
from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.records import Mark

if TYPE_CHECKING:
    from mvmdb.reconcile.observe import Begin
    from mvmdb.reconcile.planning import Outlook


@contextmanager
def looked(
    session: Session, cells: tuple[str, ...], *, deep: bool = False, products: Path | None = None
) -> Iterator[tuple[Outlook, Begin]]:
    """The outlook on these sky cells, or on all, and the transactions that it was made in.

    With `products`, as if the mosaics were there: then nothing of what the files show is kept.
    """
    from mvmdb.catalog.archive import open_catalog, recorded_products_folder
    from mvmdb.reconcile.planning import look_ahead

    with open_catalog(session.address) as engine, engine.begin() as connection:
        recorded = recorded_products_folder(connection)
    folder = recorded if products is None else products.absolute()
    with options.looking(session, keep=folder == recorded) as (begin, policy):
        keys = options.chosen_cells(begin, cells)
        yield look_ahead(begin, folder, policy, cells=keys, deep=deep), begin


@click.command()
@options.cells
@click.option("--deep", is_flag=True, help="Compare the digests of products, not only their size and time.")
@options.as_json
@click.pass_obj
def status(session: Session, cells: tuple[str, ...], deep: bool, as_json: bool) -> None:
    """Say what is stale, and why, in one line a layer. The exit code is 1 when anything is.

    Example: mvmdb status --skycell skycell-p0726x10y04
    """
    with no_collection(), looked(session, cells, deep=deep) as (outlook, _):
        show_outlook(outlook, as_json)
    options.finish(bool(outlook.plan.layers))


def show_outlook(outlook: Outlook, as_json: bool) -> None:
    """Print a plan, as JSON or in words."""
    from mvmdb.console.render import plan_json, plan_words

    if as_json:
        options.emit_json(plan_json(outlook))
    else:
        options.emit_lines(plan_words(outlook))


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

    with options.looking(session) as (begin, policy), begin() as connection:
        cells = describe(connection, name, policy).skycells
    with looked(session, cells) as (outlook, begin), begin() as connection:  # described after the look: as it is now
        found = describe(connection, name, policy)
    stale = [line for line in outlook.plan.layers if line.name in found.layers]
    if as_json:
        plans = [plan_line(line) for line in stale]
        options.emit_json({"kind": found.kind, "name": found.name, "lines": list(found.lines), "stale": plans})
        return
    click.echo(f"{found.name} ({found.kind})")
    for text in found.lines:
        click.echo(f"  {text}")
    for line in stale:
        because = f" ({line.drizzle_because})" if line.drizzle_because else ""
        click.echo(f"  Stale: {plan_line(line)}{because}")
    if found.layers and not stale:
        click.echo("  Fresh: nothing has to be done for it.")


@click.command()
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@options.output
@click.option("--all", "everything", is_flag=True, help="Every sky cell, also where nothing is stale.")
@click.option("--basic", is_flag=True, help="The basic form: one path a line.")
@options.mark
@options.as_json
@click.pass_obj
def poller(
    session: Session,
    cells: tuple[str, ...],
    output: Path | None,
    everything: bool,
    basic: bool,
    mark: Mark,
    as_json: bool,
) -> None:
    """Write `<skycell>_input.out` for the sky cells named, or for every cell with a stale layer.

    The files go to DIR/<skycell>/. A stale layer's rows are marked NEW, all others OLD.

    Example: mvmdb poller skycell-p0726x10y04 -o /data/pollers
    """
    from mvmdb.catalog.archive import all_cells, products_folder
    from mvmdb.nightly import write_pollers

    with looked(session, cells) as (outlook, begin):
        keys = options.chosen_cells(begin, cells)
        with begin() as connection:
            folder = output or products_folder(connection, None)
            keys = all_cells(connection) if keys is None and everything else keys
        with options.claimed(folder):
            written = write_pollers(begin, outlook, folder, mark, cells=keys, basic=basic)
    if as_json:
        options.emit_json({"pollers": written.paths, "problems": written.problems})
    else:
        for problem in written.problems:
            click.echo(f"not written: {problem}")
        click.echo("\n".join(written.paths) or "no poller is needed: nothing is stale")
    options.finish(bool(written.problems))
