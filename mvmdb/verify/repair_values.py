"""Mends rows with values that their columns cannot have; files are read before the transactions that write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mvmdb.catalog.check.exposures import load_exposure_rows
from mvmdb.catalog.check.mend import note_repairs
from mvmdb.catalog.check.mend_values import load_active_row, mend_alone, mend_dataset, mend_exposure, mend_product
from mvmdb.catalog.check.values import ImpossibleRow, describe_impossible, find_impossible, load_product_places
from mvmdb.catalog.open import Connection, Engine
from mvmdb.verify.deep_reads import FileRead, FileToRead, read_files
from mvmdb.verify.exposure_files import compare_exposure
from mvmdb.verify.look import Inspected
from mvmdb.verify.repair_paths import read_stamp
from mvmdb.verify.repair_products import read_product_of


def repair_values(engine: Engine, archive: Inspected) -> None:
    """Mend these rows of all tables as far as there is one right answer. The caller holds the folder's lock."""
    with engine.begin() as connection:
        _note(connection, mend_alone(connection, find_impossible(connection)))
    for table in ("exposure", "dataset", "product", "product_member"):
        with engine.begin() as connection:
            rows = [row for row in find_impossible(connection) if row.table.name == table]
        done: set[Any] = set()
        for row in rows:
            if table == "exposure":
                _mend_exposure(engine, row)
            elif table == "dataset":
                _mend_dataset(engine, row)
            elif row.key.get("product_id") not in done:  # all members of a product are written at once
                done.update(filter(None, [row.key.get("product_id")]))
                _mend_product(engine, archive.products, row)


def _note(connection: Connection, rows: list[ImpossibleRow]) -> None:
    note_repairs(connection, map(describe_impossible, rows))


def _mend_exposure(engine: Engine, row: ImpossibleRow) -> None:
    with engine.begin() as connection:
        file = load_active_row(connection, row.named["id"])
    read = FileRead()
    if file is not None and read_stamp(file.path) == (file.size, file.mtime_ns):
        (read,) = read_files([FileToRead(file.path, False, True)])
    dataset = read.dataset
    if dataset is not None and row.named.get("ipppssoo", dataset.exposure.ipppssoo) != dataset.exposure.ipppssoo:
        dataset = None
    with engine.begin() as connection:
        if mend_exposure(connection, row, dataset, read.pixel_digest):
            _note(connection, [row])


def _mend_dataset(engine: Engine, row: ImpossibleRow) -> None:
    """Read the file anew, if it has the recorded size and time, or if it is still what the exposure's row says."""
    with engine.begin() as connection:
        file = load_active_row(connection, row.named["exposure_id"])
    path = row.named.get("path") or (file.path if file is not None else "")
    if not path:
        return
    (read,) = read_files([FileToRead(path, False, True)])
    if read.dataset is None:
        return
    name = read.dataset.exposure.ipppssoo
    with engine.begin() as connection:
        owner = row.named["exposure_id"]
        is_readable = owner not in {
            other.named["id"] for other in find_impossible(connection) if other.table.name == "exposure"
        }
        rows = load_exposure_rows(connection, [name]) if is_readable else []
        if any(owner == one.id and not list(compare_exposure(one, read)) for one in rows):
            mend_dataset(connection, row, read.dataset)
            _note(connection, [row])


def _mend_product(engine: Engine, products: Path | None, row: ImpossibleRow) -> None:
    with engine.begin() as connection:
        places = load_product_places(connection, row)
    record = None if products is None else read_product_of(products, *places)
    with engine.begin() as connection:
        if mend_product(connection, row, record):
            _note(connection, [row])
