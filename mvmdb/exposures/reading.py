"""What is asked of the reader of files, and what it answers; `read_tasks` reads, which takes astropy."""

from __future__ import annotations

from dataclasses import dataclass

from mvmdb.records import Dataset


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read; `stamp` is the size and time with which the catalog has recorded it, None if it has not."""

    path: str
    stamp: tuple[int, int] | None = None

    @property
    def known(self) -> bool:
        """Whether the catalog has an older state of the file."""
        return self.stamp is not None


@dataclass(frozen=True, slots=True)
class ReadDataset:
    """A file's headers as read, and the digest of its pixels where they had to be compared (a known file changed)."""

    dataset: Dataset
    pixel_digest: str | None = None
