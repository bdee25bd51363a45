"""Looks at a part of an archive, and finds what is damaged; nothing is changed.

Rows are read some thousands at a time, each time in a transaction of its own, and files between transactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from mvmdb.catalog.check.exposures import Corrections, check_exposures, load_exposure_rows
from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.check.layers import check_cells
from mvmdb.catalog.check.products import check_products, compare_with_file
from mvmdb.catalog.check.references import describe_dangling, find_dangling
from mvmdb.catalog.check.select import (
    EVERYTHING,
    ActiveFile,
    Part,
    cell_keys,
    exposure_keys,
    load_active_files,
    load_product_names,
    load_products,
    product_keys,
)
from mvmdb.catalog.check.settings import check_settings
from mvmdb.catalog.check.skies import check_skies
from mvmdb.catalog.check.values import Unreadable, describe_impossible, find_unreadable
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.observed import RecordedProduct
from mvmdb.errors import WorkersError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.mosaic.product.folders import list_cell_folders
from mvmdb.names import CellId, format_cell_name
from mvmdb.records import Policy, Proof
from mvmdb.verify.companion_files import check_companions
from mvmdb.verify.decisions_file import check_decisions
from mvmdb.verify.deep_reads import FileRead, FileToRead, read_files
from mvmdb.verify.exposure_files import compare_exposure, find_gone_or_changed
from mvmdb.verify.folders import check_folder
from mvmdb.verify.poller_files import check_pollers, load_behind
from mvmdb.verify.product_files import compare_product, has_place, look_at_product, look_at_trailer, product_path
from mvmdb.workers.executor import Workers

_FILES_AT_ONCE = 4  # exposures are read in a tenth of a second; products in seconds, one by one


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is looked at: the catalog, its policy, the products folder (None: no files), and who reads files whole.

    Without `workers`, no pixels are read. `left_before`: temporary files that were last changed before this time (ns
    since 1970) were left by killed runs; None: all of them, unless a run works on the folder.
    """

    begin: Begin
    policy: Policy
    products: Path | None
    workers: Workers | None = None
    monitor: Monitor = SILENT
    left_before: int | None = None


@dataclass(slots=True)
class Looked:
    """What a look has found, and how many exposures, sky cells, products and files it has looked at."""

    findings: list[Finding] = field(default_factory=list)
    exposures: int = 0
    cells: int = 0
    products: int = 0
    files: int = 0


def look(archive: Inspected, part: Part = EVERYTHING) -> Looked:
    """Look at a part of the archive."""
    looked = Looked()
    with archive.begin() as connection:
        unreadable = find_unreadable(connection)
        looked.findings += map(describe_impossible, unreadable.rows)
        looked.findings += check_settings(connection)
        looked.findings += map(describe_dangling, find_dangling(connection))
        looked.findings += check_skies(connection)
    if archive.products is not None:
        looked.findings += check_decisions(archive.begin, archive.products)
    corrections = Corrections()
    _look_at_exposures(archive, part, unreadable, corrections, looked)
    _look_at_cells(archive, part, unreadable, corrections, looked)
    _look_at_products(archive, part, unreadable, looked)
    return looked


def _look_at_exposures(
    archive: Inspected, part: Part, unreadable: Unreadable, corrections: Corrections, looked: Looked
) -> None:
    for ids in _readable(exposure_keys(archive.begin, part), unreadable.exposures):
        with archive.begin() as connection:
            rows = check_exposures(connection, ids, archive.policy.rule, corrections)
            files = load_active_files(connection, ids)
        looked.findings += rows
        looked.exposures += len(ids)
        looked.files += len(files)
        found = find_gone_or_changed(files)
        looked.findings += found.values()
        if archive.workers is not None:
            intact = {file.path: file for file in files if file.ipppssoo not in found}
            wrong = {finding.exposure for finding in rows if finding.kind is Damage.EXPOSURE_WRONG}
            looked.findings += _read_exposures(archive, archive.workers, intact, wrong)


def _read_exposures(
    archive: Inspected, workers: Workers, files: dict[str, ActiveFile], wrong: set[str]
) -> Iterator[Finding]:
    """The findings of exposures' files that are read whole, against their rows as they are now.

    Rows that are known to be `wrong` need not say what their files say.
    """
    tasks = [FileToRead(path, False, file.pixel_digest is not None) for path, file in files.items()]
    for task, read in _read_each(archive, workers, tasks, _FILES_AT_ONCE):
        name = files[task.path].ipppssoo
        if isinstance(read, WorkersError):
            yield _unread(task.path, read, exposure=name)
            continue
        with archive.begin() as connection:
            rows = load_exposure_rows(connection, [name])
        for finding in (finding for row in rows for finding in compare_exposure(row, read)):
            if finding.kind is not Damage.EXPOSURE_DIFFERS or name not in wrong:
                yield finding


def _look_at_cells(
    archive: Inspected, part: Part, unreadable: Unreadable, corrections: Corrections, looked: Looked
) -> None:
    seen = {format_cell_name(CellId.from_index(cell)) for cell in unreadable.cells}
    due = None if unreadable.runs else load_behind(archive.begin)  # once, as it goes through all exposures
    for cells in _readable(cell_keys(archive.begin, part), unreadable.cells):
        with archive.begin() as connection:
            looked.findings += check_cells(connection, cells, archive.policy, corrections)
            names = load_product_names(connection, cells)
        looked.cells += len(cells)
        if archive.products is None:
            continue
        thorough = archive.workers is not None
        looked.findings += check_companions(archive.begin, archive.products, list(names), thorough=thorough)
        for cell, recorded in names.items():
            looked.findings += check_folder(archive.begin, archive.products / cell, recorded, archive.left_before)
        looked.findings += check_pollers(archive.begin, archive.products, archive.policy, cells, due)
        seen |= names.keys()
    if archive.products is not None:
        for cell in _name_folders(archive.products, part):
            if cell not in seen:
                looked.findings += check_companions(archive.begin, archive.products, [cell], thorough=True)
                looked.findings += check_folder(archive.begin, archive.products / cell, {}, archive.left_before)


def _name_folders(products: Path, part: Part) -> list[str]:
    if part.cells is None:
        try:
            return sorted(list_cell_folders(products))
        except OSError:
            return []
    return [format_cell_name(CellId.from_index(cell)) for cell in sorted(part.cells)]


def _look_at_products(archive: Inspected, part: Part, unreadable: Unreadable, looked: Looked) -> None:
    for ids in _readable(product_keys(archive.begin, part), unreadable.products):
        with archive.begin() as connection:
            contradictions = check_products(connection, ids)
            loaded = load_products(connection, ids)
        rows = [row for row in loaded if has_place(row)]
        nowhere = {row.layer for row in loaded} - {row.layer for row in rows}
        looked.products += len(loaded)
        looked.files += 0 if archive.products is None else len(rows)
        found = {} if archive.products is None else _look_at_files(archive, archive.products, rows)
        looked.findings += found.values()
        if archive.products is None:
            looked.findings += contradictions
            continue
        if archive.workers is None:
            looked.findings += _ask_files(archive, archive.products, rows, contradictions)
            continue
        looked.findings += (
            finding
            for finding in contradictions
            if finding.kind is not Damage.PRODUCT_WRONG or finding.layer in nowhere
        )
        intact = [row for row in rows if row.layer not in found]
        looked.findings += _read_products(archive, archive.workers, archive.products, intact)


def _readable(keys: Iterator[list[int]], unreadable: set[int]) -> Iterator[list[int]]:
    for ids in keys:
        yield [id_ for id_ in ids if id_ not in unreadable]


def _look_at_files(archive: Inspected, products: Path, rows: Sequence[RecordedProduct]) -> dict[str, Finding]:
    return {row.layer: finding for row in rows if (finding := look_at_product(products, row)) is not None}


def _ask_files(
    archive: Inspected, products: Path, rows: Sequence[RecordedProduct], findings: Sequence[Finding]
) -> Iterator[Finding]:
    """The findings in rows of products, but for those that their files confirm: digests of another version."""
    from mvmdb.errors import ProductError
    from mvmdb.mosaic.product.read import read_product

    paths = {row.layer: product_path(products, row) for row in rows}
    for finding in findings:
        if finding.kind is Damage.PRODUCT_WRONG and finding.layer in paths:
            try:
                record = read_product(paths[finding.layer])
            except ProductError:
                yield finding
                continue
            with archive.begin() as connection:
                if record.layer == finding.layer and not compare_with_file(connection, record):
                    continue
        yield finding


def _read_products(
    archive: Inspected, workers: Workers, products: Path, rows: Sequence[RecordedProduct]
) -> Iterator[Finding]:
    """The findings of products that are read whole, against their rows as they are now."""
    by_path = {str(product_path(products, row)): row for row in rows if row.state != "missing"}
    tasks = [FileToRead(path, True, adopted=row.proof != Proof.PROVEN) for path, row in by_path.items()]
    for task, read in _read_each(archive, workers, tasks, 1):
        row = by_path[task.path]
        if isinstance(read, WorkersError):
            yield _unread(task.path, read, layer=row.layer)
        elif (finding := compare_product(products, row, read)) is not None:
            yield finding
        elif read.record is not None and read.record.layer == row.layer:
            with archive.begin() as connection:
                differing = compare_with_file(connection, read.record)
            yield from differing
            yield from look_at_trailer(Path(task.path), row)


def _unread(path: str, error: WorkersError, **subject: str) -> Finding:
    return Finding(Damage.FILE_UNREAD, path=path, found=str(error), expected="a file that can be read", **subject)


def _read_each(
    archive: Inspected, workers: Workers, tasks: Sequence[FileToRead], at_once: int
) -> Iterator[tuple[FileToRead, FileRead | WorkersError]]:
    """What each file says; where a worker died on several files, they are read again one by one."""
    source = iter(tasks)
    chunks = list(iter(partial(_take, source, at_once), ()))
    for done in workers.executor.each(read_files, chunks, expected=len(chunks), name=_name):
        if isinstance(done.result, WorkersError) and len(done.item) > 1:
            yield from _read_each(archive, workers, done.item, 1)
            continue
        archive.monitor.files_read(len(done.item))
        results: Any = [done.result] if isinstance(done.result, WorkersError) else done.result
        yield from zip(done.item, results, strict=True)


def _take(source: Iterator[FileToRead], count: int) -> tuple[FileToRead, ...]:
    return tuple(islice(source, count))


def _name(files: Sequence[FileToRead]) -> str:
    return files[0].path if len(files) == 1 else f"{files[0].path} and {len(files) - 1} more files"
