"""Whether the catalog tells the truth about a file: astropy reads it again, and no reader of mvmdb takes part.

A file that is registered must be one that astropy can open, with the values that astropy finds in its header and with
chips where `astropy.wcs` puts their corners. A footprint must be possible: no wider than the detector, and near the
target.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy import log
from astropy.io import fits
from astropy.wcs import WCS
from chaos.lied.originals import BLOCK, CARD

from mvmdb.sky.region import parse_region

_TEXT = bytes(byte if 0x20 <= byte <= 0x7E else ord("?" if byte else " ") for byte in range(256))
NEAR = 0.005
"""Arcsec by which a corner may be off a vertex: outlines are thinned with a tolerance of 0.004."""
_FIELDS = {"wfc": 202.0, "uvis": 162.0, "ir": 136.0, "hrc": 29.0, "sbc": 35.0, "pc": 160.0}
"""Arcsec: the longer side of each detector's field, from the instrument handbooks."""
_WHEELS = {"WFC3": ("FILTER",), "ACS": ("FILTER1", "FILTER2"), "WFPC2": ("FILTNAM1", "FILTNAM2")}
_MISSION = (47892.0, 88069.0)
"""MJD of 1990 and of 2100."""

Row = Mapping[str, Any]


def find_lies(path: str, row: Row) -> list[str]:
    """What is untrue of the row of a registered file; empty where nothing is."""
    level = log.level
    log.setLevel("ERROR")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(_as_meant(Path(path).read_bytes()), lazy_load_hdus=False) as hdus:
                return [*_identity(_plain(hdus[0].header), row), *_chips(hdus, row)]
    except Exception as error:
        return [f"astropy cannot read it: {type(error).__name__}: {error}"]
    finally:
        log.setLevel(level)


def _as_meant(content: bytes) -> io.BytesIO:
    """A file without what astropy stumbles over, and harms nobody.

    That is blanks after the last HDU, characters of cards that are not printable (in numbers that it needs, mvmdb does
    not have them either), and thousands of equal cards, over which astropy takes minutes.
    """
    while content.endswith(b" " * BLOCK):
        content = content[:-BLOCK]
    blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
    repeated = {block for block in blocks if block[:1] >= b" " and block == block[:CARD] * (BLOCK // CARD)}
    content = b"".join(b for b, before in zip(blocks, [b"", *blocks], strict=False) if b != before or b not in repeated)
    is_card = re.compile(rb"[A-Z0-9_-]{1,8} *= ")
    content = content.replace(b"HIERARCH ", b"COMMENT  ")  # a convention that the FITS standard does not know
    cards = [content[at : at + CARD] for at in range(0, len(content), CARD)]
    return io.BytesIO(b"".join(card.translate(_TEXT) if is_card.match(card) else card for card in cards))


def _plain(header: fits.Header) -> fits.Header:
    """A header without cards of the HIERARCH convention, which the FITS standard does not know.

    Numbers whose exponent is written with D, which wcslib cuts off, are written with E.
    """
    cards = [card for card in header.cards if not card.image.startswith("HIERARCH")]
    return fits.Header(
        [fits.Card(card.keyword, card.value) if _has_d(card) else card for card in cards]
    )  # fmt: skip


def _has_d(card: fits.Card) -> bool:
    return isinstance(card.value, float) and "D" in card.image[10:].split("/")[0].upper() and "." not in card.keyword


def _identity(header: fits.Header, row: Row) -> Iterator[str]:
    instrument = str(header["INSTRUME"]).strip().upper()
    wheels = [str(header.get(keyword) or "").strip().upper() for keyword in _WHEELS[instrument]]
    expected: dict[str, object] = {
        "ipppssoo": str(header["ROOTNAME"]).strip().lower()[:8],
        "instrument": instrument.lower(),
        "proposal_id": int(_number(header["PROPOSID"])),
        "filters": ";".join(wheel for wheel in wheels if wheel),
        "target": str(header.get("TARGNAME") or "").strip(),
        "exptime": _number(header["EXPTIME"]),
        "expstart": _date(header.get("EXPSTART")),
        "expend": _date(header.get("EXPEND")),
        "processed": _date(header.get("PROCTIME")) or 0.0,
    }
    if instrument != "WFPC2":
        expected["detector"] = str(header["DETECTOR"]).strip().lower()
    for name, value in expected.items():
        if row[name] != value and str(row[name]).lower() != str(value).lower():  # a target may be called NaN
            yield f"{name} is {row[name]!r}; astropy reads {value!r}"
    for name in ("expstart", "expend"):
        if row[name] is not None and not _MISSION[0] <= row[name] <= _MISSION[1]:
            yield f"{name} is {row[name]}, when no exposure can have been taken"


def _number(value: object) -> float:
    """A number, also where the header has it as text."""
    return float(str(value).replace("D", "E"))


def _date(value: object) -> float | None:
    return None if value is None or isinstance(value, fits.card.Undefined) or value == "" else _number(value) or None


def _chips(hdus: fits.HDUList, row: Row) -> Iterator[str]:
    chips = [hdu for hdu in hdus[1:] if hdu.name == "SCI"]
    if row["n_chips"] != len(chips):
        yield f"n_chips is {row['n_chips']}; astropy finds {len(chips)}"
    for hdu in chips:
        if isinstance(hdu, fits.CompImageHDU) or not isinstance(hdu, fits.ImageHDU):
            yield f"{hdu.name} is a {type(hdu).__name__}"
        elif hdu.header["NAXIS"] and hdu.data.shape != (hdu.header["NAXIS2"], hdu.header["NAXIS1"]):
            yield f"the pixels of SCI have the shape {hdu.data.shape}"
    if row["s_region"]:
        yield from _footprint(hdus, chips, row)
    elif row["eligible"] or "no solution" not in row["ineligible_rule"] or not row["ineligible_reason"]:
        yield f"it has no footprint, and is {row['ineligible_rule'] or 'eligible'}: {row['ineligible_reason']}"


def _footprint(hdus: fits.HDUList, chips: list[Any], row: Row) -> Iterator[str]:
    polygons = parse_region(row["s_region"])
    if len(polygons) != len(chips):
        yield f"s_region has {len(polygons)} polygons for {len(chips)} chips"
        return
    for polygon, hdu in zip(polygons, sorted(chips, key=lambda hdu: hdu.ver), strict=True):
        columns, rows = _sides(hdu.header)
        x, y = np.array([0.5, columns + 0.5, columns + 0.5, 0.5]), np.array([0.5, 0.5, rows + 0.5, rows + 0.5])
        corners = np.column_stack(WCS(_plain(hdu.header), hdus, minerr=-np.inf).all_pix2world(x, y, 1))
        worst = _separation(corners[:, None], polygon[None]).min(axis=1).max()
        if not worst <= NEAR:
            yield f"a corner of SCI {hdu.ver} is {worst:.4g} arcsec from the outline"
    vertices = np.concatenate(polygons)
    widest = _separation(vertices[:, None], vertices[None]).max()
    if widest > 1.3 * math.sqrt(2) * _FIELDS[row["detector"]]:
        yield f"its chips reach over {widest:.0f} arcsec, which is more than the detector"
    target = [hdus[0].header.get(keyword) for keyword in ("RA_TARG", "DEC_TARG")]
    if all(isinstance(number, float) for number in target) and 0 <= target[0] <= 360 and 0 < abs(target[1]) <= 90:
        away = _separation(vertices, np.array([target])).min()
        if away > 3600.0 and str(hdus[0].header.get("MTFLAG") or "").strip() not in ("T", "True"):
            yield f"it lies {away / 3600:.2f} degrees from its target"


def _sides(header: fits.Header) -> tuple[int, int]:
    keywords = ("NAXIS1", "NAXIS2") if header["NAXIS"] else ("NPIX1", "NPIX2")
    columns, rows = (int(header[keyword]) for keyword in keywords)
    return columns, rows


def _separation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Arcsec between positions (..., 2) in degrees, by haversines."""
    ra1, dec1, ra2, dec2 = (np.radians(values) for values in (one[..., 0], one[..., 1], other[..., 0], other[..., 1]))
    half = np.sin((dec1 - dec2) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra1 - ra2) / 2) ** 2
    angle: np.ndarray = np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))) * 3600
    return angle
