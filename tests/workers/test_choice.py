"""What users say for an executor, and who works then."""

from __future__ import annotations

import os
import sys

import errands
import pytest

from mvmdb.errors import UsageError, WorkersError
from mvmdb.workers.choice import ExecutorChoice, open_executor, open_workers, parse_executor
from mvmdb.workers.processes import IN_THIS_PROCESS, ProcessExecutor


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("serial", ExecutorChoice("serial")),
        ("processes", ExecutorChoice("processes")),
        ("processes:12", ExecutorChoice("processes", 12)),
        ("dask:tcp://10.0.0.1:8786", ExecutorChoice("dask", address="tcp://10.0.0.1:8786")),
        ("dask:/shared/scheduler.json", ExecutorChoice("dask", address="/shared/scheduler.json")),
    ],
)
def test_an_executor_is_read_as_it_is_written(text: str, choice: ExecutorChoice) -> None:
    assert parse_executor(text) == choice


NO_EXECUTORS = [
    "",
    "serial:2",
    "processes:",
    "processes:0",
    "processes:-1",
    "processes:two",
    "dask",
    "dask:",
    "slurm:8",
]


@pytest.mark.parametrize("text", NO_EXECUTORS)
def test_what_is_no_executor_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected serial, processes:N .* or dask:ADDRESS"):
        parse_executor(text)


def test_serial_work_stays_in_this_process_and_in_order() -> None:
    with open_executor(ExecutorChoice("serial")) as executor:
        assert [done.result for done in executor.each(errands.double, [3, 1, 2], expected=3)] == [6, 2, 4]
        assert {done.result for done in executor.each(errands.say_process, [1, 2], expected=2)} == {os.getpid()}


def test_workers_that_are_given_are_taken_and_others_are_opened_where_none_are() -> None:
    with open_workers(IN_THIS_PROCESS, jobs=7) as workers:
        assert workers is IN_THIS_PROCESS
    with open_workers(jobs=1) as workers:
        assert [done.result for done in workers.executor.each(errands.double, [4], expected=1)] == [8]
        assert workers.memory_mb is None


def test_workers_are_one_process_per_core_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with open_workers() as workers:
        assert isinstance(workers.executor, ProcessExecutor)
        assert workers.executor.size == 3


def test_without_the_package_distributed_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(WorkersError, match=r"pip install 'mvmdb\[dask\]'"),
        open_executor(ExecutorChoice("dask", address="h:1")),
    ):
        pass
