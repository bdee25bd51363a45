"""Members whose active file has gone: another file of the same exposure, where there is one, takes its place."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import sqlalchemy as sa

from mvmdb.catalog.exposures.register import Readers, register
from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.exposures.read_tasks import ReadDataset
from mvmdb.records import Policy
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


def replace_lost_files(
    engine: sa.Engine, policy: Policy, *, cells: Sequence[int] | None = None, everything: bool = False
) -> bool:
    """Register another file for each member of a stale layer whose active file is gone; whether any was found.

    In these sky cells (keys) or everywhere; with `everything`, members of fresh layers too.
    """
    e, d = t.exposure.c, t.dataset.c
    source = t.layer.join(t.layer_member).join(t.exposure).join(t.dataset)
    query = sa.select(e.ipppssoo, e.path, d.path).select_from(source).where(d.path != e.path).distinct()
    if not everything:
        query = query.where(t.layer.c.stale)
    if cells is not None:
        query = query.where(t.layer.c.skycell_id.in_(cells))
    others: dict[str, list[str]] = {}
    with engine.begin() as connection:
        for name, active, other in connection.execute(query.order_by(e.ipppssoo, d.path)):
            if not os.path.exists(active):
                others.setdefault(name, []).append(other)
    found = []
    for name, paths in sorted(others.items()):
        for path in paths:
            try:
                found.append(ReadDataset(read_exposure(path), digest_pixels(path)))
            except ExposureError as error:
                log.warning("%s: %s", name, error)
    if found:
        with engine.begin() as connection:
            register(connection, found, policy, Readers(read_exposure, digest_pixels))
    return bool(found)
