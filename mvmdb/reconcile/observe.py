"""Compares product files with the catalog: which recorded products are intact, and which files are not recorded yet."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mvmdb.atomic import remove_file
from mvmdb.catalog.claims.alive import load_claimed
from mvmdb.catalog.due_pollers import load_unfinished
from mvmdb.catalog.open import Begin, Connection, as_recorded, make_change
from mvmdb.catalog.products.load import load_layer
from mvmdb.catalog.products.observed import (
    KnownPixels,
    RecordedProduct,
    is_expected,
    load_known_pixels,
    load_recorded,
    load_recorded_products,
    rename_pixels,
)
from mvmdb.catalog.products.record import note_stamp, note_state, record_product, record_warnings, touch_product
from mvmdb.catalog.products.sky_pairs import save_pairs
from mvmdb.errors import ExposureError, ProductError
from mvmdb.layers.diff import diff_layers
from mvmdb.mosaic.product.folders import list_cell_folders
from mvmdb.names import (
    CellId,
    is_product_name,
    is_product_of,
    parse_product_name,
    product_place,
)
from mvmdb.photometry import differs
from mvmdb.reconcile.remarks import Remarks
from mvmdb.records import PlannedLayer, Policy, ProductMember, ProductRecord, ProductState, Proof
from mvmdb.stamp import file_stamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A difference between a recorded product and its file: the new `state`, or the `record` read from the file.

    `stamp` is the new size and time of an adopted product with the same bytes.
    """

    recorded: RecordedProduct
    state: ProductState | None = None
    record: ProductRecord | None = None
    stamp: tuple[int, int] | None = None


class Adoption(NamedTuple):
    """A product file to record, and those of its members whose pixels have another identity in the catalog."""

    record: ProductRecord
    renamed: list[ProductMember]


class _Twins(NamedTuple):
    """Two product files of one layer: the recorded one and a new one, which may be the expected product."""

    recorded: Path
    new: Path
    new_is_right: bool


def observe_products(
    begin: Begin,
    products: Path,
    policy: Policy,
    *,
    deep: bool = False,
    cells: Sequence[int] | None = None,
    remarks: Remarks | None = None,
) -> set[str]:
    """Compare recorded products with their files, record the differences, and return the sky cells (names) with any.

    `cells`: the keys of the sky cells to look at (None: all). A file with the recorded size and time is not opened,
    unless `deep` asks for its digests. Any other file is read whole. A product file that is not recorded (its run was
    killed, or the catalog was rebuilt) is recorded if it is intact and the catalog has all of its members; otherwise it
    is left alone, with a remark. Files are read outside of transactions.
    """
    remarks = remarks or Remarks()
    with as_recorded(begin)() as connection:
        recorded, skycells = load_recorded_products(connection, cells)
    log.info("looking at the files of %d products in %s", len(recorded), products)
    sightings = [seen for row in recorded.values() if (seen := _look_at(products, row, deep, remarks)) is not None]
    adoptions = _identify(begin, list(_find_unrecorded(products, recorded, skycells, remarks)), remarks)
    _record_seen(begin, products, policy, recorded, sightings, adoptions)
    return {seen.recorded.skycell for seen in sightings} | {adoption.record.skycell for adoption in adoptions}


def record_found(begin: Begin, products: Path, policy: Policy, records: Sequence[ProductRecord]) -> None:
    """Record mvmdb's own products, which were put into the products folder, if the catalog has all their members."""
    with as_recorded(begin)() as connection:
        recorded = load_recorded(connection, [record.layer for record in records])
    _record_seen(begin, products, policy, recorded, (), _identify(begin, records, Remarks()))


def _record_seen(
    begin: Begin,
    products: Path,
    policy: Policy,
    recorded: Mapping[str, RecordedProduct],
    sightings: Sequence[_Sighting],
    adoptions: Sequence[Adoption],
) -> None:
    """Record what differs from what is recorded, unless this has changed since, and drop files that are superseded."""
    if sightings or adoptions:
        twins: list[_Twins] = []

        def record(connection: Connection) -> None:
            unfinished = {str(CellId.from_index(cell)) for cell in load_unfinished(connection)}
            moving = _moved_since(connection, recorded, [*sightings, *adoptions])
            still = [adoption for adoption in adoptions if adoption.record.layer not in moving]
            for seen in sightings:
                if seen.recorded.layer not in moving and not _was_removed(connection, seen, still, unfinished):
                    _record_sighting(connection, seen, unfinished)
            twins[:] = _adopt(connection, products, still, recorded, unfinished, policy)

        if make_change(begin, record):
            for pair in twins:
                _drop_superseded(pair)


def _moved_since(
    connection: Connection, recorded: Mapping[str, RecordedProduct], seen: Iterable[_Sighting | Adoption]
) -> set[str]:
    """The layers whose records have changed since the files were compared with them, or that another run is making."""
    layers = {one.recorded.layer if isinstance(one, _Sighting) else one.record.layer for one in seen}
    now = load_recorded(connection, layers)
    changed = {layer for layer in layers if now.get(layer) != recorded.get(layer)}
    return changed | (load_claimed(connection).keys() & layers)


def _look_at(products: Path, recorded: RecordedProduct, deep: bool, remarks: Remarks) -> _Sighting | None:
    path = products / product_place(recorded.skycell, recorded.filename)
    try:
        status = os.stat(path)
    except OSError:  # gone, or a file stands where its folder was
        return None if recorded.state == ProductState.MISSING else _Sighting(recorded, ProductState.MISSING)
    same = file_stamp(status) == (recorded.size, recorded.mtime_ns)
    if same and not deep and recorded.state != ProductState.MISSING:
        return None
    try:
        record = _read(path)
        if record.layer != recorded.layer:
            raise ProductError(f"{path} holds {record.layer}; expected {recorded.layer}")
    except ProductError as error:
        adopted = None if recorded.proof == Proof.PROVEN else _recognize(path, recorded, file_stamp(status))
        if adopted is not None:
            return adopted
        remarks.make(str(error))
        return None if recorded.state == ProductState.DAMAGED else _Sighting(recorded, ProductState.DAMAGED)
    if same and _is_same(record, recorded):
        return None if recorded.state == ProductState.INTACT else _Sighting(recorded, ProductState.INTACT)
    return _Sighting(recorded, record=record)


def _was_removed(
    connection: Connection, seen: _Sighting, adoptions: Iterable[Adoption], unfinished: Collection[str]
) -> bool:
    """Whether a file that is gone was removed by a run that was killed before it recorded that.

    It removes the mosaic of a layer that is expected no more, and a drz that a drc replaces, or the other way round.
    """
    recorded = seen.recorded
    if seen.state != ProductState.MISSING or recorded.skycell not in unfinished:
        return False
    if load_layer(connection, recorded.layer)[0] is None:
        return True
    replaced = (adoption.record for adoption in adoptions if adoption.record.layer == recorded.layer)
    return any(is_expected(connection, record.layer, record.recipe_digest) for record in replaced)


def _recognize(path: Path, recorded: RecordedProduct, stamp: tuple[int, int]) -> _Sighting | None:
    """The sighting of another program's product that was adopted, if the file still has the same bytes."""
    from mvmdb.mosaic.product.foreign import digest_file

    try:
        if stamp[0] != recorded.size or digest_file(path) != recorded.data_digest:
            return None
    except ProductError:
        return None
    return _Sighting(recorded, ProductState.INTACT, stamp=stamp)


def _is_same(record: ProductRecord, recorded: RecordedProduct) -> bool:
    return (record.data_digest, record.recipe_digest) == (recorded.data_digest, recorded.recipe_digest)


def _read(path: Path) -> ProductRecord:
    from mvmdb.mosaic.product.findings import with_findings  # takes 0.5 s to import, and is rarely needed
    from mvmdb.mosaic.product.read import read_product

    return with_findings(read_product(path, deep=True))


def _record_sighting(connection: Connection, seen: _Sighting, unfinished: Collection[str]) -> None:
    record = seen.record
    if record is None:
        assert seen.state is not None  # a sighting has one or the other
        if seen.stamp is not None:
            note_stamp(connection, seen.recorded.layer, *seen.stamp)
        note_state(connection, seen.recorded.layer, seen.state)
    elif _is_same(record, seen.recorded):
        touch_product(connection, record)  # copied or touched: the content is the same
    else:
        _record_found(connection, record, unfinished)


def _record_found(connection: Connection, record: ProductRecord, unfinished: Collection[str]) -> None:
    """Record a product file; in an unfinished sky cell, with the action and reasons of the killed run that made it.

    These follow from the recorded product and the expected layer, as they did in that run.
    """
    layer, product = load_layer(connection, record.layer)
    lines: tuple[PlannedLayer, ...] = ()
    if record.skycell in unfinished and layer is not None and layer.recipe_digest == record.recipe_digest:
        lines = diff_layers([layer], [] if product is None else [product]).layers
    action, reasons = (str(lines[0].action), lines[0].reasons) if lines else (None, ())
    detail = None if action is None else "by a run that was killed"
    record_product(connection, record, action=action, reasons=reasons, detail=detail)
    save_pairs(connection, record)
    record_warnings(connection, record)


def _find_unrecorded(
    products: Path, recorded: Mapping[str, RecordedProduct], skycells: set[str], remarks: Remarks
) -> Iterator[ProductRecord]:
    """The intact product files in the folders of these sky cells (names) that the catalog does not record."""
    for path in list_product_files(products, skycells):
        layer = str(parse_product_name(path.name)[0])
        if layer in recorded and recorded[layer].filename == path.name:
            continue
        try:
            record = _read(path)
        except ProductError as error:
            remarks.make(f"left alone: {error}")
            continue
        if record.layer == layer and record.skycell == path.parent.name:
            yield record
        else:
            remarks.make(f"left alone: {path} says that it is {record.layer}")


def list_product_files(products: Path, skycells: set[str] | None = None) -> Iterator[Path]:
    """The files in the folders of these sky cells (names), or of all, that have the names of products; sorted."""
    folders = list_cell_folders(products)
    for folder in sorted(folders if skycells is None else folders & skycells):
        for filename in sorted(os.listdir(products / folder)):
            if is_product_name(filename):
                yield products / folder / filename


def _identify(begin: Begin, records: Sequence[ProductRecord], remarks: Remarks) -> list[Adoption]:
    """The product files whose members are all in the catalog.

    A product with other exposures was made from another catalog: it is left alone, with a remark.
    """
    if not records:
        return []
    with as_recorded(begin)() as connection:
        known = load_known_pixels(connection, (member.ipppssoo for record in records for member in record.members))
    adoptions = []
    digests: dict[str, str | None] = {}
    for record in records:
        unknown = [member.ipppssoo for member in record.members if member.ipppssoo not in known]
        if unknown:
            names = ", ".join(unknown)
            remarks.make(f"left alone: {record.path} holds {names}, which this catalog does not know")
            continue
        renamed = [member for member in record.members if _same_bytes(known[member.ipppssoo], member, digests)]
        adoptions.append(Adoption(record, renamed))
    return adoptions


def _same_bytes(known: KnownPixels, member: ProductMember, digests: dict[str, str | None]) -> bool:
    """Whether an exposure has another identity than the product's member, but the same pixels and photometry.

    `digests` caches the pixel digest of each exposure by ipppssoo; None if its file cannot be read.
    """
    if known.pixels == member.pixels or differs(known.photometry or "", member.photometry or ""):
        return False
    from mvmdb.exposures.fits.digest import digest_pixels

    if member.ipppssoo not in digests:
        try:
            digests[member.ipppssoo] = known.pixel_digest or digest_pixels(known.path)
        except ExposureError as error:
            log.warning("%s: %s", member.ipppssoo, error)
            digests[member.ipppssoo] = None
    return digests[member.ipppssoo] == member.pixel_digest


def _adopt(
    connection: Connection,
    products: Path,
    adoptions: Sequence[Adoption],
    recorded: Mapping[str, RecordedProduct],
    unfinished: Collection[str],
    policy: Policy,
) -> list[_Twins]:
    """Record product files, and give exposures the pixel identities that the products have recorded.

    Returns the layers of which a killed run left both the drz and the drc: one of them is superseded.
    """
    twins = []
    rename_pixels(connection, (member for adoption in adoptions for member in adoption.renamed), policy)
    for record, _ in adoptions:
        before = recorded.get(record.layer)
        expected = is_expected(connection, record.layer, record.recipe_digest)
        other = before is not None and before.filename != Path(record.path).name
        if not other or expected:
            _record_found(connection, record, unfinished)
            log.info("recorded %s, which was there", record.path)
        if before is not None and other and is_product_of(record.layer, before.skycell, before.filename):
            twins.append(_Twins(products / product_place(before.skycell, before.filename), Path(record.path), expected))
    return twins


def _drop_superseded(twins: _Twins) -> None:
    """Remove the recorded file if the new one is the expected product; otherwise remove the new one."""
    if twins.new_is_right:
        remove_file(twins.recorded)
    elif twins.recorded.exists():
        remove_file(twins.new)
