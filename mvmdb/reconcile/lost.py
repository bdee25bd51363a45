"""Members whose active file has gone: another file of the same exposure, where there is one, takes its place."""

from __future__ import annotations

import logging
import os

import sqlalchemy as sa

from mvmdb.catalog.register import ReadDataset, Readers, register
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError
from mvmdb.exposures.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.reconcile.planning import Outlook
from mvmdb.records import Policy
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


def replace_lost_files(engine: sa.Engine, outlook: Outlook, policy: Policy) -> bool:
    """Register another file for each member of a stale layer whose active file is gone; whether any was found."""
    names = {member.ipppssoo for layer in outlook.expected.values() for member in layer.members}
    e, d = t.exposure.c, t.dataset.c
    others: dict[str, list[str]] = {}
    with engine.begin() as connection:
        for part in chunks(names):
            query = sa.select(e.ipppssoo, e.path, d.path).select_from(t.dataset.join(t.exposure))
            for name, active, other in connection.execute(query.where(e.ipppssoo.in_(part), d.path != e.path)):
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
