"""The front door for programs: an `Archive` has a method for each command, and each command calls that method."""

from __future__ import annotations

from mvmdb.archive.archive import Archive, open_archive
from mvmdb.archive.contributing import context_image, contributors
from mvmdb.archive.pruning import Pruning

__all__ = ["Archive", "Pruning", "context_image", "contributors", "open_archive"]
