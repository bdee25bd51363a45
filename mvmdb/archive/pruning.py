"""What is to be pruned: exposures whose files are gone, if the user agrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mvmdb.errors import UsageError

if TYPE_CHECKING:
    from mvmdb.catalog.exposures.prune import GoneFile, Watched

MOST = 100


@dataclass(frozen=True, slots=True)
class Pruning:
    """Exposures leave whose files are gone from the folders that are given, until the files return.

    None leave if more than `limit` would, as when a volume is not mounted. `agree` is asked about these exposures, and
    returns an empty text if they may leave, else what to do about it.
    """

    limit: int = MOST
    agree: Callable[[Sequence[GoneFile]], str] = lambda gone: ""

    def watch(self, folders: Sequence[str]) -> Watched:
        """What to look for below these folders. Raises UsageError if there are none."""
        from mvmdb.catalog.exposures.prune import Watched

        if not folders:
            raise UsageError("pruning looks for files that are gone from folders; expected a folder among the paths")
        return Watched(tuple(folders), self.agree, self.limit)

    def __repr__(self) -> str:
        """As it is recorded with a run."""
        return f"Pruning(limit={self.limit})"
