"""Batches have what the catalog needs; unusable rows are reported with their reason; memory does not grow."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from mvmdb.errors import InputError
from mvmdb.exposures.batch import COLUMNS, ExposureBatch
from mvmdb.sky.footprint import footprint_center
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.region import format_region, parse_region
from mvmdb.tables import read as reading
from mvmdb.tables.problems import SHOWN, ProblemList, RowProblem
from mvmdb.tables.read import read_batches
from mvmdb.tables.siaf import apertures_file as siaf_module
from mvmdb.tables.siaf.apertures_file import load_apertures

Rows = list[dict[str, str]]
POINTED = {"s_region": "", "ra": "10", "dec": "20", "pa_v3": "30", "aperture": "IR"}


def read(path: Path, **options: Any) -> tuple[list[ExposureBatch], list[RowProblem]]:
    problems: list[RowProblem] = []
    return list(read_batches(path, report=problems.append, **options)), problems


def one(write_csv: Any, row: dict[str, str], **options: Any) -> dict[str, Any]:
    (batch,), problems = read(write_csv([row]), **options)
    assert problems == []
    return {name: values[0] for name, values in batch.columns.items()}


def test_a_batch_has_every_column_with_plain_values(rows: Rows, write_csv: Any) -> None:
    (batch,), problems = read(write_csv(rows))
    assert problems == []
    assert tuple(batch.columns) == COLUMNS
    assert {len(values) for values in batch.columns.values()} == {batch.n} == {4}
    assert {type(value) for values in batch.columns.values() for value in values} <= {
        str, int, float, bool, type(None)
    }  # fmt: skip
    first = {name: values[0] for name, values in batch.columns.items()}
    assert first | {"wcs_digest": "", "pixels": ""} == {
        "ipppssoo": "ib6o04tu", "rootname": "ib6o04tuq", "kind": "flt", "instrument": "wfc3", "detector": "ir",
        "filters": "F125W", "filter": "f125w", "proposal_id": 11359, "program": "B6O", "visit": "04",
        "target": "FIELD-0", "exptime": 100.5, "expstart": 55000.25, "expend": 55000.5,
        "ra": pytest.approx(10.05), "dec": pytest.approx(20.05, abs=1e-4), "s_region": first["s_region"],
        "s_region_given": rows[0]["s_region"], "n_chips": 1, "wcsname": None, "distortion": None, "fit": None,
        "astrometric_catalog": None, "wcs_digest": "", "pixels": "", "eligible": True, "ineligible_rule": "",
        "ineligible_reason": "", "warnings": "", "filename": "",
    }  # fmt: skip


def test_footprints_and_centres_are_those_of_the_written_regions(rows: Rows, write_csv: Any) -> None:
    rows[1]["s_region"] += " " + rows[1]["s_region"].replace("10.1", "10.12345678949")
    rows[2]["s_region"] = "CIRCLE ICRS 359.99 -89.95 0.03"
    (batch,), _ = read(write_csv(rows))
    polygons = [parse_region(str(text)) for text in batch.columns["s_region"]]
    assert [format_region(chips) for chips in polygons] == batch.columns["s_region"]
    expected = Footprints.from_polygons(polygons)
    for name in ("ra", "dec", "polygon_start", "owner", "n"):
        np.testing.assert_array_equal(getattr(batch.footprints, name), getattr(expected, name))
    assert batch.columns["n_chips"] == [1, 2, 1, 1]
    for chips, ra, dec in zip(polygons, batch.columns["ra"], batch.columns["dec"], strict=True):
        assert (ra, dec) == pytest.approx(footprint_center(chips), abs=1e-9)


def test_digests_tell_moved_rows_from_changed_ones(rows: Rows, write_csv: Any) -> None:
    row = rows[0]
    before = one(write_csv, row)
    assert before["pixels"].startswith("r:")
    assert len(before["wcs_digest"]) == 34
    spelled = one(write_csv, row | {"s_region": row["s_region"].replace("ICRS", "J2000") + " 10.0 20.0"})
    assert spelled["wcs_digest"] == before["wcs_digest"]
    moved = one(write_csv, row | {"s_region": row["s_region"].replace("20.1", "20.2")})
    assert (moved["wcs_digest"] != before["wcs_digest"], moved["pixels"] == before["pixels"]) == (True, True)
    for change in ({"t_exptime": "99"}, {"filters": "F160W"}):
        changed = one(write_csv, row | change)
        assert (changed["wcs_digest"], changed["pixels"] != before["pixels"]) == (before["wcs_digest"], True)


@pytest.mark.parametrize(
    ("name", "camera"),
    [
        ("IB6O04020", "WFC3/IR"), ("jcz906011", "ACS/WFC"), ("ibyg0202a", "WFC3/IR"), ("ib6o0401", "WFC3/IR"),
        ("jcz906010_drz.fits", "ACS/WFC"), ("hst_11359_04_wfc3_ir_f125w_ib6o0401", "WFC3/IR"),
    ],
)  # fmt: skip
def test_a_product_of_an_association_is_no_exposure(name: str, camera: str, rows: Rows, write_csv: Any) -> None:
    rows[0] |= {"obs_id": name, "instrument_name": camera}
    (batch,), problems = read(write_csv(rows))
    assert batch.n == 3
    assert [problem.row for problem in problems] == [1]
    assert "a product of an association and stands for several exposures" in problems[0].reason


def test_an_ineligible_row_is_kept_with_its_rule(rows: Rows, write_csv: Any) -> None:
    exposure = one(write_csv, rows[0] | {"filters": "G141", "t_exptime": "0"})
    assert (exposure["eligible"], exposure["ineligible_rule"]) == (False, "exposure time; spectroscopic element")
    assert exposure["ineligible_reason"] == "EXPTIME is 0.0; FILTER is G141"


def test_of_rows_of_one_exposure_the_last_counts(rows: Rows, write_csv: Any) -> None:
    again = rows[0] | {"obs_id": "hst_11359_04_wfc3_ir_f125w_ib6o04tu", "t_exptime": "7"}
    (batch,), _ = read(write_csv([*rows, again]))
    assert (batch.n, batch.footprints.n) == (4, 4)
    repeated = batch.columns["ipppssoo"].index("ib6o04tu")
    assert batch.columns["exptime"][repeated] == 7.0
    batches, _ = read(write_csv([*rows, again]), batch_size=2)
    assert [list(batch.columns["exptime"]) for batch in batches] == [[100.5, 101.5], [102.5, 103.5], [7.0]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"obs_id": ""}, "found no name"),
        ({"obs_id": "ib6o04"}, "found the name 'ib6o04'; expected"),
        ({"obs_id": "jb6o04tuq"}, "expected 'i' at its start"),
        ({"instrument_name": "STIS/CCD"}, "found instrument 'STIS/CCD'; expected ACS, WFC3 or WFPC2"),
        ({"instrument_name": "WFC3"}, "expected one of WFC3/UVIS, WFC3/IR"),
        ({"filters": ""}, "found filters ''"),
        ({"t_exptime": ""}, "found exposure time ; expected seconds"),
        ({"t_exptime": "-1"}, "found exposure time -1.0; expected seconds"),
        ({"t_exptime": "long"}, "found exptime 'long'; expected a number"),
        ({"t_min": "2456030.5"}, "found expstart '2456030.5'; expected MJD"),
        ({"proposal_id": "GO-11359"}, "found proposal_id 'GO-11359'; expected a number"),
        ({"proposal_id": "-3"}, "found proposal_id -3.0; expected a program's number"),
        ({"obs_collection": "JWST"}, "found obs_collection 'JWST'; expected HST"),
        ({"s_region": "POLYGON ICRS 1 2 3"}, "found 3 numbers"),
        ({"s_region": ""}, "found no s_region, and no ra, dec, pa_v3, aperture"),
        (POINTED | {"pa_v3": ""}, "found no s_region, and no pa_v3; expected one or the other"),
        (POINTED | {"dec": "91"}, "found dec 91.0; expected -90 to 90"),
        (POINTED | {"aperture": "MOON"}, "found aperture 'MOON'; expected IR, IR-FIX"),
    ],
)
def test_an_unusable_row_is_reported_and_the_others_stay(
    change: dict[str, str], reason: str, rows: Rows, write_csv: Any
) -> None:
    before, _ = read(write_csv(rows[1:]))
    rows[0] |= change
    after, problems = read(write_csv([rows[1], rows[0], *rows[2:]]))
    assert [problem.row for problem in problems] == [2]
    assert problems[0].dataset == rows[0]["obs_id"]
    assert reason in problems[0].reason
    assert after[0].columns == before[0].columns


def test_a_table_of_bad_rows_alone_makes_no_batch(rows: Rows, write_csv: Any) -> None:
    batches, problems = read(write_csv([row | {"filters": ""} for row in rows]))
    assert (batches, len(problems)) == ([], 4)


def test_a_region_takes_precedence_over_the_pointing(rows: Rows, write_csv: Any) -> None:
    pointed = {name: value for name, value in POINTED.items() if name != "s_region"}
    exposure = one(write_csv, rows[0] | pointed)
    assert exposure["s_region_given"] == rows[0]["s_region"]
    computed = one(write_csv, rows[0] | POINTED)
    assert computed["s_region_given"] is None
    assert (computed["ra"], computed["dec"]) == pytest.approx((10.0, 20.0), abs=0.005)


def test_without_an_aperture_file_the_reason_names_the_extra(
    rows: Rows, write_csv: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load_apertures.cache_clear()
    monkeypatch.setattr(siaf_module, "find_spec", lambda name: None)
    rows[0] |= POINTED
    (batch,), problems = read(write_csv(rows))
    assert batch.n == 3
    assert "mvmdb[siaf]" in problems[0].reason
    with pytest.raises(InputError, match="cannot be read"):
        read(write_csv(rows), siaf=str(tmp_path / "no.dat"))
    load_apertures.cache_clear()


@pytest.mark.shared
def test_the_archives_list_is_read_whole(shared: Path) -> None:
    folder = shared / "data" / "archive_list"
    read_rows: list[int] = []
    batches, problems = read(
        folder / "hst_search.txt.gz", siaf=str(folder / "hst_siaf.dat.gz"),
        progress=lambda done, length, rows: read_rows.append(rows),
    )  # fmt: skip
    assert len(problems) == 7251
    assert all("a product of an association" in problem.reason for problem in problems)
    assert read_rows[-1] == 23_284
    rules = Counter(str(rule) for batch in batches for rule in batch.columns["ineligible_rule"])
    assert sum(batch.n for batch in batches) == 23_284 - 7251
    assert sum(n for rule, n in rules.items() if "spectroscopic element" in rule) > 11_200
    assert rules[""] > 4_700
    sizes = [len(parse_region(str(text))) for batch in batches for text in batch.columns["s_region"][:200]]
    assert set(sizes) == {1}


def test_whatever_a_row_does_it_is_left_out_alone(rows: Rows, write_csv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rule_of: Any) -> Any:
        def judge(*values: Any) -> Any:
            if "FIELD-2" in values:
                raise ZeroDivisionError("by a field")
            return rule_of(*values)

        return judge

    monkeypatch.setattr(reading, "judge_row", fail(reading.judge_row))
    rows[1]["filters"] = ""
    batches, problems = read(write_csv(rows))
    assert [name for batch in batches for name in batch.columns["ipppssoo"]] == ["ib6o04tu", "u2n20102"]
    assert [(problem.row, problem.reason[:40]) for problem in problems] == [
        (2, "found filters ''; expected names like F8"), (3, "cannot be read: ZeroDivisionError: by a ")
    ]  # fmt: skip


def test_problems_beyond_the_first_go_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t.problems.csv"
    with ProblemList(path) as listed:
        for row in range(1, SHOWN + 1):
            listed.add(RowProblem(row, "x", "why, then"))
        assert not path.exists()
        listed.add(RowProblem(99, "", "last"))
        listed.add(RowProblem(100, "", "really"))
    lines = path.read_text().splitlines()
    assert (listed.count, len(listed.first), listed.written) == (SHOWN + 2, SHOWN, True)
    assert lines[:2] == ["row,dataset,reason", '1,x,"why, then"']
    assert len(lines) == SHOWN + 3


def test_a_file_that_was_asked_for_is_written_for_one_problem(tmp_path: Path) -> None:
    with ProblemList(tmp_path / "p.csv", always=True) as listed:
        listed.add(RowProblem(3, "", "why"))
        listed.add(RowProblem(4, "", "why"))
    assert (tmp_path / "p.csv").read_text().splitlines() == ["row,dataset,reason", "3,,why", "4,,why"]
    with (
        ProblemList(tmp_path / "none" / "p.csv", always=True) as listed,
        pytest.raises(InputError, match="--problems"),
    ):
        listed.add(RowProblem(3, "", "why"))


PEAK = r"""
import re, sys
from pathlib import Path
from mvmdb.tables.read import read_batches
rows = sum(batch.n for batch in read_batches(sys.argv[1], batch_size=2000))
# VmHWM is that of this program alone: ru_maxrss starts with that of the parent process.
print(rows, int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def peak_megabytes(path: Path, n: int) -> float:
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    rows, peak = done.stdout.split()
    assert int(rows) == n
    return float(peak)


def write_many(path: Path, n: int) -> Path:
    """`n` exposures as CSV, VOTable, FITS or Parquet, by the suffix of the name."""
    names = [f"i{number:07d}q" for number in range(n)]
    region = "POLYGON ICRS 10.0 20.0 10.1 20.0 10.1 20.1 10.0 20.1 10.0 20.0"
    columns = {
        "obs_id": names, "instrument_name": ["WFC3/IR"] * n, "filters": ["F160W"] * n, "t_exptime": [100.0] * n,
        "s_region": [region] * n, "note": ["a column that is not read, as most columns of a service"] * n,
    }  # fmt: skip
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path, row_group_size=20_000)
    elif path.suffix == ".vot":  # by hand: astropy's writer crashes on tables of this size
        fields = "".join(f'<FIELD name="{name}" datatype="char" arraysize="*"/>' for name in columns)
        with path.open("w") as stream:
            stream.write(f"<VOTABLE><RESOURCE><TABLE>{fields}<DATA><TABLEDATA>")
            for row in zip(*columns.values(), strict=True):
                stream.write("<TR>" + "".join(f"<TD>{value}</TD>" for value in row) + "</TR>")
            stream.write("</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
    else:
        Table(columns).write(path, format={".csv": "ascii.csv", ".fits": "fits"}[path.suffix])
    return path


@pytest.mark.parametrize(
    ("suffix", "few", "many"),
    [("csv", 10_000, 100_000), ("vot", 4_000, 40_000), ("fits", 10_000, 100_000), ("parquet", 10_000, 100_000)],
)
def test_memory_does_not_grow_with_the_table(suffix: str, few: int, many: int, tmp_path: Path) -> None:
    small = peak_megabytes(write_many(tmp_path / f"small.{suffix}", few), few)
    large_path = write_many(tmp_path / f"large.{suffix}", many)
    large = peak_megabytes(large_path, many)
    assert large_path.stat().st_size > 5 * (tmp_path / f"small.{suffix}").stat().st_size
    assert large - small < (20.0 if suffix == "parquet" else 5.0)
