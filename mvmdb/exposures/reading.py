"""What is asked of the reader of files, and what it answers; `read_tasks` reads, which takes astropy."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.records import Dataset


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    `known` says that the catalog has an older state of it, and `stamp` is the size and time that it has recorded.
    """

    path: str
    known: bool
    stamp: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ReadDataset:
    """A file's headers as read, and the digest of its pixels where they had to be compared (a known file changed)."""

    dataset: Dataset
    pixel_digest: str | None = None
