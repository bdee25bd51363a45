"""The simulated archive: the exposures of two nights, and their pixels; optics.py and pointing.py give their WCS.

A pixel has the value that it has in a flat-fielded exposure: the mean brightness of the sky over the pixel, times the
nominal pixel area IDCSCALE**2. A uniform sky is therefore flat, a star's summed counts vary with the pixel area across
the detector, and drizzling restores its rate (A. Fruchter and R. Hook 2002, PASP 114, 144).
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

from mvmdb.demo.optics import ACS_WFC, WFC3_IR, DetectorOptics
from mvmdb.demo.pointing import point_detector
from mvmdb.demo.render import StarTable, add_stars, find_star_pixels

log = logging.getLogger(__name__)

PROPOSAL = 90001
# A position 25 arcsec west of the border between sky cells p0647x10y11 and p0647x11y11.
FIELD_RA, FIELD_DEC = 54.8098, -30.0
FIRST_NIGHT = 60310.0  # MJD: 2024-01-01
STAR_SPACING, STAR_ROWS = 11.0, 19  # arcsec; stars in a square, one near each knot
READ_NOISE = {"ir": 15.0, "wfc": 4.0}  # electrons
BAD_PIXEL = 4  # DQ
COSMIC_RAYS, BAD_PIXELS = 400, 300  # per chip
CLEARANCE = 8  # pixels around a star without blemishes, so that each star's true flux is known exactly

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """One exposure of the plan: offsets from the field's middle in arcsec, sky in electrons/s per nominal pixel."""

    rootname: str
    optics: DetectorOptics
    filter: str
    exptime: float
    east: float
    north: float
    sky: float

    @property
    def filename(self) -> str:
        """The pipeline's file name."""
        return f"{self.rootname}_{self.optics.kind}.fits"

    @property
    def visit(self) -> int:
        """Number of the visit, which is also that of the night."""
        return int(self.rootname[4:6])


NIGHTS: dict[int, tuple[Shot, ...]] = {
    1: (
        Shot("idmo01a1q", WFC3_IR, "F125W", 402.9, 0.0, 0.0, 0.61),
        Shot("idmo01a2q", WFC3_IR, "F125W", 402.9, 3.21, 1.37, 0.66),
        Shot("idmo01a3q", WFC3_IR, "F125W", 402.9, 1.48, 4.12, 0.72),
        Shot("idmo01a4q", WFC3_IR, "F125W", 402.9, -2.27, 2.81, 0.79),
        Shot("jdmo01b1q", ACS_WFC, "F814W", 520.0, 4.0, -3.0, 0.11),
        Shot("jdmo01b2q", ACS_WFC, "F814W", 520.0, 1.52, 0.49, 0.14),
    ),
    2: (
        Shot("idmo02c1q", WFC3_IR, "F125W", 502.9, 12.3, 24.6, 0.84),
        Shot("idmo02c2q", WFC3_IR, "F125W", 502.9, 9.1, 27.9, 0.69),
        Shot("idmo02c3q", WFC3_IR, "F160W", 502.9, 12.3, 24.6, 0.58),
        Shot("idmo02c4q", WFC3_IR, "F160W", 502.9, 9.1, 27.9, 0.63),
        Shot("idmo02g1q", WFC3_IR, "G141", 1002.9, 12.3, 24.6, 1.05),
    ),
}
# Position angle of the y axis, degrees: each detector in its own orientation, as the telescope's roll changes.
ORIENTATION = {"ir": 4.0, "wfc": 9.0}


def stars() -> StarTable:
    """The stars of the field, the same in every exposure and filter: ra, dec in degrees (ICRS), rate in electrons/s."""
    rng = np.random.default_rng(zlib.crc32(b"stars of the demo"))
    knots = (np.arange(STAR_ROWS) - (STAR_ROWS - 1) / 2) * STAR_SPACING
    east, north = (grid.ravel() + rng.uniform(-2, 2, grid.size) for grid in np.meshgrid(knots, knots))
    dec = FIELD_DEC + north / 3600
    ra = FIELD_RA + east / 3600 / np.cos(np.radians(dec))
    return StarTable(ra, dec, np.exp(rng.uniform(np.log(300), np.log(3000), ra.size)))


def simulate_night(folder: Path, night: int) -> list[Path]:
    """Write the exposures of one night, 1 or 2, and return their paths. The bytes are the same every time.

    Raises KeyError for a night that is not simulated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    catalog = stars()
    paths = []
    for number, shot in enumerate(NIGHTS[night]):
        path = folder / shot.filename
        simulate_exposure(shot, catalog, number).writeto(path, overwrite=True)
        log.info("simulated %s: %s %s, %.1f s", shot.filename, shot.optics.detector.upper(), shot.filter, shot.exptime)
        paths.append(path)
    return paths


def simulate_exposure(shot: Shot, catalog: StarTable, number: int = 0) -> fits.HDUList:
    """One exposure, the `number`-th of its night (0-based), as PRIMARY and SCI, ERR, DQ for each chip."""
    rng = np.random.default_rng(zlib.crc32(shot.rootname.encode()))
    ra = FIELD_RA + shot.east / 3600 / np.cos(np.radians(FIELD_DEC))
    headers = point_detector(shot.optics, ra, FIELD_DEC + shot.north / 3600, ORIENTATION[shot.optics.detector])
    hdus = fits.HDUList([fits.PrimaryHDU(header=_primary_header(shot, number))])
    for version, (header, chip) in enumerate(zip(headers, shot.optics.chips, strict=True), start=1):
        science, error, quality = _expose_chip(shot, header, chip.shape, catalog, rng, version)
        header["EXPNAME"] = shot.rootname
        header["BUNIT"] = shot.optics.bunit
        header["IDCTHETA"] = 45.0 if shot.optics.detector == "ir" else 0.0
        if chip.ccdchip is not None:
            header["CCDCHIP"] = chip.ccdchip
        header.update(_photometry(shot))
        for name, data in (("SCI", science), ("ERR", error), ("DQ", quality)):
            hdus.append(fits.ImageHDU(data, header, name=name, ver=version))
    return hdus


def _expose_chip(
    shot: Shot, header: fits.Header, shape: tuple[int, int], catalog: StarTable, rng: np.random.Generator, version: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int16]]:
    """SCI and ERR in the detector's units, and DQ."""
    wcs = WCS(header)
    x, y, near = find_star_pixels(wcs, shape, catalog)
    rate = np.full(shape, shot.sky)
    add_stars(rate, wcs, x, y, catalog.rate[near], shot.optics.idcscale)
    noise = np.sqrt(rate * shot.exptime + READ_NOISE[shot.optics.detector] ** 2) / shot.exptime
    science = rate + noise * rng.standard_normal(shape)
    quality = np.zeros(shape, np.int16)
    clear = _away_from(shape, x, y)
    hits = _choose(rng, clear, COSMIC_RAYS)
    science[hits] += rng.exponential(40, len(hits[0]))
    quality[hits] |= shot.optics.cosmic_ray_bit
    # Bad pixels belong to the detector: they are the same in every exposure, except those near a star.
    fixed = np.random.default_rng(zlib.crc32(f"{shot.optics.detector} chip {version}".encode()))
    everywhere = np.ones(shape, np.bool_)
    rows, columns = _choose(fixed, everywhere, BAD_PIXELS)
    kept = clear[rows, columns]
    science[rows[kept], columns[kept]] += 25.0
    quality[rows[kept], columns[kept]] |= BAD_PIXEL
    unit = shot.exptime if shot.optics.bunit == "ELECTRONS" else 1.0
    return (science * unit).astype(np.float32), (noise * unit).astype(np.float32), quality


def _away_from(shape: tuple[int, int], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Mask:
    """Which pixels are farther than CLEARANCE from every star at 0-based `x`, `y`."""
    clear = np.ones(shape, np.bool_)
    for column, row in zip(np.rint(x).astype(int), np.rint(y).astype(int), strict=True):
        rows = slice(max(0, row - CLEARANCE), max(0, row + CLEARANCE + 1))
        clear[rows, max(0, column - CLEARANCE) : max(0, column + CLEARANCE + 1)] = False
    return clear


def _choose(rng: np.random.Generator, allowed: Mask, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of `count` different allowed pixels."""
    chosen = rng.choice(np.flatnonzero(allowed), count, replace=False)
    rows, columns = np.unravel_index(chosen, allowed.shape)
    return rows, columns


def _primary_header(shot: Shot, number: int) -> fits.Header:
    start = FIRST_NIGHT + shot.visit + number * 1200 / 86400
    day, clock = Time(start, format="mjd").isot.split("T")
    ir = shot.optics.detector == "ir"
    header = fits.Header()
    header.update(TELESCOP="HST", INSTRUME=shot.optics.instrument.upper(), DETECTOR=shot.optics.detector.upper())
    header.update(ROOTNAME=shot.rootname, FILENAME=shot.filename, FILETYPE="SCI", NEXTEND=3 * len(shot.optics.chips))
    header.update(IMAGETYP="EXT", OBSTYPE="SPECTROSCOPIC" if shot.filter.startswith("G") else "IMAGING")
    header.update({"FILTER": shot.filter} if ir else {"FILTER1": "CLEAR1L", "FILTER2": shot.filter})
    header.update(TARGNAME="MVMDB-DEMO", RA_TARG=FIELD_RA, DEC_TARG=FIELD_DEC, PROPOSID=PROPOSAL)
    header.update(LINENUM=f"{shot.visit:02d}.{number + 1:03d}", APERTURE="IR-FIX" if ir else "WFC", SUBARRAY=False)
    header["DATE-OBS"], header["TIME-OBS"] = day, clock.split(".")[0]
    header.update(EXPSTART=start, EXPEND=start + shot.exptime / 86400, EXPTIME=shot.exptime, EXPFLAG="NORMAL")
    header.update(FGSLOCK="FINE", MTFLAG=" ", QUALITY=" ", GYROMODE="T", REFFRAME="ICRS", DRIZCORR="PERFORM")
    header.update({"SCAN_TYP": "N", "SAMP_SEQ": "SPARS25"} if ir else {"CCDAMP": "ABCD", "CCDGAIN": 2.0})
    header.update(_photometry(shot) if ir else {})
    header.update(IDCTAB=shot.optics.idctab, CAL_VER="simulated", PROCTIME=start + 1.0, DATE=day)
    return header


def _photometry(shot: Shot) -> dict[str, str | float]:
    """PHOT keywords: pivot wavelengths in Angstrom; the inverse sensitivity is a round number of the right order."""
    pivot = {"F125W": 12486.0, "F160W": 15369.0, "G141": 13886.0, "F814W": 8045.0}[shot.filter]
    mode = f"{shot.optics.instrument} {shot.optics.detector} {shot.filter}".upper()
    return {"PHOTMODE": mode, "PHOTFLAM": 2.0e-20, "PHOTZPT": -21.1, "PHOTPLAM": pivot, "PHOTBW": pivot / 14}
