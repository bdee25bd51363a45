"""The command line as a user meets it: exit codes, words and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from archive import CELL, FINE, Archive
from click.testing import CliRunner
from command_line import call, one_line, run

from mvmdb.cli import commands

pytestmark = pytest.mark.slow


def test_a_night_and_the_next_as_cron_runs_them(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.lose_catalog()
    done = run(archive, "nightly", "inbox", "-o", "products", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ingest"]["new"] == 2
    assert report["plan"] == {"fresh": 0, "stale": 2, "orphaned": 0, "waiting": 0}
    assert report["reconcile"]["drizzled"] == 2
    assert [Path(path).name for path in report["pollers"]] == [f"{CELL}_input.out"]
    again = run(archive, "nightly", "inbox", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["reconcile"]["layers"] == []
    assert run(archive, "status").returncode == 0


def test_status_json_and_exit_codes(archive: Archive) -> None:
    archive.expose()
    assert call(archive, "ingest", str(archive.inbox))[0] == 0
    code, out, _ = call(archive, "status", "--json")
    assert code == 1
    value = json.loads(out)
    assert {key: value[key] for key in ("layers", "fresh", "stale", "orphaned")} == {
        "layers": 2, "fresh": 0, "stale": 2, "orphaned": 0,
    }  # fmt: skip
    first = value["stale_layers"][0]
    assert (first["layer"], first["skycell"], first["action"]) == (FINE, CELL, "drizzle")
    assert first["reasons"][0]["code"] == "product-missing"
    code, out, _ = call(archive, "reconcile", "--dry-run", "-o", str(archive.products), "--json")
    assert (code, json.loads(out)["stale"]) == (0, 2)
    assert not archive.products.exists()
    code, out, _ = call(archive, "reconcile", "-o", str(archive.products), "--jobs", "1", "--json")
    assert code == 0
    value = json.loads(out)
    assert set(value) >= {"drizzled", "added", "recanvased", "removed", "failed", "seconds", "layers"}
    assert set(value["layers"][0]) == {"layer", "action", "product", "seconds", "error"}
    code, out, _ = call(archive, "status")
    assert (code, out) == (0, "2 layers: 2 fresh, 0 stale, 0 orphaned\n")


def test_ingest_json_has_its_keys_and_quarantine_is_worth_attention(archive: Archive) -> None:
    archive.expose()
    bad = archive.inbox / "ib6o04twq_flt.fits"
    bad.write_text("nothing")
    code, out, _ = call(archive, "ingest", str(archive.inbox), "--json")
    assert code == 1
    value = json.loads(out)
    assert set(value) >= {
        "found", "new", "changed", "unchanged", "ineligible", "quarantined", "memberships", "seconds", "problems",
    }  # fmt: skip
    assert value["problems"][0]["path"] == str(bad)
    assert (value["found"], value["new"], value["quarantined"]) == (2, 1, 1)


def test_explain_status_and_query_in_words(archive: Archive) -> None:
    archive.expose()
    call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    code, out, _ = call(archive, "explain", FINE)
    assert code == 0
    assert "Fresh: nothing has to be done" in out
    archive.expose("ib6o04twq", east=2)
    call(archive, "ingest", str(archive.inbox))
    code, out, _ = call(archive, "explain", FINE)
    assert f"Stale: {FINE}: drizzle: member-added (ib6o04tw)" in out or "add: member-added (ib6o04tw)" in out
    code, out, _ = call(archive, "query", "SELECT ipppssoo FROM exposure ORDER BY 1", "--csv")
    assert (code, out) == (0, "ipppssoo\nib6o04tu\nib6o04tw\n")
    code, out, _ = call(archive, "query", "SELECT ipppssoo, changed_at FROM exposure ORDER BY 1", "--nl")
    assert [json.loads(line)["ipppssoo"] for line in out.splitlines()] == ["ib6o04tu", "ib6o04tw"]
    code, out, _ = call(archive, "query", "SELECT count(*) AS n FROM exposure", "--json")
    assert json.loads(out) == [{"n": 2}]
    code, out, _ = call(archive, "query", "SELECT count(*) AS n FROM exposure")
    assert out.split() == ["n", "---", "2"]


def test_cells_by_name_by_file_and_by_position(archive: Archive) -> None:
    path = archive.expose()
    for words in ([CELL], [CELL.removeprefix("skycell-").upper()], [str(path)], ["--at", "52.68", "-26.0"]):
        code, out, err = call(archive, "cells", *words, "--json")
        assert (code, err) == (0, "")
        (cell,) = json.loads(out)
        assert (cell["skycell"], cell["projection_cell"], cell["x"], cell["y"]) == (CELL, 726, 11, 11)
        assert cell["ra"] == pytest.approx(52.6798, abs=1e-3)
        assert cell["members"] == (["ib6o04tuq_flt.fits"] if words == [str(path)] else [])
    call(archive, "ingest", str(archive.inbox))
    assert json.loads(call(archive, "cells", CELL, "--json")[1])[0]["members"] == ["ib6o04tuq_flt.fits"]


def test_poller_writes_new_rows_for_stale_layers_and_both_marks(archive: Archive) -> None:
    archive.expose()
    call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    code, out, _ = call(archive, "poller")
    assert (code, out) == (0, "no poller is needed: nothing is stale\n")
    archive.expose("ib6o04twq", east=2)
    call(archive, "ingest", str(archive.inbox))
    target = archive.folder / "pollers"
    file = target / CELL / f"{CELL}_input.out"

    def flags() -> list[str]:
        return [line.split(",")[8] for line in file.read_text().splitlines()]

    assert call(archive, "poller", "-o", str(target))[1] == f"{file}\n"
    assert flags() == ["NEW", "NEW"]
    call(archive, "poller", "-o", str(target), "--mark", "exposure")
    assert flags() == ["OLD", "NEW"]
    call(archive, "reconcile", "--jobs", "1")
    call(archive, "poller", CELL, "-o", str(target))
    assert flags() == ["OLD", "OLD"]
    file.unlink()
    call(archive, "poller", "--all", "-o", str(target))
    assert flags() == ["OLD", "OLD"]


def test_process_needs_no_catalog(archive: Archive) -> None:
    archive.lose_catalog()
    archive.expose()
    (archive.inbox / "list.out").write_text("ib6o04tuq_flt.fits\n")
    out = archive.folder / "out"
    code, text, _ = call(archive, "process", str(archive.inbox / "list.out"), "-o", str(out), "--jobs", "1")
    assert code == 0
    assert "2 drizzled" in text
    assert (out / CELL / f"{FINE}_drz.fits").exists()
    assert not Path(archive.address).exists()


def test_withdraw_makes_layers_stale_and_unknown_exposures_are_refused(archive: Archive) -> None:
    archive.expose()
    call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    assert call(archive, "withdraw", "ib6o04tuq", "--why", "lost")[0] == 0
    code, out, _ = call(archive, "status")
    assert code == 1
    assert "orphaned" in out
    code, _, err = call(archive, "withdraw", "ib6o99tuq")
    assert code == 2
    assert "ib6o99tuq" in one_line(err)


def test_init_records_configuration(archive: Archive) -> None:
    assert call(archive, "init", "--rule", "nearest", "--products", str(archive.products))[0] == 0
    settings = dict(archive.rows("SELECT key, value FROM archive"))
    assert settings == {"rule": "nearest", "method": "mvmdb", "products": str(archive.products)}
    assert call(archive, "init", "--upgrade")[0] == 0


def test_every_command_has_help_with_an_example() -> None:
    runner = CliRunner()
    for name in commands.commands:
        result = runner.invoke(commands, [name, "--help"])
        assert result.exit_code == 0
        assert f"mvmdb {name}" in " ".join(result.output.split()).replace("mvmdb --db mvm.db", "mvmdb")
        assert "Example:" in result.output


def test_looking_with_other_switches_or_at_another_folder_answers_and_changes_nothing(archive: Archive) -> None:
    archive.expose("j8bt06nyq", detector="HRC")
    call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")
    off = run(archive, "status", "--json", env={"MVM_INCLUDE_SMALL": "off"})
    assert (off.returncode, json.loads(off.stdout)["orphaned"]) == (1, 1)
    assert call(archive, "status")[0] == 0
    elsewhere = call(archive, "reconcile", "--dry-run", "-o", str(archive.folder / "elsewhere"), "--json")
    assert json.loads(elsewhere[1])["stale"] == 1
    assert call(archive, "status")[0] == 0
    assert archive.rows("SELECT state FROM product") == [("intact",)]
    settings = dict(archive.rows("SELECT key, value FROM archive"))
    assert settings["products"] == str(archive.products)


def test_explain_says_why_an_eligible_exposure_is_in_no_layer(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.expose("j8oz04kqq", detector="WFC", kind="flc", east=2)
    call(archive, "ingest", str(archive.inbox))
    assert "an FLC of the same layer evicts every FLT" in call(archive, "explain", "j8oz04kp")[1]
    done = run(archive, "explain", "j8oz04kp", env={"MVM_ONLY_CTE": "on"})
    assert "MVM_ONLY_CTE is on" in done.stdout
    call(archive, "withdraw", "j8oz04kq")
    assert "as it is withdrawn" in call(archive, "explain", "j8oz04kq")[1]


def test_a_basic_poller_is_written_and_processed(archive: Archive) -> None:
    archive.expose()
    call(archive, "ingest", str(archive.inbox))
    code, out, _ = call(archive, "poller", "--basic", "-o", str(archive.folder / "pollers"))
    assert code == 0
    assert Path(out.strip()).read_text() == f"{archive.inbox / 'ib6o04tuq_flt.fits'}\n"
    assert call(archive, "process", out.strip(), "-o", str(archive.folder / "out"), "--jobs", "1")[0] == 0


def test_query_tables_keep_every_digit(archive: Archive) -> None:
    archive.expose()
    call(archive, "ingest", str(archive.inbox))
    ((ra,),) = archive.rows("SELECT ra FROM exposure")
    out = call(archive, "query", "SELECT ra, '8E5' AS program FROM exposure")[1]
    assert out.splitlines()[2].split() == [repr(ra), "8E5"]


def test_a_fault_of_ours_is_one_line_and_exit_code_2(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from mvmdb.catalog.exposures import ingest as ingest_module

    def fail(*args: object, **options: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(ingest_module, "ingest_files", fail)
    code, out, err = call(archive, "ingest", str(archive.expose()))
    assert (code, out) == (2, "")
    assert "internal error, please report it: ZeroDivisionError: surprise" in one_line(err)


def test_a_switch_with_a_wrong_value_stops_every_command_that_follows_it(archive: Archive) -> None:
    archive.expose()
    done = run(archive, "ingest", "inbox", env={"MVM_ONLY_CTE": "perhaps"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "MVM_ONLY_CTE" in one_line(done.stderr)


def test_an_empty_inbox_does_not_stop_the_night(archive: Archive) -> None:
    path = archive.expose()
    call(archive, "ingest", str(path))
    quiet = archive.folder / "quiet"
    quiet.mkdir()
    code, out, err = call(archive, "nightly", str(quiet), "-o", str(archive.products), "--jobs", "1")
    assert code == 0
    assert "no exposures in" in one_line(err)
    assert "2 drizzled" in out


def test_without_words_help_is_given(archive: Archive) -> None:
    done = subprocess.run([sys.executable, "-m", "mvmdb.cli"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Commands:" in done.stderr


def test_version(archive: Archive) -> None:
    from mvmdb import __version__

    assert run(archive, "--version").stdout == f"mvmdb, version {__version__}\n"


def test_output_into_a_closed_pipe_is_no_error(archive: Archive) -> None:
    archive.expose()
    call(archive, "ingest", str(archive.inbox))
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n"
    done = subprocess.run(
        f"{sys.executable} -m mvmdb.cli --db {archive.address} query '{sql}' --nl | head -1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ('{"i": 1}\n', "")


def test_help_shows_the_summary_of_each_command_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--help"], capture_output=True, text=True, check=True,
        env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    lines = done.stdout.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == sorted(commands.commands), "one line per command"
    assert all(line.endswith(".") and "..." not in line for line in lines)
