"""Small exposures of WFPC2 for tests: four chips, or some of them, each with its own scale, orientation and gain.

    path = write_wfpc2(folder)                                  # u2eq0201t_flt.fits, as the pipeline makes it
    path = write_wfpc2(folder, form="c0m")                      # u2eq0201t_c0m.fits, with u2eq0201t_c1m.fits beside it
    path = write_wfpc2(folder, chips=(1,), gain=15, rates=...)  # PC1 alone

Keywords, their types and the places of the chips are those of two real headers: of u2eq0201t (`test0.fits` of astropy)
and of u5780205r (among the samples of fits.gsfc.nasa.gov, and in the tests of fitsblender). Pixels have their real
scale; with a smaller `side` the chips lie together as closely. A C0M has the first pointing's WCS: no WCSNAME, no SIP.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import override

FULL = 800
SCALES = {1: 0.0455, 2: 0.0996, 3: 0.0996, 4: 0.0996}
"""Arcsec per pixel, by chip: PC1, WF2, WF3 and WF4."""
GAINS = {7: {1: 7.12, 2: 7.12, 3: 6.90, 4: 7.10}, 15: {1: 13.99, 2: 14.50, 3: 13.95, 4: 13.95}}
READ_NOISES = {7: {1: 5.24, 2: 5.51, 3: 5.22, 4: 5.19}, 15: {1: 7.02, 2: 7.84, 3: 6.99, 4: 8.32}}
PHOTFLAMS = {1: 2.508e-18, 2: 2.458e-18, 3: 2.449e-18, 4: 2.498e-18}
"""Of F814W with gain 7, in erg/s/cm2/Angstrom per DN/s (WFPC2 Data Handbook, table 5.1)."""

# CRPIX of 800 x 800 pixels; CRVAL and CD (of pixels of 2 x 2) of u2eq0201t.
_CRPIX = {1: (420.0, 424.5), 2: (423.5, 414.0), 3: (436.0, 424.5), 4: (423.0, 421.0)}
_CRVAL = {
    1: (215.597167517, -12.7376058132), 2: (215.584896839, -12.7488294839), 3: (215.576094823, -12.7298958814),
    4: (215.596471707, -12.7215152867),
}  # fmt: skip
_CD = {
    1: (2.33019e-05, 9.85029e-06, 9.85462e-06, -2.32916e-05), 2: (2.19546e-05, -5.0801e-05, -5.07551e-05, -2.19745e-05),
    3: (-5.09059e-05, -2.16803e-05, -2.17021e-05, 5.08548e-05),
    4: (-2.11922e-05, 5.11484e-05, 5.11022e-05, 2.12114e-05),
}  # fmt: skip
_CUBIC = -3.5e-8
"""The SIP term of third order along the radius: 5 pixels in the corners of a whole chip."""


def write_wfpc2(
    folder: Path,
    *,
    rootname: str = "u2eq0201t",
    form: str = "flt",
    chips: tuple[int, ...] = (1, 2, 3, 4),
    side: int = 100,
    gain: int = 7,
    exptime: float = 300.0,
    ra: float = 53.05903846302,
    dec: float = -27.70586104406,
    binned: bool = False,
    rates: Mapping[int, np.ndarray] | None = None,
    flags: Mapping[int, np.ndarray] | None = None,
    equalised: bool = False,
    photflams: Mapping[int, float] | None = None,
    c1m: bool = True,
    primary: Mapping[str, object] | None = None,
    sci: Mapping[str, object] | None = None,
) -> Path:
    """Write an exposure into `folder` (made if absent) and return the path of the file with its pixels.

    `form` is flt or c0m; `c1m` whether a C0M has its flags beside it. `side`: pixels along a chip's side. `ra`, `dec`
    (degrees): the middle of PC1. `rates`: electrons/s in each pixel of a chip, by its number (1 elsewhere); they become
    DN by chip and gain. `photflams`: per DN/s, by chip, instead of those of F814W. `equalised`: as photeq leaves an
    FLT, all chips scaled to the PHOTFLAM of WF3. `primary` and `sci` override keywords (None removes one).
    """
    first = fits.PrimaryHDU(header=_primary(rootname, gain, exptime, binned, form))
    pixels, dqs, errors = [], [], []
    for number, chip in enumerate(chips, 1):
        header = sci_header(chip, (ra, dec), side, binned=binned, distorted=form == "flt")
        header.update(
            ROOTNAME=rootname.upper(), EXPNAME=rootname.upper(), PHOTMODE=f"WFPC2,{chip},A2D{gain},F814W,,CAL"
        )
        photflam = photflams[chip] if photflams else photflam_of(chip, gain)
        rate = (rates or {}).get(chip, np.ones((side, side)))
        counts = rate * exptime / GAINS[gain][chip]
        if equalised:
            counts, photflam = counts * photflam / photflam_of(3, gain), photflam_of(3, gain)
        header.update(PHOTFLAM=photflam, PHOTZPT=-21.1, PHOTPLAM=7982.0, PHOTBW=640.0)
        override(header, sci)
        pixels.append(fits.ImageHDU(counts.astype("f4"), header, name="SCI", ver=number))
        dq = np.asarray((flags or {}).get(chip, np.zeros((side, side))), "i2")
        dqs.append(fits.ImageHDU(dq, name="DQ" if form == "flt" else "SCI", ver=number))
        dqs[-1].header.update(DETECTOR=chip, ROOTNAME=rootname.upper())
        with np.errstate(invalid="ignore"):  # the pipeline takes the root of counts, negative ones too
            errors.append(fits.ImageHDU(np.sqrt(counts).astype("f4"), name="ERR", ver=number))
    override(first.header, primary)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{rootname}_{form}.fits"
    _write(path, first, pixels + (dqs + errors if form == "flt" else []))
    if form == "c0m" and c1m:
        marks = fits.PrimaryHDU(header=first.header.copy())
        marks.header["FILETYPE"] = "SDQ"
        _write(folder / f"{rootname}_c1m.fits", marks, dqs)
    return path


def photflam_of(chip: int, gain: int) -> float:
    """A chip's PHOTFLAM per DN/s with a gain."""
    return PHOTFLAMS[chip] * GAINS[gain][chip] / GAINS[7][chip]


def sci_header(
    chip: int, centre: tuple[float, float], side: int = FULL, *, binned: bool = False, distorted: bool = True
) -> fits.Header:
    """The SCI header of a chip; the middle of PC1 is at `centre` (degrees)."""
    share, (ra, dec) = side / FULL, centre
    plane = WCS(naxis=2)
    plane.wcs.ctype, plane.wcs.crval, plane.wcs.cd = ["RA---TAN", "DEC--TAN"], list(_CRVAL[1]), np.eye(2)
    offset = plane.wcs_world2pix([_CRVAL[chip]], 1)[0] * share * (2 if binned else 1)
    plane.wcs.crval = [ra, dec]
    crval = plane.wcs_pix2world([offset], 1)[0]
    cd = np.array(_CD[chip]).reshape(2, 2) / (1 if binned else 2)
    cd *= SCALES[chip] * (2 if binned else 1) / 3600 / math.sqrt(abs(np.linalg.det(cd)))
    crpix = [(value - 0.5) * share + 0.5 for value in _CRPIX[chip]]
    header = fits.Header()
    header.update(
        BUNIT="COUNTS", CRVAL1=crval[0], CRVAL2=crval[1], CRPIX1=crpix[0], CRPIX2=crpix[1],
        CD1_1=cd[0, 0], CD1_2=cd[0, 1], CD2_1=cd[1, 0], CD2_2=cd[1, 1], CTYPE1="RA---TAN", CTYPE2="DEC--TAN",
        MIR_REVR=True, ORIENTAT=math.degrees(math.atan2(cd[0, 1], cd[1, 1])), FILLCNT=0, ERRCNT=0, DETECTOR=chip,
    )  # fmt: skip
    if distorted:
        header.update(
            CTYPE1="RA---TAN-SIP",
            CTYPE2="DEC--TAN-SIP",
            WCSNAME="IDC_v5r1512fu",
            IDCSCALE=SCALES[chip],
            A_ORDER=3,
            B_ORDER=3,
        )
        header.update(dict.fromkeys(("A_3_0", "A_1_2", "B_0_3", "B_2_1"), _CUBIC / share**2))
    return header


def _write(path: Path, primary: fits.PrimaryHDU, images: list[fits.ImageHDU]) -> None:
    primary.header.update(NEXTEND=len(images), FILENAME=path.name)
    fits.HDUList([primary, *images]).writeto(path, overwrite=True)


def _primary(rootname: str, gain: int, exptime: float, binned: bool, form: str) -> fits.Header:
    header = fits.Header()
    header.update({
        "FILETYPE": "SCI", "TELESCOP": "HST", "INSTRUME": "WFPC2", "EQUINOX": 2000.0, "ROOTNAME": rootname,
        "DATE": "2004-01-09T03:26:36",
        "PROCTIME": 53013.14019676, "OPUS_VER": "OPUS 14.5a", "CAL_VER": "2.5.5 (Oct 13, 2008)",
        "MODE": "AREA" if binned else "FULL", "SERIALS": "OFF", "IMAGETYP": "EXT", "CDBSFILE": "NO",
        "FILTNAM1": "F814W", "FILTNAM2": "        ", "FILTER1": 46, "FILTER2": 0, "FILTROT": 0.0, "LRFWAVE": 0.0,
        "KSPOTS": "OFF", "SHUTTER": "A", "ATODGAIN": float(gain), "MASKCORR": "COMPLETE", "ATODCORR": "COMPLETE",
        "BLEVCORR": "COMPLETE", "BIASCORR": "COMPLETE", "DARKCORR": "COMPLETE", "FLATCORR": "COMPLETE",
        "SHADCORR": "OMIT", "DOPHOTOM": "COMPLETE", "MASKFILE": "uref$f8213081u.r0h",
        "DARKFILE": "uref$j2g1549cu.r3h", "FLATFILE": "uref$g640925nu.r4h", "SATURATE": 4095, "READTIME": 464,
        "PA_V3": 49.936909, "MTFLAG": False, "PODPSFF": 0, "UEXPODUR": int(exptime), "DARKTIME": exptime,
        "FGSLOCK": "FINE              ", "DATE-OBS": "1999-02-20", "TIME-OBS": "19:03:13", "EXPSTART": 51229.79390428,
        "EXPEND": 51229.79390428 + exptime / 86400, "EXPTIME": exptime, "EXPFLAG": "NORMAL       ",
        "TARGNAME": "GOODS-S", "PROPOSID": 8019, "PEP_EXPO": "02-030", "LINENUM": "02.030",
    })  # fmt: skip
    if form == "flt":
        header.update(DETECTOR="PC", PRIMESI="PC", DRIZCORR="PERFORM")
    return header
