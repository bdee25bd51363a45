"""Looking at the files: which recorded products are still there and intact, and which files are not recorded yet."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.record import note_state, record_product, touch_product
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError, NameFormatError, ProductError
from mvmdb.layers.digests import digest_member
from mvmdb.names import parse_cell_name, parse_product_name
from mvmdb.records import Policy, ProductMember, ProductRecord, ProductState
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """What a look at one file showed: a recorded product (`row`) in another state, or a product to record."""

    row: Any = None
    state: ProductState | None = None
    record: ProductRecord | None = None


def observe_products(
    begin: Begin, products: Path, policy: Policy, *, deep: bool = False, cells: Sequence[int] | None = None
) -> set[str]:
    """Compare the recorded products with their files and record what differs; return the sky cells where it did.

    A file of the recorded size and time is taken as it was recorded, unless `deep` asks for its digest. Any other is
    read whole. A product file that nobody recorded (its run was killed, or the catalog was made anew) is recorded when
    it proves intact and the catalog knows all of its members. Files are read outside of transactions.
    """
    query, known = sa.select(t.product).order_by(t.product.c.layer), sa.select(t.skycell.c.name)
    if cells is not None:
        known = known.where(t.skycell.c.id.in_(cells))
        query = query.where(t.product.c.skycell.in_(known))
    with begin() as connection:
        rows = {row.layer: row for row in connection.execute(query)}
        folders = set(connection.scalars(known))
    sightings = [seen for row in rows.values() if (seen := _look_at(products, row, deep)) is not None]
    found = list(_find_unrecorded(products, rows, folders))
    adopted = _identify(begin, found)
    if sightings or adopted:
        with begin() as connection:
            for seen in sightings:
                _record_sighting(connection, seen)
            _adopt(connection, products, adopted, rows, policy)
    seen_in = {seen.row.skycell for seen in sightings} | {record.skycell for record, _ in adopted}
    return {str(name) for name in seen_in}


def _look_at(products: Path, row: Any, deep: bool) -> _Sighting | None:
    path = products / row.skycell / row.filename
    try:
        status = os.stat(path)
    except OSError:  # gone, or a file stands where its folder was
        return None if row.state == ProductState.MISSING else _Sighting(row, ProductState.MISSING)
    same = (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)
    if same and not deep and row.state != ProductState.MISSING:
        return None
    try:
        record = _read(path)
        if record.layer != row.layer:
            raise ProductError(f"{path} holds {record.layer}; expected {row.layer}")
    except ProductError as error:
        log.warning("%s", error)
        return None if row.state == ProductState.DAMAGED else _Sighting(row, ProductState.DAMAGED)
    if same and (record.data_digest, record.recipe_digest) == (row.data_digest, row.recipe_digest):
        return None if row.state == ProductState.INTACT else _Sighting(row, ProductState.INTACT)
    return _Sighting(row, record=record)


def _read(path: Path) -> ProductRecord:
    from mvmdb.mosaic.product.read import read_product  # half a second of import, which a look that finds nothing saves

    return read_product(path, deep=True)


def _record_sighting(connection: sa.Connection, seen: _Sighting) -> None:
    row, record = seen.row, seen.record
    if record is None:
        assert seen.state is not None  # a sighting is one or the other
        note_state(connection, row.layer, seen.state)
    elif (record.data_digest, record.recipe_digest) == (row.data_digest, row.recipe_digest):
        touch_product(connection, record)  # copied or touched: it is the product that is recorded
    else:
        record_product(connection, record, action=None)


def _find_unrecorded(products: Path, rows: dict[str, Any], folders: set[str]) -> Iterator[ProductRecord]:
    """Intact product files of known sky cells that no row is about."""
    for folder in sorted(_list_cell_folders(products) & folders):
        for filename in sorted(os.listdir(products / folder)):
            try:
                layer = str(parse_product_name(filename)[0])
            except NameFormatError:
                continue
            if layer in rows and rows[layer].filename == filename:
                continue
            path = products / folder / filename
            try:
                record = _read(path)
            except ProductError as error:
                log.warning("left alone: %s", error)
                continue
            if record.layer == layer and record.skycell == folder:
                yield record
            else:
                log.warning("left alone: %s says that it is %s", path, record.layer)


def _list_cell_folders(products: Path) -> set[str]:
    try:
        with os.scandir(products) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {name for name in names if _is_cell(name)}


def _is_cell(name: str) -> bool:
    try:
        return str(parse_cell_name(name)) == name
    except NameFormatError:
        return False


Adopted = tuple[ProductRecord, list[ProductMember]]
"""A found product, and those of its members whose same pixels the catalog knows by another name."""


def _identify(begin: Begin, found: Iterable[ProductRecord]) -> list[Adopted]:
    """The found products whose members the catalog knows, all of them.

    One that holds exposures which this catalog does not know is the work of a catalog that knew more: it is left alone.
    """
    records = list(found)
    known: dict[str, Any] = {}
    with begin() as connection:
        e = t.exposure.c
        for part in chunks(member.ipppssoo for record in records for member in record.members):
            query = sa.select(e.ipppssoo, e.pixels, e.pixel_digest, e.path).where(e.ipppssoo.in_(part))
            known.update({row.ipppssoo: row for row in connection.execute(query)})
    adopted = []
    digests: dict[str, str | None] = {}
    for record in records:
        unknown = [member.ipppssoo for member in record.members if member.ipppssoo not in known]
        if unknown:
            log.warning("left alone: %s holds %s, which this catalog does not know", record.path, ", ".join(unknown))
            continue
        renamed = [member for member in record.members if _same_bytes(known[member.ipppssoo], member, digests)]
        adopted.append((record, renamed))
    return adopted


def _same_bytes(row: Any, member: ProductMember, digests: dict[str, str | None]) -> bool:
    """Whether an exposure goes by another identity than the product's member, and yet has the same pixels."""
    if row.pixels == member.pixels:
        return False
    from mvmdb.exposures.fits.digest import digest_pixels

    if row.ipppssoo not in digests:
        try:
            digests[row.ipppssoo] = row.pixel_digest or digest_pixels(row.path)
        except ExposureError as error:
            log.warning("%s: %s", row.ipppssoo, error)
            digests[row.ipppssoo] = None
    return digests[row.ipppssoo] == member.pixel_digest


def _adopt(
    connection: sa.Connection, products: Path, adopted: Sequence[Adopted], rows: dict[str, Any], policy: Policy
) -> None:
    """Record found products, and give exposures the identity that the products know them by."""
    renamed = {member.ipppssoo: member for _, members in adopted for member in members}
    settled = []
    for part in chunks(renamed):
        for row in connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo.in_(part))):
            member = renamed[row.ipppssoo]
            digest = digest_member(row.ipppssoo, row.kind, member.pixels, row.wcs_digest or "")
            change = {"pixels": member.pixels, "pixel_digest": member.pixel_digest, "member_digest": digest}
            connection.execute(sa.update(t.exposure).where(t.exposure.c.id == row.id).values(**change))
            settled.append(row.id)
    if settled:
        refresh_layers(connection, keys_of_exposures(connection, settled), policy)
    for record, _ in adopted:
        before = rows.get(record.layer)
        if before is None or _is_expected(connection, record):
            record_product(connection, record, action=None)
            log.info("recorded %s, which was there", record.path)
        if before is not None:  # of drz and drc, one has taken the other's place: a killed run left both
            _drop_superseded(products / before.skycell / before.filename, record, _is_expected(connection, record))


def _drop_superseded(recorded: Path, found: ProductRecord, found_is_right: bool) -> None:
    if found_is_right:
        recorded.unlink(missing_ok=True)
    elif recorded.exists():
        Path(found.path).unlink()


def _is_expected(connection: sa.Connection, record: ProductRecord) -> bool:
    query = sa.select(t.layer.c.recipe_digest).where(t.layer.c.name == record.layer)
    return connection.scalar(query) == record.recipe_digest
