"""The command verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mvmdb.console import options, products
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress

if TYPE_CHECKING:
    pass


@click.command(short_help="Compare catalog, products and exposures.")
@click.option("--deep", is_flag=True, help="Read every product and every exposure whole, and digest them again.")
@click.option("--repair", is_flag=True, help="Mend what has one right answer, and nothing else.")
@options.cells
@options.wait
@options.who
@options.cache
@products.yes
@options.progress
@options.as_json
@click.pass_obj
def verify(
    session: Session,
    deep: bool,
    repair: bool,
    cells: tuple[str, ...],
    wait: float,
    who: Who,
    rebuild: bool,
    progress: Form,
    as_json: bool,
) -> None:
    """Compare the catalog with itself, with the products and with the exposures, and say what each difference means.

    Without --deep no pixels are read: rows are compared with what follows from other rows, files with their size and
    time. --repair never touches an exposure, never makes a mosaic, and removes no file but temporary ones. The exit
    code is 1 if something is found that is not repaired.

    Example: mvmdb verify --deep --jobs 2
    """
    from mvmdb.console.verification import verify_json, verify_words

    with Progress(progress) as monitor:
        report = session.archive(who, monitor=monitor).verify(
            cells, deep=deep, repair=repair, rebuild=rebuild, wait=wait
        )
    if as_json:
        options.emit_json(verify_json(report, deep=deep))
    else:
        options.emit_lines(verify_words(report))
    options.finish(report.left > 0)
