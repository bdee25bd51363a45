"""Mends rows with values that their columns cannot have; files are read before the transactions that write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvmdb.catalog.check.exposures import load_exposure_rows
from mvmdb.catalog.check.mend import note_repairs
from mvmdb.catalog.check.mend_values import load_active_row, mend_alone, mend_dataset, mend_exposure, mend_product
from mvmdb.catalog.check.values import ImpossibleRow, describe_impossible, find_impossible, load_product_places
from mvmdb.catalog.open import Connection, Engine
from mvmdb.errors import NameFormatError
from mvmdb.names import Kind, format_product_name, parse_layer_name, product_place
from mvmdb.records import ProductRecord
from mvmdb.stamp import file_stamp
from mvmdb.verify.deep_reads import FileRead, FileToRead, read_files
from mvmdb.verify.exposure_files import compare_exposure
from mvmdb.verify.look import Archive

_KINDS: tuple[Kind, Kind] = ("flt", "flc")


def repair_values(engine: Engine, archive: Archive) -> None:
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
    if file is not None and _stamp(file.path) == (file.size, file.mtime_ns):
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


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        return file_stamp(Path(path).stat())
    except (OSError, ValueError):
        return None


def _mend_product(engine: Engine, products: Path | None, row: ImpossibleRow) -> None:
    with engine.begin() as connection:
        places = load_product_places(connection, row)
    record = None if products is None else _read_one(products, places)
    with engine.begin() as connection:
        if mend_product(connection, row, record):
            _note(connection, [row])


def _read_one(products: Path, places: tuple[str, str]) -> ProductRecord | None:
    """The intact file of the product of a layer, or with a file name, if there is one and only one."""
    paths = {path for path in _candidates(products, *places) if path.exists()}
    if len(paths) != 1:  # with both, the next run decides
        return None
    (read,) = read_files([FileToRead(str(paths.pop()), True)])
    if read.record is None or (places[0] and read.record.layer != places[0]):
        return None
    return read.record


def _candidates(products: Path, layer: str, filename: str) -> Iterator[Path]:
    try:
        if layer:
            names = [format_product_name(layer, kind) for kind in _KINDS]
        else:
            names, layer = [filename], filename.rpartition("_")[0]
        for name in names:
            yield products / product_place(parse_layer_name(layer).skycell, name)
    except NameFormatError:
        return
