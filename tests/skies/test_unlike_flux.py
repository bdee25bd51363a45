"""Skies of members of unlike PHOTFLAM are solved in one flux: mosaics say what those of a steady instrument say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archive import Archive
from astropy.io import fits
from mosaic_field import PHOTFLAM, dim
from skies.test_growing_skies import NIGHTS, make, shared_pixels
from solvedfield import BORDER, EAST, WEST, Mosaic, begin, expose, mosaic, solved, subtracted
from staleness import agreed_reasons

FACTORS = dict(enumerate((1.02, 1.0, 0.97, 1.04, 1.01, 1.0, 1.03, 0.99, 1.02, 1.05, 1.0, 1.06, 0.98)))
"""By how much less sensitive the instrument was that made each exposure, by its number."""
LAYERS = (WEST, EAST)


def build(folder: Path, factors: dict[int, float]) -> Archive:
    """An archive of the nights of test_growing_skies, seen by an instrument of changing sensitivity."""
    folder.mkdir()
    archive = begin(Archive(folder, str(folder / "mvm.db")), errors=True)
    for night in NIGHTS:
        for number, east, sky in night:
            name = expose(archive, number, BORDER + east, 0.0, sky)
            (path,) = archive.inbox.glob(f"{name}*_flt.fits")
            dim(path, factors.get(number, 1.0))
        make(archive)
    return archive


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return build(tmp_path_factory.mktemp("unlike") / "steady", {})


@pytest.fixture(scope="module")
def dimmed(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return build(tmp_path_factory.mktemp("unlike") / "dimmed", FACTORS)


def photflam(archive: Archive, layer: str) -> float:
    (path,) = archive.products.glob(f"*/{layer}_drz.fits")
    return float(fits.getheader(path, "SCI")["PHOTFLAM"]) / PHOTFLAM


def in_flux(archive: Archive, layer: str) -> Mosaic:
    """A mosaic whose pixels are electrons of PHOTFLAM."""
    made = mosaic(archive, layer)
    made.science[:] *= photflam(archive, layer)
    return made


def test_mosaics_say_what_those_of_a_steady_instrument_say(steady: Archive, dimmed: Archive) -> None:
    for layer in LAYERS:
        here, there = in_flux(dimmed, layer), mosaic(steady, layer)
        np.testing.assert_allclose(here.science, there.science, atol=2e-6, err_msg=layer)


def test_sky_cells_agree_in_flux_where_they_share_pixels(dimmed: Archive) -> None:
    west, east = shared_pixels(in_flux(dimmed, WEST), in_flux(dimmed, EAST)).T
    assert west.size > 10_000
    np.testing.assert_allclose(west, east, atol=2e-6)


def test_skies_are_in_the_electrons_of_each_exposure(steady: Archive, dimmed: Archive) -> None:
    truth, found = solved(steady), solved(dimmed)
    expected = {name: sky / FACTORS[int(name[4:6])] for name, sky in truth.items()}
    assert found == pytest.approx(expected, rel=2e-6, abs=1e-6)  # pixels are float32
    for layer in LAYERS:
        scale = photflam(dimmed, layer)
        for name, sky in subtracted(dimmed, layer).items():
            assert sky == pytest.approx(truth[name] / scale, rel=2e-6, abs=1e-6)
    assert agreed_reasons(dimmed) == {}


def test_a_solution_made_anew_moves_nothing(dimmed: Archive) -> None:
    before = solved(dimmed)
    assert dimmed.reconcile(resky=True).failed == 0
    assert solved(dimmed) == pytest.approx(before, rel=2e-6, abs=1e-6)
    assert dimmed.look().plan.layers == ()


def test_seams_are_told_in_the_electrons_of_the_mosaic(dimmed: Archive) -> None:
    rows = dimmed.rows("SELECT layer, residual, error FROM seam")
    assert rows
    assert max(abs(residual) for _, residual, _ in rows) < 1e-5
