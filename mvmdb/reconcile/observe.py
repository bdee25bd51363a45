"""Looking at the files: which recorded products are still there and intact, and which files are not recorded yet."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.layers import refresh_layers
from mvmdb.catalog.products import record_product
from mvmdb.catalog.touched import keys_of_exposures
from mvmdb.errors import ExposureError, NameFormatError, ProductError
from mvmdb.exposures.digest import digest_pixels
from mvmdb.mosaic.product import read_product
from mvmdb.names import parse_cell_name, parse_product_name
from mvmdb.reconcile.expected import digest_member
from mvmdb.records import Policy, ProductMember, ProductRecord, ProductState
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What a look at one file showed: a new state of a recorded product, or a product to record."""

    row: Any = None
    state: ProductState | None = None
    record: ProductRecord | None = None


def observe_products(
    engine: sa.Engine, products: Path, policy: Policy, *, deep: bool = False, cells: Sequence[int] | None = None
) -> int:
    """Compare the recorded products with their files, and record the state of each that differs; return how many.

    A file of the recorded size and time is taken as it was recorded, unless `deep` asks for its digest. Any other is
    read whole. A product file that nobody recorded (its run was killed, or the catalog was made anew) is recorded
    when it proves intact. Files are read outside of any transaction.
    """
    query, known = sa.select(t.product).order_by(t.product.c.layer), sa.select(t.skycell.c.name)
    if cells is not None:
        known = known.where(t.skycell.c.id.in_(cells))
        query = query.where(t.product.c.skycell.in_(known))
    with engine.begin() as connection:
        rows = connection.execute(query).all()
        folders = set(connection.scalars(known))
    sightings = [seen for row in rows if (seen := _look_at(products, row, deep)) is not None]
    sightings += _find_unrecorded(products, {row.layer for row in rows}, folders)
    if sightings:
        with engine.begin() as connection:
            for seen in sightings:
                _record_sighting(connection, seen, policy)
    return len(sightings)


def _look_at(products: Path, row: Any, deep: bool) -> _Sighting | None:
    path = products / row.skycell / row.filename
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None if row.state == ProductState.MISSING else _Sighting(row, ProductState.MISSING)
    same = (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)
    if same and not deep and row.state != ProductState.MISSING:
        return None
    try:
        record = read_product(path, deep=True)
        if record.layer != row.layer:
            raise ProductError(f"{path} holds {record.layer}; expected {row.layer}")
    except ProductError as error:
        log.warning("%s", error)
        return None if row.state == ProductState.DAMAGED else _Sighting(row, ProductState.DAMAGED)
    if same and (record.data_digest, record.recipe_digest) == (row.data_digest, row.recipe_digest):
        return None if row.state == ProductState.INTACT else _Sighting(row, ProductState.INTACT)
    return _Sighting(row, record=record)


def _find_unrecorded(products: Path, recorded: set[str], folders: set[str]) -> list[_Sighting]:
    """Intact product files of known sky cells whose layers have no recorded product."""
    found = []
    for folder in sorted(_list_cell_folders(products) & folders):
        for filename in sorted(os.listdir(products / folder)):
            try:
                layer = str(parse_product_name(filename)[0])
            except NameFormatError:
                continue
            if layer in recorded:
                continue
            path = products / folder / filename
            try:
                record = read_product(path, deep=True)
            except ProductError as error:
                log.warning("left alone: %s", error)
                continue
            if record.layer != layer or record.skycell != folder:
                log.warning("left alone: %s says that it is %s", path, record.layer)
                continue
            found.append(_Sighting(record=record))
    return found


def _record_sighting(connection: sa.Connection, seen: _Sighting, policy: Policy) -> None:
    if seen.record is None:
        change = sa.update(t.product).where(t.product.c.id == seen.row.id)
        connection.execute(change.values(state=seen.state))
        return
    if seen.row is None:
        _settle_identities(connection, seen.record, policy)
        log.info("recorded %s, which was there", seen.record.path)
    record_product(connection, seen.record, action=None)


def _list_cell_folders(products: Path) -> set[str]:
    try:
        with os.scandir(products) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
    except FileNotFoundError:
        return set()
    return {name for name in names if _is_cell(name)}


def _is_cell(name: str) -> bool:
    try:
        return str(parse_cell_name(name)) == name
    except NameFormatError:
        return False


def _settle_identities(connection: sa.Connection, record: ProductRecord, policy: Policy) -> None:
    """Give exposures the identity of pixels that the product knows them by, where the bytes are the same.

    A catalog that was made anew knows its exposures by tokens only; the product may know them by an older token or by
    their digest. Reading the pixels once tells.
    """
    settled = []
    for member in record.members:
        query = sa.select(t.exposure).where(t.exposure.c.ipppssoo == member.ipppssoo)
        row = connection.execute(query).one_or_none()
        if row is not None and row.pixels != member.pixels and _same_bytes(row, member):
            digest = digest_member(row.ipppssoo, row.kind, member.pixels, row.wcs_digest or "")
            change = {"pixels": member.pixels, "pixel_digest": member.pixel_digest, "member_digest": digest}
            connection.execute(sa.update(t.exposure).where(t.exposure.c.id == row.id).values(**change))
            settled.append(row.id)
    if settled:
        refresh_layers(connection, keys_of_exposures(connection, settled), policy)


def _same_bytes(row: Any, member: ProductMember) -> bool:
    try:
        return (row.pixel_digest or digest_pixels(Path(row.path))) == member.pixel_digest
    except ExposureError as error:
        log.warning("%s: %s", row.ipppssoo, error)
        return False
