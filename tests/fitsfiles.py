"""Small FLT and FLC files for tests: layout, keywords and distortion as in the archive, sizes as small as a test needs.

    path = write_exposure(folder)                                       # WFC3/IR F125W, 64 x 64 pixels
    path = write_exposure(folder, rootname="j8oz04kpq", detector="WFC", chips=2, kind="flc")
    path = write_exposure(folder, primary={"MTFLAG": "T"}, sci={"WCSNAME": None})   # None removes a keyword
    realign(path, dec_arcsec=0.3, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")         # a new WCS, same pixels

Pixels have their real scale, so a small shape is a small footprint; SIP coefficients are scaled so that the whole
distortion of a full chip lies over the small one. The bytes depend on the arguments alone.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS


@dataclass(frozen=True)
class _Detector:
    """What a detector's headers hold: pixel sides and IDCSCALE in arcsec, full chip size, units, filters, SIP terms."""

    instrument: str
    root: str
    scale: tuple[float, float]
    idcscale: float
    full: tuple[int, int]
    bunit: str
    filters: str
    wcsname: str
    sip: Mapping[str, float]


_IR_SIP = {
    "A_0_2": 4.73630640333079e-08, "A_1_1": 2.44489619913889e-05, "A_2_0": -1.8678411786277e-07,
    "A_0_3": 2.65011000430244e-11, "A_1_2": 5.07616164062598e-11, "A_3_0": -1.8769691205859e-10,
    "A_4_0": -3.1314754837293e-13, "A_1_3": 5.55221560333543e-13,
    "B_0_2": 2.99875048026693e-05, "B_1_1": -2.0379403931148e-07, "B_2_0": 6.97816138011029e-06,
    "B_0_3": -2.0092851573342e-10, "B_2_1": -2.8558390691514e-10, "B_3_0": 3.66824943640799e-11,
    "B_0_4": 7.52827599670567e-13, "B_4_0": -6.4384058620497e-13,
}  # fmt: skip
_WFC_SIP = {
    "A_0_2": 2.16615952976212e-06, "A_1_1": -5.1974576466834e-06, "A_2_0": 8.55127758255650e-06,
    "A_0_3": 1.08193519820265e-11, "A_1_2": -5.2348707436924e-10, "A_3_0": -4.7304448292227e-10,
    "B_0_2": -7.2168814507744e-06, "B_1_1": 6.18443235774478e-06, "B_2_0": -1.7464918770586e-06,
    "B_0_3": -4.1754720492749e-10, "B_2_1": -5.0857161673862e-10, "B_3_0": 8.56763542781631e-11,
}  # fmt: skip
_UVIS_SIP = {
    "A_0_2": 9.68752216541829e-08, "A_1_1": -3.0073309899834e-06, "A_2_0": 2.93081163466262e-06,
    "A_0_3": 1.83977137395279e-11, "A_3_0": 3.05584134653132e-11,
    "B_0_2": -3.1182425747255e-06, "B_1_1": 2.81470255140448e-06, "B_2_0": -5.8319285504418e-08,
    "B_0_3": 1.49270537925503e-11, "B_3_0": 1.80116277193471e-13,
}  # fmt: skip
_HRC_SIP = {
    "A_0_2": -7.0889395968097e-07, "A_1_1": 9.01865480733676e-06, "A_2_0": -3.3163602099644e-06,
    "B_0_2": 1.15076965205490e-05, "B_1_1": -2.6697404172385e-06, "B_2_0": 2.00059877639217e-06,
}  # fmt: skip

_DETECTORS = {
    "IR": _Detector("WFC3", "ib6o04tuq", (0.13543, 0.12096), 0.1282500028610229, (1014, 1014), "ELECTRONS/S",
                    "F125W", "IDC_w3m18525i", _IR_SIP),
    "UVIS": _Detector("WFC3", "ib4606c5q", (0.03978, 0.03977), 0.03962000086903572, (4096, 2051), "ELECTRONS",
                      "F606W", "IDC_2731450pi", _UVIS_SIP),
    "WFC": _Detector("ACS", "j8oz04kpq", (0.04987, 0.0503), 0.05, (4096, 2048), "ELECTRONS",
                     "CLEAR1L;F814W", "IDC_qbu1641sj", _WFC_SIP),
    "HRC": _Detector("ACS", "j8bt06nyq", (0.02828, 0.02484), 0.025, (1024, 1024), "ELECTRONS",
                     "F606W;CLEAR2S", "IDC_n721640fj", _HRC_SIP),
    "SBC": _Detector("ACS", "j9l701a1q", (0.0337, 0.0301), 0.025, (1024, 1024), "ELECTRONS",
                     "F150LP;N/A", "IDC_v8q1444tj", _HRC_SIP),
    "PC": _Detector("WFPC2", "u2mc0301t", (0.04555, 0.04555), 0.0455, (800, 800), "ELECTRONS",
                    "F814W;", "IDC_v5r1512fu", {}),
}  # fmt: skip


def write_exposure(
    folder: Path,
    *,
    rootname: str | None = None,
    instrument: str | None = None,
    detector: str = "IR",
    filters: str | None = None,
    exptime: float = 802.934753,
    expstart: float = 55093.63386886,
    proctime: float = 57645.53663194,
    ra: float = 53.05903846302,
    dec: float = -27.70586104406,
    orientat: float = 163.7182981980652,
    shape: tuple[int, int] = (64, 64),
    chips: int = 1,
    kind: str = "flt",
    wcsname: str | None = None,
    science: np.ndarray | Sequence[np.ndarray] | None = None,
    dq: np.ndarray | Sequence[np.ndarray] | None = None,
    errors: np.ndarray | Sequence[np.ndarray] | bool = True,
    sip: bool = True,
    lookup_tables: bool = False,
    primary: Mapping[str, object] | None = None,
    sci: Mapping[str, object] | None = None,
    filename: str | None = None,
) -> Path:
    """Write one exposure into `folder` (made if absent) and return its path.

    `ra`, `dec` (degrees) is the middle of the exposure, the gap between the chips if there are two; `orientat` the
    position angle of the y axis in degrees east of north; `shape` is (rows, columns) of each chip; `filters` is as
    in a poller (`CLEAR1L;F814W`). `science`, `dq` and `errors` are one array per chip (a single array serves all
    chips); ERR is 1 where none are given, and absent where `errors` is False. `primary` and `sci` override
    header keywords (None removes one). `instrument` need not be given: it follows from `detector`. `lookup_tables`
    adds NPOL and D2IM tables (`WCSDVARR`, `D2IMARR`) of a few hundredths of a pixel.
    """
    known = _DETECTORS[detector]
    root = rootname or known.root
    rng = np.random.default_rng(zlib.crc32(root.encode()))
    pictures = _per_chip(science, chips) or [_noise(rng, shape, known, exptime) for _ in range(chips)]
    flags = _per_chip(dq, chips) or [np.zeros(picture.shape, "i2") for picture in pictures]
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(
        _primary(root, kind, instrument or known.instrument, detector, filters or known.filters, exptime, expstart)
    )
    hdus[0].header.update(FILENAME=filename or f"{root}_{kind}.fits", PROCTIME=proctime)
    override(hdus[0].header, primary)
    tables: list[fits.ImageHDU] = []
    for chip in range(chips):
        header = _sci_header(known, pictures[chip].shape, chip, chips, (ra, dec, orientat), wcsname, sip)
        header["ROOTNAME"] = root
        header.update(_statistics(pictures[chip]))
        if lookup_tables:
            tables += _add_lookup_tables(header, pictures[chip].shape, chip, rng)
        override(header, sci)
        hdus.append(fits.ImageHDU(pictures[chip].astype("f4"), header, name="SCI", ver=chip + 1))
        if errors is not False:
            sigma = np.ones(pictures[chip].shape) if errors is True else _per_chip(errors, chips)[chip]
            hdus.append(fits.ImageHDU(sigma.astype("f4"), name="ERR", ver=chip + 1))
        hdus.append(fits.ImageHDU(flags[chip].astype("i2"), name="DQ", ver=chip + 1))
        if detector == "IR":
            hdus.append(fits.ImageHDU(np.full(pictures[chip].shape, 9, "i2"), name="SAMP", ver=chip + 1))
            hdus.append(fits.ImageHDU(np.full(pictures[chip].shape, exptime, "f4"), name="TIME", ver=chip + 1))
    hdus.extend(tables)
    hdus[0].header["NEXTEND"] = len(hdus) - 1
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (filename or f"{root}_{kind}.fits")
    hdus.writeto(path, overwrite=True)
    return path


def realign(path: Path, *, ra_arcsec: float = 0.0, dec_arcsec: float = 0.0, wcsname: str | None = None) -> None:
    """Give every chip a new WCS in place: the sky position moved (arcsec on the sky), WCSNAME changed; pixels stay."""
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus[1:]:
            if hdu.header.get("EXTNAME") != "SCI":
                continue
            cos_dec = math.cos(math.radians(hdu.header["CRVAL2"]))
            hdu.header["CRVAL1"] += ra_arcsec / 3600 / cos_dec
            hdu.header["CRVAL2"] += dec_arcsec / 3600
            if wcsname is not None:
                hdu.header["WCSNAME"] = wcsname


def set_keywords(path: Path, extension: int | tuple[str, int], changes: Mapping[str, object]) -> None:
    """Change header keywords of one extension in place; None removes a keyword."""
    with fits.open(path, mode="update") as hdus:
        override(hdus[extension].header, changes)


def set_pixels(path: Path, science: np.ndarray, extver: int = 1) -> None:
    """Replace the SCI pixels of one chip in place, headers untouched."""
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", extver].data = science.astype("f4")


def set_raw_value(path: Path, keyword: str, text: str, occurrence: int = 0) -> None:
    """Overwrite the value of one card of the file with `text` as it is, e.g. NaN, which no FITS library would write.

    `occurrence` counts the cards of that keyword through the whole file.
    """
    content = bytearray(path.read_bytes())
    starts = [
        start for start in range(0, len(content), 80) if content[start : start + 10] == f"{keyword:<8}= ".encode()
    ]
    start = starts[occurrence]
    content[start + 10 : start + 80] = f"{text:>20}".ljust(70).encode()
    path.write_bytes(bytes(content))


def add_headerlet(path: Path) -> None:
    """Append a HDRLET extension, as an update of the astrometry does, and count it in NEXTEND."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["NEXTEND"] = len(hdus)
    cards = ("XTENSION= 'HDRLET  '", "BITPIX  =                    8", "NAXIS   =                    1",
             "NAXIS1  =                 5760", "PCOUNT  =                    0", "GCOUNT  =                    1",
             "EXTNAME = 'HDRLET  '", "END")  # fmt: skip
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    with path.open("ab") as stream:
        stream.write(header + bytes(5760))


def gunzip(source: Path, target: Path) -> Path:
    """Unpack a `.fits.gz` to `target` and return it."""
    target.write_bytes(gzip.decompress(source.read_bytes()))
    return target


def _per_chip(arrays: np.ndarray | Sequence[np.ndarray] | None, chips: int) -> list[np.ndarray]:
    if arrays is None:
        return []
    given = [arrays] * chips if isinstance(arrays, np.ndarray) else list(arrays)
    assert len(given) == chips, "one array per chip"
    return given


def _noise(rng: np.random.Generator, shape: tuple[int, int], known: _Detector, exptime: float) -> np.ndarray:
    rate = rng.normal(1.0, 0.02, shape)
    return rate if known.bunit.endswith("/S") else rate * exptime


def _primary(
    root: str, kind: str, instrument: str, detector: str, filters: str, exptime: float, expstart: float
) -> dict[str, object]:
    wheels = [wheel.strip() for wheel in filters.split(";")]
    names = {"WFC3": ["FILTER"], "WFPC2": ["FILTNAM1", "FILTNAM2"]}.get(instrument, ["FILTER1", "FILTER2"])
    header: dict[str, object] = {
        "FILETYPE": "SCI", "TELESCOP": "HST", "INSTRUME": instrument, "ROOTNAME": root, "IMAGETYP": "EXT",
        "TARGNAME": "WFC3-ERSII-IR04", "PROPOSID": 11359, "FGSLOCK": "FINE", "MTFLAG": " ", "EXPSTART": expstart,
        "EXPEND": expstart + exptime / 86400, "EXPTIME": exptime, "EXPFLAG": "NORMAL", "QUALITY": " ",
        "OPUS_VER": "HSTDP 2016_1a", "CAL_VER": "3.3(28-Jan-2016)", "SUBARRAY": False,
        "FLATCORR": "COMPLETE", "DARKCORR": "COMPLETE", "DQICORR": "COMPLETE", "DRIZCORR": "COMPLETE",
        "PFLTFILE": "iref$uc72113qi_pfl.fits", "DARKFILE": "iref$xag19293i_drk.fits",
        "PHOTFLAM": 2.2483417e-20, "PHOTZPT": -21.1, "PHOTPLAM": 12486.06, "PHOTBW": 866.28125, "PHOTMODE": "TEST",
    }  # fmt: skip
    header.update(dict(zip(names, [*wheels, "", ""], strict=False)))
    if instrument != "WFPC2":
        header.update(OBSTYPE="IMAGING", DETECTOR=detector)
    if instrument == "WFC3":
        header["SCAN_TYP"] = "N"
    if detector == "UVIS":
        header["CHINJECT"] = "NONE"
    if kind == "flc":
        header["PCTECORR"] = "COMPLETE"
    return header


def _statistics(picture: np.ndarray) -> dict[str, float]:
    good = picture[np.isfinite(picture)].astype("f8")
    if not good.size:
        return {"NGOODPIX": 0}
    return {"NGOODPIX": good.size, "GOODMIN": good.min(), "GOODMAX": good.max(), "GOODMEAN": good.mean()}


def _sci_header(
    known: _Detector,
    shape: tuple[int, ...],
    chip: int,
    chips: int,
    pointing: tuple[float, float, float],
    wcsname: str | None,
    sip: bool,
) -> fits.Header:
    (ny, nx), (ra, dec, orientat) = shape, pointing
    angle = math.radians(orientat)
    x_step, y_step = (side / 3600 for side in known.scale)
    cd = [
        [-x_step * math.cos(angle), y_step * math.sin(angle)],
        [x_step * math.sin(angle), y_step * math.cos(angle)],
    ]
    gap = max(2, round(50 * ny / 2048))
    offset = (chip - (chips - 1) / 2) * (ny + gap)  # chips lie above one another, EXTVER 1 lowest
    plane = WCS(naxis=2)
    plane.wcs.ctype, plane.wcs.crval, plane.wcs.crpix, plane.wcs.cd = ["RA---TAN", "DEC--TAN"], [ra, dec], [0, 0], cd
    crval = plane.wcs_pix2world([[0.0, offset]], 1)[0]
    tail = "-SIP" if sip and known.sip else ""
    header = fits.Header()
    header.update(
        BUNIT=known.bunit, WCSAXES=2, CRPIX1=nx / 2 + 0.5, CRPIX2=ny / 2 + 0.5, CRVAL1=crval[0], CRVAL2=crval[1],
        CTYPE1=f"RA---TAN{tail}", CTYPE2=f"DEC--TAN{tail}", CUNIT1="deg", CUNIT2="deg",
        CD1_1=cd[0][0], CD1_2=cd[0][1], CD2_1=cd[1][0], CD2_2=cd[1][1], LTV1=0.0, LTV2=0.0, LTM1_1=1.0, LTM2_2=1.0,
        ORIENTAT=orientat, RADESYS="ICRS", WCSNAME=wcsname or known.wcsname, IDCSCALE=known.idcscale,
        SDQFLAGS=31743, MDRIZSKY=0.0,
    )  # fmt: skip
    if tail:
        stretch = min(known.full[0] / nx, known.full[1] / ny)
        header.update(A_ORDER=4, B_ORDER=4)
        for name, value in known.sip.items():
            _, p, q = name.split("_")
            header[name] = value * stretch ** (int(p) + int(q) - 1)
    return header


def _add_lookup_tables(
    header: fits.Header, shape: tuple[int, ...], chip: int, rng: np.random.Generator
) -> list[fits.ImageHDU]:
    ny, nx = shape
    tables = []
    for prefix, record, extname in (("D2IMDIS", "D2IM", "D2IMARR"), ("CPDIS", "DP", "WCSDVARR")):
        for axis in (1, 2):
            extver = 2 * chip + axis
            header[f"{prefix}{axis}"] = "LOOKUP"
            for text in (f"EXTVER: {extver}", "NAXES: 2", "AXIS.1: 1", "AXIS.2: 2"):
                header.append((f"{record}{axis}", text), end=True)
            header["CPERR" + str(axis) if prefix == "CPDIS" else "D2IMERR" + str(axis)] = 0.05
            table = fits.ImageHDU(rng.uniform(-0.05, 0.05, (9, 9)).astype("f4"), name=extname, ver=extver)
            table.header.update(CRPIX1=0.0, CRPIX2=0.0, CRVAL1=0.0, CRVAL2=0.0, CDELT1=nx / 8, CDELT2=ny / 8)
            tables.append(table)
    return tables


def override(header: fits.Header, changes: Mapping[str, object] | None) -> None:
    """Change keywords of a header; None removes one."""
    for keyword, value in (changes or {}).items():
        if value is None:
            header.remove(keyword, ignore_missing=True)
        else:
            header[keyword] = value
