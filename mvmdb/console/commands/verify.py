"""The command verify."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from mvmdb.console import options, products
from mvmdb.console.options import Session, Who
from mvmdb.console.progress import Form, Progress

if TYPE_CHECKING:
    from mvmdb.catalog.open import Engine


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
    from mvmdb.catalog.check.select import EVERYTHING, part_of_cells
    from mvmdb.catalog.open import check_file
    from mvmdb.catalog.settings import read_policy, recorded_products_folder
    from mvmdb.console.verification import verify_json, verify_words
    from mvmdb.jobs.lock import claim_folder
    from mvmdb.verify.look import Archive
    from mvmdb.verify.run import verify as compare

    with ExitStack() as stack:
        workers = stack.enter_context(options.open_workers(who)) if deep else None
        engine = stack.enter_context(_opened(session, repair))
        check_file(engine, thorough=deep)
        with engine.begin() as connection:
            policy, folder = read_policy(connection), recorded_products_folder(connection)
        keys = options.chosen_cells(engine.begin, cells)
        part = EVERYTHING if keys is None else part_of_cells(engine.begin, keys)
        left_before = None
        if repair and folder is not None:
            products.agreed_products(engine, None, rebuild=rebuild, move=False)
            left_before = stack.enter_context(claim_folder(folder, wait=wait)).taken_ns
        monitor = stack.enter_context(Progress(progress))
        archive = Archive(engine.begin, policy, folder, workers, monitor, left_before)
        report = compare(archive, part, mend=engine if repair else None)
    if as_json:
        options.emit_json(verify_json(report, deep=deep))
    else:
        options.emit_lines(verify_words(report))
    options.finish(report.left > 0)


@contextmanager
def _opened(session: Session, repair: bool) -> Iterator[Engine]:
    """The catalog, read-only unless something is to be repaired, which is a run of the history."""
    from mvmdb.catalog.open import open_catalog

    with open_catalog(session.address, read_only=not repair) as engine:
        yield session.run.begin(engine) if repair else engine
