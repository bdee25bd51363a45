"""Carrying out layer jobs, here or in worker processes, and handing back results as they come."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from time import monotonic

from mvmdb.errors import MvmdbError, ProductError
from mvmdb.records import LayerJob, ProductRecord

log = logging.getLogger(__name__)

Maker = Callable[[LayerJob], ProductRecord]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job: a product, or the error that stopped it."""

    job: LayerJob
    result: ProductRecord | MvmdbError
    seconds: float


def carry_out(jobs: Iterable[LayerJob], make: Maker, *, workers: int | None, expected: int) -> Iterator[Outcome]:
    """Do every job and yield each outcome as it comes.

    Jobs are taken from the iterable as workers get free, so a long plan is never in memory whole, and at most
    `workers` layers are being made at a time. A worker that dies (out of memory, say) fails the layer that it was
    making and no other.
    """
    n = min(workers or os.cpu_count() or 1, expected)
    source = iter(jobs)
    if n <= 1:
        for job in source:
            yield _attempt(job, make)
        return
    suspects: list[LayerJob] = []
    while True:
        with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as executor:
            yield from _feed(executor, source, make, n, suspects)
        if not suspects:
            return
        yield from _retry_alone(suspects, make)
        suspects.clear()


def _feed(
    executor: ProcessPoolExecutor, source: Iterator[LayerJob], make: Maker, n: int, suspects: list[LayerJob]
) -> Iterator[Outcome]:
    """Keep `n` jobs under way until the source or the pool ends; jobs of a broken pool become suspects."""
    running: dict[Future[Outcome], LayerJob] = {}
    broken = False
    while True:
        if not broken:
            for job in islice(source, n - len(running)):
                try:
                    running[executor.submit(_attempt, job, make)] = job
                except BrokenProcessPool:
                    suspects.append(job)
                    broken = True
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                suspects.append(job)
                broken = True


def _retry_alone(suspects: Iterable[LayerJob], make: Maker) -> Iterator[Outcome]:
    """When a worker died, its pool cannot tell which job did it: each is done once more in a process of its own."""
    for job in suspects:
        started = monotonic()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
            try:
                yield executor.submit(_attempt, job, make).result()
            except BrokenProcessPool:
                error = ProductError("the worker process died (out of memory?); try again with fewer --jobs")
                yield Outcome(job, error, monotonic() - started)


def _attempt(job: LayerJob, make: Maker) -> Outcome:
    started = monotonic()
    result: ProductRecord | MvmdbError
    try:
        result = make(job)
    except MvmdbError as error:
        result = error
    except Exception as error:  # one layer's surprise must not take the night's other layers with it
        log.exception("%s", job.layer)
        result = ProductError(f"{type(error).__name__}: {error}")
    return Outcome(job, result, monotonic() - started)
