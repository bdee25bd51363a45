"""Which of several files of one exposure is the active one; the catalog remembers the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvmdb.names import Kind
from mvmdb.records import Dataset
from mvmdb.remote.pairs import flags_beside


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice depends on: `processed` is PROCTIME (MJD, 0 if absent), `mtime_ns` when the file was modified."""

    kind: Kind
    wcs_rank: int
    processed: float
    mtime_ns: int
    path: str

    @property
    def is_pair(self) -> bool:
        """Whether it is one of WFPC2's pairs of files, pixels and flags."""
        return flags_beside(self.path) is not None

    @classmethod
    def of(cls, dataset: Dataset) -> Candidate:
        """The candidate for a file that was read."""
        exposure = dataset.exposure
        return cls(exposure.kind, exposure.wcs_rank, exposure.processed, dataset.mtime_ns, dataset.path)


def choose_active(candidates: Sequence[Candidate]) -> Candidate:
    """The active file among the files of one exposure.

    An FLC goes before any FLT, as its charge transfer is corrected; an FLT of WFPC2 before a pair of C0M and C1M, from
    which the pipeline made it; then the better astrometric solution wins, then the
    later processing, then the later file, and finally the smaller path, so that the choice never depends on order.
    Raises ValueError for no candidates.
    """
    ranks = [(c.kind == "flc", not c.is_pair, c.wcs_rank, c.processed, c.mtime_ns) for c in candidates]
    best = max(ranks)
    return min((c for c, rank in zip(candidates, ranks, strict=True) if rank == best), key=lambda c: c.path)


def explain_choice(active: Candidate, other: Candidate) -> str:
    """Why one file of an exposure is preferred to another: the first thing in which they differ."""
    if active.kind != other.kind:
        return "it is an FLC"
    if active.is_pair != other.is_pair:
        return "it is an FLT, which the pipeline made of the C0M"
    if active.wcs_rank != other.wcs_rank:
        return "its astrometric solution is better"
    if active.processed != other.processed:
        return "it was processed later"
    return "it was modified later" if active.mtime_ns != other.mtime_ns else "its path comes first"
