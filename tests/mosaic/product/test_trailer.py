"""The log of a mosaic: what it says, and when it is written, kept and removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from archive import CELL, COARSE, FINE, Archive

from mvmdb.errors import NameFormatError
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import open_product
from mvmdb.mosaic.product.trailer import MARK, format_trailer, write_trailers
from mvmdb.names import format_trailer_name, parse_trailer_name


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of a sky cell after a night of two exposures."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    return archive.products / CELL


def product_of(folder: Path, layer: str = FINE) -> Path:
    return folder / f"{layer}_drz.fits"


def log_of(folder: Path, layer: str = FINE) -> Path:
    return folder / f"{layer}_trl.txt"


def test_a_log_says_what_its_mosaic_says(made: Path) -> None:
    lines = log_of(made).read_text().splitlines()
    stored = open_product(product_of(made))
    assert lines[0] == MARK
    values = dict(line.split(": ", 1) for line in lines[1 : lines.index("")])
    assert values["layer"] == FINE
    assert values["product"] == f"{FINE}_drz.fits"
    assert values["made by"].startswith("mvmdb ")
    assert values["members"] == "2, with 2 chips"
    assert values["exposure time"] == "1605.869506 s"
    assert values["recipe"] == stored.record.recipe
    assert (values["recipe digest"], values["data digest"]) == (stored.record.recipe_digest, stored.record.data_digest)
    assert values["skies"] == "matched"
    chips = [line.split("\t") for line in lines[-2:]]
    assert [chip[0] for chip in chips] == ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"]
    assert [float(chip[4]) for chip in chips] == [row.sky for row in stored.rows]


def test_the_same_mosaic_has_the_same_log_and_it_is_left_alone(made: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in made.glob("*_trl.txt")}
    assert len(before) == 2
    assert not write_manifest(made, CELL)
    product_of(made).touch()
    assert not write_trailers(made, CELL)
    assert not write_trailers(made, CELL, every=True)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in made.glob("*_trl.txt")} == before
    log_of(made).unlink()
    assert write_manifest(made, CELL)
    assert log_of(made).read_bytes() == before[log_of(made)][0] == format_trailer(open_product(product_of(made)))


def test_a_newer_log_is_compared_only_on_request(made: Path) -> None:
    right = log_of(made).read_bytes()
    log_of(made).write_text("edited\n")
    assert not write_trailers(made, CELL)
    assert write_trailers(made, CELL, every=True)
    assert log_of(made).read_bytes() == right


def test_a_log_as_old_as_its_mosaic_is_written_again(made: Path) -> None:
    right, time = log_of(made).read_bytes(), product_of(made).stat().st_mtime_ns
    log_of(made).write_text("of the mosaic before\n")
    os.utime(log_of(made), ns=(time, time))
    assert write_trailers(made, CELL)
    assert log_of(made).read_bytes() == right


def test_a_mosaic_that_goes_takes_its_log_with_it_and_drizzlepacs_stays(made: Path) -> None:
    log_of(made, COARSE).write_text("*** drizzlepac's own words\n")
    for layer in (FINE, COARSE):
        product_of(made, layer).unlink()
    assert write_manifest(made, CELL)
    assert not log_of(made).exists()
    assert log_of(made, COARSE).read_text() == "*** drizzlepac's own words\n"
    assert (made / f"{CELL}_manifest.txt").read_text() == ""


def test_a_mosaic_that_mvmdb_did_not_make_keeps_the_log_that_it_has(made: Path) -> None:
    product_of(made).write_bytes(b"SIMPLE  =                    T")
    log_of(made).write_text("*** drizzlepac's own words\n")
    time = product_of(made).stat().st_mtime_ns
    os.utime(log_of(made), ns=(time, time))
    log_of(made, COARSE).unlink()
    product_of(made, COARSE).write_bytes(b"damaged")
    assert write_manifest(made, CELL)
    assert log_of(made).read_text() == "*** drizzlepac's own words\n"
    assert (made / f"{CELL}_manifest.txt").read_text().split() == [
        f"{FINE}_drz.fits", f"{FINE}_trl.txt", f"{COARSE}_drz.fits",
    ]  # fmt: skip


def test_the_logs_of_other_cells_and_other_files_are_not_touched(made: Path) -> None:
    elsewhere = FINE.replace("x11y11", "x11y12")
    others = [made / name for name in ("notes_trl.txt", f"{elsewhere}_trl.txt", f"{FINE}_TRL.txt")]
    for path in others:
        path.write_text(MARK)
    assert not write_manifest(made, CELL)
    assert all(path.read_text() == MARK for path in others)


def test_names_of_logs_are_inverses_of_layers() -> None:
    assert parse_trailer_name(format_trailer_name(FINE)) == FINE
    for text in (FINE, f"{FINE}_drz.fits", "notes_trl.txt", f"{FINE.upper()}_trl.txt", f" {FINE}_trl.txt"):
        with pytest.raises(NameFormatError):
            parse_trailer_name(text)
