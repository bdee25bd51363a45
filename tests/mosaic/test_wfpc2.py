"""A source has one flux on PC1 and on the WF chips, with both gains, in FLTs and in pairs of C0M and C1M.

Judged by astropy's WCS and by sums of pixels: a source of one flux (erg/s/cm2/Angstrom) is put on every chip in counts,
by the chip's PHOTFLAM and gain.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import Field, Star, paint_star, plane_stretch
from wfpc2files import GAINS, PHOTFLAMS, SCALES, sci_header, write_wfpc2

from mvmdb.mosaic.make import make_product

RA, DEC = 53.05903846302, -27.70586104406
SIDE = 100
PHOTFLAM = PHOTFLAMS[3] / GAINS[7][3]
"""Of the product: per electron of WF3."""
FLUX = 3000 * PHOTFLAM
SKY = 2.0
"""Electrons/s/arcsec^2 of WF3."""


def chip_rates(chip: int, *, distorted: bool, binned: bool = False) -> np.ndarray:
    """Electrons/s in the pixels of a chip of its own: the sky, and a star in the chip's middle."""
    header = sci_header(chip, (RA, DEC), SIDE, distorted=distorted, binned=binned)
    header.update(NAXIS1=SIDE, NAXIS2=SIDE, IDCSCALE=SCALES[chip] * (2 if binned else 1))
    sensitivity = PHOTFLAMS[chip] / GAINS[7][chip]
    star = paint_star(header, fits.HDUList(), Star(*middle(header), FLUX / sensitivity))
    return SKY * PHOTFLAM / sensitivity * header["IDCSCALE"] ** 2 + star


def middle(header: fits.Header) -> tuple[float, float]:
    """The position of the middle of a chip."""
    ra, dec = WCS(header).all_pix2world(SIDE / 2 + 3.3, SIDE / 2 - 2.7, 0)
    return float(ra), float(dec)


def measure(product: fits.HDUList, place: tuple[float, float], radius: float) -> float:
    """The flux of a source in a product in erg/s/cm2/Angstrom, over pixels within `radius` arcsec."""
    science = product["SCI"]
    x, y = WCS(science.header).all_world2pix(*place, 0)
    rows, columns = np.indices(science.data.shape, sparse=True)
    scale = 3600 * abs(science.header["CD2_2"])
    inside = np.hypot(columns - x, rows - y) * scale < radius
    sky = SKY * scale**2
    return float(np.sum(science.data[inside] - sky)) * science.header["PHOTFLAM"] / plane_stretch(Star(*place, 1.0))


@pytest.mark.parametrize(
    ("form", "gain", "binned", "equalised"),
    [("flt", 7, False, False), ("flt", 15, False, True), ("c0m", 15, False, False), ("c0m", 7, True, False)],
)
def test_a_source_has_the_same_flux_on_every_chip(
    tmp_path: Path, form: str, gain: int, binned: bool, equalised: bool
) -> None:
    distorted = form == "flt"
    rates = {chip: chip_rates(chip, distorted=distorted, binned=binned) for chip in SCALES}
    path = write_wfpc2(
        tmp_path, form=form, gain=gain, side=SIDE, rates=rates, binned=binned, equalised=equalised, ra=RA, dec=DEC
    )
    record = make_product(Field(tmp_path).job([path], mean=1))
    with fits.open(record.path) as product:
        assert product["SCI"].header["PHOTFLAM"] == pytest.approx(PHOTFLAM, rel=1e-6)
        for chip, scale in SCALES.items():
            place = middle(sci_header(chip, (RA, DEC), SIDE, distorted=distorted, binned=binned))
            radius = 10 * scale * (2 if binned else 1)
            assert measure(product, place, radius) == pytest.approx(FLUX, rel=0.005), chip
