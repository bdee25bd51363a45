"""The view `seam` and `mvmdb seams`, against residuals computed from the tables by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from archive import COARSE, FINE, Archive, call
from astropy.io import fits
from databases import Databases
from fitsfiles import set_pixels

import mvmdb
from mvmdb.catalog.ask.canned import CANNED
from mvmdb.schema.meanings import VIEWS

NAMES = [f"ib6o0{n}tuq" for n in range(1, 5)]
TILTED = NAMES[3]
COLUMNS = ",".join(VIEWS["seam"][1])


@pytest.fixture
def archive(databases: Databases, tmp_path: Path) -> Archive:
    """Four exposures of one field, of which the last has a slope, made by the method mvmdb."""
    archive = Archive(tmp_path, databases.empty())
    archive.ingest(archive.expose(NAMES[0], shape=(96, 96)))
    assert call(archive, "init", "--method", "mvmdb").exit_code == 0
    rng = np.random.default_rng(3)
    for name, east in zip(NAMES, (0.0, 0.7, 1.3, 0.4), strict=True):
        path = archive.expose(name, east=east, shape=(96, 96))
        with fits.open(path) as hdus:
            seconds = 1.0 if hdus["SCI", 1].header["BUNIT"].endswith("/S") else hdus[0].header["EXPTIME"]
        slope = np.linspace(-0.15, 0.15, 96)[:, None] if name == TILTED else 0.0
        set_pixels(path, (rng.normal(1.0 + east, 0.1, (96, 96)) + slope) * seconds)
    archive.night()
    return archive


def test_seams_are_what_skies_leave_of_differences_the_worst_first(archive: Archive) -> None:
    skies = dict(
        archive.rows(f"SELECT m.ipppssoo, m.sky FROM product_member m JOIN product p ON p.id = m.product_id "
                     f"WHERE p.layer = '{FINE}'")
    )  # fmt: skip
    pairs = {
        (a, b): rest
        for a, b, *rest in archive.rows(
            "SELECT a.ipppssoo, b.ipppssoo, p.difference, p.error, p.gradient, p.area, p.first_pixels FROM sky_pair p "
            "JOIN exposure a ON a.id = p.first_id JOIN exposure b ON b.id = p.second_id"
        )
    }
    assert len(pairs) == 6
    rows = json.loads(call(archive, "seams", "--json", "--columns", COLUMNS).output)
    assert [row["layer"] for row in rows].count(FINE) == [row["layer"] for row in rows].count(COARSE) == 6
    assert [row["sigma"] for row in rows] == sorted((row["sigma"] for row in rows), reverse=True)
    for row in rows:
        a, b = row["first_exposure"], row["second_exposure"]
        difference, error, gradient, area, pixels = pairs[a, b]
        residual = difference - (skies[a] - skies[b])
        assert (row["residual"], row["difference"]) == pytest.approx((residual, difference), abs=1e-9)
        assert row["sigma"] == pytest.approx(abs(residual) / error)
        assert row["gradient_sigma"] == pytest.approx(gradient / (2 * error))
        assert (row["overlap_arcmin2"], row["pixels"]) == (pytest.approx(area / 3600), pixels)
        assert row["mean_exposures"] > 3
        assert bool(row["looks_like_gradient"]) is (TILTED[:8] in (a, b))
    assert json.loads(call(archive, "seams", "--json", "--limit", "3", "--columns", COLUMNS).output) == rows[:3]
    found = json.loads(call(archive, "seams", "--gradients", "--json", "--columns", COLUMNS).output)
    assert found == [row for row in rows if row["looks_like_gradient"]]
    table = mvmdb.open(archive.address).seams(gradients=True, filters="f125w", columns=tuple(VIEWS["seam"][1]))
    assert len(table) == 6
    assert table["residual"].unit.to_string() == "electron / (s arcsec2)"
    assert list(table["residual"]) == pytest.approx([row["residual"] for row in found])
    assert call(archive, "seams", "--filter", "f606w").output.count(FINE) == 0
    assert "there is no column" in str(call(archive, "seams", "--sort", "worst").exception)
    (canned,) = (query for query in CANNED if query.name == "seams")
    assert [row[1:3] for row in archive.rows(canned.sql)] == [(r["first_exposure"], r["second_exposure"]) for r in rows]


def test_pairs_of_hap_have_a_step_and_no_sigma_and_changed_exposures_have_none(archive: Archive) -> None:
    assert call(archive, "init", "--method", "hap").exit_code == 0
    archive.reconcile()
    listed = list(csv.DictReader(io.StringIO(call(archive, "seams", "--csv", "--columns", COLUMNS).output)))
    assert len(listed) == 12
    assert {(row["sigma"], row["gradient"], row["overlap_arcmin2"]) for row in listed} == {("", "", "")}
    steps = [abs(float(row["residual"])) for row in listed]
    assert steps == sorted(steps, reverse=True)
    set_pixels(archive.inbox / f"{TILTED}_flt.fits", np.full((96, 96), 7.0))
    archive.ingest()
    rest = archive.rows("SELECT DISTINCT first_exposure, second_exposure FROM seam")
    assert len(rest) == 3
    assert TILTED[:8] not in {name for row in rest for name in row}
