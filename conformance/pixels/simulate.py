"""Simulates full-size two-chip exposures with every type of distortion, for the comparison with drizzlepac.

WFC3/UVIS: SIP, NPOL and D2IM of a real exposure, from ../shared. ACS/WFC: the SIP of the demonstration's optics, with
NPOL and D2IM tables of the size, spacing and amplitude in its archive header (../shared does not have their values).
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.demo.optics import ACS_WFC, ChipOptics, DetectorOptics
from mvmdb.demo.pointing import point_detector
from mvmdb.demo.render import StarTable, add_stars, find_star_pixels

FULL_ACS = (2048, 4096)
READ_NOISE = 4.0  # electrons
COSMIC_RAY, BAD_PIXEL = 4096, 4  # DQ
COSMIC_RAYS, BAD_PIXELS = 4000, 2000  # per chip
STARS, REACH = 400, 140.0  # stars within REACH arcsec of the field's middle along either axis
# Extension, and the keywords of its type, its record and its largest value.
DISTORTIONS = (("WCSDVARR", "CPDIS", "DP", "CPERR"), ("D2IMARR", "D2IMDIS", "D2IM", "D2IMERR"))

Table = tuple[np.ndarray, float, float]
"""Values, and their spacing along x and y in pixels."""


@dataclass(frozen=True)
class Camera:
    """A detector, for each chip its tables of axis 1 and 2 by extension name, and a primary header to fill."""

    optics: DetectorOptics
    filter: str
    tables: tuple[dict[str, tuple[Table, Table]], ...]
    primary: fits.Header


@dataclass(frozen=True)
class Shot:
    """One exposure: offsets from the field's middle (arcsec), position angle of y (degrees), sky (electrons/s)."""

    root: str
    exptime: float
    east: float
    north: float
    angle: float
    sky: float


def make_acs(headers: Path) -> Camera:
    """ACS/WFC with both chips whole."""
    optics = replace(ACS_WFC, chips=tuple(replace(c, corner=(0, 0), shape=FULL_ACS) for c in ACS_WFC.chips))
    text = (headers / "acs_wfc.hdr").read_text().split("\nEXTNAME")[0]  # PRIMARY; the header of SCI 1 follows
    primary = fits.Header.fromstring("".join(line.ljust(80)[:80] for line in text.splitlines()))
    rng = np.random.default_rng(zlib.crc32(b"tables of ACS"))
    # NPOL: +-0.08 pixel, as in CPERR1 and CPERR2. D2IM: one step of up to 0.003 pixel every 68.27 columns.
    steps = rng.uniform(-0.0028, 0.0028, 60)[np.floor(np.arange(4096) / 68.27).astype(int)]
    column = (np.tile(steps, (2, 1)).astype("f4"), 1.0, 2048.0)
    flat = (np.zeros((2, 2), "f4"), 4096.0, 2048.0)
    tables = tuple({"WCSDVARR": (_npol(rng), _npol(rng)), "D2IMARR": (column, flat)} for _ in optics.chips)
    return Camera(optics, "F814W", tables, primary)


def make_uvis(headers: Path) -> Camera:
    """WFC3/UVIS as in a real exposure, whose last headerlet holds the tables in full size."""
    with fits.open(headers / "sample_svm_flc.fits", memmap=False) as hdus:
        primary = hdus[0].header.copy()
        chips = tuple(_chip_optics(hdus["SCI", version].header) for version in (1, 2))
        idcscale = hdus["SCI", 1].header["IDCSCALE"]
        with fits.open(io.BytesIO(hdus["HDRLET", 10].data.tobytes()), memmap=False) as headerlet:
            tables = tuple(_tables(headerlet, version) for version in (1, 2))
    name = "IDC_2731450pi"
    optics = DetectorOptics("wfc3", "uvis", "flc", "ELECTRONS", idcscale, primary["IDCTAB"], name, COSMIC_RAY, chips)
    return Camera(optics, "F606W", tables, primary)


def simulate(camera: Camera, shot: Shot, ra: float, dec: float) -> fits.HDUList:
    """One exposure of the field about `ra`, `dec` (degrees), PRIMARY, SCI, ERR and DQ of each chip, and the tables."""
    stars = _stars(ra, dec)
    rng = np.random.default_rng(zlib.crc32(shot.root.encode()))
    position = (ra + shot.east / 3600 / np.cos(np.radians(dec)), dec + shot.north / 3600)
    hdus = fits.HDUList([fits.PrimaryHDU(header=_primary(camera, shot))])
    hdus[0].header.update(RA_TARG=ra, DEC_TARG=dec)
    tables: list[fits.ImageHDU] = []
    headers = point_detector(camera.optics, *position, shot.angle)
    for version, (header, chip) in enumerate(zip(headers, camera.optics.chips, strict=True), start=1):
        header.update(BUNIT="ELECTRONS", CCDCHIP=chip.ccdchip, EXPNAME=shot.root, ROOTNAME=shot.root, MDRIZSKY=0.0)
        header.update(OCX10=0.0, OCX11=camera.optics.idcscale, OCY10=camera.optics.idcscale, OCY11=0.0)
        header.update(PHOTFLAM=7.0e-20, PHOTPLAM=8000.0, PHOTZPT=-21.1, PHOTBW=600.0, PHOTMODE="SIMULATED")
        plain = header.copy()  # without the keywords of tables, for ERR and DQ
        tables += _add_tables(header, camera.tables[version - 1], version)
        science, error, quality = _expose(header, [*hdus, *tables], chip, camera.optics, shot, stars, rng)
        header.update(NGOODPIX=science.size, GOODMEAN=float(science.mean()), MEANDARK=0.1)
        for name, data in (("SCI", science), ("ERR", error), ("DQ", quality)):
            hdus.append(fits.ImageHDU(data, header if name == "SCI" else plain, name=name, ver=version))
    hdus.extend(tables)
    hdus[0].header["NEXTEND"] = len(hdus) - 1
    return hdus


def _expose(
    header: fits.Header,
    hdus: list[fits.ImageHDU],
    chip: ChipOptics,
    optics: DetectorOptics,
    shot: Shot,
    stars: StarTable,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SCI and ERR in electrons, and DQ."""
    wcs = WCS(header, fits.HDUList(hdus))
    x, y, near = find_star_pixels(wcs, chip.shape, stars)
    rate = np.full(chip.shape, shot.sky)
    add_stars(rate, wcs, x, y, stars.rate[near], optics.idcscale)
    error = np.sqrt(rate * shot.exptime + READ_NOISE**2)
    science = rate * shot.exptime + error * rng.standard_normal(chip.shape)
    quality = np.zeros(chip.shape, np.int16)
    for bit, count, level in ((COSMIC_RAY, COSMIC_RAYS, 2000.0), (BAD_PIXEL, BAD_PIXELS, -300.0)):
        hit = np.unravel_index(rng.choice(science.size, count, replace=False), chip.shape)
        science[hit] += rng.exponential(abs(level), count) * np.sign(level)
        quality[hit] |= bit
    return science.astype("f4"), error.astype("f4"), quality


def _primary(camera: Camera, shot: Shot) -> fits.Header:
    header, optics = camera.primary.copy(), camera.optics
    header.update(ROOTNAME=shot.root, FILENAME=f"{shot.root}_flc.fits", EXPTIME=shot.exptime, TEXPTIME=shot.exptime)
    header.update(EXPEND=header["EXPSTART"] + shot.exptime / 86400, PROPOSID=90002, LINENUM="01.001", MTFLAG=" ")
    wheels = {"FILTER": camera.filter}
    header.update(wheels if optics.detector == "uvis" else {"FILTER1": "CLEAR1L", "FILTER2": camera.filter})
    # There are no reference files of the exposure whose header this is; the tables are in the file itself.
    header.update(QUALITY=" ", DRIZCORR="PERFORM", PCTECORR="COMPLETE", IDCTAB="N/A", NPOLFILE="N/A", D2IMFILE="N/A")
    return header


def _add_tables(header: fits.Header, tables: dict[str, tuple[Table, Table]], chip: int) -> list[fits.ImageHDU]:
    """Name the tables in a chip's header, and return their extensions."""
    hdus = []
    for extname, type_key, record, error in DISTORTIONS:
        for axis, (values, x_step, y_step) in enumerate(tables[extname], start=1):
            version = 2 * (chip - 1) + axis
            header[f"{type_key}{axis}"] = "LOOKUP"
            for text in (f"EXTVER: {version}", "NAXES: 2", "AXIS.1: 1", "AXIS.2: 2"):
                header.append((f"{record}{axis}", text), end=True)
            header[f"{error}{axis}"] = float(np.abs(values).max())
            table = fits.ImageHDU(values, name=extname, ver=version)
            table.header.update(CRPIX1=0.0, CRPIX2=0.0, CRVAL1=0.0, CRVAL2=0.0, CDELT1=x_step, CDELT2=y_step)
            hdus.append(table)
    return hdus


def _chip_optics(header: fits.Header) -> ChipOptics:
    terms = {
        letter: {(int(k[2]), int(k[4])): header[k] for k in header[f"{letter}_*_*"] if k[2].isdigit() and len(k) == 5}
        for letter in "AB"
    }
    cd = tuple(tuple(header[f"CD{i}_{j}"] for j in (1, 2)) for i in (1, 2))
    crval, crpix = (header["CRVAL1"], header["CRVAL2"]), (header["CRPIX1"], header["CRPIX2"])
    return ChipOptics(header["CCDCHIP"], crval, crpix, cd, terms["A"], terms["B"], (0, 0), (2051, 4096))


def _tables(headerlet: fits.HDUList, chip: int) -> dict[str, tuple[Table, Table]]:
    tables = {}
    for extname, *_ in DISTORTIONS:
        pair = [headerlet[extname, 2 * (chip - 1) + axis] for axis in (1, 2)]
        tables[extname] = tuple((t.data.astype("f4"), t.header["CDELT1"], t.header["CDELT2"]) for t in pair)
    return tables


def _npol(rng: np.random.Generator) -> Table:
    """33 x 65 values 64 pixels apart: waves of a third of a chip's length, and noise."""
    y, x = np.mgrid[:33, :65] / 32.0
    phase = rng.uniform(0, 2 * np.pi, 2)
    values = 0.05 * np.sin(4 * x + phase[0]) * np.cos(5 * y + phase[1]) + rng.normal(0, 0.01, x.shape)
    return values.astype("f4"), 64.0, 64.0


def _stars(ra: float, dec: float) -> StarTable:
    rng = np.random.default_rng(zlib.crc32(b"stars of the comparison"))
    east, north = rng.uniform(-REACH, REACH, (2, STARS))
    rate = np.exp(rng.uniform(np.log(5), np.log(3000), STARS))
    return StarTable(ra + east / 3600 / np.cos(np.radians(dec)), dec + north / 3600, rate)
