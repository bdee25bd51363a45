"""The views: coverage sums what layers hold, and the stale views say what the diff says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, FINE, Archive
from astropy.io import fits
from astropy.time import Time, TimeDelta
from fitsfiles import realign, set_pixels

from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy


def test_coverage_has_one_row_a_layer_with_its_sums(archive: Archive) -> None:
    archive.expose(exptime=100.0, expstart=55000.0)
    archive.expose(
        "ibxx04twq", exptime=50.0, expstart=56000.0, wcsname="IDC_x-FIT_REL_GAIAeDR3", primary={"PROPOSID": 999}
    )
    archive.ingest()
    ((skycell, n, exptime, start, programs, catalogs, area, mean),) = archive.rows(
        "SELECT skycell, n_exposures, exptime, expstart, programs, astrometric_catalogs, area_arcmin2, mean_exposures"
        f" FROM coverage WHERE layer = '{FINE}' AND filter = 'F125W'"
    )
    assert (skycell, n, exptime, start) == (CELL, 2, 150.0, 55000.0)
    assert sorted(programs.split(",")) == ["11359", "999"]
    assert catalogs == "GAIAeDR3"
    side = 64 * np.array([0.13543, 0.12096]) / 60
    assert area == pytest.approx(side.prod(), rel=0.05)
    assert mean == pytest.approx(2.0, abs=1e-6)


def test_views_name_the_product_and_give_dates_in_utc(archive: Archive) -> None:
    archive.expose(exptime=100.0, expstart=55093.63386886)
    archive.night()
    names = "SELECT path, expstart_utc, expend_utc, made_at_utc FROM coverage WHERE layer = "
    ((path, start, end, made),) = archive.rows(f"{names} '{FINE}'")
    product = archive.products / CELL / f"{FINE}_drz.fits"
    assert path == str(product)
    first = Time(55093.63386886, format="mjd")
    assert [start, end] == [(first + TimeDelta(s, format="sec")).isot.split(".")[0] + "Z" for s in (0, 100)]
    assert made.endswith("Z")
    assert abs(dt.datetime.fromisoformat(made) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    realign_one(archive)
    assert archive.rows(f"SELECT path, made_at_utc FROM stale_layer WHERE layer = '{FINE}'") == [(str(product), made)]
    product.unlink()
    archive.look()
    assert archive.rows(f"{names} '{FINE}'") == [(None, start, end, None)]
    assert archive.rows(f"SELECT path FROM stale_layer WHERE layer = '{FINE}'") == [(None,)]


@pytest.mark.parametrize("mjd", ["NULL", "0", "1e300", "-1e300", "9e15"])
def test_views_can_be_read_whatever_the_dates_are(archive: Archive, mjd: str) -> None:
    archive.expose()
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE layer SET expstart = {mjd}, expend = {mjd}")
    assert set(archive.rows("SELECT expstart_utc, expend_utc, path, made_at_utc FROM coverage")) == {(None,) * 4}


def delete_product(archive: Archive) -> None:
    next(archive.products.glob(f"{CELL}/{FINE}_drz.fits")).unlink()


def damage_product(archive: Archive) -> None:
    path = next(archive.products.glob(f"{CELL}/{FINE}_drz.fits"))
    with fits.open(path) as hdus:
        position = hdus["SCI"].fileinfo()["datLoc"] + 1000
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def withdraw_one(archive: Archive) -> None:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tw"], "", read_policy(connection))


def withdraw_all(archive: Archive) -> None:
    withdraw_one(archive)
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tu"], "", read_policy(connection))


def recalibrate(archive: Archive) -> None:
    set_pixels(archive.inbox / "ib6o04tuq_flt.fits", np.full((64, 64), 2.0))
    archive.ingest()


def realign_one(archive: Archive) -> None:
    realign(archive.inbox / "ib6o04tuq_flt.fits", dec_arcsec=0.3, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    archive.ingest()


def add_one(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=3)
    archive.ingest()


def add_another_filter(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=5, filters="F140W")
    archive.ingest()


@pytest.mark.parametrize(
    "change",
    [
        delete_product, damage_product, withdraw_one, withdraw_all, recalibrate, realign_one, add_one,
        add_another_filter,
    ],
)  # fmt: skip
def test_stale_views_agree_with_the_diff_after_each_kind_of_change(
    archive: Archive, change: Callable[[Archive], None], tmp_path: Path
) -> None:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    assert archive.rows("SELECT * FROM stale_layer") == []
    change(archive)
    said = archive.reasons()  # looks at the files, and records what it sees
    assert said
    seen: dict[str, list[tuple[str, str | None]]] = {}
    for layer, reason, exposure in archive.rows("SELECT layer, reason, exposure FROM stale_reason"):
        seen.setdefault(layer, []).append((reason, exposure))
    assert {layer: sorted(reasons, key=str) for layer, reasons in seen.items()} == {
        layer: sorted(reasons, key=str) for layer, reasons in said.items()
    }
    assert {row[0] for row in archive.rows("SELECT layer FROM stale_layer")} == set(said)
