"""A real Dask cluster: every item once, whatever dies; and what cannot work says so at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import errands
import pytest
from cluster import Cluster, run_cluster

from mvmdb.errors import WorkersError
from mvmdb.workers import dask as module
from mvmdb.workers.choice import open_executor, parse_executor


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers that no test kills."""
    with run_cluster(tmp_path_factory.mktemp("dask") / "cluster", workers=2) as cluster:
        yield cluster


def do(cluster: Cluster, function: object, items: object, expected: int = 20) -> list[object]:
    with open_executor(parse_executor(cluster.address)) as executor:
        return [done.result for done in executor.each(function, items, expected=expected)]  # type: ignore[arg-type]


def test_every_item_is_done_once_by_several_workers(shared_cluster: Cluster) -> None:
    assert sorted(do(shared_cluster, errands.double, range(50))) == [2 * n for n in range(50)]  # type: ignore[type-var]
    assert len(set(do(shared_cluster, errands.say_process, range(50)))) == 2


def test_the_same_work_is_done_again_when_it_is_asked_for_again(shared_cluster: Cluster) -> None:
    assert do(shared_cluster, errands.double, [1, 1, 1]) == [2, 2, 2]


def test_items_are_taken_as_workers_get_free(shared_cluster: Cluster) -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with open_executor(parse_executor(shared_cluster.address)) as executor:
        stream = executor.each(errands.double, source(), expected=100)
        next(stream)
        assert len(taken) <= 4
        assert len(list(stream)) == 99


def test_what_the_function_raises_is_raised_and_the_executor_works_on(shared_cluster: Cluster) -> None:
    with open_executor(parse_executor(shared_cluster.address)) as executor:
        with pytest.raises(ZeroDivisionError, match="no 7"):
            list(executor.each(errands.refuse, [7], expected=1))
        assert [done.result for done in executor.each(errands.double, [7], expected=1)] == [14]


def test_a_worker_that_is_killed_has_its_items_done_by_the_others(tmp_path: Path) -> None:
    with run_cluster(tmp_path / "cluster", workers=2) as cluster:
        paths = [str(tmp_path / f"{n}.txt") for n in range(8)]
        for path in paths[1:]:
            Path(path).write_text("")
        assert sorted(do(cluster, errands.die_once, paths)) == paths  # type: ignore[type-var]
        assert sorted(worker.poll() is None for worker in cluster.workers) == [False, True]
    assert {Path(path).read_text() for path in paths} == {"whole"}


def test_an_item_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    with run_cluster(tmp_path / "cluster", workers=2, allowed_failures=1) as cluster:
        (result,) = do(cluster, errands.die, [13])
    assert isinstance(result, WorkersError)
    assert "one Dask worker after another died" in str(result)


def test_workers_that_come_late_are_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with run_cluster(tmp_path / "cluster") as cluster, open_executor(parse_executor(cluster.address)) as executor:
        stream = executor.each(errands.double, late(cluster), expected=3)
        assert sorted(done.result for done in stream) == [0, 2, 4]  # type: ignore[type-var]
    assert "waiting for workers of the Dask scheduler at tcp://" in caplog.text


def late(cluster: Cluster) -> Iterator[int]:
    """Items; a worker is started when the first one is taken."""
    for number in range(3):
        if not cluster.workers:
            cluster.start_worker()
        yield number


def test_a_scheduler_that_is_not_there_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:1", "nowhere", "nonsense://a:1", str(tmp_path / "missing.json")):
        with (
            pytest.raises(WorkersError, match=r"start one|start the scheduler"),
            open_executor(parse_executor(f"dask:{address}")),
        ):
            pass


def test_a_scheduler_that_dies_ends_the_run(tmp_path: Path) -> None:
    with (
        run_cluster(tmp_path / "cluster", workers=1) as cluster,
        open_executor(parse_executor(cluster.address)) as executor,
    ):
        stream = executor.each(errands.double, range(1000), expected=1000)
        next(stream)
        cluster.scheduler.kill()
        with pytest.raises(WorkersError, match="went away; what was finished is recorded"):
            list(stream)


def test_a_worker_without_mvmdb_says_so(tmp_path: Path) -> None:
    with run_cluster(tmp_path / "cluster") as cluster:
        cluster.start_worker(without_mvmdb=True)
        cluster.wait_for_workers(1)
        with pytest.raises(WorkersError, match=r"cannot import mvmdb; .*install it where the workers run"):
            do(cluster, errands.double, [1])


def test_a_worker_with_another_version_is_refused(tmp_path: Path) -> None:
    with run_cluster(tmp_path / "cluster") as cluster:
        cluster.start_worker(preload="claims_other_version")
        cluster.wait_for_workers(1)
        with pytest.raises(WorkersError, match=r"has mvmdb 0\.0\.9; expected"):
            do(cluster, errands.double, [1])


def test_the_scheduler_needs_no_mvmdb(tmp_path: Path) -> None:
    with run_cluster(tmp_path / "cluster", without_mvmdb=True) as cluster:
        cluster.start_worker()
        cluster.wait_for_workers(1)
        assert do(cluster, errands.double, [21]) == [42]
