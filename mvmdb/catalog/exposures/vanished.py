"""Active files of known exposures that are gone, which a search of folders for new files cannot notice."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from mvmdb.catalog.exposures.quarantine import VANISHED, QuarantinedFile, stamp_files, write_quarantine
from mvmdb.catalog.open import Engine
from mvmdb.catalog.rows import chunks
from mvmdb.errors import ExposureError
from mvmdb.remote.address import is_below, is_url
from mvmdb.remote.files import are_gone
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select


def note_vanished(engine: Engine, present: Collection[str], folders: Sequence[str] = ()) -> list[QuarantinedFile]:
    """Check the active file of every exposure that is not withdrawn, and quarantine those that are gone.

    Paths in `present` were just found and are not checked. Files elsewhere are checked where they are below one of the
    `folders`, which were just listed: to ask a server for each of a million files would take hours. Returns the files
    that are gone, sorted by path. Nothing becomes stale: mosaics that were made of them are kept.
    """
    e, q = t.exposure.c, t.quarantine.c
    with engine.begin() as connection:
        query = sa.select(e.path, e.ipppssoo).where(e.path != "", e.withdrawn_at.is_(None))
        known = [(path, name) for path, name in bulk_select(connection, query) if path not in present]
    below = [path for path, _ in known if not is_url(path) or any(is_below(path, folder) for folder in folders)]
    missing = are_gone(below)
    gone = {path: _describe(name, path) for path, name in known if path in missing}
    stamps = stamp_files(gone)
    with engine.begin() as connection:
        recorded = connection.scalars(sa.select(q.path).where(q.kind == VANISHED)).all()
        back = set(recorded) - gone.keys()  # or replaced by another file
        unseen = {path for path, _ in known if path not in missing} - set(below)
        for chunk in chunks(back - unseen):
            connection.execute(sa.delete(t.quarantine).where(q.path.in_(chunk)))
        return write_quarantine(connection, gone, stamps)


def _describe(ipppssoo: str, path: str) -> ExposureError:
    text = f"{path}, the file of {ipppssoo}, is gone; put it back, or ingest it where it is now; its mosaics are kept"
    return ExposureError("vanished", text)
