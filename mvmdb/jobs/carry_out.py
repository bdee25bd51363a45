"""Carries out layer jobs on workers and returns their outcomes; it does not decide which jobs are needed."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from time import monotonic

from mvmdb.errors import MvmdbError, ProductError, WorkersError
from mvmdb.records import LayerJob, ProductRecord
from mvmdb.workers.executor import Workers
from mvmdb.workers.memory import read_peak_memory, reset_peak_memory
from mvmdb.workers.processes import spare_processors

log = logging.getLogger(__name__)

Maker = Callable[[LayerJob], ProductRecord]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one job: the product's record, or the error that stopped it. `seconds` is 0 if its worker died.

    `memory_mb` is the worker's peak memory during the job; None if its worker died.
    """

    job: LayerJob
    result: ProductRecord | MvmdbError
    seconds: float
    memory_mb: int | None = None


def carry_out(jobs: Iterable[LayerJob], make: Maker, workers: Workers, *, expected: int) -> Iterator[Outcome]:
    """Do every job and yield each outcome as soon as there is one, in any order.

    Jobs are taken from the iterable as workers become free, so a long plan is never in memory as a whole. `expected` is
    their approximate number: if there are at least twice as many worker processes, each job may use helpers. Each job
    gets the limits of memory and time of `workers`. If a worker dies (out of memory, say) or hangs, only the layer that
    it was making fails. Raises WorkersError if the workers are lost.
    """
    here, spare = socket.gethostname(), spare_processors(workers.executor, expected)
    memory_mb, timeout = workers.memory_mb, workers.executor.patience.limit
    bounded = (replace(job, helpers=spare, memory_mb=memory_mb, timeout=timeout) for job in jobs)
    attempt = partial(_attempt, make, here)
    for done in workers.executor.each(attempt, bounded, expected=expected, name=attrgetter("layer")):
        yield Outcome(done.item, done.result, 0.0) if isinstance(done.result, WorkersError) else done.result


def _attempt(make: Maker, coordinator: str, job: LayerJob) -> Outcome:
    """Runs in a worker: any error becomes the job's outcome; a ProductError on another machine names that machine."""
    started = monotonic()
    reset_peak_memory()
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
            f"{job.layer} needs more memory than is free ({str(error) or 'no room'}); drizzle it in bands: --memory MB"
        )
    except Exception as error:  # an unexpected error in one layer must not stop the night's other layers
        log.exception("%s", job.layer)
        result = ProductError(f"{type(error).__name__}: {error}")
    return Outcome(job, result, monotonic() - started, read_peak_memory())
