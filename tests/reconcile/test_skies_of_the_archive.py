"""One solution of skies for an archive: neighbouring sky cells, exposures that come one by one, a lost catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from archive import COARSE, FINE, Archive
from astropy.io import fits
from staleness import agreed_reasons

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.mosaic.skies.settle import LIMIT
from mvmdb.names import parse_layer_name
from mvmdb.sky.tessellation import STEP

NOISE = 0.05
"""Of a pixel of an exposure, electrons/s."""
SHAPE = (64, 64)


def expose(archive: Archive, number: int, east: float, north: float, sky: float, **options: object) -> str:
    """Write an exposure with a known sky (electrons/s); its name."""
    name = f"ib6o{number:02d}tu"
    rng = np.random.default_rng(number)
    archive.expose(f"{name}q", east=east, north=north, science=rng.normal(sky, NOISE, SHAPE), shape=SHAPE, **options)
    return name


def begin(archive: Archive) -> None:
    initialise(archive.address, method="mvmdb")


def arrays(archive: Archive, layer: str) -> tuple[np.ndarray, np.ndarray]:
    (path,) = archive.products.glob(f"*/{layer}_drz.fits")
    with fits.open(path) as hdus:
        return hdus["SCI"].data.astype(float), hdus["WHT"].data.astype(float)


def solved(archive: Archive) -> dict[str, float]:
    return dict(archive.rows("SELECT e.ipppssoo, s.value FROM sky s JOIN exposure e ON e.id = s.exposure_id"))


def subtracted(archive: Archive, layer: str) -> dict[str, float]:
    query = "SELECT m.ipppssoo, m.sky FROM product_member m JOIN product p ON p.id = m.product_id WHERE p.layer = '{}'"
    return dict(archive.rows(query.format(layer)))


def scatter(science: np.ndarray) -> float:
    """The noise of a mosaic's pixel."""
    return float(np.nanstd(science))


def on_the_sky(archive: Archive, layer: str) -> dict[tuple[int, int], float]:
    """The values of a fine mosaic by pixel of the projection cell."""
    science, _ = arrays(archive, layer)
    cell = parse_layer_name(layer).skycell
    ((x, y, x_min, y_min),) = archive.rows(f"SELECT x, y, x_min, y_min FROM skycell WHERE name = '{cell}'")
    rows, columns = np.nonzero(np.isfinite(science))
    left, bottom = (x - 1) * STEP + x_min, (y - 1) * STEP + y_min
    places = zip((columns + left).tolist(), (rows + bottom).tolist(), strict=True)
    return dict(zip(places, science[rows, columns].tolist(), strict=True))


def growing(n: int, seed: int) -> list[tuple[float, float, float]]:
    """(east, north, sky) of exposures that are dithered at random."""
    rng = np.random.default_rng(seed)
    return [(*rng.uniform(-3.0, 3.0, 2).tolist(), float(rng.uniform(0.5, 2.0))) for _ in range(n)]


def grow(archive: Archive, field: Sequence[tuple[float, float, float]]) -> Counter[str]:
    """Add exposures night by night; which actions were taken."""
    actions: Counter[str] = Counter()
    for number, (east, north, sky) in enumerate(field):
        expose(archive, number, east, north, sky)
        report = archive.night().reconcile
        assert report.failed == 0, report.layers
        actions.update(str(done.action) for done in report.layers)
        assert archive.look().plan.layers == ()
    return actions


def test_exposures_that_come_one_by_one_end_as_a_rebuild(archive: Archive) -> None:
    begin(archive)
    field = growing(22, seed=1)
    actions = grow(archive, field)
    assert agreed_reasons(archive) == {}
    print(actions)
    grown = {layer: arrays(archive, layer) for layer in (FINE, COARSE)}
    skies = solved(archive)
    assert subtracted(archive, FINE) == subtracted(archive, COARSE) == skies
    assert archive.reconcile(resky=True).failed == 0
    assert min(solved(archive).values()) == 0.0
    for layer, (science, weight) in grown.items():
        rebuilt, rebuilt_weight = arrays(archive, layer)
        assert np.array_equal(np.isnan(science), np.isnan(rebuilt))
        np.testing.assert_allclose(weight, rebuilt_weight, rtol=1e-5)
        deep = weight > 0.5 * np.nanmax(weight)
        worst = np.nanmax(np.abs(science - rebuilt)) / scatter(rebuilt[deep])
        print(layer, "worst", worst)
        assert worst < 0.02
