"""The command import: what it registers, reports and refuses, and how a table and a file of one exposure combine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from archive import CENTER, Archive
from click.testing import CliRunner, Result

from mvmdb.console.commands.import_table import import_table
from mvmdb.console.options import Session
from mvmdb.errors import InputError, UsageError
from mvmdb.exposures.read import read_exposure

Rows = list[dict[str, str]]


def call(archive: Archive, *words: object) -> Result:
    """Run the command on the archive's catalog; raises its errors."""
    result = CliRunner().invoke(import_table, [str(word) for word in words], obj=Session(archive.address))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def report(archive: Archive, *words: object) -> dict[str, Any]:
    """The JSON object of a run."""
    values: dict[str, Any] = json.loads(call(archive, "--json", *words).stdout)
    return values


def test_a_table_is_registered_and_a_second_time_nothing_changes(archive: Archive, rows: Rows, write_csv: Any) -> None:
    path = write_csv(rows)
    first = report(archive, path)
    assert first | {"seconds": 0, "memberships": 0, "layers": 0} == {
        "rows": 4, "new": 4, "changed": 0, "unchanged": 0, "ineligible": 0, "skipped": 0, "memberships": 0,
        "layers": 0, "seconds": 0, "problems": [], "problems_file": None,
    }  # fmt: skip
    assert first["memberships"] >= 4
    assert first["layers"] >= 4
    second = report(archive, path)
    assert (second["new"], second["changed"], second["unchanged"]) == (0, 0, 4)
    rows[0]["t_exptime"] = "1"
    third = report(archive, write_csv(rows))
    assert (third["changed"], third["unchanged"]) == (1, 3)


def test_the_text_output_reports_the_same(archive: Archive, rows: Rows, write_csv: Any) -> None:
    done = call(archive, write_csv(rows))
    assert done.exit_code == 0
    assert done.stdout.startswith("4 rows: 4 new, 0 changed, 0 unchanged, 0 left out; 0 ineligible; ")


def test_rows_left_out_are_listed_and_the_exit_code_is_1(archive: Archive, rows: Rows, write_csv: Any) -> None:
    rows[1]["filters"] = ""
    path = write_csv(rows)
    done = call(archive, path)
    assert done.exit_code == 1
    assert "row 2 (ibc301qrq): found filters ''" in done.stdout
    values = report(archive, path)
    assert (values["rows"], values["skipped"], values["unchanged"]) == (4, 1, 3)
    assert values["problems"][0]["row"] == 2
    assert values["problems_file"] is None


def test_many_problems_go_to_a_file_in_the_current_folder(
    archive: Archive, rows: Rows, write_csv: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_csv([row | {"filters": ""} for row in rows * 10] + rows)
    values = report(archive, path)
    assert (values["skipped"], len(values["problems"]), values["new"]) == (40, 20, 4)
    assert values["problems_file"] == "table.csv.problems.csv"
    assert len((tmp_path / "table.csv.problems.csv").read_text().splitlines()) == 41
    asked = tmp_path / "mine.csv"
    assert report(archive, path, "--problems", asked)["problems_file"] == str(asked)


def test_a_list_of_problems_that_cannot_be_written_is_told_of(archive: Archive, rows: Rows, write_csv: Any) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = write_csv([row | {"filters": ""} for row in rows])
    with pytest.raises(InputError, match="cannot be written to /dev/full: No space left on device"):
        call(archive, path, "--problems", "/dev/full")


def test_columns_are_mapped(archive: Archive, rows: Rows, write_csv: Any) -> None:
    renamed = [{("wheel" if name == "filters" else name): value for name, value in row.items()} for row in rows]
    path = write_csv(renamed)
    with pytest.raises(InputError, match="--map filters=COLUMN"):
        call(archive, path)
    assert report(archive, path, "--map", "filters=Wheel")["new"] == 4


def test_an_association_adds_nothing_to_what_its_exposures_give(archive: Archive, rows: Rows, write_csv: Any) -> None:
    rows[0] |= {"obs_id": "ib6o04010", "t_exptime": "1600"}
    assert call(archive, write_csv(rows[:1])).exit_code == 1
    for name in ("ib6o04tuq", "ib6o04twq"):
        archive.expose(name, exptime=800.0)
    archive.ingest()
    assert archive.rows("SELECT DISTINCT exptime FROM layer") == [(1600.0,)]


def test_what_a_table_holds_does_not_reach_the_terminal_raw(archive: Archive, rows: Rows, write_csv: Any) -> None:
    rows[0] |= {"obs_id": "ib6o04\x1b[2Jtuq"}
    rows[1] |= {"target_name": "\x1b]0;title\x07NGC", "dataproduct_type": "\x9b2Jspectrum"}
    rows[2] |= {"filters": "F814W\u202e\x1b[31m"}
    rows[3] |= {"proposal_id": "\x1b[31m", "s_region": "POLYGON \x1b[31m"}
    done = call(archive, write_csv(rows))
    said = done.stdout + done.stderr
    assert done.exit_code == 1
    assert all(line.isprintable() for line in said.splitlines())
    assert archive.rows("SELECT target FROM exposure") == [("]0;title NGC",)]


def test_an_outline_that_crosses_itself_is_registered_whole_and_said(
    archive: Archive, rows: Rows, write_csv: Any
) -> None:
    report(archive, write_csv(rows[:1]))
    corners = rows[0]["s_region"].split()
    corners[4:6], corners[6:8] = corners[6:8], corners[4:6]
    rows[0] |= {"obs_id": "ib6o04twq", "s_region": " ".join(corners)}
    done = call(archive, write_csv(rows[:1]))
    assert done.exit_code == 0
    assert "1 row was registered with a warning" in done.stderr
    (plain, no_words), (mended, words) = archive.rows(
        "SELECT sum(m.area_arcmin2), e.warnings FROM membership m JOIN exposure e ON e.id = m.exposure_id "
        "GROUP BY e.ipppssoo, e.warnings ORDER BY e.ipppssoo"
    )
    assert (no_words, words) == ("", "the region crosses itself, and its hull was taken")
    assert mended == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("maps", [["filters"], ["=x"], ["filters="], ["name=obs_id", "name=filters"]])
def test_a_malformed_or_repeated_mapping_is_refused(
    maps: list[str], archive: Archive, rows: Rows, write_csv: Any
) -> None:
    words = [word for text in maps for word in ("--map", text)]
    with pytest.raises(UsageError, match="--map"):
        call(archive, write_csv(rows), *words)


def test_a_table_that_cannot_be_read_creates_no_catalog(archive: Archive, tmp_path: Path) -> None:
    archive.lose_catalog()
    with pytest.raises(InputError, match="check the path"):
        call(archive, tmp_path / "missing.csv")
    assert not Path(archive.address).exists()


def table_of(path: Path, rows: Rows, write_csv: Any, **change: str) -> Path:
    """A table whose one row is the exposure in a file."""
    exposure = read_exposure(path).exposure
    row = {
        "obs_id": exposure.rootname, "instrument_name": f"{exposure.instrument}/{exposure.detector}",
        "filters": exposure.filters, "t_exptime": str(exposure.exptime), "s_region": exposure.s_region,
    }  # fmt: skip
    return Path(write_csv([row | change]))


def test_an_exposure_known_from_a_table_and_its_file_are_one(archive: Archive, rows: Rows, write_csv: Any) -> None:
    path = archive.expose()
    table = table_of(path, rows, write_csv)
    assert report(archive, table)["new"] == 1
    archive.ingest(path)
    (row,) = archive.rows("SELECT ipppssoo, path, pixels FROM exposure")
    assert row[0] == "ib6o04tu"
    assert row[1] == str(path)
    assert row[2].startswith("t:")


def test_a_row_does_not_replace_the_values_of_a_file(archive: Archive, rows: Rows, write_csv: Any) -> None:
    path = archive.expose()
    archive.ingest(path)
    before = archive.rows("SELECT * FROM exposure")
    values = report(archive, table_of(path, rows, write_csv, t_exptime="5"))
    assert (values["new"], values["changed"]) == (0, 0)
    assert archive.rows("SELECT * FROM exposure") == before


def test_a_row_that_moved_leaves_the_cells_it_was_in(archive: Archive, rows: Rows, write_csv: Any) -> None:
    near = f"CIRCLE ICRS {CENTER[0]} {CENTER[1]} 0.02"
    report(archive, write_csv([rows[0] | {"s_region": near}]))
    before = archive.rows("SELECT name FROM layer ORDER BY name")
    report(archive, write_csv([rows[0] | {"s_region": "CIRCLE ICRS 200 40 0.02"}]))
    after = archive.rows("SELECT name FROM layer ORDER BY name")
    assert before
    assert after
    assert not set(before) & set(after)
