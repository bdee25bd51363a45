"""Every format, written by astropy or pyarrow and read back; and files that are damaged or no tables."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from mvmdb.errors import InputError
from mvmdb.tables.formats.source import Format, open_table
from mvmdb.tables.problems import RowProblem
from mvmdb.tables.read import read_batches

NUMBERS = ("t_exptime", "t_min", "t_max")


def typed(rows: list[dict[str, str]]) -> Table:
    """The rows as a table of texts, floats and integers."""
    table = Table(rows=rows)
    for name in NUMBERS:
        table[name] = table[name].astype(float)
    table["proposal_id"] = table["proposal_id"].astype(np.int64)
    return table


def write_votable(table: Table, path: Path) -> None:
    table.write(path, format="votable", tabledata_format="tabledata")


def write_parquet(table: Table, path: Path) -> None:
    pq.write_table(pa.table({name: table[name].tolist() for name in table.colnames}), path, row_group_size=3)


WRITERS: dict[str, tuple[Format, Callable[[Table, Path], None]]] = {
    "t.csv": ("csv", lambda table, path: table.write(path, format="ascii.csv")),
    "t.tsv": ("csv", lambda table, path: table.write(path, format="ascii.tab")),
    "spaces.ecsv": ("ecsv", lambda table, path: table.write(path, format="ascii.ecsv")),
    "commas.ecsv": ("ecsv", lambda table, path: table.write(path, format="ascii.ecsv", delimiter=",")),
    "t.vot": ("votable", write_votable),
    "t.fits": ("fits", lambda table, path: table.write(path, format="fits")),
    "t.parquet": ("parquet", write_parquet),
}

PACKED = ("t.parquet", True)  # Parquet is compressed already


def read(path: Path, **options: Any) -> tuple[dict[str, list[Any]], list[RowProblem]]:
    """All batches as one, and the problems."""
    problems: list[RowProblem] = []
    columns: dict[str, list[Any]] = {}
    for batch in read_batches(path, report=problems.append, **options):
        for name, values in batch.columns.items():
            columns.setdefault(name, []).extend(values)
    return columns, problems


@pytest.mark.parametrize(
    ("name", "zipped"), [(name, zipped) for name in WRITERS for zipped in (False, True) if (name, zipped) != PACKED]
)
def test_every_format_gives_the_same_exposures(
    name: str, zipped: bool, rows: list[dict[str, str]], tmp_path: Path, write_csv: Any
) -> None:
    form, write = WRITERS[name]
    path = tmp_path / name
    write(typed(rows), path)
    if zipped:
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    with open_table(path) as source:
        assert source.format == form
    expected, _ = read(write_csv(rows, "plain.txt"))
    for size in (2, 100):
        columns, problems = read(path, batch_size=size)
        assert problems == []
        assert columns == expected
    assert expected["exptime"] == [100.5, 101.5, 102.5, 103.5]
    assert expected["proposal_id"] == [11359, 11360, 11361, 11362]
    assert expected["kind"] == ["flt", "flc", "flc", "flt"]


@pytest.mark.parametrize("name", ["spaces.ecsv", "t.csv", "t.vot", "t.fits"])
def test_masked_values_are_missing(name: str, rows: list[dict[str, str]], tmp_path: Path) -> None:
    table = typed(rows)
    mask = [False, True, False, False]
    table["proposal_id"] = MaskedColumn(table["proposal_id"], mask=mask)
    table["t_min"] = MaskedColumn(table["t_min"], mask=mask)
    table["target_name"] = MaskedColumn(table["target_name"], mask=mask, fill_value="")
    WRITERS[name][1](table, tmp_path / name)
    columns, problems = read(tmp_path / name)
    assert problems == []
    assert columns["proposal_id"] == [11359, 0, 11361, 11362]
    assert columns["expstart"] == [55000.25, None, 55002.25, 55003.25]
    assert columns["target"] == ["FIELD-0", "", "FIELD-2", "FIELD-3"]


def test_parquet_nulls_and_dates(rows: list[dict[str, str]], tmp_path: Path) -> None:
    table = {name: [row[name] for row in rows] for name in rows[0]}
    values: dict[str, Any] = table | {
        "t_exptime": [100.5, 101.5, 102.5, 103.5],
        "t_min": pa.array([0, None, 86_400_000_000, 0], pa.timestamp("us")),
        "target_name": [None, "A", "B", "C"],
    }
    pq.write_table(pa.table(values), tmp_path / "t.parquet")
    columns, problems = read(tmp_path / "t.parquet")
    assert problems == []
    assert columns["expstart"] == [40587.0, None, 40588.0, 40587.0]
    assert columns["target"] == ["", "A", "B", "C"]


@pytest.mark.parametrize("form", ["PA()", "QA()"])
def test_fits_texts_of_variable_length(form: str, rows: list[dict[str, str]], tmp_path: Path) -> None:
    plain = typed(rows)
    texts = np.array([row["s_region"] for row in rows], dtype=object)
    columns = [
        fits.Column("s_region", form, array=texts),
        *(fits.Column(name, "40A", array=plain[name]) for name in ("obs_id", "instrument_name", "filters")),
        fits.Column("t_exptime", "E", array=plain["t_exptime"]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    read_columns, problems = read(tmp_path / "t.fits", batch_size=3)
    assert problems == []
    assert read_columns["s_region_given"] == [row["s_region"] for row in rows]


def test_fits_numbers_scaled_logicals_and_ascii_tables(rows: list[dict[str, str]], tmp_path: Path) -> None:
    plain = typed(rows)
    texts = [
        fits.Column(name, "80A", array=plain[name]) for name in ("obs_id", "instrument_name", "filters", "s_region")
    ]
    scaled = [
        fits.Column("t_exptime", "I", array=np.array([1, 3, 5, 7])),
        fits.Column("proposal_id", "J", array=plain["proposal_id"].astype(np.uint32), bzero=2**31),
        fits.Column("mtflag", "L", array=[False, True, False, True]),
    ]
    fits.BinTableHDU.from_columns(texts + scaled).writeto(tmp_path / "t.fits")
    fits.setval(tmp_path / "t.fits", "TSCAL5", value=0.5, ext=1)
    fits.setval(tmp_path / "t.fits", "TZERO5", value=100, ext=1)
    columns, problems = read(tmp_path / "t.fits", batch_size=3)
    assert problems == []
    assert columns["exptime"] == [100.5, 101.5, 102.5, 103.5]
    assert columns["proposal_id"] == [11359, 11360, 11361, 11362]
    assert columns["ineligible_rule"] == ["", "moving target", "", "moving target"]
    ascii_columns = [
        *(fits.Column(column.name, "A80", array=plain[column.name]) for column in texts),
        fits.Column("t_exptime", "F9.2", array=plain["t_exptime"]),
    ]
    fits.TableHDU.from_columns(ascii_columns).writeto(tmp_path / "a.fits")
    columns, problems = read(tmp_path / "a.fits", batch_size=3)
    assert problems == []
    assert columns["exptime"] == [100.5, 101.5, 102.5, 103.5]


def test_a_fits_column_of_arrays_is_refused(rows: list[dict[str, str]], tmp_path: Path) -> None:
    table = typed(rows)
    table["t_exptime"] = np.ones((4, 3))
    table.write(tmp_path / "t.fits")
    with pytest.raises(InputError, match="column t_exptime is of format 3D; expected one text or number"):
        read(tmp_path / "t.fits")


def test_binary_votables_are_refused_with_a_remedy(rows: list[dict[str, str]], tmp_path: Path) -> None:
    for form in ("binary", "binary2"):
        path = tmp_path / f"{form}.vot"
        typed(rows).write(path, format="votable", tabledata_format=form)
        with pytest.raises(InputError, match="expected TABLEDATA; ask the service"):
            read(path)


def test_an_error_message_of_a_service_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "answer.xml"
    path.write_text(
        '<?xml version="1.0"?><VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
        '<INFO name="QUERY_STATUS" value="ERROR">no such column</INFO></RESOURCE></VOTABLE>'
    )
    with pytest.raises(InputError, match="no such column"):
        read(path)


def test_a_row_of_types_and_comments_before_the_names_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "search.txt"
    path.write_text(
        "# made by a search form\n\nDataset,Instrument,Exp Time,Filters/Gratings,S_Region\n"
        "string,string,float,string,string\n"
        "IB6O04TUQ,WFC3/IR  ,100,F125W,CIRCLE 10 20 0.1\n"
    )
    columns, problems = read(path)
    assert problems == []
    assert columns["rootname"] == ["ib6o04tuq"]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_delimiter_is_the_one_of_the_names(delimiter: str, rows: list[dict[str, str]], tmp_path: Path) -> None:
    rows = [row | {"filters": "F814W"} for row in rows]
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n")
    columns, problems = read(tmp_path / "t.txt")
    assert (len(columns["ipppssoo"]), problems) == (4, [])


def test_rows_of_another_length_are_left_out_and_numbered(rows: list[dict[str, str]], write_csv: Any) -> None:
    path = write_csv(rows)
    lines = path.read_text().splitlines()
    lines[2] += ",more"
    lines[4] = "u2n20102t"
    path.write_text("\n".join(lines))
    columns, problems = read(path)
    assert columns["ipppssoo"] == ["ib6o04tu", "j94f05bg"]
    assert [problem.row for problem in problems] == [2, 4]
    assert "found 11 values; expected 10" in problems[0].reason


def test_votable_rows_of_another_length_are_left_out(rows: list[dict[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "t.vot"
    write_votable(typed(rows), path)
    cells = path.read_text()
    first = cells.index("</TR>")
    path.write_text(cells[:first] + "<TD>more</TD>" + cells[first:])
    columns, problems = read(path, batch_size=2)
    assert columns["ipppssoo"] == ["ibc301qr", "j94f05bg", "u2n20102"]
    assert [problem.row for problem in problems] == [1]


def damaged(rows: list[dict[str, str]], folder: Path) -> dict[str, Path]:
    """Files in none of the formats, and damaged files."""
    table = typed(rows * 50)
    made = {}
    for name in ("t.vot", "t.fits", "t.parquet"):
        WRITERS[name][1](table, folder / name)
        content = (folder / name).read_bytes()
        made[name] = folder / f"half-{name}"
        made[name].write_bytes(content[: len(content) // 2])
    packed = gzip.compress((folder / "t.vot").read_bytes())
    contents = {
        "half.vot.gz": packed[: len(packed) // 2],
        "half.csv.gz": gzip.compress(b"obs_id,filters\n" * 100_000)[:-500],
        "no.gz": b"\x1f\x8bnot gzip at all",
        "empty.csv": b"",
        "binary.dat": bytes(range(256)),
        "only-comments.csv": b"# nothing\n# here\n",
        "page.html": b"<html><body>Sign in</body></html>",
    }
    for name, content in contents.items():
        made[name] = folder / name
        made[name].write_bytes(content)
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(folder / "image.fits")
    return made | {"image.fits": folder / "image.fits", "missing": folder / "missing.csv", "folder": folder}


DAMAGED = (
    "t.vot", "t.fits", "t.parquet", "half.vot.gz", "half.csv.gz", "no.gz", "empty.csv", "binary.dat",
    "only-comments.csv", "page.html", "image.fits", "missing", "folder",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(
    name: str, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    path = damaged(rows, tmp_path)[name]
    with pytest.raises(InputError, match=path.name):
        read(path)


def test_parquet_without_pyarrow_names_the_extra(
    rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parquet(typed(rows), tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"mvmdb\[tables\]"):
        read(tmp_path / "t.parquet")
