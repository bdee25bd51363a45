"""Records products that were made, found or lost, and failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.clock import time_in
from mvmdb.catalog.exposures.register import photometry_values
from mvmdb.catalog.history.events import Event, Happened, format_reasons, write_events
from mvmdb.catalog.products.attempts import count_failure, forget_failures
from mvmdb.catalog.products.made_digest import update_made_digest
from mvmdb.exposures.warning_texts import join_warnings, split_warnings
from mvmdb.records import (
    ProductRecord,
    ProductState,
    Reason,
)
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

_ACTIONS = {
    "drizzle": Happened.LAYER_DRIZZLED,
    "add": Happened.LAYER_ADDED,
    "recanvas": Happened.LAYER_RECANVASED,
    "shift": Happened.LAYER_SHIFTED,
    "rescale": Happened.LAYER_RESCALED,
    "adopt": Happened.LAYER_ADOPTED,
    None: Happened.LAYER_FOUND,
}
_STATES = {
    ProductState.INTACT: Happened.LAYER_FOUND,
    ProductState.MISSING: Happened.LAYER_MISSING,
    ProductState.DAMAGED: Happened.LAYER_DAMAGED,
}


def record_product(
    connection: sa.Connection,
    record: ProductRecord,
    *,
    action: str | None,
    reasons: Sequence[Reason] = (),
    seconds: float | None = None,
    memory_mb: int | None = None,
    detail: str | None = None,
) -> None:
    """Record a product that was made (or found, if `action` is None), and the pixel digests of its members.

    `seconds` is how long it took, `memory_mb` the peak memory of the worker that made it, and `detail` is a remark for
    the history. Recording a digest makes nothing stale: only exposures with the same pixel identity get it. Clears the
    layer's failure.
    """
    row = product_values(connection, record) | {
        "last_action": action,
        "last_reasons": format_reasons(reasons),
        "made_at": time_in(connection),
        "seconds": seconds,
    }
    upsert(connection, t.product, ("layer",), [row])
    record_members(connection, record)
    update_made_digest(connection, record.layer)
    clear_failure(connection, record.layer)
    event = Event(
        _ACTIONS[action],
        layer=record.layer,
        path=record.path,
        detail=detail,
        reasons=tuple(reasons),
        n_members=len(record.members),
        seconds=seconds,
        size=record.size,
        memory_mb=memory_mb,
    )
    write_events(connection, [event])


def product_values(connection: sa.Connection, record: ProductRecord) -> dict[str, Any]:
    """The columns of a product's row that its file alone decides, and the key of its layer."""
    return {
        "layer": record.layer,
        "layer_id": connection.scalar(sa.select(t.layer.c.id).where(t.layer.c.name == record.layer)),
        "skycell": record.skycell,
        "filename": Path(record.path).name,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "data_digest": record.data_digest,
        "x_min": record.canvas.x_min,
        "x_max": record.canvas.x_max,
        "y_min": record.canvas.y_min,
        "y_max": record.canvas.y_max,
        "n_members": len(record.members),
        "recipe": record.recipe,
        "recipe_digest": record.recipe_digest,
        "state": ProductState.INTACT.value,
        "proof": record.proof.value,
    }


def record_members(connection: sa.Connection, record: ProductRecord) -> None:
    """Replace the members of a recorded product, and note the digests of their pixels, and their photometry."""
    id_ = connection.scalar(sa.select(t.product.c.id).where(t.product.c.layer == record.layer))
    connection.execute(sa.delete(t.product_member).where(t.product_member.c.product_id == id_))
    names = (
        "ipppssoo", "rootname", "pixels", "pixel_digest", "wcs_digest", "wcsname", "sky_group", "exptime", "sky",
        "photflam", "photscale", "photometry",
    )  # fmt: skip
    rows = [{"product_id": id_} | {name: getattr(member, name) for name in names} for member in record.members]
    connection.execute(sa.insert(t.product_member), rows)
    learn = (
        sa.update(t.exposure)
        .where(
            t.exposure.c.ipppssoo == sa.bindparam("name"),
            t.exposure.c.pixels == sa.bindparam("identity"),
            t.exposure.c.pixel_digest.is_(None),
        )
        .values(pixel_digest=sa.bindparam("digest"))
    )
    known = [m for m in record.members if m.pixel_digest]
    if known:
        connection.execute(learn, [{"name": m.ipppssoo, "identity": m.pixels, "digest": m.pixel_digest} for m in known])
    _learn_photometry(connection, record)


def _learn_photometry(connection: sa.Connection, record: ProductRecord) -> None:
    """Note the photometry of members that were registered before it was recorded; their headers were read now."""
    learn = (
        sa.update(t.exposure)
        .where(
            t.exposure.c.ipppssoo == sa.bindparam("name"),
            t.exposure.c.pixels == sa.bindparam("identity"),
            t.exposure.c.photometry.is_(None),
        )
        .values({name: sa.bindparam(f"new_{name}") for name in photometry_values("")})
    )
    rows = [
        {"name": m.ipppssoo, "identity": m.pixels}
        | {f"new_{name}": value for name, value in photometry_values(m.photometry).items()}
        for m in record.members
        if m.photometry
    ]
    if rows:
        connection.execute(learn, rows)


def record_warnings(connection: sa.Connection, record: ProductRecord) -> None:
    """Add what was found about members' pixels to their warnings, in place of what was found before.

    Exposures whose pixels have changed since keep their warnings.
    """
    pixels = {member.ipppssoo: member.pixels for member in record.members}
    e = t.exposure.c
    for ipppssoo, words in record.warnings:
        unchanged = sa.and_(e.ipppssoo == ipppssoo, e.pixels == pixels.get(ipppssoo))
        before = connection.scalar(sa.select(e.warnings).where(unchanged))
        if before is not None and words not in before:
            _, others = split_warnings(before)
            together = join_warnings([words, *others])
            connection.execute(sa.update(t.exposure).where(unchanged).values(warnings=together))


def touch_product(connection: sa.Connection, record: ProductRecord) -> None:
    """Record the new size and time of a product whose content is unchanged, and that it is intact."""
    note_stamp(connection, record.layer, record.size, record.mtime_ns)
    note_state(connection, record.layer, ProductState.INTACT)


def note_stamp(connection: sa.Connection, layer: str, size: int, mtime_ns: int) -> None:
    """Record the size (bytes) and time (ns since 1970) of a product's file."""
    change = sa.update(t.product).where(t.product.c.layer == layer)
    connection.execute(change.values(size=size, mtime_ns=mtime_ns))


def note_state(connection: sa.Connection, layer: str, state: ProductState) -> None:
    """Record the state of a product's file as it was just seen."""
    changes = sa.update(t.product).where(t.product.c.layer == layer, t.product.c.state != state.value)
    if connection.execute(changes.values(state=state.value)).rowcount:
        write_events(connection, [Event(_STATES[state], layer=layer)])
    update_made_digest(connection, layer)


def record_failure(connection: sa.Connection, layer: str, message: str) -> None:
    """Record why the last attempt to make a layer failed."""
    connection.execute(sa.update(t.layer).where(t.layer.c.name == layer).values(failure=message))
    count_failure(connection, layer)
    write_events(connection, [Event(Happened.LAYER_FAILED, layer=layer, detail=message)])


def clear_failure(connection: sa.Connection, layer: str) -> None:
    """Clear a layer's failure, and forget how often it failed."""
    forget_failures(connection, layer)
    connection.execute(sa.update(t.layer).where(t.layer.c.name == layer).values(failure=None))


def forget_product(connection: sa.Connection, layer: str, reasons: Sequence[Reason] = ()) -> None:
    """Delete the record of a layer's product, which was removed for these reasons, and of its members."""
    connection.execute(sa.delete(t.product).where(t.product.c.layer == layer))
    update_made_digest(connection, layer)
    write_events(connection, [Event(Happened.LAYER_REMOVED, layer=layer, reasons=tuple(reasons))])
