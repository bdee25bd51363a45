"""--executor, --jobs and MVMDB_EXECUTOR: which goes first, and what cannot be had is one line and exit code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from archive import Archive


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    return archive


def run(archive: Archive, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, *words],
        cwd=archive.folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


CANNOT = {
    "both": (["--executor", "serial", "--jobs", "2"], "--jobs 2 and --executor serial are both given"),
    "unknown": (["--executor", "slurm:8"], "expected serial, processes:N"),
    "none": (["--executor", "processes:0"], "expected serial, processes:N"),
    "unreachable": (["--executor", "dask:tcp://127.0.0.1"], "start one (dask scheduler)"),
    "no file": (["--executor", "dask:missing.json"], "start the scheduler first"),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_had_is_one_line_and_nothing_is_done(one: Archive, case: str) -> None:
    words, expected = CANNOT[case]
    done = run(one, "nightly", "inbox", "-o", "products", *words)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mvmdb: ")
    assert expected in line
    assert sorted(path.name for path in one.folder.iterdir()) == ["inbox"]


def test_the_environment_is_followed_and_jobs_on_the_command_line_goes_before_it(one: Archive) -> None:
    followed = run(one, "ingest", "inbox", MVMDB_EXECUTOR="slurm:8")
    assert followed.returncode == 2
    assert "'slurm:8' is not an executor" in followed.stderr
    assert run(one, "ingest", "inbox", "--jobs", "1", MVMDB_EXECUTOR="slurm:8").returncode == 0
    assert run(one, "reconcile", "-o", "products", "--executor", "serial", MVMDB_EXECUTOR="slurm:8").returncode == 0


def test_the_limit_for_workers_that_hang_is_an_option_and_a_variable_and_cannot_be_negative(one: Archive) -> None:
    assert "MVMDB_WORKER_TIMEOUT" in run(one, "nightly", "--help").stdout
    assert run(one, "ingest", "inbox", "--worker-timeout", "0").returncode == 0
    for words, environment in (((), {"MVMDB_WORKER_TIMEOUT": "-1"}), (("--worker-timeout", "-1"), {})):
        done = run(one, "ingest", "inbox", *words, **environment)
        assert (done.returncode, done.stdout) == (2, "")
        assert "-1.0 is not in the range x>=0" in done.stderr or "-1 is not in the range x>=0" in done.stderr
