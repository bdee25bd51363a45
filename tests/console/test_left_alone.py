"""Product files that are left alone are news once: the next nights say it in their reports, and mail nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, FINE, Archive
from command_line import call

from mvmdb.reconcile.remarks import Remarks


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.night()
    return archive


Quiet = Callable[[], tuple[str, dict[str, Any]]]


@pytest.fixture
def quiet(archive: Archive, caplog: pytest.LogCaptureFixture) -> Quiet:
    """Calls a quiet night: its warnings, which are lines on standard error, and its report."""
    return lambda: run_quietly(archive, caplog)


def run_quietly(archive: Archive, caplog: pytest.LogCaptureFixture) -> tuple[str, dict[str, Any]]:
    caplog.clear()
    path = archive.folder / "night.json"
    code, out, err = call(
        archive, "nightly", str(archive.inbox), "--quiet", "--report", str(path), "--executor", "serial"
    )
    assert (code, out, err) == (0, "", "")
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return "\n".join(warnings), json.loads(path.read_text())


def test_a_file_that_is_not_the_catalogs_is_told_of_once(
    archive: Archive, quiet: Quiet, caplog: pytest.LogCaptureFixture
) -> None:
    stray = archive.products / CELL / f"{FINE.replace('f125w', 'f999w')}_drz.fits"
    stray.write_bytes(b"no mosaic")
    first, report = quiet()
    assert first.count("left alone: ") == 1
    assert stray.name in first
    assert [stray.name in line for line in report["left_alone"]] == [True]
    second, report = quiet()
    assert second == ""
    assert len(report["left_alone"]) == 1, "the report still says so"
    other = stray.with_name(stray.name.replace("f999w", "f998w"))
    other.write_bytes(b"no mosaic")
    third, _ = quiet()
    assert other.name in third
    assert stray.name not in third
    stray.unlink()
    other.unlink()
    _, report = quiet()
    assert report["left_alone"] == []
    stray.write_bytes(b"no mosaic")
    assert stray.name in quiet()[0], "it is back, and news again"
    caplog.clear()
    assert call(archive, "status")[0] == 0
    assert stray.name in caplog.text, "whoever asks is told"


def test_a_remark_is_made_once_in_a_run(caplog: pytest.LogCaptureFixture) -> None:
    remarks = Remarks(["known"])
    for words in ("known", "new", "new", "known"):
        remarks.make(words)
    assert remarks.made == ["known", "new"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["new"]
