"""Damaged tables of every format: a message that names the file, the exit code of its kind, and good rows kept.

The damage is drawn from fixed seeds, and is done to tables that the other tests read whole.
"""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive import Archive
from astropy.io import fits
from tables.formats.test_table_formats import WRITERS, typed

from mvmdb.cli import main
from mvmdb.tables.formats import textfile, votable
from mvmdb.tables.formats.source import MOST_AT_ONCE

Rows = list[dict[str, str]]
Run = Callable[..., tuple[int, str, str]]
COPIES = 40
CARDS = ("NAXIS1", "NAXIS2", "TFIELDS", "TFORM2", "TFORM4", "TTYPE2", "PCOUNT", "GCOUNT", "BITPIX", "NAXIS", "XTENSION")
VALUES = (
    "0",
    "-1",
    "1",
    "7",
    "999999999999",
    "1e300",
    "'A'",
    "'-5A'",
    "'9999999999A'",
    "'1PA(9)'",
    "'1QX'",
    "T",
    "",
    "'",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Import a table as the command does: (exit code, standard output, standard error); all into one catalog."""
    monkeypatch.chdir(tmp_path)

    def call(path: Path, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvmdb", "--db", str(tmp_path / "mvm.db"), "import", str(path), *words])
        with pytest.raises(SystemExit) as ending:
            main()
        said = capsys.readouterr()
        return int(ending.value.code or 0), said.out, said.err

    return call


def check(run: Run, path: Path, *words: str) -> int:
    """Import a damaged table: its exit code is of a kind that the manual has, and what is said names the file."""
    code, out, err = run(path, *words)
    assert code in (0, 1, 2), (code, err)
    assert "internal error" not in err
    assert "Traceback" not in err
    if code == 2:
        assert path.name in err
        assert len(err.strip().splitlines()) == 1
    else:
        assert out.splitlines()[0].split()[1] == "rows:"
    return code


def damage(content: bytes, rng: random.Random) -> bytes:
    """A few bits flipped, bytes replaced, cut out and put in."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(damaged))
        kind = rng.randrange(4)
        if kind == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[at] = rng.choice(b"\0\xff\x1b 0129-'\"")
        elif kind == 2:
            del damaged[at : at + rng.randint(1, 20)]
        else:
            damaged[at:at] = bytes(rng.choice(b"019e.,\"'\n<&\xff") for _ in range(rng.randint(1, 8)))
    return bytes(damaged)


@pytest.mark.parametrize("name", WRITERS)
def test_no_damage_is_an_internal_error(name: str, rows: Rows, tmp_path: Path, run: Run) -> None:
    form, write = WRITERS[name]
    write(typed(rows), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    path = tmp_path / f"damaged-{name}"
    codes = set()
    for seed in range(COPIES):
        path.write_bytes(damage(content, random.Random(seed)))
        codes.add(check(run, path, "--format", form))
    assert 2 in codes


@pytest.mark.parametrize("keyword", CARDS)
def test_no_header_of_a_fits_table_is_an_internal_error(keyword: str, rows: Rows, tmp_path: Path, run: Run) -> None:
    typed(rows).write(tmp_path / "t.fits", format="fits")
    content = (tmp_path / "t.fits").read_bytes()
    at = content.index(f"{keyword:8}=".encode(), 2880)
    path = tmp_path / "broken.fits"
    for value in VALUES:
        path.write_bytes(content[: at + 10] + f"{value:>20}".encode() + b" " * 50 + content[at + 80 :])
        check(run, path)


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_of_a_fits_row_costs_no_other_row(seed: int, rows: Rows, tmp_path: Path, run: Run) -> None:
    typed(rows).write(tmp_path / "t.fits", format="fits")
    content = bytearray((tmp_path / "t.fits").read_bytes())
    with fits.open(tmp_path / "t.fits") as hdus:
        start, width = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
    rng = random.Random(seed)
    for _ in range(20):
        content[start + 2 * width + rng.randrange(width)] ^= 1 << rng.randrange(8)
    path = tmp_path / "flipped.fits"
    path.write_bytes(bytes(content))
    assert check(run, path) in (0, 1)
    code, out, _ = run(path)
    assert code in (0, 1)
    assert int(out.split(" unchanged")[0].split()[-1]) >= 3


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("proposal_id", "1e300"), ("proposal_id", "9" * 5000), ("proposal_id", "2147483648"), ("t_exptime", "1e300"),
        ("t_exptime", "-1e-300"), ("t_exptime", "nan"), ("t_min", "1e300"), ("t_min", "9999-99-99"),
        ("obs_id", "ib6o04\x00\x01q"), ("obs_id", "x" * 100_000), ("filters", "\udce9" * 3), ("filters", "F" * 9999),
        ("s_region", "POLYGON " + "9" * 90_000), ("s_region", "CIRCLE 1e300 1e300 1e300"),
        ("s_region", "CIRCLE 52 -26 29.9"),
        ("s_region", "POLYGON 10 20 10.1 20 10.1 20.1 POLYGON 100 20 100.1 20 100.1 20.1"),
        ("s_region", "POLYGON 10 20 10.1 20 10.1 20.1 POLYGON 190 -20 190.1 -20 190.1 -20.1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_costs_its_own_row_alone(
    column: str, value: str, rows: Rows, tmp_path: Path, run: Run
) -> None:
    names = list(rows[0])
    rows[1][column] = value
    lines = [",".join(names), *(",".join(f'"{row[name]}"' for name in names) for row in rows)]
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape").ljust(5000).replace(b"\0", b"\x02"))
    code, out, err = run(path)
    assert (code, out.splitlines()[0].split(";")[0]) == (1, "4 rows: 3 new, 0 changed, 0 unchanged, 1 left out"), err
    assert len(out) < 1000


def test_a_bomb_without_a_line_end_is_refused_at_once(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"obs_id,instrument,filters,t_exptime,s_region\n")
        for _ in range(50):
            stream.write(b"0" * 1_000_000)
    code, _, err = run(path)
    assert (code, "bomb.csv.gz has a row of 250000 characters or more" in err) == (2, True)


def test_quotes_that_never_close_are_refused_before_the_table_is_in_memory(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textfile, "MOST_AT_ONCE", 100_000)
    path = tmp_path / "open.csv"
    path.write_text("obs_id,instrument,filters,t_exptime,s_region\n" + '"a\n",' * 50_000)
    code, _, err = run(path)
    assert (code, "open.csv has a row of 100000 characters or more" in err) == (2, True)


def test_rows_that_are_long_are_held_a_few_at_a_time(
    rows: Rows, write_csv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv([row | {"target_name": "x" * 1000} for row in rows * 300])
    monkeypatch.setattr(textfile, "MOST_AT_ONCE", 200_000)
    source = textfile.TextTable(str(path), "csv", zipped=False)
    sizes = [len(chunk.numbers) for chunk in source.chunks([0], 20_000, lambda *_: None)]
    source.close()
    assert sum(sizes) == 1200
    assert max(sizes) <= 200


def test_a_votable_without_rows_in_it_is_refused_before_it_is_in_memory(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(votable, "_MOST_WITHOUT_ROW", 100_000)
    path = tmp_path / "long.vot"
    path.write_text("<VOTABLE><RESOURCE><DESCRIPTION>" + "x" * 500_000 + "</DESCRIPTION></RESOURCE></VOTABLE>")
    code, _, err = run(path)
    assert (code, "long.vot has 100000 bytes without a row" in err) == (2, True)


def test_a_parquet_table_of_huge_values_is_refused(rows: Rows, tmp_path: Path, run: Run) -> None:
    table = {name: [row[name] for row in rows] for name in rows[0]}
    table["target_name"] = ["x" * (MOST_AT_ONCE // 3)] * 4
    path = tmp_path / "huge.parquet"
    pq.write_table(pa.table(table), path)
    code, _, err = run(path)
    assert (code, "huge.parquet has" in err, "bytes in 4 rows" in err) == (2, True, True)


def test_a_gzipped_fits_table_that_is_a_bomb_is_refused(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mvmdb.tables.formats.bytesource.ALWAYS_UNPACKED", 1_000_000)
    path = tmp_path / "bomb.fits.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"SIMPLE  =                    T".ljust(2880))
        stream.write(b" " * 5_000_000)
    code, _, err = run(path)
    assert (code, "bomb.fits.gz has more than 100 times its size in it" in err) == (2, True)


def test_archive_is_left_as_it_was_by_a_table_that_is_damaged(rows: Rows, tmp_path: Path, run: Run) -> None:
    path = tmp_path / "t.fits"
    typed(rows).write(path, format="fits")
    path.write_bytes(path.read_bytes()[:-2880])
    assert check(run, path) == 2
    assert not Archive(tmp_path, str(tmp_path / "mvm.db")).folder.joinpath("mvm.db").exists()
