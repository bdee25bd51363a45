"""How the command line takes arguments, and what closed streams and signals do to a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from archive import CELL, Archive
from click.testing import CliRunner, Result

from mvmdb.cli import commands

pytestmark = pytest.mark.slow

HOSTILE = "A\x1b[2J\x07\x9b31m\u202eB"
"""Clears the screen, rings the bell, changes the colour and turns the direction of writing."""
PROGRAM = [sys.executable, "-m", "mvmdb"]


def run(*words: object) -> Result:
    return CliRunner().invoke(commands, list(map(str, words)))


@pytest.fixture
def catalog(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.ingest()
    return archive


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("form", ["--db {}", "--db={}"])
def test_global_options_may_stand_anywhere(catalog: Archive, place: int, form: str) -> None:
    words = ["status", "--json"]
    words[place:place] = form.format(catalog.address).split(" ")
    assert json.loads(run(*words).stdout)["layers"] == 2
    words[place:place] = ["-v"]
    assert run(*words).exit_code == 1


@pytest.mark.parametrize("words", [["--db", "a.db", "status"], ["status", "--db", "a.db"], ["status", "--db=a.db"]])
def test_two_catalogs_are_refused(catalog: Archive, words: list[str]) -> None:
    result = run("--db", catalog.address, *words)
    assert result.exit_code == 2
    assert "--db is given twice; expected it once" in result.output
    assert run("-v", "--db", catalog.address, "status", "-v").exit_code == 1


def test_what_follows_two_dashes_is_no_option(catalog: Archive) -> None:
    result = run("--db", catalog.address, "explain", "--", "--db")
    assert "'--db' is not a layer" in str(result.exception)


@pytest.mark.parametrize(
    "words",
    [
        ("ingest", ""), ("status", "--skycell", ""), ("--db", "", "status"), ("reconcile", "-o", ""), ("nightly", ""),
        ("import", ""), ("explain", ""), ("query", ""), ("poller", ""), ("cells", ""), ("process", ""), ("demo", ""),
        ("withdraw", ""), ("init", "--products", ""), ("ingest", "--executor", "", "x"),
    ],
)  # fmt: skip
def test_an_empty_argument_is_refused_everywhere(words: tuple[str, ...], tmp_path: Path) -> None:
    with CliRunner().isolated_filesystem(tmp_path):
        result = run(*words)
        assert (result.exit_code, "An argument is empty" in result.stderr) == (2, True)
        assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mosaic", "--at", 1, 2, "--size", 1, "--size", 2), "--size is given twice"),
        (("mosaic", "--at", 1, 2, "--at", 1, 2, "--size", 1, "--filter", "a"), "--at is given twice"),
        (("reconcile", "-o", "a", "--output", "b"), "--output is given twice"),
        (("query", "SELECT 1", "--csv", "--json"), "--csv and --json are both given"),
        (("query", "SELECT 1", "--nl", "--csv"), "--nl and --csv are both given"),
        (("init", "--errors", "--no-errors"), "--errors and --no-errors are both given"),
    ],
)
def test_options_that_do_not_repeat_refuse_to(words: tuple[object, ...], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_options_that_repeat_do_and_flags_may_say_the_same_twice(catalog: Archive) -> None:
    result = run("--db", catalog.address, "status", "--skycell", CELL, "--skycell", CELL, "--json", "--json")
    assert json.loads(result.stdout)["layers"] == 2


def test_every_command_says_what_it_is_set_to_and_what_columns_mean(catalog: Archive) -> None:
    config = json.loads(run("--db", catalog.address, "config", "--json").stdout)
    assert (config["rule"], config["layers"], config["epochs"], config["errors"]) == ("overlap", "all", "none", False)
    assert "products: not set" in run("--db", catalog.address, "config").stdout
    changed = run("--db", catalog.address, "init", "--epochs", "yearly", "--json").stdout
    assert json.loads(changed)["epochs"] == "yearly"
    relations = {relation["name"]: relation for relation in json.loads(run("schema", "--json").stdout)}
    described = {(name, column["name"]) for name, relation in relations.items() for column in relation["columns"]}
    tables = catalog.rows(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name <> 'alembic_version'"
    )
    for (table,) in tables:
        columns = catalog.rows(f"SELECT name FROM pragma_table_xinfo('{table}')")
        assert {(table, column) for (column,) in columns} <= described
    assert "exptime float: exposure time, seconds" in run("schema").stdout


def test_withdraw_reports_json(catalog: Archive) -> None:
    result = run("--db", catalog.address, "withdraw", "ib6o04tuq", "--why", "lost", "--json")
    assert json.loads(result.stdout) == {"withdrawn": ["ib6o04tu"]}


def test_unknown_names_are_answered_with_near_ones(catalog: Archive) -> None:
    result = run("--db", catalog.address, "status", "--skycell", "skycell-p0726x11y12")
    assert f"near it are: {CELL}" in str(result.exception)
    mosaic = ("mosaic", "--at", 52.68, -26.0, "--size", 1, "--filter", "f125")
    assert "near it are: f125w" in str(run("--db", catalog.address, *mosaic).exception)


def test_nothing_hostile_reaches_the_terminal(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    target = {"TARGNAME": "A", "FGSLOCK": "COARSE", "OBSTYPE": "SPECTROSCOPIC"}
    archive.expose(primary=target)
    folder = archive.inbox / HOSTILE
    bad = archive.expose("ib6o04twq", folder=folder)
    bad.write_bytes(b"no FITS")
    db = ("--db", archive.address)
    import sqlite3

    outputs = [run(*db, "ingest", archive.inbox), run(*db, "nightly", archive.inbox, "-o", tmp_path / HOSTILE)]
    connection = sqlite3.connect(tmp_path / "mvm.db")
    with connection:
        connection.execute(
            "UPDATE exposure SET target = ?, wcsname = ?, ineligible_reason = ?, filename = ?, path = ?, warnings = ?",
            [HOSTILE] * 6,
        )
    connection.close()
    commands_ = [
        ("explain", "ib6o04tu"), ("query", "SELECT * FROM exposure"), ("query", f"SELECT 1 AS '{HOSTILE}'"),
        ("status",), ("explain", HOSTILE), ("cells", HOSTILE), ("status", "--skycell", HOSTILE), ("config",),
        ("process", tmp_path / HOSTILE), ("ingest", f"@{HOSTILE}"), ("import", tmp_path / HOSTILE),
    ]  # fmt: skip
    outputs += [run(*db, *words) for words in commands_]
    for result in outputs:
        shown = result.stdout + result.stderr
        assert not set(shown) & set("\x1b\x07\x9b\u202e"), repr(shown)
    assert any("\\x1b[2J" in result.stdout for result in outputs), "it is spelled, not dropped"


def test_a_compressed_exposure_is_not_passed_over_in_silence(catalog: Archive) -> None:
    (catalog.inbox / "ib6o04twq_flt.fits.gz").touch()
    for command in (("ingest", catalog.inbox), ("nightly", catalog.inbox, "-o", catalog.products)):
        result = run("--db", catalog.address, *command)
        assert result.exit_code == 1
        assert "ib6o04twq_flt.fits.gz: it is compressed; uncompress it" in result.stderr


# Streams and signals, of real processes


def night(archive: Archive, *more: str) -> list[str]:
    products = str(archive.products)
    return [*PROGRAM, "--db", archive.address, "nightly", str(archive.inbox), "-o", products, "--jobs", "1", *more]


def test_a_night_goes_on_though_standard_error_is_closed(catalog: Archive) -> None:
    words = " ".join(night(catalog))
    done = subprocess.run(["bash", "-c", f"{words} -v 2>&-"], stdout=subprocess.PIPE, check=False, text=True)
    assert (done.returncode, "2 drizzled" in done.stdout) == (0, True)


def test_a_night_goes_on_though_the_reader_of_its_progress_is_gone(catalog: Archive) -> None:
    words = " ".join(night(catalog, "--progress", "json"))
    subprocess.run(["bash", "-c", f"{words} 2>&1 >/dev/null | head -1"], stdout=subprocess.PIPE, check=True)
    assert len(catalog.product_files()) == 2


def test_a_closed_pipe_is_no_error(catalog: Archive) -> None:
    words = " ".join([*PROGRAM, "--db", catalog.address, "query", "--csv", "'SELECT * FROM exposure, skycell'"])
    script = f"set -o pipefail; {words} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


def test_the_exit_code_does_not_depend_on_where_an_interrupt_came() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], cwd=Path(__file__).parent.parent, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr[:14]) == (130, "mvmdb: stopped")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_end_a_run_alike(catalog: Archive, number: int, code: int) -> None:
    for index in range(2):  # a second of work
        catalog.expose(f"ib6o1{index}tuq", shape=(1014, 1014), east=5.0 * index)
    catalog.ingest()
    process = subprocess.Popen(
        night(catalog, "--progress", "json"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A background job of a shell is born deaf to SIGINT, and this test may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert process.stderr is not None
    while '"plan"' not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    shown = process.stderr.read()
    assert process.wait(timeout=60) == code
    assert "stopped; what was finished is recorded" in shown
    assert "Traceback" not in shown
    done = subprocess.run(night(catalog), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in catalog.products.rglob("*.tmp")] == []
