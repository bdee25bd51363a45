"""Readers that take their time, as real processes: none keeps a run from writing to the catalog."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from archive import Archive
from click.testing import CliRunner
from processes import wait_until

from mvmdb.archive import access
from mvmdb.catalog.configure import initialise
from mvmdb.cli import commands

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "mvmdb"]
MANY = "SELECT a.s_region, b.s_region FROM exposure a, exposure b LIMIT 5000"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A catalog whose answers are larger than a pipe of 4 KiB holds: 400 exposures in hundreds of layers."""
    folder = tmp_path_factory.mktemp("large")
    archive = Archive(folder, str(folder / "mvm.db"))
    rows = ["obs_id,instrument_name,filters,t_exptime,s_region"]
    for number in range(400):
        letter = "abcdefghijklmnopqrstuvwxyz"[number % 26]
        kind = "flt" if number % 3 else "flc"
        ra, dec = 10 + 0.4 * (number % 20), 0.2 + 0.4 * (number // 20)
        corners = " ".join(
            f"{ra + x} {dec + y}" for x, y in ((-0.02, -0.02), (0.02, -0.02), (0.02, 0.02), (-0.02, 0.02))
        )
        rows.append(f"ib6o{number // 26:02d}{letter}{letter}q_{kind}.fits,WFC3/UVIS,F606W,100,POLYGON ICRS {corners}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    initialise(archive.address, products=archive.products)
    done = subprocess.run(
        [*PROGRAM, "--db", archive.address, "import", "table.csv"], cwd=folder, capture_output=True, check=True
    )
    assert b"400 new" in done.stdout
    archive.expose()
    return archive


@contextmanager
def left_open(archive: Archive, *words: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has printed the beginning of its answer, and waits for somebody to read on, as `less` does not."""
    process = subprocess.Popen(
        [*PROGRAM, "--db", archive.address, *words], stdout=subprocess.PIPE, bufsize=0, env=os.environ | environ
    )
    try:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        assert process.stdout.read(10) != b""
        wait_until(lambda: sleeps(process.pid))
        yield process
        assert process.poll() is None, "it ended, so it was never paused"
    finally:
        process.kill()
        process.communicate()


def sleeps(pid: int) -> bool:
    """Whether the process waits; here, for its pipe to be read."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (("query", MANY), {}),
        (("query", MANY, "--csv"), {}),
        (("query", MANY, "--nl"), {}),
        (("query", MANY, "--json"), {}),
        (("status",), {"MVM_ONLY_CTE": "on"}),
        (("status", "--json"), {}),
        (("reconcile", "--dry-run", "-o", "elsewhere"), {}),
        (("cells", "--at", "14", "4", "--radius", "6"), {}),
        (("history", "--kind", "exposure-new"), {}),
        (("schema", "--json"), {}),
    ],
)
def test_a_command_left_open_keeps_no_ingest_from_writing(
    large: Archive, words: tuple[str, ...], environ: dict[str, str]
) -> None:
    with left_open(large, *words, **environ):
        done = subprocess.run(
            [*PROGRAM, "--db", large.address, "ingest", str(large.inbox), "--jobs", "1"],
            capture_output=True, text=True, check=False, timeout=50,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def holds_open(pid: int, path: str) -> bool:
    opened = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed again
            opened.add(os.readlink(entry))
    return os.path.realpath(path) in opened


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_wait_for_another_writer_can_be_stopped(large: Archive, number: int, code: int) -> None:
    writer = sqlite3.connect(large.address)
    writer.execute("BEGIN IMMEDIATE")
    process = subprocess.Popen(
        [*PROGRAM, "--db", large.address, "ingest", str(large.inbox)], stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        wait_until(lambda: holds_open(process.pid, large.address))
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        writer.close()
    assert (process.returncode, err.strip()[:14]) == (code, "mvmdb: stopped")


def test_a_catalog_is_one_file_without_a_log_beside_it(large: Archive) -> None:
    with left_open(large, "query", MANY):
        header = Path(large.address).read_bytes()[:20]
        assert header[18:20] == b"\x01\x01", "not WAL, which needs a second file and shared memory"
        assert [path.name for path in large.folder.glob("mvm.db*")] == ["mvm.db"]


def test_a_trial_in_pieces_shows_what_one_of_all_sky_cells_shows(
    large: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(**environ: str) -> str:
        return CliRunner().invoke(commands, ["--db", large.address, "status", "--json"], env=environ).output

    recorded = json.loads(shown())["layers"]
    environ = {"MVM_ONLY_CTE": "on"}
    before, whole = Path(large.address).read_bytes(), shown(**environ)
    monkeypatch.setattr(access, "CELLS_AT_ONCE", 7)
    assert shown(**environ) == whole
    assert 0 < json.loads(whole)["layers"] < recorded, "MVM_ONLY_CTE leaves FLTs out"
    assert Path(large.address).read_bytes() == before
