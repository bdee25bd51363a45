"""The rows of an exposure's files, and which of them it names as its own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.records import Dataset
from mvmdb.schema import tables as t


class RecordedFile(NamedTuple):
    """A file of an exposure as recorded: `size` in bytes, `mtime_ns` in ns since 1970."""

    id: int
    path: str
    size: int
    mtime_ns: int
    active: bool

    @property
    def stamp(self) -> tuple[int, int]:
        """Its size and time."""
        return self.size, self.mtime_ns


def load_files(connection: sa.Connection, exposure: int) -> list[RecordedFile]:
    """The files of an exposure (key), by path."""
    d = t.dataset.c
    query = sa.select(*(d[name] for name in RecordedFile._fields)).where(d.exposure_id == exposure).order_by(d.path)
    return [RecordedFile(*row) for row in connection.execute(query)]


def move_exposure(connection: sa.Connection, exposure: int, path: str) -> None:
    """Record where the active file of an exposure (key) is."""
    change = sa.update(t.exposure).where(t.exposure.c.id == exposure)
    connection.execute(change.values(path=path, filename=Path(path).name))


def move_file(connection: sa.Connection, file: int, path: str) -> None:
    """Record the path of a file (key), which no other has."""
    if connection.scalar(sa.select(t.dataset.c.id).where(t.dataset.c.path == path)) is None:
        change = sa.update(t.dataset).where(t.dataset.c.id == file)
        connection.execute(change.values(path=path, filename=Path(path).name))


def add_file(connection: sa.Connection, exposure: int, dataset: Dataset) -> None:
    """Record the active file of an exposure (key), which has no row."""
    if connection.scalar(sa.select(t.dataset.c.id).where(t.dataset.c.path == dataset.path)) is not None:
        return
    values = {
        "exposure_id": exposure, "path": dataset.path, "filename": Path(dataset.path).name,
        "kind": dataset.exposure.kind, "wcs_rank": dataset.exposure.wcs_rank, "processed": dataset.exposure.processed,
        "size": dataset.size, "mtime_ns": dataset.mtime_ns, "active": True,
    }  # fmt: skip
    connection.execute(sa.insert(t.dataset).values(**values))
