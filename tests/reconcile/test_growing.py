"""Mosaics that grow: random sequences of nights against one rebuild, and skies of pairs that are measured once."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from archive import COARSE, FINE, Archive
from astropy.io import fits
from fitsfiles import set_pixels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvmdb.mosaic import make

pytestmark = pytest.mark.slow

NAMES = [f"ib6o0{n}tuq" for n in range(1, 6)]
PLACES = st.tuples(st.floats(-4.0, 9.0), st.floats(-4.0, 9.0))
"""East and north in arcsec: exposures of 64 x 64 pixels (8 arcsec) that overlap in part, and canvases that grow."""


def arrays(archive: Archive, layer: str) -> tuple[np.ndarray, np.ndarray]:
    (path,) = archive.products.glob(f"*/{layer}_drz.fits")
    with fits.open(path) as hdus:
        return hdus["SCI"].data.astype(float), hdus["WHT"].data.astype(float)


def skies(archive: Archive, layer: str) -> dict[str, float]:
    query = "SELECT m.ipppssoo, m.sky FROM product_member m JOIN product p ON p.id = m.product_id WHERE p.layer = '{}'"
    return dict(archive.rows(query.format(layer)))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(places=st.lists(PLACES, min_size=3, max_size=5), data=st.data())
def test_growing_by_nights_is_a_rebuild_with_the_same_skies(places: list[tuple[float, float]], data: st.DataObject):
    nights = data.draw(st.lists(st.integers(0, 2), min_size=len(places), max_size=len(places)), label="night of each")
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder), str(Path(folder) / "mvm.db"))
        actions: set[str] = set()
        for night in sorted(set(nights)):
            for name, (east, north), its_night in zip(NAMES, places, nights, strict=False):
                if its_night == night:
                    archive.expose(name, east=east, north=north)
            report = archive.night()
            assert report.reconcile.failed == 0
            actions |= {str(done.action) for done in report.reconcile.layers}
        assert archive.reasons() == {}
        grown = {layer: (*arrays(archive, layer), skies(archive, layer)) for layer in (FINE, COARSE)}
        archive.reconcile(full=True)
        for layer, (science, weight, values) in grown.items():
            whole, whole_weight = arrays(archive, layer)
            assert skies(archive, layer) == values
            assert np.array_equal(np.isnan(science), np.isnan(whole))
            np.testing.assert_allclose(weight, whole_weight, rtol=2e-6)
            scale = np.nanmax(np.abs(whole))
            np.testing.assert_allclose(science, whole, rtol=2e-6, atol=2e-6 * scale)


def test_an_added_exposure_that_joins_two_groups_is_drizzled_anew_and_the_plan_says_why(archive: Archive) -> None:
    archive.use_hap()  # which matches the skies of each group by itself
    for name, east in zip(NAMES[:4], (0.0, 0.5, 14.0, 14.5), strict=False):
        archive.expose(name, east=east)
    archive.night()
    archive.expose(NAMES[4], east=7.0)
    archive.ingest()
    line = next(line for line in archive.look().plan.layers if line.name == FINE)
    assert (str(line.action), line.drizzle_because) == (
        "drizzle", "an added member joins exposures whose skies were matched apart",
    )  # fmt: skip


def test_a_mean_that_passes_from_1_to_2_is_drizzled_anew_and_the_plan_says_why(archive: Archive) -> None:
    archive.expose(NAMES[0])
    archive.night()
    archive.expose(NAMES[1])
    archive.ingest()
    line = next(line for line in archive.look().plan.layers if line.name == FINE)
    assert str(line.action) == "drizzle"
    assert "depth and configuration choose them" in line.drizzle_because
    assert "recipe-changed" in {str(reason.code) for reason in line.reasons}


def test_skies_of_pairs_are_measured_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.use_hap()
    for name, east in zip(NAMES[:3], (0.0, 1.0, 2.0), strict=False):
        archive.expose(name, east=east)
    archive.night()
    pairs = archive.rows(
        "SELECT a.ipppssoo, b.ipppssoo FROM sky_pair p JOIN exposure a ON a.id = p.first_id "
        "JOIN exposure b ON b.id = p.second_id ORDER BY 1, 2"
    )
    assert pairs == list(itertools.combinations([name[:8] for name in NAMES[:3]], 2))
    before = skies(archive, FINE)

    def measured_again(_sources: object, neighbours: dict[int, list[int]], *_: object) -> list[object]:
        assert neighbours == {}, "pixels of a known pair are read again"
        return []

    monkeypatch.setattr(make, "measure_pairs", measured_again)
    assert archive.reconcile(resky=True).failed == 0
    assert skies(archive, FINE) == before
    set_pixels(archive.inbox / f"{NAMES[2]}_flt.fits", np.full((64, 64), 7.0))
    archive.ingest()
    archive.reconcile(resky=True)
    failures = dict(archive.rows("SELECT name, failure FROM layer"))
    assert "read again" in str(failures[FINE]), "new pixels make the pairs of their exposure unknown"
