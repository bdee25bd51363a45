"""Which files beside the products of a sky cell are missing or stale, and which belong to nothing any more."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mvmdb.catalog.products.observed import RecordedProduct
from mvmdb.companions.kinds import KINDS, find_kind, format_mark, read_mark
from mvmdb.coverage.frame import FramedLayer
from mvmdb.names import is_cell_name, is_product_of
from mvmdb.records import ProductState


@dataclass(frozen=True, slots=True)
class Output:
    """One file to make: its kind, its path, and the mark that it gets. `found`: why it is made, in words."""

    kind: str
    target: str
    mark: str
    found: str


@dataclass(frozen=True, slots=True)
class CompanionJob:
    """Files to make from the same mosaics (paths); complete without a catalog, for a worker.

    `held`: what the only mosaic holds, as the catalog says it, where the mosaic itself does not.
    """

    sources: tuple[str, ...]
    outputs: tuple[Output, ...]
    held: FramedLayer | None = None


@dataclass(frozen=True, slots=True)
class DueCompanions:
    """What is due in the folder of a sky cell: files to make, and paths of those to remove."""

    jobs: tuple[CompanionJob, ...] = ()
    extra: tuple[Path, ...] = ()


def find_due(
    folder: Path,
    skycell: str,
    products: Sequence[RecordedProduct],
    kinds: Collection[str],
    *,
    thorough: bool = False,
    settle: bool = False,
) -> DueCompanions:
    """What is due for a sky cell below the products' `folder`, beside its recorded products, if these kinds are wanted.

    Nothing is where the text is no name of a sky cell: rows may have been changed by hand.

    A file that was written after its mosaics is not opened, unless `thorough` asks for every mark. With `settle`, one
    that is older and right, as after copying, gets a new time, so that it need not be opened again. Files of kinds that
    are not wanted are left while their mosaics are as they were, and files without a mark are none of mvmdb's. Raises
    OSError if the folder cannot be read.
    """
    if not is_cell_name(skycell):
        return DueCompanions()
    folder = folder / skycell
    try:
        names = set(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return DueCompanions()
    recorded = {
        product.filename: product
        for product in products
        if product.state == ProductState.INTACT
        and product.filename in names
        and is_product_of(product.layer, skycell, product.filename)
    }
    due: dict[tuple[str, ...], list[Output]] = defaultdict(list)
    extra = []
    expected = {}
    for name, kind, sources in _list_possible(skycell, recorded):
        expected[name] = kind, sources
        mark = format_mark(kind, [(source, KINDS[kind].digest(recorded[source])) for source in sources])
        if kind in kinds:
            found = "no file" if name not in names else _judge(folder, name, sources, mark, thorough, settle)
            if found:
                due[sources].append(Output(kind, str(folder / name), mark, found))
        elif name in names and _judge(folder, name, sources, mark, thorough, settle) and _is_own(folder / name):
            extra.append(folder / name)
    for name in sorted(names - expected.keys()):
        if find_kind(name, skycell) is not None and _is_own(folder / name):
            extra.append(folder / name)
    jobs = (
        CompanionJob(tuple(str(folder / source) for source in sources), tuple(outputs))
        for sources, outputs in due.items()
    )
    return DueCompanions(tuple(jobs), tuple(extra))


def _list_possible(skycell: str, recorded: Collection[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(file name, kind, file names of its mosaics) of each file that may stand beside these products."""
    for kind in KINDS.values():
        if kind.subject == "product":
            for product in sorted(recorded):
                yield kind.name_file(product), kind.name, (product,)
        elif sources := kind.sources(recorded):
            yield kind.name_file(skycell), kind.name, tuple(sources)


def _judge(folder: Path, name: str, sources: Sequence[str], mark: str, thorough: bool, settle: bool) -> str:
    """What is wrong with a file that is there, in words; nothing if it is that of its mosaics."""
    path = folder / name
    try:
        newest = max((folder / source).stat().st_mtime_ns for source in sources)
        is_newer = path.stat().st_mtime_ns > newest
        if is_newer and not thorough:
            return ""
        found = read_mark(path)
    except OSError as error:  # another run has removed it or its mosaic, or it is a folder
        return error.strerror or str(error)
    if found != mark:
        return "a file of another mosaic" if found else "a file without a mark"
    if settle and not is_newer:
        with suppress(OSError):  # it is another user's: it is opened again next time
            os.utime(path)
    return ""


def _is_own(path: Path) -> bool:
    try:
        return read_mark(path) is not None
    except OSError:
        return False
