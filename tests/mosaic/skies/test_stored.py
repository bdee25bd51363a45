"""Skies of chips with unlike gains, as files hold them: WF2 of one exposure lies where WF3 of the other does.

Judged by arithmetic: both see one brightness in electrons, so the counts of one are those of the other by their gains.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import CELL, Field
from wfpc2files import GAINS, PHOTFLAMS, SCALES, sci_header, write_wfpc2

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.skies.measure import measure_pairs
from mvmdb.mosaic.skies.source import SkySource
from mvmdb.recipe import Recipe
from mvmdb.records import SkyPair
from mvmdb.sky.region import parse_region

RA, DEC, SIDE, EXPTIME = 53.05903846302, -27.70586104406, 100, 300.0
GAIN = GAINS[7]
SENSITIVITIES = {chip: PHOTFLAMS[3] * gain / GAIN[3] for chip, gain in GAIN.items()}
"""PHOTFLAM per count of chips that are equally sensitive per electron."""


def expose(folder: Path, root: str, sky: float, *, moved: bool = False, equalised: bool = False, bad: int = 0) -> Path:
    """WF2 and WF3 with a sky in electrons/s/arcsec^2; `moved` so that WF3 lies where WF2 of the others does.

    All pixels of the chip `bad`, if any, are flagged.
    """
    step = np.zeros(2)
    if moved:
        wf2, wf3 = (sci_header(chip, (RA, DEC), SIDE) for chip in (2, 3))
        step = np.array([wf2[key] - wf3[key] for key in ("CRVAL1", "CRVAL2")])
    rates = {chip: np.full((SIDE, SIDE), sky * SCALES[chip] ** 2) for chip in (2, 3)}
    return write_wfpc2(
        folder, rootname=root, chips=(2, 3), side=SIDE, exptime=EXPTIME, ra=RA + step[0], dec=DEC + step[1],
        rates=rates, photflams=SENSITIVITIES, equalised=equalised, flags={bad: np.full((SIDE, SIDE), 4)},
    )  # fmt: skip


def measure(field: Field, paths: list[Path], recipe: Recipe) -> SkyPair:
    """The pair of two exposures."""
    grid = LayerGrid(CELL, "fine", field.job(paths).canvas)
    sources = [
        SkySource(e.ipppssoo, str(path), tuple(grid.outlines_on_canvas(parse_region(e.s_region))))
        for path, e in ((path, read_exposure(path).exposure) for path in paths)
    ]
    (pair,) = measure_pairs(sources, {0: [1], 1: [0]}, grid, recipe)
    return pair


@pytest.mark.parametrize("equalised", [False, True])
def test_counts_are_matched_as_they_are_stored(field: Field, tmp_path: Path, equalised: bool) -> None:
    paths = [
        expose(tmp_path, "u2eq0201t", 2.0, equalised=equalised, bad=3),
        expose(tmp_path, "u2eq0202t", 2.0, equalised=equalised, bad=2, moved=True),
    ]
    stored = field.job(paths).recipe
    electrons = replace(stored, sky_units="electrons")
    assert stored.sky_units == "stored"
    pair = measure(field, paths, electrons)
    assert (pair.first_sky, pair.second_sky) == pytest.approx((2.0, 2.0), rel=1e-6)
    assert pair.first_pixels > 0.9 * SIDE**2
    if equalised:
        assert measure(field, paths, stored) == pair
    else:
        pair = measure(field, paths, stored)
        assert pair.first_sky == pytest.approx(2.0 * GAIN[3] / GAIN[2], rel=1e-6)
        assert pair.second_sky == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("units", ["stored", "electrons"])
def test_one_number_of_counts_or_of_electrons_is_subtracted_from_all_chips(
    field: Field, tmp_path: Path, units: str
) -> None:
    paths = [expose(tmp_path, root, sky) for root, sky in (("u2eq0201t", 3.0), ("u2eq0202t", 2.0))]
    recipe = replace(field.job(paths).recipe, sky_units=units)
    record = make_product(field.job(paths, recipe=recipe))
    with fits.open(record.path) as product:
        table, science = product["HDRTAB"].data, product["SCI"]
        first, second = (table[table["IPPPSSOO"] == name] for name in ("u2eq0201", "u2eq0202"))
        counts = dict(zip(first["CCDCHIP"].tolist(), first["MDRIZSKY"] / SCALES[3] ** 2 / EXPTIME, strict=True))
        found = {chip: brightness(science, chip) for chip in counts}
    assert not second["MDRIZSKY"].any()
    matched = 1.0 if units == "electrons" else np.mean([GAIN[3] / GAIN[chip] for chip in (2, 3)])
    assert first["SKY"] == pytest.approx(matched, rel=0.001)
    expected = {chip: matched / GAIN[chip if units == "electrons" else 3] for chip in (2, 3)}
    assert counts == pytest.approx(expected, rel=0.001)
    # The mean of both: the lower sky is left in it, and of the other what the counts of the chip did not hold.
    assert found == pytest.approx({chip: (5.0 - expected[chip] * GAIN[chip]) / 2 for chip in (2, 3)}, rel=5e-4)


def brightness(science: fits.ImageHDU, chip: int) -> float:
    """SCI in the middle of a chip, in electrons/s/arcsec^2."""
    ra, dec = WCS(sci_header(chip, (RA, DEC), SIDE)).all_pix2world(SIDE / 2, SIDE / 2, 0)
    x, y = WCS(science.header).all_world2pix(ra, dec, 0)
    return float(science.data[round(float(y)), round(float(x))]) / (3600 * science.header["CD2_2"]) ** 2
