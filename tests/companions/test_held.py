"""The map of depth and the list of exposures beside a mosaic: what it holds, judged by the catalog's footprints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, FINE, Archive, call
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from mvmdb.catalog.ask.contributing import load_contributing
from mvmdb.catalog.open import open_catalog
from mvmdb.companions.held import read_held
from mvmdb.companions.kinds import read_mark
from mvmdb.coverage.values import COLUMNS

KINDS = ("--beside", "exptime,exposures", "--executor", "serial")
MAP, LIST = f"{CELL}/{FINE}_drz_exptime.fits", f"{CELL}/{FINE}_drz_exposures.ecsv"


def beside(archive: Archive) -> dict[str, bytes]:
    found = [*archive.products.glob("*/*_exptime.fits"), *archive.products.glob("*/*_exposures.ecsv")]
    return {path.relative_to(archive.products).as_posix(): path.read_bytes() for path in sorted(found)}


def nightly(archive: Archive) -> str:
    done = call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--executor", "serial")
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture
def kept(tmp_path: Path) -> Archive:
    """An archive of two exposures that keeps maps and lists, after its first night."""
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(40, 40))
    archive.expose("ib6o04twq", east=1.5, shape=(40, 40))
    assert call(archive, "init", "--beside", "exptime,exposures").exit_code == 0
    assert "4 files made beside products" in nightly(archive)
    return archive


def test_a_mosaic_tells_the_footprints_that_the_catalog_has(kept: Archive) -> None:
    with open_catalog(kept.address) as engine, engine.connect() as connection:
        (expected,) = load_contributing(connection, [FINE])
    held = read_held(kept.products / CELL / f"{FINE}_drz.fits")
    assert (held.layer, held.cell, held.scale, held.canvas) == (FINE, expected.cell, "fine", expected.canvas)
    for name in set(COLUMNS) - {"id"}:
        assert getattr(held.exposures, name).tolist() == getattr(expected.exposures, name).tolist(), name


def test_map_and_list_lie_on_the_mosaic(kept: Archive, fitsverify: str) -> None:
    with fits.open(kept.products / CELL / f"{FINE}_drz.fits") as mosaic, fits.open(kept.products / MAP) as found:
        weight, number = mosaic["WHT"].data, found["NEXP"].data
        assert number.shape == found["EXPTIME"].data.shape == weight.shape
        assert np.mean((number > 0) == (weight > 0)) > 0.9, "up to the edges, which the drizzle's pixels reach over"
        assert np.all(number[weight > 0.9 * weight.max()] > 0)
        corner = [WCS(header).all_pix2world(1, 1, 1) for header in (mosaic["SCI"].header, found["NEXP"].header)]
        assert np.allclose(*corner, rtol=0, atol=1e-9)
    table = Table.read(kept.products / LIST)
    assert table["ipppssoo"].tolist() == ["ib6o04tu", "ib6o04tw"]
    assert table["n_pixels"].sum() == number.sum()
    assert table.meta["comment"] == read_mark(kept.products / LIST)
    assert read_mark(kept.products / MAP).startswith("mvmdb companion exptime 1 ")
    told = subprocess.run(
        [fitsverify, "-q", str(kept.products / MAP)], capture_output=True, text=True, check=False
    ).stdout
    assert "verification OK" in told, told


def test_they_are_made_again_with_the_mosaic_and_go_with_it(kept: Archive) -> None:
    before = beside(kept)
    assert "beside products" not in nightly(kept)
    kept.expose("ib6o04tyq", east=-1.5, shape=(40, 40))
    assert "beside products" in nightly(kept)
    assert all(before[name] != after for name, after in beside(kept).items())
    assert len(Table.read(kept.products / LIST)) == 3
    for name in ("ib6o04tuq", "ib6o04twq", "ib6o04tyq"):
        assert call(kept, "withdraw", name).exit_code == 0
    nightly(kept)
    assert beside(kept) == {}


def test_verify_finds_and_mends_those_of_other_mosaics(kept: Archive) -> None:
    right = beside(kept)
    (kept.products / MAP).unlink()
    shutil.copy2(kept.products / LIST.replace("_all", "_coarse-all"), kept.products / LIST)
    found = call(kept, "verify", "--deep", "--executor", "serial")
    assert "companion-wrong (2)" in found.output
    call(kept, "verify", "--deep", "--repair", "--executor", "serial")
    assert beside(kept) == right


def test_an_adopted_mosaic_gets_them_from_the_catalogs_footprints(kept: Archive) -> None:
    right, mosaic = beside(kept), kept.products / CELL / f"{FINE}_drz.fits"
    with fits.open(mosaic) as hdus:
        table = hdus["HDRTAB"]
        plain = [name for name in table.columns.names if name in ("ROOTNAME", "EXPTIME", "WCSNAME")]
        bare = fits.BinTableHDU.from_columns([table.columns[name] for name in plain], name="HDRTAB")
        foreign = fits.HDUList([hdus["PRIMARY"].copy(), hdus["SCI"].copy(), hdus["WHT"].copy(), bare])
        foreign.writeto(kept.folder / "foreign.fits")
    shutil.move(kept.folder / "foreign.fits", mosaic)
    done = call(kept, "adopt", str(kept.products))
    assert done.exit_code == 0, done.output
    assert call(kept, "companions", *KINDS).exit_code == 0
    again = beside(kept)
    assert again[MAP] != right[MAP], "a mark of its own"
    assert fits.getdata(kept.products / MAP, "NEXP").tolist() == fits.getdata(right_map(kept, right), "NEXP").tolist()


def right_map(archive: Archive, right: dict[str, bytes]) -> Path:
    path = archive.folder / "right.fits"
    path.write_bytes(right[MAP])
    return path
