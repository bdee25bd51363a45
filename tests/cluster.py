"""A real Dask cluster on this machine: a scheduler and worker processes of one thread, that tests may kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

HERE = Path(__file__).resolve().parent
PATIENCE = 30.0  # seconds for a process to come up on a busy machine


@dataclass
class Cluster:
    """The scheduler's process, its file, and the workers in the order in which they were started."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        """As in `--executor ADDRESS`."""
        return f"dask:{self.file}"

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def start_worker(self, *, preload: str = "", without_mvmdb: bool = False) -> subprocess.Popen[bytes]:
        """Start a worker; `preload` names a module of tests/ that it loads before it works."""
        words = ["--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        words += ["--local-directory", str(self.folder / "scratch"), "--death-timeout", str(PATIENCE)]
        words += ["--preload", preload] if preload else []
        name = f"worker{len(self.workers)}"
        worker = _start(self.folder / f"{name}.log", "dask_worker", [*words, "--name", name], without_mvmdb)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count: int) -> None:
        from distributed import Client

        with Client(scheduler_file=str(self.file), set_as_default=False) as client:
            client.wait_for_workers(count, timeout=PATIENCE)


@contextmanager
def run_cluster(
    folder: Path, workers: int = 0, *, without_mvmdb: bool = False, allowed_failures: int = 3
) -> Iterator[Cluster]:
    """A cluster with this many workers to begin with; all its processes are killed at the end.

    `without_mvmdb` is about the scheduler; `allowed_failures` is how many deaths an item may be on hand at.
    """
    folder.mkdir()
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(folder / "scheduler.json")]
    cluster = Cluster(
        folder, _start(folder / "scheduler.log", "dask_scheduler", words, without_mvmdb, allowed_failures)
    )
    try:
        _wait_for(cluster)
        for _ in range(workers):
            cluster.start_worker()
        if workers:
            cluster.wait_for_workers(workers)
        yield cluster
    finally:
        for process in [*cluster.workers, cluster.scheduler]:
            process.kill()
            process.wait()


def _wait_for(cluster: Cluster) -> None:
    deadline = monotonic() + PATIENCE
    while not cluster.file.exists() or cluster.file.stat().st_size == 0:
        if monotonic() > deadline or cluster.scheduler.poll() is not None:
            raise RuntimeError(f"the Dask scheduler did not come up: {cluster.log()}")
        sleep(0.05)


def _start(
    log: Path, program: str, words: list[str], without_mvmdb: bool, allowed_failures: int = 3
) -> subprocess.Popen[bytes]:
    runner = [str(HERE / "unaware.py")] if without_mvmdb else ["-m"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = str(allowed_failures)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, *runner, f"distributed.cli.{program}", *words],
            cwd=log.parent, env=environment, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
