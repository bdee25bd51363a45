"""The intact mosaics of one filter, camera and scale, with what tells whether one has changed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.settings import recorded_products_folder
from mvmdb.errors import UsageError
from mvmdb.names import Scale, is_product_of
from mvmdb.schema import tables as t


class IntactMosaic(NamedTuple):
    """A mosaic whose file was intact when it was last looked at: its layer, its file, and the digest of its arrays.

    `place` tells where on the cell's grid they lie, as `x_min:x_max,y_min:y_max` in fine pixels.
    """

    layer: str
    path: Path
    data_digest: str
    place: str


def choose_camera(connection: sa.Connection, wanted: str, camera: str | None, scale: Scale) -> tuple[str, str]:
    """(instrument, detector) with layers in a filter, by `WFC3/IR`, or a part of it; None: the only one.

    Raises UsageError if there is none, or more than one.
    """
    c = t.layer.c
    found = sa.select(c.instrument, c.detector).where(c.filter == wanted.lower(), c.scale == scale).distinct()
    pairs = [tuple(row) for row in connection.execute(found.order_by(c.instrument, c.detector))]
    parts = set((camera or "").lower().replace("-", "/").split("/")) - {""}
    chosen = [(instrument, detector) for instrument, detector in pairs if parts <= {instrument, detector}]
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join("/".join(pair).upper() for pair in pairs)
    if not pairs:
        raise UsageError(f"no layer of the catalog is in the filter {wanted!r} at the {scale} scale; see mvmdb status")
    raise UsageError(f"layers in {wanted} are of {known}; expected one camera: give it with --camera")


def load_intact(connection: sa.Connection, wanted: str, camera: tuple[str, str], scale: Scale) -> list[IntactMosaic]:
    """The intact mosaics of layers that should exist, sorted by layer; stale ones too, until they are made again.

    Rows that name another file than the product of their layer, as after a change by hand, are left out.
    """
    folder, p, c = recorded_products_folder(connection), t.product.c, t.layer.c
    query = (
        sa.select(p.layer, p.skycell, p.filename, p.data_digest, p.x_min, p.x_max, p.y_min, p.y_max)
        .select_from(t.product.join(t.layer, p.layer == c.name))
        .where(c.filter == wanted.lower(), c.instrument == camera[0], c.detector == camera[1], c.scale == scale)
        .where(p.state == "intact")
        .order_by(p.layer)
    )
    if folder is None:
        return []
    return [
        IntactMosaic(row.layer, folder / row.skycell / row.filename, row.data_digest,
                     f"{row.x_min}:{row.x_max},{row.y_min}:{row.y_max}")
        for row in connection.execute(query)
        if is_product_of(row.layer, row.skycell, row.filename)
    ]  # fmt: skip
