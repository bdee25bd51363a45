"""A file that stays bad is news once; then it is listed, and can be accepted until it changes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from archive import Archive, call
from click.testing import Result

from mvmdb.errors import UsageError


def ingest(archive: Archive) -> Result:
    return call(archive, "ingest", str(archive.inbox), "--json", "--jobs", "1")


@pytest.fixture
def bad(archive: Archive) -> Path:
    """A file that is no exposure, beside one that is."""
    archive.expose()
    path = archive.inbox / "ib6o04twq_flt.fits"
    path.write_text("nothing")
    return path


def test_a_file_that_stays_bad_is_worth_attention_once(archive: Archive, bad: Path) -> None:
    words = ("nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    assert [call(archive, *words).exit_code for _ in range(3)] == [1, 0, 0]
    assert "still quarantined, since 20" in call(archive, *words).output
    assert [ingest(archive).exit_code for _ in range(2)] == [0, 0]
    (problem,) = json.loads(ingest(archive).output)["problems"]
    assert (problem["path"], problem["kind"], problem["new"], problem["accepted"]) == (
        str(bad),
        "not-fits",
        False,
        False,
    )
    assert problem["first_seen"].startswith("20")


def test_a_bad_file_that_changes_is_news_again(archive: Archive, bad: Path) -> None:
    assert [ingest(archive).exit_code for _ in range(2)] == [1, 0]
    first_seen = archive.rows("SELECT first_seen FROM quarantine")
    bad.write_text("nothing at all")
    assert [ingest(archive).exit_code for _ in range(2)] == [1, 0]
    os.utime(bad, (1e9, 1e9))
    assert [ingest(archive).exit_code for _ in range(2)] == [1, 0]
    assert archive.rows("SELECT first_seen FROM quarantine") == first_seen


def test_quarantine_lists_files_and_accepts_them_until_they_change(archive: Archive, bad: Path) -> None:
    ingest(archive)
    listed = call(archive, "quarantine")
    assert (listed.exit_code, str(bad) in listed.output, "not-fits" in listed.output) == (1, True, True)
    (file,) = json.loads(call(archive, "quarantine", "--json").output)
    assert set(file) == {"path", "kind", "reason", "first_seen", "accepted"}
    assert call(archive, "quarantine", "--accept", str(bad)).exit_code == 0
    assert "1 files, 1 accepted" in call(archive, "quarantine").output
    done = call(archive, "ingest", str(archive.inbox), "--jobs", "1")
    assert (done.exit_code, str(bad) in done.output, "1 quarantined" in done.output) == (0, False, True)
    bad.write_text("nothing at all")
    assert ingest(archive).exit_code == 1
    assert call(archive, "quarantine").exit_code == 1, "a file that has changed is accepted no more"
    bad.unlink()
    ingest(archive)
    assert call(archive, "quarantine").output == "0 files, 0 accepted\n"


def test_a_file_that_is_not_quarantined_cannot_be_accepted(archive: Archive, bad: Path) -> None:
    ingest(archive)
    done = call(archive, "quarantine", "--accept", bad.name, "ib6o04tuq_flt.fits")
    assert isinstance(done.exception, UsageError)
    assert archive.rows("SELECT count(*) FROM quarantine WHERE accepted") == [(0,)]
    assert isinstance(call(archive, "quarantine", "--accept").exception, UsageError)
    assert isinstance(call(archive, "quarantine", bad.name).exception, UsageError)


def test_explain_knows_quarantined_files(archive: Archive, bad: Path) -> None:
    ingest(archive)
    for text in (str(bad), bad.name):
        done = call(archive, "explain", text)
        assert (done.exit_code, done.output.splitlines()[0]) == (0, f"{bad} (quarantined file)")
        assert "not-fits" in done.output
    known = archive.inbox / "ib6o04tuq_flt.fits"
    known.write_text("broken since")
    ingest(archive)
    words = call(archive, "explain", str(known)).output
    assert words.startswith("ib6o04tu (exposure)\n  Quarantined since")


def test_a_name_that_no_catalog_can_hold_is_news_once_too(archive: Archive) -> None:
    path = os.fsencode(archive.inbox) + b"/ib6o04\xff1q_flt.fits"
    shutil.copy(archive.expose(), path)
    assert [ingest(archive).exit_code for _ in range(3)] == [1, 0, 0]
    (file,) = json.loads(call(archive, "quarantine", "--json").output)
    assert call(archive, "quarantine", "--accept", file["path"]).exit_code == 0
    os.unlink(path)
    ingest(archive)
    assert archive.rows("SELECT path FROM quarantine") == []
