"""Commands whose workers hang or are killed: an exit code with words, nothing left behind, and the rest next time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from archive import Archive
from processes import wait_for_end, wait_until

from mvmdb.mosaic.product.read import read_product

pytestmark = pytest.mark.slow

PATIENCE = 60.0
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    """A catalog with four layers to make."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    for number, name in enumerate(("F125W", "F140W")):
        archive.expose(f"ib6o04t{number}q", filters=name)
    archive.ingest()
    return archive


def start(archive: Archive, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, "reconcile", "-o", "products", *words],
        cwd=archive.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def shared_memory(archive: Archive, pid: int) -> list[str]:
    """What a process has mapped of shared memory, but for files of the archive, which may lie there too."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line for line in lines if str(SHARED_MEMORY) in line and str(archive.folder) not in line]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
def test_a_layer_whose_worker_is_stopped_fails_with_words_and_is_made_by_the_next_run(one: Archive) -> None:
    run = start(one, "--jobs", "2", "--worker-timeout", "6")
    wait_until(lambda: children(run.pid))
    victim = children(run.pid)[0]
    os.kill(victim, signal.SIGSTOP)
    said, warned = run.communicate(timeout=PATIENCE)
    assert (run.returncode, warned) == (1, "")
    assert "3 drizzled, 0 added to, 0 recanvased, 0 removed, 1 failed" in said
    ((name, error),) = one.rows("SELECT name, failure FROM layer WHERE failure IS NOT NULL")
    assert name in said
    assert error.startswith(f"worker process {victim} on ")
    assert "gave no sign of progress for 6 s (--worker-timeout) and was given up; look for storage" in error
    again = start(one, "--jobs", "2")
    said, warned = again.communicate(timeout=PATIENCE)
    assert (again.returncode, warned) == (0, "")
    assert "1 drizzled" in said
    assert len([read_product(path, deep=True) for path in one.products.glob("*/*.fits")]) == 4


def test_work_of_the_command_itself_that_hangs_ends_it(one: Archive) -> None:
    os.mkfifo(one.folder / "pipe")
    script = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import errands\n"
        "from mvmdb.console.options import Who, work_of\n"
        "with work_of(Who('serial', None, 2.0)).open() as workers:\n"
        "    list(workers.executor.each(errands.read_pipe, ['pipe'], expected=1))\n"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=one.folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mvmdb: pipe: worker process ")
    assert line.endswith("the next run tries again; what was finished is recorded")


@pytest.mark.skipif(not SHARED_MEMORY.exists(), reason="semaphores are seen in /dev/shm")
def test_a_run_that_is_killed_whole_leaves_no_semaphore_and_no_process(one: Archive) -> None:
    before = set(SHARED_MEMORY.glob("sem.*"))
    run = start(one, "--jobs", "2")
    wait_until(lambda: children(run.pid) and list(one.products.glob("*/*")))
    workers = children(run.pid)
    assert [shared_memory(one, pid) for pid in (run.pid, *workers)] == [[]] * (1 + len(workers))
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=PATIENCE)
    for pid in workers:
        wait_for_end(pid)
    assert set(SHARED_MEMORY.glob("sem.*")) <= before


def test_a_run_on_dask_makes_no_semaphore(one: Archive, tmp_path: Path) -> None:
    from cluster import run_cluster

    with run_cluster(tmp_path / "cluster", workers=1) as cluster:
        run = start(one, "--executor", cluster.address)
        wait_until(lambda: list(one.products.glob("*/*")))
        assert not Path("/proc/self/maps").exists() or shared_memory(one, run.pid) == []
        run.communicate(timeout=PATIENCE)
    assert run.returncode == 0
