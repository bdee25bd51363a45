"""Mutated pollers, aperture files, regions and tables: each ends in a result or an error, in little memory and time.

The mutations come from seeds. Each form is read in a forked child with limits, all its mutants one after the other.
"""

from __future__ import annotations

import csv
import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limited import run_limited
from tables.conftest import plain_rows
from tables.formats.test_table_formats import WRITERS, typed

from mvmdb.errors import InputError, MvmdbError
from mvmdb.pollers.files import find_named, read_poller
from mvmdb.sky.region import parse_region
from mvmdb.tables.problems import RowProblem
from mvmdb.tables.read import read_batches
from mvmdb.tables.siaf.apertures_file import _find_shipped, load_apertures

MUTANTS = 60
MEGABYTES = 700
SECONDS = 60
"""Processor time of all mutants of one form; a single one takes milliseconds."""
Read = Callable[[Path], object]

PIECES = (
    b"1e300", b"-1e300", b"nan", b"inf", b"9" * 400, b"-", b"\0", b"\xff\xfe", b"\x1b[2J", b'"', b"'", b",", b"\n",
    b"<", b"&", b"&lol;", b"../../x", b"POLYGON", b"CIRCLE 1e300 1e300 1e300", b" " * 3000, b"\xef\xbb\xbf",
    b"999999999999",
)  # fmt: skip


def mutate(content: bytes, rng: random.Random) -> bytes:
    """A copy with bits flipped, pieces cut out, put in, doubled or swapped, cut short, or columns swapped."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at, length = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 40, 400))
        kind = rng.randrange(8)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = rng.choice(PIECES)
        elif kind == 3:
            data[at : at + length] = rng.choice(PIECES)
        elif kind == 4:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 500))
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            data[at : at + length] = rng.choice((b"\x00", b"\xff", b"\x7f")) * length
        else:
            data = bytearray(_swap_columns(bytes(data), rng))
    return bytes(data)


def _swap_columns(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    values = lines[at].split(b",")
    rng.shuffle(values)
    lines[at] = b",".join(values)
    return b"\n".join(lines)


def ends(read: Read, path: Path, contents: list[bytes]) -> dict[str, int]:
    """How many mutants ended in each way; anything but a result or an error of mvmdb's with a reason is raised."""
    counts = {"read": 0, "refused": 0}
    for number, content in enumerate(contents):
        path.write_bytes(content)
        begun = process_time()
        try:
            read(path)
            counts["read"] += 1
        except MvmdbError as error:
            counts["refused"] += 1
            if len(str(error)) < 15 or len(str(error)) > 2000:
                raise AssertionError(f"mutant {number}: {error!s:.3000}") from error
        except BaseException as error:
            raise AssertionError(f"mutant {number} of {path.name}: {error!r}") from error
        if process_time() - begun > 5:
            raise AssertionError(f"mutant {number} of {path.name} took {process_time() - begun:.1f} s")
    return counts


def check(read: Read, path: Path, contents: list[bytes], megabytes: int = MEGABYTES) -> dict[str, int]:
    return run_limited(lambda: ends(read, path, contents), megabytes=megabytes, seconds=SECONDS)


def mutants(content: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [content, *(mutate(content, rng) for _ in range(MUTANTS))]


def read_table(path: Path) -> int:
    problems: list[object] = []
    return sum(len(batch.rows) if hasattr(batch, "rows") else 1 for batch in read_batches(path, report=problems.append))


@pytest.mark.parametrize("name", WRITERS)
def test_mutated_tables(name: str, tmp_path: Path) -> None:
    _, write = WRITERS[name]
    write(typed(plain_rows()), tmp_path / name)
    counts = check(read_table, tmp_path / f"mutated-{name}", mutants((tmp_path / name).read_bytes(), len(name)))
    assert counts["read"] >= 1
    assert counts["refused"] >= 1


POLLER = "".join(
    f"ib6o04t{n}q_flt.fits,11359,B6O,04,802.9,F125W,IR,skycell-p0726x11y11,NEW,/data/ib6o04t{n}q_flt.fits\n"
    for n in "uvwx"
)
BASIC = "".join(f"ib6o04t{n}q_flt.fits\n" for n in "uvwx")


@pytest.mark.parametrize("text", [POLLER, BASIC])
def test_mutated_pollers(text: str, tmp_path: Path) -> None:
    def read(path: Path) -> None:
        find_named(read_poller(path), tmp_path)

    for n in "uvwx":
        (tmp_path / f"ib6o04t{n}q_flt.fits").touch()
    counts = check(read, tmp_path / "p.out", mutants(text.encode(), 7))
    assert counts["read"] >= 1
    assert counts["refused"] >= 10


def siaf_of_wfc3() -> bytes:
    """The records of WFC3 in the telescope's aperture file."""
    content = _find_shipped().read_bytes()
    lines = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith(b"IUVIS"))
    return b"".join(lines[first : first + 300])


def test_mutated_aperture_files(tmp_path: Path) -> None:
    rows = [
        row | {"s_region": "", "aperture_name": "IR", "s_ra": "10", "s_dec": "20", "pa_v3": "30"}
        for row in plain_rows()
    ]
    names = list(rows[0])
    table = tmp_path / "t.csv"
    table.write_text("\n".join([",".join(names), *(",".join(row[name] for name in names) for row in rows)]))

    def read(path: Path) -> None:
        load_apertures.cache_clear()
        list(read_batches(table, siaf=str(path)))

    counts = check(read, tmp_path / "siaf.dat", [one for seed in range(3) for one in mutants(siaf_of_wfc3(), seed)])
    assert min(counts.values()) >= 10


CELL = st.one_of(
    st.text(st.characters(codec=None), max_size=20),
    st.floats().map(str),
    st.sampled_from(
        [
            "ib6o04tuq",
            "WFC3/IR",
            "F125W",
            "100",
            "11359",
            "2012-04-12 02:54:25",
            "55000",
            *map(bytes.decode, PIECES[:5]),
        ]
    ),
    st.just("POLYGON ICRS 10.0 20.0 10.1 20.0 10.1 20.1 10.0 20.1"),
)
COLUMNS = ("obs_id", "instrument_name", "filters", "t_exptime", "t_min", "proposal_id", "s_region", "target_name")


@settings(deadline=None)
@given(st.lists(st.lists(CELL, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=5), st.text(max_size=30))
def test_any_cells_are_rows_or_problems(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], tail: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as stream:
        csv.writer(stream).writerows([COLUMNS, *cells])
        stream.write(tail)
    problems: list[RowProblem] = []
    try:
        batches = list(read_batches(path, report=problems.append))
    except MvmdbError as error:
        words = str(error)
    else:
        words = ""
    if words:
        assert str(path) in words
        return
    n_ends = sum(text.count(end) for text in (tail, *(word for row in cells for word in row)) for end in "\n\r")
    assert len(problems) + sum(batch.n for batch in batches) <= len(cells) + 1 + n_ends
    assert all(len(problem.reason) < 1000 for problem in problems)


REGION = "POLYGON ICRS 10.0 20.0 10.1 20.0 10.1 20.1 10.0 20.1 POLYGON ICRS 10.2 20.0 10.3 20.0 10.3 20.1 10.2 20.1"


def test_mutated_regions(tmp_path: Path) -> None:
    def read(path: Path) -> None:
        parse_region(path.read_bytes().decode("latin-1"))

    counts = check(read, tmp_path / "region", [one for seed in range(4) for one in mutants(REGION.encode(), seed)])
    assert min(counts.values()) >= 10


VOTABLE = (
    '<?xml version="1.0"?>{doctype}<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="obs_id" datatype="char" '
    'arraysize="*"/><DATA><TABLEDATA><TR><TD>{value}</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>'
)
LAUGHS = "<!DOCTYPE VOTABLE [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12)
) + "]>"  # fmt: skip


def bombs(folder: Path) -> dict[str, bytes]:
    """Small files that would become large ones, or other ones."""
    secret = folder / "secret.txt"
    secret.write_text("treasure")
    external = f'<!DOCTYPE VOTABLE [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    quadratic = f"<!DOCTYPE VOTABLE [<!ENTITY x '{'x' * 100_000}'>]>"
    typed(plain_rows()).write(folder / "plain.fits", format="fits")
    fits = (folder / "plain.fits").read_bytes()
    WRITERS["t.parquet"][1](typed(plain_rows()), folder / "plain.parquet")
    parquet = (folder / "plain.parquet").read_bytes()
    csv_head = b"obs_id,instrument,filters,t_exptime,s_region\n"
    laughs = VOTABLE.format(doctype=LAUGHS, value="&a11;")
    parameter = VOTABLE.format(doctype=external.replace("ENTITY x", "ENTITY % x").replace("]", "%x;]"), value="")
    return {
        "laughs.vot": laughs.encode(),
        "laughs16.vot": laughs.replace('1.0"?', '1.0" encoding="UTF-16"?').encode("utf-16"),
        "quadratic.vot": VOTABLE.format(doctype=quadratic, value="&x;" * 10_000).encode(),
        "external.vot": VOTABLE.format(doctype=external, value="&x;").encode(),
        "parameter.vot": parameter.encode(),
        "deep.vot": b"<VOTABLE>" + b"<a>" * 3_000_000,
        "wide.vot": b"<VOTABLE>" + b"<a/>" * 6_000_000,
        "cells.vot": VOTABLE.format(doctype="", value="</TD>" + "<TD/>" * 4_000_000 + "<TD>").encode(),
        "zeros.csv.gz": gzip.compress(csv_head + b"0" * 20_000_000, 1),
        "zeros.vot.gz": gzip.compress(b"<VOTABLE>" + b" " * 40_000_000, 1),
        "zeros.fits.gz": gzip.compress(fits[:2880] + b" " * 20_000_000, 1),
        "rows.csv.gz": gzip.compress(csv_head + (b"x" * 90 + b",,,,\n") * 120_000, 1),
        "columns.csv": b",".join(b"c%d" % n for n in range(100_000)) + b"\n",
        "naxis2.fits": fits.replace(b"NAXIS2  =                    4", b"NAXIS2  =        1000000000000"),
        "tform.fits": fits.replace(b"TFORM1  = '9A", b"TFORM1  = '9000000000A", 1),
        "tfields.fits": fits.replace(b"TFIELDS =                   10", b"TFIELDS =            999999999"),
        "pcount.fits": fits.replace(b"PCOUNT  =                    0", b"PCOUNT  =  9223372036854775807"),
        "footer.parquet": parquet[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "no-footer.parquet": parquet[:-8] + struct.pack("<I", 0) + b"PAR1",
        "rows.parquet": parquet.replace(b"\x16\x08", b"\x16\xfe"),
    }  # fmt: skip


def test_bombs_are_refused_in_little_memory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.tables.formats.bytesource.ALWAYS_UNPACKED", 5_000_000)
    for name, content in bombs(tmp_path).items():
        counts = check(read_table, tmp_path / name, [content])
        assert name == "rows.parquet" or counts["refused"] == 1, name


def test_an_external_entity_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "external.vot"
    path.write_bytes(bombs(tmp_path)["external.vot"])
    with pytest.raises(InputError, match="declares an XML entity") as caught:
        read_table(path)
    assert "treasure" not in str(caught.value)
