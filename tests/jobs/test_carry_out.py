"""Carrying out jobs: results as they come, in one process or several, and a dying worker fails its own layer only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mvmdb.errors import MemberUnusableError, ProductError
from mvmdb.jobs.carry_out import Outcome, carry_out
from mvmdb.layers.recipes import choose_recipe
from mvmdb.records import Action, Canvas, LayerJob, ProductRecord
from mvmdb.workers.choice import ExecutorChoice, open_executor
from mvmdb.workers.executor import Workers
from mvmdb.workers.processes import IN_THIS_PROCESS, ProcessExecutor

BOX = Canvas(1, 2, 1, 2)


def job(name: str) -> LayerJob:
    recipe = choose_recipe("acs", "wfc", "f814w", "fine", 1)
    return LayerJob(name, Action.DRIZZLE, "flt", BOX, recipe, "digest", (), f"/nowhere/{name}")


def make(job: LayerJob) -> ProductRecord:
    """Stands for a mosaic: what happens depends on the job's name."""
    if job.layer.startswith("bad"):
        raise ProductError("no good")
    if job.layer.startswith("empty"):
        raise MemberUnusableError("j0000001", "empty", "all zeros")
    if job.layer.startswith("odd"):
        raise ZeroDivisionError("surprise")
    if job.layer.startswith("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    return ProductRecord(job.layer, "skycell-p0001x01y01", job.target, 1, 1, "d", BOX, "{}", "r", ())


def results(names: list[str], workers: int) -> dict[str, Outcome]:
    with open_executor(ExecutorChoice(n=workers)) as executor:
        outcomes = list(carry_out(map(job, names), make, Workers(executor), expected=len(names)))
    assert sorted(outcome.job.layer for outcome in outcomes) == sorted(names)
    return {outcome.job.layer: outcome for outcome in outcomes}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_has_one_outcome_and_errors_keep_their_kind(workers: int) -> None:
    outcomes = results(["a", "bad", "empty", "odd", "z"], workers)
    assert isinstance(outcomes["a"].result, ProductRecord)
    assert isinstance(outcomes["z"].result, ProductRecord)
    assert str(outcomes["bad"].result) == "no good"
    assert isinstance(outcomes["empty"].result, MemberUnusableError)
    assert outcomes["empty"].result.ipppssoo == "j0000001"
    assert "ZeroDivisionError: surprise" in str(outcomes["odd"].result)


def test_a_worker_that_dies_fails_its_own_layer_only() -> None:
    outcomes = results(["a", "b", "dies", "c", "d", "e"], 2)
    assert "worker process died" in str(outcomes.pop("dies").result)
    assert all(isinstance(outcome.result, ProductRecord) for outcome in outcomes.values())


def test_jobs_are_taken_as_workers_get_free() -> None:
    taken: list[str] = []

    def source() -> Iterator[LayerJob]:
        for name in "abcdef":
            taken.append(name)
            yield job(name)

    with open_executor(ExecutorChoice(n=2)) as executor:
        stream = carry_out(source(), make, Workers(executor), expected=6)
        next(stream)
        assert len(taken) <= 4
        assert len(list(stream)) == 5


def test_nothing_to_do_is_done() -> None:
    nothing: Callable[..., Any] = make
    with open_executor(ExecutorChoice(n=2)) as executor:
        assert list(carry_out([], nothing, Workers(executor), expected=0)) == []


def make_as_allowed(job: LayerJob) -> ProductRecord:
    """Stands for a mosaic whose size and time are what the job may take."""
    return ProductRecord(job.layer, "", job.target, job.memory_mb or 0, job.helpers, "d", BOX, "{}", "r", ())


def test_the_bound_of_memory_is_each_jobs_and_idle_processors_are_shared() -> None:
    bounded = Workers(IN_THIS_PROCESS.executor, memory_mb=900)
    (outcome,) = carry_out([job("a")], make_as_allowed, bounded, expected=1)
    assert isinstance(outcome.result, ProductRecord)
    assert (outcome.result.size, outcome.result.mtime_ns) == (900, 0)
    alone = Workers(ProcessExecutor(3))  # one item needs no process of its own
    (outcome,) = carry_out([job("a")], make_as_allowed, alone, expected=1)
    assert isinstance(outcome.result, ProductRecord)
    assert (outcome.result.size, outcome.result.mtime_ns) == (0, 2)
