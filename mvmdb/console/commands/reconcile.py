"""The command reconcile."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options, products
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say


@click.command(short_help="Make every stale layer fresh.")
@options.output
@options.programs
@options.filters
@options.cells
@options.who
@options.cache
@options.memory
@options.wait
@click.option("--dry-run", is_flag=True, help="Print what would be done, and make nothing.")
@click.option("--full", is_flag=True, help="Drizzle all layers, fresh ones too, from all members; skies are kept.")
@click.option("--resky", is_flag=True, help="As --full, and match the skies of all members again.")
@options.available
@options.beside
@products.yes
@products.move_products
@options.progress
@options.as_json
@click.pass_obj
def reconcile(
    session: Session,
    output: Path | None,
    programs: tuple[str, ...],
    filters: tuple[str, ...],
    cells: tuple[str, ...],
    who: Who,
    memory_mb: int | None,
    wait: float,
    dry_run: bool,
    full: bool,
    resky: bool,
    available: bool,
    beside: str | None,
    rebuild: bool,
    move: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Make every stale layer fresh, and remove mosaics of layers that are no longer expected.

    The exit code is 1 if a layer failed or a problem is reported. A layer that failed stays stale, and the next run
    tries it again.

    Example: mvmdb reconcile -o /data/mvm --jobs 2
    """
    from mvmdb.console.outlook import show_outlook
    from mvmdb.console.render import reconcile_json, reconcile_words

    if dry_run:
        outlook = session.archive().preview(
            cells, products=output, programs=programs, filters=filters, available=available
        )
        show_outlook(outlook, as_json)
        return
    with Progress(progress) as monitor:
        done = session.archive(who, memory_mb, monitor).reconcile(
            products=output, programs=programs, filters=filters, skycells=cells, full=full, resky=resky,
            available=available, rebuild=rebuild, move=move, wait=wait, beside=beside,
        )  # fmt: skip
    if as_json:
        options.emit_json(reconcile_json(done.report))
    else:
        say(*reconcile_words(done.report))
    options.finish(done.attention)
