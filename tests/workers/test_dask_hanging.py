"""A Dask cluster that hangs: workers that are stopped, wait for dead storage or are not there, and a dead scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import errands
import pytest
from cluster import PATIENCE, Cluster, run_cluster

from mvmdb.errors import WorkersError
from mvmdb.workers.choice import open_executor, parse_executor
from mvmdb.workers.executor import Done
from mvmdb.workers.patience import Patience, WorkerHungError

pytestmark = pytest.mark.slow

BRIEF = Patience(limit=5.0, notice=2.0)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with run_cluster(tmp_path / "cluster", workers=2) as cluster:
        yield cluster


def read_or_double(item: Any) -> Any:
    return errands.read_pipe(item) if isinstance(item, str) else errands.double(item)


def do(cluster: Cluster, function: Any, items: Any) -> list[Done[Any, Any]]:
    with open_executor(parse_executor(cluster.address), BRIEF) as executor:
        return list(executor.each(function, items, expected=20, name=lambda item: f"item {item}"))


def check_given_up(found: dict[Any, Any], item: object) -> None:
    """One item was given up; all others are done."""
    hung = found.pop(item)
    assert isinstance(hung, WorkerHungError)
    assert str(hung).startswith("Dask worker tcp://127.0.0.1:")
    assert "gave no sign of progress for 5 s (--worker-timeout) and was given up" in str(hung)
    assert found == {number: 2 * number for number in range(8)}


def test_a_stopped_worker_has_its_item_given_up_and_the_others_do_the_rest(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        found = {
            done.item: done.result for done in do(cluster, errands.stop_at_13_or_double, [*range(4), 13, *range(4, 8)])
        }
    finally:
        for worker in cluster.workers:
            os.kill(worker.pid, signal.SIGCONT)
    check_given_up(found, 13)
    assert any("waiting for item 13: Dask worker tcp://" in record.getMessage() for record in caplog.records)


def test_a_worker_that_waits_for_dead_storage_has_its_item_given_up(cluster: Cluster, tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    check_given_up(
        {done.item: done.result for done in do(cluster, read_or_double, [*range(4), pipe, *range(4, 8)])}, pipe
    )


def test_a_worker_that_makes_progress_is_waited_for_whatever_it_takes(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    assert [done.result for done in do(cluster, errands.work_slowly, [9.0, 9.0])] == [9.0, 9.0]
    assert not [record for record in caplog.records if "mvmdb" in record.name]


def test_a_cluster_without_workers_is_told_of_at_once_and_an_error_after_the_limit(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for worker in cluster.workers:
        worker.terminate()
        worker.wait(PATIENCE)
    with pytest.raises(
        WorkersError, match=r"tcp://.* had no workers, or did not answer, for 5 s .*start workers \(dask worker\)"
    ):
        do(cluster, errands.double, range(8))
    assert "waiting for workers of the Dask scheduler at tcp://" in caplog.text


def test_workers_that_leave_during_a_run_are_an_error_after_the_limit(cluster: Cluster) -> None:
    done = []

    def retire() -> Iterator[int]:
        yield from range(4)
        for worker in cluster.workers:
            worker.terminate()
            worker.wait(PATIENCE)
        yield from range(4, 8)

    with (
        open_executor(parse_executor(cluster.address), BRIEF) as executor,
        pytest.raises(WorkersError, match="had no workers, or did not answer, for 5 s"),
    ):
        done.extend(executor.each(errands.double, retire(), expected=8))


def test_what_a_worker_has_not_begun_when_it_is_stopped_is_done_by_others(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    victim = cluster.workers[0].pid
    os.kill(victim, signal.SIGSTOP)
    try:
        assert sorted(done.result for done in do(cluster, errands.double, range(20))) == [2 * n for n in range(20)]
        assert "gave no sign of progress; its work goes to others" in caplog.text
    finally:
        os.kill(victim, signal.SIGCONT)


def test_workers_that_are_stopped_before_they_begin_are_an_error_after_the_limit(cluster: Cluster) -> None:
    for worker in cluster.workers:
        os.kill(worker.pid, signal.SIGSTOP)
    try:
        with pytest.raises(
            WorkersError, match=r"no worker of the Dask scheduler at .* gave a sign of progress for 5 s"
        ):
            do(cluster, errands.double, range(8))
    finally:
        for worker in cluster.workers:
            os.kill(worker.pid, signal.SIGCONT)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=lambda end: end.name)
def test_a_scheduler_that_is_lost_is_one_error_and_no_traceback(cluster: Cluster, end: signal.Signals) -> None:
    script = (
        f"import logging, sys; sys.path[:] = {sys.path!r}\n"
        "import errands\n"
        "from mvmdb.errors import WorkersError\n"
        "from mvmdb.workers.choice import open_executor, parse_executor\n"
        "from mvmdb.workers.patience import Patience\n"
        "logging.basicConfig(format='mvmdb: %(message)s', stream=sys.stderr)\n"
        "try:\n"
        f"    with open_executor(parse_executor({cluster.address!r}), Patience(5.0, 20.0)) as executor:\n"
        "        for done in executor.each(errands.double, range(10**9), expected=10**9):\n"
        "            if not done.item: print('begun', flush=True)\n"
        "except WorkersError as error:\n"
        "    print(error)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        Timer(1.0, os.kill, args=(cluster.scheduler.pid, end)).start()
        said, noise = run.communicate(timeout=2 * PATIENCE)
    (line,) = said.splitlines()
    assert "the Dask scheduler at tcp://127.0.0.1:" in line
    assert "what was finished is recorded" in line
    assert "Traceback" not in noise
    assert all(line.startswith("mvmdb: waiting for workers") for line in noise.splitlines())
