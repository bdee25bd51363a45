"""Simulates full-size exposures of WFPC2 for the comparison with drizzlepac: four chips with SIP, noise and flags.

All chips are equally sensitive per electron, so that equalising them, which mvmdb does and drizzlepac leaves to photeq,
changes nothing: what is compared is all the rest.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from wfpc2files import GAINS, SCALES, sci_header, write_wfpc2

from mvmdb.demo.render import StarTable, add_stars, find_star_pixels

SIDE = 800
SHOTS = (("a", 0.0, 0.0, 2.6), ("b", 2.3, -1.7, 3.4), ("c", -1.2, 3.1, 2.2))
"""Letter, offsets in arcsec, and sky in electrons/s/arcsec^2: skies differ by tens of percent, as those of SHOTS in
exposures.py do."""
STARS, REACH, NOISE, EXPTIME, GAIN = 500, 110.0, 0.02, 500.0, 7
BAD, SHADOWED, BAD_PIXELS = 4, 2, 800
PHOTFLAM = 3.5e-19


def simulate_wfpc2(folder: Path, ra: float, dec: float) -> None:
    """Write the exposures of SHOTS around a position (degrees) as FLTs, named as by the single-visit pipeline."""
    rng = np.random.default_rng(zlib.crc32(b"wfpc2 of the comparison"))
    east, north = rng.uniform(-REACH, REACH, (2, STARS))
    rate = np.exp(rng.uniform(np.log(3), np.log(1000), STARS))
    stars = StarTable(ra + east / 3600 / np.cos(np.radians(dec)), dec + north / 3600, rate)
    for letter, x, y, sky in SHOTS:
        centre = ra + x / 3600 / np.cos(np.radians(dec)), dec + y / 3600
        chips = {chip: _expose(chip, centre, sky, stars, rng) for chip in SCALES}
        root = f"u2mo01{letter}1t"
        path = write_wfpc2(
            folder, rootname=root, side=SIDE, gain=GAIN, exptime=EXPTIME, ra=centre[0], dec=centre[1],
            rates={chip: rates for chip, (rates, _) in chips.items()},
            flags={chip: flags for chip, (_, flags) in chips.items()},
            photflams={chip: PHOTFLAM * gain for chip, gain in GAINS[GAIN].items()},
            primary={"PROPOSID": 90002, "LINENUM": "01.001", "QUALITY": " ", "IDCTAB": "N/A", "OFFTAB": "N/A",
                     "DGEOFILE": "N/A", "NPOLFILE": "N/A", "D2IMFILE": "N/A"},
        )  # fmt: skip
        path.rename(folder / f"hst_90002_01_wfpc2_pc_f814w_{root[:8]}_flt.fits")


def _expose(
    chip: int, centre: tuple[float, float], sky: float, stars: StarTable, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Electrons/s, and DQ."""
    wcs, scale = WCS(sci_header(chip, centre, SIDE), fits.HDUList()), SCALES[chip]
    rates = np.full((SIDE, SIDE), sky * scale**2)
    x, y, near = find_star_pixels(wcs, rates.shape, stars)
    add_stars(rates, wcs, x, y, stars.rate[near], scale)
    rates += rng.normal(0.0, NOISE, rates.shape)
    flags = np.zeros(rates.shape, np.int16)
    flags[:40], flags[:, :40] = SHADOWED, SHADOWED  # by the pyramid's edges
    hit = np.unravel_index(rng.choice(rates.size, BAD_PIXELS, replace=False), rates.shape)
    rates[hit], flags[hit] = -3.0, flags[hit] | BAD
    return rates, flags
