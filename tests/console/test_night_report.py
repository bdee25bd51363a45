"""The night's report: what came, was refused, made or failed, in three forms, and what is new since the last night."""

from __future__ import annotations

import datetime as dt
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, COARSE, FINE, Archive
from click.testing import CliRunner, Result

from mvmdb.catalog.ask.night import MOST_LISTED, summarize_night
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.history.runs import Invocation, begin_run
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.attempts import next_attempt
from mvmdb.cli import commands
from mvmdb.console.night_report import format_lines, format_page


def night(archive: Archive, *words: str) -> Result:
    arguments = ["--db", archive.address, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1"]
    return CliRunner().invoke(commands, [*arguments, *words])


def make_due(archive: Archive, hours: int = 0) -> None:
    """Let so much time pass that every layer with a next attempt is due."""
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours + 1)).strftime("%Y-%m-%d %H:%M:%S")
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE layer_failure SET retry_at = '{past}' WHERE retry_at IS NOT NULL")


def report(archive: Archive, *words: str) -> dict[str, Any]:
    path = archive.folder / "report.json"
    night(archive, "--report", str(path), *words)
    return dict(json.loads(path.read_text()))


class _Page(HTMLParser):
    """The tags of a page, in order, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_says_what_came_what_was_refused_and_what_was_made_and_why(archive: Archive) -> None:
    archive.expose()
    bad = archive.inbox / "ib6o04twq_flt.fits"
    bad.write_text("nothing")
    first = report(archive)
    assert [line["exposure"] for line in first["came"]] == ["ib6o04tu"]
    assert [(line["path"], line["what"]) for line in first["refused"]] == [(str(bad), "quarantined")]
    assert sorted(line["layer"] for line in first["made"]) == [FINE, COARSE]
    assert {reason["code"] for line in first["made"] for reason in line["reasons"]} == {"product-missing"}
    assert {line["layer"] for line in first["slowest"]} == {FINE, COARSE}
    assert first["slowest"] == sorted(first["slowest"], key=lambda line: -line["seconds"])
    assert (first["failed"], first["last_night"]["run"]) == ([], None)
    assert first["counts"]["layer-drizzled"] == 2


def test_a_report_is_kept_in_the_catalog(archive: Archive) -> None:
    archive.expose()
    written = report(archive)
    assert json.loads(archive.rows("SELECT report FROM run WHERE command = 'nightly'")[0][0]) == written


def test_a_failure_is_new_then_counted_then_mended(archive: Archive) -> None:
    archive.expose()
    folder = archive.products / CELL
    folder.parent.mkdir()
    folder.write_text("in the way of the sky cell's folder")
    nights = [report(archive) for _ in range(3)]
    assert [{line["layer"] for line in each["failed"]} for each in nights] == [{FINE, COARSE}] * 3
    assert [each["failed"][0]["attempts"] for each in nights] == [1, 2, 3]
    assert [sorted(each["last_night"]["new_failures"]) for each in nights] == [[FINE, COARSE], [], []]
    assert len({each["failed"][0]["since"] for each in nights}) == 1
    assert "expected a writable folder" in nights[0]["failed"][0]["error"]
    assert "attempt 3 since 20" in "\n".join(format_lines(nights[-1]))
    make_due(archive)
    folder.unlink()
    after = report(archive)
    assert (after["failed"], after["last_night"]["mended"]) == ([], [FINE, COARSE])
    assert f"no longer failing: {FINE}, {COARSE}" in "\n".join(format_lines(after))


def test_a_layer_that_fails_again_and_again_is_left_until_it_is_due(archive: Archive) -> None:
    archive.expose()
    folder = archive.products / CELL
    folder.parent.mkdir()
    folder.write_text("in the way of the sky cell's folder")
    for attempts in (1, 2, 3):
        assert [line["attempts"] for line in report(archive)["failed"]] == [attempts] * 2
    fourth = report(archive)
    assert (fourth["failed"], {line["layer"] for line in fourth["resting"]}) == ([], {FINE, COARSE})
    assert fourth["last_night"]["mended"] == [], "what was not tried is not mended"
    assert "3 attempts since 20" in "\n".join(format_lines(fourth))
    make_due(archive)
    assert [line["attempts"] for line in report(archive)["failed"]] == [4, 4]
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE layer_failure SET attempts = 6")
    make_due(archive)
    assert "not tried again until it changes" in "\n".join(format_lines(report(archive)))
    make_due(archive, hours=24 * 365)
    assert report(archive)["failed"] == [], "after the last attempt no night tries again"
    archive.expose("ib6o04twq", east=3)
    assert [line["attempts"] for line in report(archive)["failed"]] == [1, 1], "it is to be made of something else"
    folder.unlink()
    assert archive.reconcile().drizzled == 2, "reconcile tries everything"
    assert archive.rows("SELECT count(*) FROM layer_failure") == [(0,)]


def test_a_layer_is_due_after_longer_and_longer_pauses() -> None:
    at = dt.datetime(2026, 1, 1, 2)
    pauses = [next_attempt(failures, at) for failures in range(1, 8)]
    assert [None if due is None else (due - at).total_seconds() / 3600 for due in pauses] == [
        0, 0, 36, 84, 180, 372, None,
    ]  # fmt: skip


def test_quiet_prints_news_alone(archive: Archive) -> None:
    archive.expose()
    assert "2 drizzled" in night(archive, "--quiet").output
    second = night(archive, "--quiet")
    assert (second.exit_code, second.output) == (0, "")
    (archive.inbox / "ib6o04tuq_flt.fits").unlink()
    third = night(archive, "--quiet")
    assert (third.exit_code, "vanished" in third.output) == (1, True)
    assert night(archive).output != "", "without --quiet a night always says something"


@pytest.mark.parametrize("ending", [".txt", ".html", ".json"])
def test_each_form_names_every_layer_and_exposure(archive: Archive, ending: str) -> None:
    archive.expose()
    path = archive.folder / f"night{ending}"
    assert night(archive, "--report", str(path)).exit_code == 0
    text = path.read_text()
    assert all(name in text for name in (FINE, COARSE, "ib6o04tu", "product-missing"))
    assert list(archive.folder.glob(".*tmp")) == []


def test_a_page_is_whole_and_escapes_what_the_catalog_holds(archive: Archive) -> None:
    with open_catalog(archive.address, create=True) as opened:
        key, engine = begin_run(opened, Invocation("nightly", "", "0"))
        detail = "<script>alert(1)</script> & \x1b[2J"
        with engine.begin() as connection:
            write_events(connection, [Event(Happened.FILE_QUARANTINED, path="/data/<b>.fits", detail=detail)])
        summary = summarize_night(engine, key) | {"problems": ["a <i>problem</i>"], "resting": []}
    page = format_page(summary)
    assert page.startswith("<!DOCTYPE html>")
    parsed = _Page(page)
    assert {"script", "b", "i"}.isdisjoint(parsed.tags)
    assert "<script>alert(1)</script>" in parsed.text
    assert "\x1b" not in page
    assert "\x1b" not in "".join(format_lines(summary))


def test_a_night_of_a_million_exposures_lists_a_thousand_and_counts_all(archive: Archive) -> None:
    n = MOST_LISTED + 5
    with open_catalog(archive.address, create=True) as opened:
        key, engine = begin_run(opened, Invocation("nightly", "", "0"))
        with engine.begin() as connection:
            write_events(connection, (Event(Happened.EXPOSURE_NEW, exposure=f"i{i:07d}") for i in range(n)))
        summary = summarize_night(engine, key) | {"problems": [], "resting": []}
    assert (len(summary["came"]), summary["counts"]["exposure-new"]) == (MOST_LISTED, n)
    assert f"Came ({n}, of which the first {MOST_LISTED})" in list(format_lines(summary))


def test_a_report_that_cannot_be_written_is_refused_before_or_after_the_work(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    before = night(archive, "--report", str(tmp_path / "night.pdf"))
    assert "expected one of .txt, .html, .json" in str(before.exception)
    assert not archive.products.exists(), "refused before anything is done"
    (tmp_path / "file").write_text("")
    after = night(archive, "--report", str(tmp_path / "file" / "night.txt"))
    assert "the night's work is done" in str(after.exception)
    assert archive.rows("SELECT count(*) FROM product WHERE state = 'intact'") == [(2,)]
