"""One layer of real exposures on a small canvas: the depth, the sky and the pixels that it must have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import CELL, Field

from mvmdb.mosaic.make import make_product
from mvmdb.records import Canvas, LayerJob
from mvmdb.sky.tessellation import cell_wcs

POSITION = (53.0543, -27.7111)  # degrees; all six exposures of visit 04 contain it
NOMINAL, PIXEL = 0.1282500028610229, (0.13543, 0.12096)  # IDCSCALE and true pixel sides, arcsec

# SKYUSER (electrons/s per pixel) that stsci.skypac 1.0.12 gives these files by `match` of medians, 5 clips at 4 sigma,
# lower -100, without a DQ mask.
PEER = {
    "ib6o04tu": 0.002742022,
    "ib6o04tw": 0.008173890,
    "ib6o04u7": 0.008448283,
    "ib6o04ua": 0.0,
    "ib6o04ue": 0.002167177,
    "ib6o04uw": 0.009955704,
}


@pytest.fixture
def job(ers_folder: Path, field: Field) -> LayerJob:
    paths = sorted(ers_folder.glob("ib6o04*_flt.fits"))
    x, y = (round(float(v)) for v in cell_wcs(CELL).wcs_world2pix(*POSITION, 1))
    return field.job(paths, mean=6, canvas=Canvas(x - 150, x + 149, y - 120, y + 119))


@pytest.mark.shared
def test_skies_of_real_exposures_are_those_of_the_peer(job: LayerJob) -> None:
    record = make_product(replace(job, recipe=replace(job.recipe, sky_good_bits=65535)))
    skies = {member.ipppssoo: (member.sky or 0.0) * NOMINAL**2 for member in record.members}
    assert skies == pytest.approx(PEER, abs=3e-5)


@pytest.mark.shared
def test_real_layer_has_the_members_depth_weight_and_level(job: LayerJob) -> None:
    record = make_product(job)
    with fits.open(record.path) as hdus:
        science, header = hdus["SCI"].data.astype("f8"), hdus[0].header
        assert science.shape == (240, 300)
        assert (header["MEANNEXP"], header["NDRIZIM"]) == (6, 6)
        assert np.isnan(science).mean() < 1e-3
        exptime = sum(member.exptime for member in record.members)
        assert header["MEDWHT"] == pytest.approx(exptime * 0.04**2 / (PIXEL[0] * PIXEL[1]), rel=0.03)
        assert WCS(hdus["SCI"].header).wcs_world2pix([POSITION], 0)[0] == pytest.approx([150, 120], abs=0.6)
    levels = []
    for member in job.members:
        with fits.open(member.path) as hdus:
            column, row = (round(float(v)) for v in WCS(hdus["SCI"].header).all_world2pix(*POSITION, 0))
            box = np.s_[row - 35 : row + 36, column - 35 : column + 36]
            levels.append(np.median(hdus["SCI"].data[box][hdus["DQ"].data[box] == 0]))
    skies = np.array([member.sky for member in record.members], float) * NOMINAL**2
    assert np.ptp(levels - skies) < 0.5 * np.ptp(levels)
    # Not to the last percent: faint sources move the median of one noisy exposure less than that of six together.
    assert np.nanmedian(science) == pytest.approx(np.median(levels - skies) * (0.04 / NOMINAL) ** 2, rel=0.04)
