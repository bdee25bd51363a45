"""Mends what has one right answer: rows that follow from others or from an intact file, manifests, poller files.

Nothing is drizzled, no exposure is touched, and no file is removed but temporary ones of killed runs, and those of
other mosaics beside products. What was found is mended from its causes to its consequences, each step in a transaction
of its own, with an event for each finding.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mvmdb.catalog.check.exposures import load_exposure_rows
from mvmdb.catalog.check.finding import Damage, Finding
from mvmdb.catalog.check.mend import (
    fit_datasets,
    forget_pollers,
    note_repairs,
    recompute_cells,
    recompute_members,
    relink,
    remove_dangling,
    remove_misnamed,
    rewrite_exposure,
)
from mvmdb.catalog.check.select import Part, cells_of_exposures, load_identities, load_stamp, names_in_cells
from mvmdb.catalog.check.skies import forget_skies
from mvmdb.catalog.check.values import cells_of_names, find_unreadable, names_of_exposures
from mvmdb.catalog.decisions.keep import keep_decisions
from mvmdb.catalog.open import Engine
from mvmdb.catalog.rows import chunks
from mvmdb.correction import digest_realigned
from mvmdb.errors import NameFormatError, ProductError
from mvmdb.layers.digests import digest_member
from mvmdb.mosaic.product.leftovers import find_leftovers
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.names import (
    CellId,
    format_cell_name,
    parse_cell_name,
)
from mvmdb.photometry import identify_calibrated
from mvmdb.pollers.write import write_pollers
from mvmdb.reconcile.observe import observe_products
from mvmdb.reconcile.planning import look_ahead
from mvmdb.remote.state import is_unchanged
from mvmdb.verify.companion_files import mend_companions
from mvmdb.verify.deep_reads import FileRead, FileToRead, read_files
from mvmdb.verify.look import Inspected
from mvmdb.verify.poller_files import check_pollers, load_behind
from mvmdb.verify.repair_paths import mend_path, read_stamp
from mvmdb.verify.repair_products import mend_product_row

log = logging.getLogger(__name__)

_CELLS_AT_ONCE = 100
_DANGLING = (Damage.ROW_DANGLING, Damage.MEMBER_DANGLING)
_OF_CELLS = (
    Damage.CELL_WRONG, Damage.CANVAS_WRONG, Damage.LAYER_MISSING, Damage.LAYER_UNEXPECTED, Damage.LAYER_WRONG,
    Damage.MEMBER_WRONG, Damage.DIGEST_WRONG,
)  # fmt: skip
_OF_LINKS = (Damage.DIGEST_WRONG, Damage.PRODUCT_UNLINKED)
_OF_FILES = (
    Damage.PRODUCT_MISSING, Damage.PRODUCT_CHANGED, Damage.PRODUCT_DAMAGED, Damage.PRODUCT_SWAPPED,
    Damage.PRODUCT_UNRECORDED,
)  # fmt: skip


class _Findings:
    """The findings to mend, by kind."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._by_kind: dict[Damage, list[Finding]] = defaultdict(list)
        for finding in findings:
            self._by_kind[finding.kind].append(finding)

    def of(self, *kinds: Damage) -> list[Finding]:
        return [finding for kind in kinds for finding in self._by_kind[kind]]


def repair(engine: Engine, archive: Inspected, findings: Sequence[Finding]) -> Part:
    """Mend these findings as far as they have one right answer; return what was touched besides them.

    The caller holds the lock of the products folder.
    """
    with engine.begin() as connection:
        unreadable = find_unreadable(connection)
        names = names_of_exposures(connection, unreadable.exposures)
        names |= names_in_cells(connection, unreadable.cells)
    findings = [
        finding
        for finding in findings
        if finding.exposure not in names
        and not unreadable.cells.intersection(cells_of_names([finding.skycell, finding.layer]))
    ]
    found = _Findings(findings)
    concerned = {finding.exposure for finding in findings if finding.exposure}
    touched = cells_of_exposures(engine.begin, concerned)
    exposures, cells = _mend_dangling(engine, found.of(*_DANGLING))
    exposures, cells = exposures - names, cells - unreadable.cells
    for some in _in_chunks(_cells_of(found.of(Damage.LAYER_MISSING, Damage.LAYER_UNEXPECTED, Damage.LAYER_WRONG))):
        with engine.begin() as connection:
            remove_misnamed(connection, some)
    _mend_skies(engine, found.of(Damage.SKY_WRONG))
    _mend_settings(engine, found, is_readable=not unreadable.rows)
    fitting = {name for name in _exposures_of(found.of(Damage.DATASET_WRONG)) if mend_path(engine, name)}
    renamed = {_mend_exposure(engine, archive, finding) for finding in found.of(Damage.EXPOSURE_WRONG)}
    _mend_exposures(engine, archive, found, exposures, fitting)
    _mend_cells(engine, archive, found, cells)
    touched |= cells | cells_of_exposures(engine.begin, concerned | exposures) | _cells_of(findings)
    touched -= unreadable.cells
    if archive.products is not None:
        for finding in found.of(Damage.PRODUCT_WRONG):
            mend_product_row(engine, archive.products, finding)
        _mend_folders(engine, archive, archive.products, found, sorted(touched))
    return Part(frozenset(exposures | renamed), frozenset(touched), frozenset())


def _cells_of(findings: Iterable[Finding]) -> set[int]:
    cells = set()
    for name in {finding.skycell for finding in findings}:
        try:
            cells.add(parse_cell_name(name).index)
        except NameFormatError:
            continue
    return cells


def _in_chunks(cells: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(cells)
    for first in range(0, len(ordered), _CELLS_AT_ONCE):
        yield ordered[first : first + _CELLS_AT_ONCE]


def _mend_dangling(engine: Engine, findings: Sequence[Finding]) -> tuple[set[str], set[int]]:
    if not findings:
        return set(), set()
    with engine.begin() as connection:
        exposures, cells = remove_dangling(connection)
        note_repairs(connection, findings)
    return exposures, cells


def _mend_skies(engine: Engine, findings: Sequence[Finding]) -> None:
    if findings:
        with engine.begin() as connection:
            forget_skies(connection, _exposures_of(findings))
            note_repairs(connection, findings)


def _mend_exposure(engine: Engine, archive: Inspected, finding: Finding) -> str:
    """Write the row of an exposure again from its file, if that has the recorded size and time; return its name."""
    with engine.begin() as connection:
        rows = load_exposure_rows(connection, [finding.exposure])
        stamp = load_stamp(connection, finding.exposure)
        identities = load_identities(connection, finding.exposure)
    found = read_stamp(rows[0].path) if rows else None
    if found is None or stamp is None or not is_unchanged(rows[0].path, stamp, found):
        return finding.exposure
    (read,) = read_files([FileToRead(rows[0].path, False, True)])
    if read.dataset is None:
        return finding.exposure
    name = read.dataset.exposure.ipppssoo
    pixels = _choose_identity(rows[0], read, identities)
    digest = None if rows[0].pixel_digest is None else read.pixel_digest
    with engine.begin() as connection:
        if name != finding.exposure and load_exposure_rows(connection, [name]):  # the file is another's
            return finding.exposure
        rewrite_exposure(connection, rows[0].id, read.dataset, pixels, digest, archive.policy)
        note_repairs(connection, [finding])
    return name


def _choose_identity(row: Any, read: FileRead, identities: Sequence[str]) -> str:
    """The pixel identity that an exposure had before its row was changed.

    That is the one of which the row's member digest was made; or, if it is the digest that was changed, the row's own.
    """
    assert read.dataset is not None
    exposure = read.dataset.exposure
    of_pixels = (
        [read.pixel_digest, identify_calibrated(read.pixel_digest, exposure.photometry)] if read.pixel_digest else []
    )
    known = [row.pixels, exposure.pixels, *of_pixels, *identities]
    for pixels in known:
        wcs = digest_realigned(exposure.wcs_digest or "", row.alternate)
        if digest_member(exposure.ipppssoo, exposure.kind, pixels, wcs) == row.member_digest:
            return str(pixels)
    return str(row.pixels if row.pixels in known[1:] else exposure.pixels)


def _exposures_of(findings: Iterable[Finding]) -> list[str]:
    return sorted({finding.exposure for finding in findings})


def _mend_settings(engine: Engine, found: _Findings, *, is_readable: bool) -> None:
    """Forget what is wrongly recorded of poller files, and write a damaged decisions file again."""
    pollers = [finding for finding in found.of(Damage.SETTING_WRONG) if "pollers_" in finding.table]
    if pollers:
        with engine.begin() as connection:
            forget_pollers(connection)
            note_repairs(connection, pollers)
    decisions = found.of(Damage.DECISIONS_WRONG)
    if decisions and is_readable:
        trouble = keep_decisions(engine)
        if trouble:
            log.warning("%s", trouble)
            return
        with engine.begin() as connection:
            note_repairs(connection, decisions)


def _mend_exposures(
    engine: Engine, archive: Inspected, found: _Findings, more: Collection[str], fitting: Collection[str]
) -> None:
    """Make the rows of files fit those of exposures of which one is the active file, and compute memberships again."""
    files = [finding for finding in found.of(Damage.DATASET_WRONG) if finding.exposure in fitting]
    memberships = found.of(Damage.MEMBERSHIP_WRONG)
    if files:
        with engine.begin() as connection:
            fit_datasets(connection, {finding.exposure for finding in files})
            note_repairs(connection, files)
    names = {finding.exposure for finding in memberships}.union(more)
    if names:
        with engine.begin() as connection:
            recompute_members(connection, names, archive.policy)
            note_repairs(connection, memberships)


def _mend_cells(engine: Engine, archive: Inspected, found: _Findings, more: Collection[int]) -> None:
    """Compute the layers of sky cells again, some cells at a time, and tie products to their layers."""
    wrong, links = found.of(*_OF_CELLS), found.of(*_OF_LINKS)
    for some in _in_chunks(_cells_of(wrong).union(more)):
        names = {format_cell_name(CellId.from_index(cell)) for cell in some}
        with engine.begin() as connection:
            recompute_cells(connection, some, archive.policy)
            note_repairs(connection, [finding for finding in wrong if finding.skycell in names])
    if links:
        with engine.begin() as connection:
            relink(connection, {finding.layer for finding in links})
            note_repairs(connection, [finding for finding in links if finding.kind is Damage.PRODUCT_UNLINKED])


def _mend_files(engine: Engine, archive: Inspected, products: Path, found: _Findings) -> None:
    """Record what product files are, as any run does that looks at them; then remove temporary files."""
    files = found.of(*_OF_FILES)
    for cells in chunks(_cells_of(files)):
        try:
            _observe(engine, archive, products, cells)
        except NameFormatError:  # of a row that names no file
            for cell in cells:
                try:
                    _observe(engine, archive, products, [cell])
                except NameFormatError as error:
                    log.warning("%s", error)
    leftovers = {finding.path: finding for finding in found.of(Damage.LEFTOVER)}
    removed = []
    for folder in sorted({Path(path).parent for path in leftovers}):
        for path in find_leftovers(folder, archive.left_before or 0):
            if str(path) in leftovers:
                path.unlink(missing_ok=True)
                removed.append(leftovers[str(path)])
    if removed:
        with engine.begin() as connection:
            note_repairs(connection, removed)


def _observe(engine: Engine, archive: Inspected, products: Path, cells: Sequence[int]) -> None:
    """Look at product files as any run does, which writes its own events."""
    observe_products(engine.begin, products, archive.policy, deep=archive.workers is not None, cells=cells)


def _mend_manifests(products: Path, found: _Findings, cells: Sequence[int]) -> list[Finding]:
    """Write manifests and logs of these sky cells (keys) again where they are wrong; return the findings mended."""
    mended = []
    for cell in map(format_cell_name, map(CellId.from_index, cells)):
        try:
            wrong = found.of(Damage.MANIFEST_WRONG, Damage.TRAILER_WRONG)
            wrong = [finding for finding in wrong if finding.skycell == cell]
            logs = any(finding.kind is Damage.TRAILER_WRONG for finding in wrong)
            if write_manifest(products / cell, cell, every_log=logs):
                mended += wrong
        except (ProductError, OSError) as error:
            log.warning("%s", error)
    return mended


def _mend_folders(engine: Engine, archive: Inspected, products: Path, found: _Findings, cells: Sequence[int]) -> None:
    """Mend files and then manifests and poller files of these sky cells (keys), where they are wrong, or become so."""
    # First, as nothing tells of a product that is gone once that is recorded.
    mended = _mend_manifests(products, found, cells)
    _mend_files(engine, archive, products, found)
    mended += _mend_manifests(products, found, cells)
    mended += mend_companions(engine.begin, products, found.of(Damage.COMPANION_WRONG), archive.workers)
    due = load_behind(engine.begin)
    wrong = _cells_of(check_pollers(engine.begin, products, archive.policy, cells, due))
    if wrong:
        plan = look_ahead(engine.begin, None, archive.policy, cells=sorted(wrong)).plan
        written = write_pollers(engine.begin, plan, products, "layer", cells=sorted(wrong))
        for problem in written.problems:
            log.warning("%s", problem)
        mended += [finding for finding in found.of(Damage.POLLER_WRONG) if finding.path in written.changed]
    if mended:
        with engine.begin() as connection:
            note_repairs(connection, mended)
