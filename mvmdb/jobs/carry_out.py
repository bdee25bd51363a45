"""Carrying out layer jobs and handing back what became of each. What has to be done was decided before."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from mvmdb.errors import MvmdbError, ProductError, WorkersError
from mvmdb.records import LayerJob, ProductRecord
from mvmdb.workers.executor import Workers
from mvmdb.workers.processes import spare_processors

log = logging.getLogger(__name__)

Maker = Callable[[LayerJob], ProductRecord]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job: a product, or the error that stopped it; `seconds` are 0 where its worker died."""

    job: LayerJob
    result: ProductRecord | MvmdbError
    seconds: float


def carry_out(jobs: Iterable[LayerJob], make: Maker, workers: Workers, *, expected: int) -> Iterator[Outcome]:
    """Do every job and yield each outcome as it comes.

    Jobs are taken from the iterable as workers get free, so a long plan is never in memory whole. Where they are at
    most half as many as the processors of the workers, each may have helpers. The workers' bound of memory is each
    job's. A worker that dies (out of memory, say) fails the layer that it was making and no other. Raises WorkersError
    when there are no workers to be had.
    """
    here, spare = socket.gethostname(), spare_processors(workers.executor, expected)
    bounded = (replace(job, helpers=spare, memory_mb=workers.memory_mb) for job in jobs)
    for done in workers.executor.each(partial(_attempt, make, here), bounded, expected=expected):
        yield Outcome(done.item, done.result, 0.0) if isinstance(done.result, WorkersError) else done.result


def _attempt(make: Maker, coordinator: str, job: LayerJob) -> Outcome:
    """Run in a worker: any error becomes the job's outcome; one on another machine says where it was met."""
    started = monotonic()
    result: ProductRecord | MvmdbError
    try:
        result = make(job)
    except ProductError as error:
        host = socket.gethostname()
        result = error if host == coordinator else ProductError(f"{error} (on {host})")
    except MvmdbError as error:
        result = error
    except MemoryError as error:
        result = ProductError(
            f"{job.layer} needs more memory than there is ({str(error) or 'no room'}); drizzle it in bands: --memory MB"
        )
    except Exception as error:  # one layer's surprise must not take the night's other layers with it
        log.exception("%s", job.layer)
        result = ProductError(f"{type(error).__name__}: {error}")
    return Outcome(job, result, monotonic() - started)
