"""The command stage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.outlook import looked
from mvmdb.console.progress import Form, Progress
from mvmdb.console.show import say
from mvmdb.staging.copies import LINKS, Link


@click.command(short_help="Fill folders for drizzlepac: exposures and poller.")
@click.argument("cells", nargs=-1, metavar="[SKYCELL...]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", required=True,
    help="The folder to write to; not the products folder.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Mark every row NEW, so that every layer of these sky cells is made.")
@click.option(
    "--link",
    type=click.Choice(LINKS),
    default="copy",
    show_default=True,
    help="Link to the exposures instead of copying them: what drizzlepac writes into its inputs, it writes into them.",
)
@options.wait
@options.progress
@options.as_json
@click.pass_obj
def stage(
    session: Session,
    cells: tuple[str, ...],
    output: Path,
    full: bool,
    link: Link,
    wait: float,
    progress: Form,
    as_json: bool,
) -> None:
    """Fill DIR/<skycell>/ with copies of the files of every row, OLD ones too, and the poller file, for drizzlepac.

    For the sky cells named, or for every cell with a stale layer. The files get the names of the archive's pollers.
    Where the file system can, copies share blocks with the exposures until one is changed. A second run puts what is
    missing or has changed. The exit code is 1 if a sky cell is not complete.

    Example: mvmdb stage skycell-p0726x10y04 -o /scratch/mvm
    """
    from mvmdb.catalog.ask.members import load_layer_exposures
    from mvmdb.catalog.open import as_recorded
    from mvmdb.catalog.settings import recorded_products_folder
    from mvmdb.console.render import stage_words
    from mvmdb.errors import UsageError
    from mvmdb.pollers.write import planned_cells
    from mvmdb.staging.plan import plan_cells
    from mvmdb.staging.stage import stage as fill_folders

    folder = output.absolute()
    with looked(session, cells) as (outlook, begin, _):
        with as_recorded(begin)() as connection:
            products = recorded_products_folder(connection)
        if products is not None and products.resolve() == folder.resolve():
            raise UsageError(
                f"{output} is the products folder, where drizzlepac would overwrite mosaics; give another one: -o DIR"
            )
        keys = options.chosen_cells(as_recorded(begin), cells) or planned_cells(outlook.plan)
        with begin() as connection:
            exposures = load_layer_exposures(connection, keys)
        planned = plan_cells(exposures, outlook.plan, all_new=full)
    with options.claimed(folder, wait), Progress(progress) as monitor:
        report = fill_folders(planned, folder, link, monitor=monitor)
    if as_json:
        options.emit_json(
            {"bytes": report.bytes, "skycells": [asdict(cell) for cell in report.cells], "problems": report.problems}
        )
    else:
        waiting = f"{outlook.waiting} layers wait for files" if outlook.waiting else "nothing is stale"
        say(*(stage_words(report) or [f"no sky cell to stage: {waiting}"]))
    options.finish(bool(report.problems))
