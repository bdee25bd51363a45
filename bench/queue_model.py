"""Models a queue of layers with workers, one shared storage and one coordinator: when is the last layer recorded?

A worker takes a layer, moves its bytes over the shared storage, and computes. All workers that are moving bytes share
the storage's bandwidth, each up to that of its link. The coordinator records finished layers one after the other and
submits a new one for each, so that there are always twice as many in progress as workers. That is how `mvmdb reconcile
--executor dask:...` works.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

NEVER = float("inf")
AHEAD = 2  # layers in progress per worker


@dataclass(frozen=True)
class Outcome:
    """Seconds until the last layer is recorded, shares of the workers' time, and lower bounds in seconds by name."""

    seconds: float
    computing: float
    moving: float
    idle: float
    bounds: dict[str, float]

    @property
    def bound_by(self) -> str:
        """The name of the largest bound."""
        return max(self.bounds, key=lambda name: self.bounds[name])


def simulate(
    work: NDArray[np.float64],
    moved: NDArray[np.float64],
    *,
    workers: int,
    bandwidth: float,
    link: float,
    record: float,
) -> Outcome:
    """Run the layers in order, with seconds of `work` and bytes `moved` each; storage and links in bytes per second."""
    seconds, computing, moving = _run(work.tolist(), moved.tolist(), workers, bandwidth, link, record)
    alone = work + moved / link
    bounds = {
        "the workers": float(alone.sum()) / workers,
        "the storage": float(moved.sum()) / bandwidth,
        "the coordinator": len(work) * record,
        "the longest layer": float(alone.max()),
    }
    total = workers * seconds
    return Outcome(seconds, computing / total, moving / total, 1 - (computing + moving) / total, bounds)


def _run(
    work: list[float], moved: list[float], workers: int, bandwidth: float, link: float, record: float
) -> tuple[float, float, float]:
    """Seconds at the end, and the seconds of computing and of moving bytes, each summed over the workers."""
    now = level = computing = moving = 0.0  # level: bytes that a transfer since time 0 would have moved by now
    transfers: list[tuple[float, int]] = []  # each with the level at which it ends
    computations: list[tuple[float, int]] = []
    waiting: deque[int] = deque(range(min(AHEAD * workers, len(work))))
    submitted, unrecorded, recorded_at, free = len(waiting), 0, NEVER, workers
    while True:
        while free and waiting:
            layer = waiting.popleft()
            heappush(transfers, (level + moved[layer], layer))
            free -= 1
        rate = min(link, bandwidth / len(transfers)) if transfers else 0.0
        moved_at = now + max(0.0, transfers[0][0] - level) / rate if transfers else NEVER
        computed_at = computations[0][0] if computations else NEVER
        then = min(moved_at, computed_at, recorded_at)
        if then == NEVER:
            return now, computing, moving
        moving += len(transfers) * (then - now)
        level += rate * (then - now)
        now = then
        if then == moved_at:
            level, layer = max(level, transfers[0][0]), heappop(transfers)[1]
            heappush(computations, (now + work[layer], layer))
            computing += work[layer]
        elif then == computed_at:
            heappop(computations)
            free += 1
            unrecorded += 1
            if recorded_at == NEVER:
                recorded_at = now + record
        else:
            unrecorded -= 1
            recorded_at = now + record if unrecorded else NEVER
            if submitted < len(work):
                waiting.append(submitted)
                submitted += 1
