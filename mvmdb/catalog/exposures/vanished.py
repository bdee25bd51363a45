"""Active files of known exposures that are gone, which a search of folders for new files cannot notice."""

from __future__ import annotations

import os
from collections.abc import Collection

import sqlalchemy as sa

from mvmdb.catalog.exposures.quarantine import VANISHED, QuarantinedFile, stamp_files, write_quarantine
from mvmdb.catalog.open import Engine
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select


def note_vanished(engine: Engine, present: Collection[str]) -> list[QuarantinedFile]:
    """Check the active file of every exposure that is not withdrawn, and quarantine those that are gone.

    Paths in `present` were just found and are not checked. Returns the files that are gone, sorted by path. Nothing
    becomes stale: mosaics that were made of them are kept.
    """
    e, q = t.exposure.c, t.quarantine.c
    with engine.begin() as connection:
        query = sa.select(e.path, e.ipppssoo).where(e.path != "", e.withdrawn_at.is_(None))
        known = [(path, name) for path, name in bulk_select(connection, query) if path not in present]
    gone = {path: _describe(name, path) for path, name in known if not os.path.exists(path)}
    stamps = stamp_files(gone)
    with engine.begin() as connection:
        recorded = connection.scalars(sa.select(q.path).where(q.kind == VANISHED)).all()
        for chunk in chunks(set(recorded) - gone.keys()):  # back again, or replaced by another file
            connection.execute(sa.delete(t.quarantine).where(q.path.in_(chunk)))
        return write_quarantine(connection, gone, stamps)


def _describe(ipppssoo: str, path: str) -> ExposureError:
    text = f"{path}, the file of {ipppssoo}, is gone; put it back, or ingest it where it is now; its mosaics are kept"
    return ExposureError("vanished", text)
