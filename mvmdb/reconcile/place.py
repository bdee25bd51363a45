"""Where a run works, and with whom: the folder of products, its lock, and the other runs of the catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mvmdb.catalog.claims.coordinator import Coordinator, can_share, coordinate
from mvmdb.catalog.open import Engine
from mvmdb.jobs.lock import FolderLock, claim_folder
from mvmdb.reconcile.remarks import Remarks


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run works: the folder `products`, whose `lock` it holds, and its part among the runs of one catalog.

    `remarks` are those of the run on files that it leaves alone.
    """

    products: Path
    lock: FolderLock
    coordinator: Coordinator
    remarks: Remarks


@contextmanager
def join_work(engine: Engine, products: Path, wait: float, before: Collection[str] = ()) -> Iterator[Place]:
    """The place of a run until the end of the block, as soon as other runs leave room for it.

    Raises BusyError if they still do not after so many seconds, and InputError if the folder cannot be made, written or
    locked. `before`: the remarks that are no news.
    """
    shares = can_share(engine)
    with claim_folder(products, shared=shares, wait=wait) as lock, coordinate(engine) as coordinator:
        yield Place(products, lock, coordinator, Remarks(before))
