"""`mvmdb history` answers what was done when and why, and each run of a command is in it with its end."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, COARSE, FINE, Archive, call
from click.testing import CliRunner

from mvmdb import __version__
from mvmdb.catalog.ask.history import HistoryQuestion, load_events
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.history.prune import prune_history
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import commands

FIRST, SECOND = "ib6o04tu", "ib6o04tw"


def history(archive: Archive, *words: str) -> dict[str, Any]:
    answer = call(archive, "history", "--json", *words)
    assert answer.exit_code == 0, answer.output
    return dict(json.loads(answer.stdout))


def kinds(archive: Archive, *words: str) -> list[str]:
    return sorted(event["kind"] for event in history(archive, *words)["events"])


@pytest.fixture
def night(archive: Archive) -> Archive:
    """An archive with one exposure, its two layers and one night."""
    archive.expose()
    words = ("nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    assert call(archive, *words).exit_code == 0
    return archive


def test_a_run_is_listed_with_who_ran_it_and_how_it_ended(night: Archive) -> None:
    (run,) = history(night)["runs"]
    assert (run["command"], run["host"], run["pid"], run["version"], run["exit_code"], run["error"]) == (
        "nightly", socket.gethostname(), os.getpid(), __version__, 0, None,
    )  # fmt: skip
    assert run["arguments"] == f"nightly {night.inbox} -o {night.products} --jobs 1"
    assert run["started_at"] <= run["ended_at"]
    assert run["counts"] == {"configured": 1, "exposure-new": 1, "layer-drizzled": 2}
    listed = call(night, "history").stdout
    assert "run 1: nightly, 20" in listed
    assert "exit code 0" in listed
    assert "2 layer-drizzled" in listed


def test_commands_that_only_look_are_no_runs(night: Archive) -> None:
    for words in (("status",), ("history",), ("explain", FIRST), ("query", "SELECT 1"), ("config",), ("quarantine",)):
        call(night, *words)
    assert len(history(night)["runs"]) == 1


def test_a_run_that_finds_something_to_attend_to_and_one_that_cannot_work_are_told_apart(night: Archive) -> None:
    (night.inbox / "ib6o04twq_flt.fits").write_text("nothing")
    call(night, "ingest", str(night.inbox), "--jobs", "1")
    call(night, "withdraw", "ib6o04zz")
    first, second, third = history(night)["runs"]
    assert (first["exit_code"], second["exit_code"], third["exit_code"]) == (0, 1, 2)
    assert "ib6o04zz" in third["error"]
    assert "ib6o04zz" in call(night, "history").stdout


def test_every_event_is_found_by_what_it_concerns(night: Archive) -> None:
    call(night, "withdraw", FIRST, "--why", "a satellite")
    assert kinds(night, "--layer", FINE) == ["layer-drizzled"]
    assert kinds(night, "--exposure", f"{FIRST}q") == ["exposure-new", "exposure-withdrawn"]
    everything = ["exposure-new", "exposure-withdrawn", "layer-drizzled", "layer-drizzled"]
    assert kinds(night, "--skycell", CELL) == everything
    assert kinds(night, "--skycell", "skycell-p0001x01y01") == []
    assert kinds(night, "--program", "11359") == everything
    assert kinds(night, "--program", "b6o") == everything
    assert kinds(night, "--program", "99999") == []
    assert kinds(night, "--run", "2") == ["exposure-withdrawn"]
    call(night, "nightly", str(night.inbox), "--jobs", "1")
    gone = [*everything, "layer-removed", "layer-removed"]
    assert kinds(night, "--program", "11359") == kinds(night, "--skycell", CELL) == gone, "of layers that are gone too"
    assert kinds(night, "--kind", "layer-drizzled", "--kind", "configured") == [
        "configured", "layer-drizzled", "layer-drizzled",
    ]  # fmt: skip
    (withdrawn,) = history(night, "--kind", "exposure-withdrawn")["events"]
    assert (withdrawn["detail"], withdrawn["run_id"]) == ("a satellite", 2)


def test_times_bound_runs_and_events(night: Archive) -> None:
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).strftime("%Y-%m-%d")
    assert len(history(night, "--since", "1h", "--until", tomorrow)["runs"]) == 1
    assert history(night, "--since", tomorrow)["runs"] == []
    assert kinds(night, "--kind", "layer-drizzled", "--until", "1h") == []
    assert len(kinds(night, "--kind", "layer-drizzled", "--since", "1d")) == 2
    made = call(night, "history", "--since", "1d", "--kind", "layer-drizzled").stdout
    assert f"layer-drizzled {FINE}: product-missing (it has never been made); 1 members;" in made


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--since", "soon"), "expected a date like 2026-11-24"),
        (("--kind", "made"), "expected one of exposure-new"),
        (("--layer", "f125w"), "f125w"),
        (("--skycell", "p0001"), "p0001"),
        (("--exposure", "ib6o04zz"), "ib6o04zz"),
    ],
)
def test_what_names_nothing_is_refused_with_what_was_expected(
    night: Archive, words: tuple[str, ...], text: str
) -> None:
    answer = call(night, "history", *words)
    assert answer.exit_code != 0
    assert text in answer.output + str(answer.exception)


def test_explain_shows_the_history_of_what_it_explains(night: Archive) -> None:
    call(night, "withdraw", FIRST, "--why", "a satellite")
    shown = call(night, "explain", FIRST).stdout
    assert f"exposure-new {FIRST}" in shown
    assert f"exposure-withdrawn {FIRST}: a satellite (run 2)" in shown
    assert "layer-drizzled" in call(night, "explain", CELL).stdout
    answer = json.loads(call(night, "explain", FINE, "--json").stdout)
    assert [event["kind"] for event in answer["history"]] == ["layer-drizzled"]


def test_sql_has_the_same_history(night: Archive) -> None:
    rows = night.rows("SELECT kind, layer, command FROM history WHERE layer IS NOT NULL ORDER BY layer")
    assert rows == [("layer-drizzled", FINE, "nightly"), ("layer-drizzled", COARSE, "nightly")]
    (at,) = night.rows("SELECT at_utc FROM history WHERE kind = 'exposure-new'")[0]
    assert dt.datetime.fromisoformat(at).tzinfo is not None


def test_a_history_of_many_pages_is_read_whole_and_in_order(archive: Archive) -> None:
    n = 12_345
    with open_catalog(archive.address, create=True) as engine:
        with engine.begin() as connection:
            write_events(connection, (Event(Happened.EXPOSURE_NEW, exposure=f"i{i:07d}") for i in range(n)))
        read = [event.exposure for event in load_events(engine.begin, HistoryQuestion(kinds=("exposure-new",)))]
    assert read == [f"i{i:07d}" for i in range(n)]


def test_old_history_leaves_only_where_the_archive_is_set_so(night: Archive) -> None:
    with open_catalog(night.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE event SET at = '2020-01-01 00:00:00' WHERE kind = 'exposure-new'")
        assert prune_history(connection) == 0
    call(night, "init", "--keep-history", "30")
    assert "keep-history: 30" in call(night, "config").stdout
    words = ("nightly", str(night.inbox), "--jobs", "1")
    assert call(night, *words).exit_code == 0
    assert kinds(night, "--exposure", FIRST) == []
    assert len(kinds(night, "--kind", "layer-drizzled")) == 2, "what is young stays"
    assert [run["id"] for run in history(night)["runs"]] == [1, 2, 3], "runs of young events stay"


def test_a_run_that_is_killed_has_no_end(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    archive.ingest()
    program = (
        "import sys, time; from click.testing import CliRunner\n"
        "from mvmdb.console.options import Session\n"
        "import click\n"
        f"with click.Context(click.Command('nightly')):\n"
        "    from mvmdb.archive.recording import Call\n"
        f"    with Session({archive.address!r}).archive()._changing(Call('nightly')):\n"
        "        print('begun', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGKILL)
    time.sleep(0.1)
    (run,) = history(archive)["runs"]
    assert (run["ended_at"], run["exit_code"]) == (None, None)
    assert "no end recorded" in call(archive, "history").stdout


def test_a_password_is_in_no_record_of_a_run(archive: Archive) -> None:
    archive.expose()
    words = ["withdraw", "--db", archive.address, FIRST]
    archive.ingest()
    CliRunner().invoke(commands, words)
    CliRunner().invoke(commands, [f"--db={archive.address}", "readmit", FIRST])
    assert [run["arguments"] for run in history(archive)["runs"]] == [f"withdraw {FIRST}", f"readmit {FIRST}"]
