"""Mends rows with values that their columns cannot have, where other rows, or a file that was read, say the right one.

Only such values are written here; what follows from them is looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.check.mend import OF_POLLERS, forget_pollers, update_skycell
from mvmdb.catalog.check.values import ImpossibleRow
from mvmdb.catalog.clock import now
from mvmdb.catalog.exposures.register import exposure_values
from mvmdb.catalog.history.events import Happened
from mvmdb.catalog.products.made_digest import update_made_digest
from mvmdb.catalog.products.record import product_values, record_members
from mvmdb.exposures.eligibility import PIXEL_RULES
from mvmdb.exposures.warning_texts import join_warnings
from mvmdb.layers.digests import digest_member
from mvmdb.photometry import identify_calibrated
from mvmdb.records import Dataset, ProductRecord
from mvmdb.schema import tables as t
from mvmdb.schema.values import impossible_value

_DERIVED = (t.membership, t.layer, t.layer_member, t.sky_pair, t.sky, t.shift_pair, t.placement, t.layer_failure)
"""Tables whose rows follow from others, or are measured again; without one, a layer is merely tried again."""
_OF_MAKING = ("last_action", "last_reasons", "seconds")
_MADE = (
    Happened.LAYER_DRIZZLED, Happened.LAYER_ADDED, Happened.LAYER_RECANVASED, Happened.LAYER_SHIFTED,
    Happened.LAYER_RESCALED,
    Happened.LAYER_ADOPTED, Happened.LAYER_FOUND,
)  # fmt: skip
_LEFT = (Happened.EXPOSURE_WITHDRAWN, Happened.EXPOSURE_PRUNED)


class ActiveRow(NamedTuple):
    """The active file of an exposure, with its size (bytes) and time (ns since 1970), as far as they can be read."""

    path: str
    size: int | None
    mtime_ns: int | None


def mend_alone(connection: sa.Connection, rows: Sequence[ImpossibleRow]) -> list[ImpossibleRow]:
    """Mend the rows that need no file; return them."""
    return [row for row in rows if _mend_alone(connection, row)]


def _mend_alone(connection: sa.Connection, row: ImpossibleRow) -> bool:
    references = [name for name in row.wrong if row.table.c[name].foreign_keys]
    empty = {name: None for name in references if row.table.c[name].nullable}
    if empty:
        connection.execute(sa.update(row.table).where(row.this).values(**empty))
        return empty.keys() == row.wrong.keys()
    if row.table in _DERIVED or (row.table is t.product_member and references):
        connection.execute(sa.delete(row.table).where(row.this))
    elif row.table is t.dataset and references:
        _mend_owner(connection, row)
    elif row.table is t.recipe:  # its layers get another, and nothing refers to it then
        _forget_recipe(connection, row)
    elif row.table is t.skycell:
        _mend_skycell(connection, row)
    elif row.table is t.quarantine:
        return _mend_quarantined(connection, row)
    elif row.table is t.archive and row.key["key"] in OF_POLLERS:
        forget_pollers(connection)
    else:
        return False
    return True


def _forget_recipe(connection: sa.Connection, row: ImpossibleRow) -> None:
    """Remove a recipe with its layers, which are computed again."""
    connection.execute(sa.delete(t.layer).where(t.layer.c.recipe_id == row.key["id"]))
    connection.execute(sa.delete(t.recipe).where(row.this))


def _mend_owner(connection: sa.Connection, row: ImpossibleRow) -> None:
    """Give a file to the exposure whose active file it is, or forget a file of no exposure."""
    owner = sa.select(t.exposure.c.id).where(t.exposure.c.path == row.named.get("path"))
    key = connection.scalar(owner)
    if key is None:
        connection.execute(sa.delete(t.dataset).where(row.this))
    else:
        connection.execute(sa.update(t.dataset).where(row.this).values(exposure_id=key))


def _mend_skycell(connection: sa.Connection, row: ImpossibleRow) -> None:
    if "id" in row.wrong:  # what is recorded in it is recorded in no sky cell
        connection.execute(sa.delete(t.skycell).where(row.this))
        return
    canvas = {name: None for name in row.wrong if t.skycell.c[name].nullable}
    if canvas:
        connection.execute(sa.update(t.skycell).where(row.this).values(**canvas))
    update_skycell(connection, row.key["id"])


def _mend_quarantined(connection: sa.Connection, row: ImpossibleRow) -> bool:
    """Forget a file that is not accepted, which the next ingest finds again; else mend what the history tells."""
    q = t.quarantine.c
    accepted = "accepted" not in row.wrong and connection.scalar(sa.select(q.accepted).where(row.this))
    if not accepted:
        connection.execute(sa.delete(t.quarantine).where(row.this))
        return True
    if row.wrong.keys() != {"first_seen"}:
        return False
    kinds = (Happened.FILE_QUARANTINED, Happened.FILE_VANISHED)
    seen = _last_event(connection, t.event.c.path == row.key["path"], kinds)
    if seen is not None:
        connection.execute(sa.update(t.quarantine).where(row.this).values(first_seen=seen.at))
    return seen is not None


def load_active_row(connection: sa.Connection, exposure: int) -> ActiveRow | None:
    """The active file of an exposure (key) as far as it can be read; None if it has none."""
    e, d = t.exposure.c, t.dataset.c
    path = _readable(connection, t.exposure, e.path, e.id == exposure)
    if not path:
        active = sa.select(d.path).where(d.exposure_id == exposure, d.active, sa.func.length(d.path) > 0)
        path = next((path for path in connection.scalars(active) if isinstance(path, str)), None)
    if not path:
        return None
    this = sa.and_(d.exposure_id == exposure, d.path == path)
    sizes = [_readable(connection, t.dataset, column, this) for column in (d.size, d.mtime_ns)]
    return ActiveRow(path, *sizes)


def mend_exposure(
    connection: sa.Connection, row: ImpossibleRow, dataset: Dataset | None, pixel_digest: str | None
) -> bool:
    """Write the impossible values of an exposure's row again, from its file as it was read; whether all could be.

    `pixel_digest` is that of the file. Without a file, only what the history tells is written. Nothing is, if a value
    is left that nothing tells.
    """
    values = _bookkeeping(connection, row)
    if dataset is not None:
        values |= _from_file(connection, row, dataset, pixel_digest)
    if not row.wrong.keys() <= values.keys():
        return False
    chosen = {name: values[name] for name in row.wrong}
    connection.execute(sa.update(t.exposure).where(row.this).values(**chosen))
    return True


def _bookkeeping(connection: sa.Connection, row: ImpossibleRow) -> dict[str, Any]:
    """What the history tells, and that the row is changed now."""
    values: dict[str, Any] = {"changed_at": now()}
    e, of_exposure = t.exposure.c, t.event.c.exposure == row.named.get("ipppssoo")
    new = _last_event(connection, of_exposure, (Happened.EXPOSURE_NEW,))
    if new is not None:
        values["registered_at"] = new.at
    left = _last_event(connection, of_exposure, (*_LEFT, Happened.EXPOSURE_READMITTED, Happened.EXPOSURE_RETURNED))
    if "withdrawn_at" not in row.wrong and connection.scalar(sa.select(e.withdrawn_at.is_(None)).where(row.this)):
        values |= {"withdrawn_why": None, "pruned": False}
    elif left is not None and left.kind in _LEFT:
        is_pruned = left.kind == Happened.EXPOSURE_PRUNED
        values |= {"withdrawn_at": left.at, "withdrawn_why": left.detail, "pruned": is_pruned}
    elif left is not None or new is not None:  # readmitted, or never withdrawn since it was registered
        values |= {"withdrawn_at": None}
    return values


def _from_file(
    connection: sa.Connection, row: ImpossibleRow, dataset: Dataset, pixel_digest: str | None
) -> dict[str, Any]:
    exposure, e, m = dataset.exposure, t.exposure.c, t.product_member.c
    of_pixels = _readable(connection, t.exposure, e.ineligible_rule, row.this) in PIXEL_RULES
    values = exposure_values(exposure) | {"path": dataset.path, "filename": Path(dataset.path).name}
    if of_pixels:
        values |= {"eligible": False}
        del values["ineligible_reason"]
    if _readable(connection, t.exposure, e.pixel_digest, row.this) is None:
        values["warnings"] = join_warnings(exposure.warnings)
    values["pixel_digest"] = pixel_digest
    kept = _readable(connection, t.exposure, e.pixels, row.this)
    digest = _readable(connection, t.exposure, e.member_digest, row.this)
    recorded = connection.scalars(sa.select(m.pixels).where(m.ipppssoo == exposure.ipppssoo).distinct())
    calibrated = identify_calibrated(pixel_digest, exposure.photometry) if pixel_digest else None
    possible = (kept, exposure.pixels, pixel_digest, calibrated, *recorded)
    known = [pixels for pixels in possible if isinstance(pixels, str)]
    digests = [digest_member(exposure.ipppssoo, exposure.kind, one, exposure.wcs_digest or "") for one in known]
    place = digests.index(digest) if digest in digests else 0
    return values | {"pixels": known[place], "member_digest": digests[place]}


def mend_dataset(connection: sa.Connection, row: ImpossibleRow, dataset: Dataset) -> None:
    """Write the row of an exposure's file again from the file."""
    exposure = dataset.exposure
    active = sa.exists().where(t.exposure.c.id == t.dataset.c.exposure_id, t.exposure.c.path == dataset.path)
    values: dict[str, Any] = {
        "path": dataset.path, "filename": Path(dataset.path).name, "kind": exposure.kind, "wcs_rank": exposure.wcs_rank,
        "processed": exposure.processed, "size": dataset.size, "mtime_ns": dataset.mtime_ns, "active": active,
    }  # fmt: skip
    connection.execute(sa.update(t.dataset).where(row.this).values(**{name: values[name] for name in row.wrong}))


def mend_product(connection: sa.Connection, row: ImpossibleRow, record: ProductRecord | None) -> bool:
    """Write the row of a product, and of its members, again from its intact file; whether that could be done.

    Without a file, what only says how it was made is written. A row of which another product has the name is removed.
    """
    p, this = t.product.c, t.product.c.id == row.named.get("id", row.named.get("product_id"))
    of_layer = t.event.c.layer == (row.named.get("layer") or (record and record.layer))
    made = _last_event(connection, of_layer, _MADE)
    values: dict[str, Any] = dict.fromkeys(_OF_MAKING) | {"made_at": now() if made is None else made.at}
    values = {name: value for name, value in values.items() if name in row.wrong}
    if record is not None:
        if connection.scalar(sa.select(p.id).where(p.layer == record.layer, sa.not_(this))) is not None:
            connection.execute(sa.delete(t.product).where(this))
            return True
        values |= product_values(connection, record)
    elif row.table is not t.product or not row.wrong.keys() <= values.keys():
        return False
    connection.execute(sa.update(t.product).where(this).values(**values))
    if record is not None:
        record_members(connection, record)
        update_made_digest(connection, record.layer)
    return True


def _last_event(connection: sa.Connection, of: sa.ColumnElement[bool], kinds: Sequence[Happened]) -> Any:
    v = t.event.c
    query = sa.select(v.at, v.kind, v.detail).where(of, v.kind.in_([str(kind) for kind in kinds]))
    query = query.where(impossible_value(connection.dialect.name, v.at).is_(None))
    return connection.execute(query.order_by(v.id.desc()).limit(1)).one_or_none()


def _readable(connection: sa.Connection, table: sa.Table, column: sa.Column[Any], this: sa.ColumnElement[bool]) -> Any:
    """The value of a column of a row; None if it is one that the column cannot have."""
    sound = sa.case((impossible_value(connection.dialect.name, column).is_(None), column))
    return connection.scalar(sa.select(sound).select_from(table).where(this))
