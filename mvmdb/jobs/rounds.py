"""Makes layers in rounds: if members turn out to be unusable, their layers are made again without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mvmdb.errors import MemberUnusableError, MvmdbError
from mvmdb.jobs.carry_out import carry_out
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import LayerOutcome, Monitor
from mvmdb.mosaic.idempotent import make_idempotently
from mvmdb.records import LayerJob, ProductRecord
from mvmdb.workers.executor import Workers


def make_layers(
    todo: Sequence[LayerJob],
    again: Callable[[set[str]], Sequence[LayerJob]],
    workers: Workers,
    report: ReconcileReport,
    monitor: Monitor,
) -> None:
    """Make these layers; if members turn out to be unusable, make their layers without them.

    `again` returns the jobs that remain without the given exposures (ipppssoo); those already done are not repeated.
    Outcomes and unusable exposures are added to `report`, and each outcome is sent to `monitor`. Raises WorkersError if
    the workers are lost.
    """
    empty: set[str] = set()
    settled: set[tuple[str, str]] = set()
    while True:
        refused = set()
        for outcome in carry_out(todo, make_idempotently, workers, expected=len(todo)):
            if isinstance(outcome.result, MemberUnusableError):
                refused.add(outcome.result.ipppssoo)
                report.refused[outcome.result.ipppssoo] = str(outcome.result)
                continue
            job = outcome.job
            settled.add((job.layer, job.recipe_digest))
            error = str(outcome.result) if isinstance(outcome.result, MvmdbError) else ""
            if isinstance(outcome.result, ProductRecord):
                report.warnings.update(outcome.result.warnings)
            done = LayerOutcome(job.layer, job.action, job.target, round(outcome.seconds, 3), error)
            report.note(done)
            monitor.layer_done(done)
        if not refused:
            return
        empty |= refused
        todo = [job for job in again(empty) if (job.layer, job.recipe_digest) not in settled]
