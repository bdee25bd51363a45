"""The command poller."""

from __future__ import annotations

from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import looked
from mvmdb.console.show import say
from mvmdb.records import Mark


@click.command(short_help="Write the poller files of sky cells.")
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@options.output
@click.option("--all", "everything", is_flag=True, help="Every sky cell, even if nothing in it is stale.")
@click.option("--basic", is_flag=True, help="The basic form: one path per line.")
@options.mark
@options.wait
@options.as_json
@click.pass_obj
def poller(
    session: Session,
    cells: tuple[str, ...],
    output: Path | None,
    everything: bool,
    basic: bool,
    mark: Mark,
    wait: float,
    as_json: bool,
) -> None:
    """Write `<skycell>_input.out` for the sky cells named, or for every cell with a stale layer.

    The files go to DIR/<skycell>/ (default: the products folder). The rows of stale layers are marked NEW, all others
    OLD. The exit code is 1 if a file could not be written, or names an exposure that is gone.

    Example: mvmdb poller skycell-p0726x10y04 -o /data/pollers
    """
    from mvmdb.catalog.ask.cells import all_cells
    from mvmdb.catalog.due_pollers import note_behind
    from mvmdb.catalog.open import as_recorded
    from mvmdb.catalog.settings import products_folder, recorded_products_folder
    from mvmdb.pollers.write import planned_cells, write_pollers

    with looked(session, cells) as (outlook, begin, _):
        keys = options.chosen_cells(as_recorded(begin), cells)
        if keys is None and everything:
            with begin() as connection:
                keys = all_cells(connection)
        with as_recorded(begin)() as connection:
            folder = output or products_folder(connection, None)
            if folder.absolute() == recorded_products_folder(connection):  # so that the next run updates them
                note_behind(connection, planned_cells(outlook.plan) if keys is None else keys)
        with options.claimed(folder, wait):
            written = write_pollers(begin, outlook.plan, folder, mark, cells=keys, basic=basic)
    if as_json:
        options.emit_json({"pollers": written.paths, "problems": [*written.problems, *map(str, written.gone)]})
    else:
        for problem in written.problems:
            say(f"not written: {problem}")
        for file in written.gone:
            say(f"problem: {file}")
        waiting = f"{outlook.waiting} layers wait for files" if outlook.waiting else "nothing is stale"
        say(*(written.paths or [f"no poller is needed: {waiting}"]))
    options.finish(bool(written.problems or written.gone))
