"""What a command did is logged step by step, on standard error with -v and in a file with --log."""

from __future__ import annotations

import errno
import logging
import os
import re
from pathlib import Path

import pytest
from archive import FINE, Archive
from command_line import run

from mvmdb.console.logs import start_logging

STEPS = (
    "begins: ", "run 1 of the catalog's history", "works on ", "2 files: 0 unchanged, 2 to read",
    "exposure-new: ib6o04tu", "file-quarantined: ", "registered 1 files, quarantined 1",
    "looking at the files of 0 products", "_input.planned", "2 layers: 2 stale", f"{FINE}: drizzle begins",
    "_manifest.txt", f"layer-drizzled: {FINE}: ", "_input.out", "ends with exit code 1",
)  # fmt: skip
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING) \[\d+\] mvmdb[\w.]*: \S.*")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    return archive


def test_a_night_logs_every_step_in_a_file_and_nothing_more_on_standard_error(archive: Archive) -> None:
    (archive.inbox / "bad\x1b[2J\n_flt.fits").write_bytes(b"no FITS")
    log = archive.folder / "night.log"
    log.write_text("of the last night\n")
    night = run(archive, "nightly", "inbox", "-o", "products", "--jobs", "1", "--log", "night.log", "--json")
    assert (night.returncode, night.stderr) == (1, "")
    before, *lines = log.read_text().splitlines()
    assert before == "of the last night"
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    rest = iter(lines)
    for step in STEPS:
        assert any(step in line for line in rest), step
    assert str(archive.folder / "mvm.db") not in lines[0], "the address may hold a password"


def test_verbose_commands_log_on_standard_error(archive: Archive) -> None:
    assert run(archive, "nightly", "inbox", "-o", "products", "--jobs", "1").stderr == ""
    lines = run(archive, "reconcile", "--full", "-v", "--jobs", "1").stderr.splitlines()
    assert all(line.startswith("mvmdb: ") for line in lines)
    assert f"mvmdb: {FINE}: drizzle begins" in lines


def test_errors_and_internal_errors_are_in_the_log(archive: Archive) -> None:
    assert run(archive, "--log", "a.log", "explain", "nothing").returncode == 2
    first, error, last = (archive.folder / "a.log").read_text().splitlines()
    assert first.endswith("mvmdb: begins: --log a.log explain nothing")
    assert "there is no catalog at" in error
    assert last.endswith("ends with exit code 2")


@pytest.mark.parametrize("place", ["none/a.log", "folder", "pipe"])
def test_a_log_that_cannot_be_written_is_refused_before_anything_is_done(archive: Archive, place: str) -> None:
    (archive.folder / "folder").mkdir()
    os.mkfifo(archive.folder / "pipe")
    result = run(archive, "nightly", "inbox", "-o", "products", "--log", place)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert place in result.stderr
    assert not (archive.folder / "mvm.db").exists()


def test_a_log_that_is_full_is_said_once_and_the_work_goes_on(archive: Archive) -> None:
    night = run(archive, "nightly", "inbox", "-o", "products", "--jobs", "1", "--log", "/dev/full")
    assert night.returncode == 0
    why = os.strerror(errno.ENOSPC)
    assert night.stderr == f"mvmdb: the log /dev/full cannot be written any more ({why}); the work goes on\n"


def test_every_line_of_a_traceback_is_printable(tmp_path: Path) -> None:
    end = start_logging(verbose=False, path=tmp_path / "a.log")
    try:
        raise ValueError("evil\x1b[2J\nname")
    except ValueError:
        logging.getLogger("mvmdb.test").exception("of %s", "an\x07other")
    end()
    logging.getLogger("mvmdb.test").warning("after the end")
    text = (tmp_path / "a.log").read_text()
    assert all(line.isprintable() for line in text.splitlines())
    assert "of an\\x07other\n  Traceback" in text
    assert "evil\\x1b[2J" in text
    assert "after the end" not in text
