"""Points the simulated telescope: turns a real chip's WCS to another position on the sky.

The sky is turned as a rigid sphere, so that the chips of one detector keep their exact relative positions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mvmdb.demo.optics import ChipOptics, DetectorOptics, Terms

Vector = npt.NDArray[np.float64]


def point_detector(optics: DetectorOptics, ra: float, dec: float, pa: float) -> list[fits.Header]:
    """The WCS header of each chip when the detector's middle is at `ra`, `dec`. All in degrees.

    `pa` is the position angle of the first chip's y axis, east of north, at that position.
    """
    middle = _mean_direction([chip.crval for chip in optics.chips])
    first = optics.chips[0]
    old = _frame(*middle, _position_angle(first))
    turn = _frame(ra, dec, pa) @ old.T
    return [_wcs_header(optics, chip, turn) for chip in optics.chips]


def _position_angle(chip: ChipOptics) -> float:
    """Position angle of the chip's y axis, degrees: the direction of (CD1_2, CD2_2), east of north."""
    return float(np.degrees(np.arctan2(chip.cd[0][1], chip.cd[1][1])))


def _wcs_header(optics: DetectorOptics, chip: ChipOptics, turn: Vector) -> fits.Header:
    ra, dec, angle = _turn(chip.crval, turn)
    cosine, sine = np.cos(angle), np.sin(angle)
    cd = np.array([[cosine, sine], [-sine, cosine]]) @ np.array(chip.cd)
    header = fits.Header()
    header["WCSAXES"] = 2
    for axis in (1, 2):
        header[f"CRPIX{axis}"] = chip.crpix[axis - 1] - chip.corner[axis - 1]
    header["CRVAL1"], header["CRVAL2"] = ra, dec
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    for i in (1, 2):
        for j in (1, 2):
            header[f"CD{i}_{j}"] = float(cd[i - 1, j - 1])
    header["LTV1"], header["LTV2"] = -float(chip.corner[0]), -float(chip.corner[1])
    header["LTM1_1"], header["LTM2_2"] = 1.0, 1.0
    header["ORIENTAT"] = float(np.degrees(np.arctan2(cd[0, 1], cd[1, 1])))
    header["VAFACTOR"] = 1.0
    header["RADESYS"] = "ICRS"
    header["IDCSCALE"] = optics.idcscale
    for letter, terms in (("A", chip.sip_a), ("B", chip.sip_b)):
        header.update(_sip_cards(letter, terms))
    header["WCSNAME"] = optics.wcsname
    return header


def _sip_cards(letter: str, terms: Terms) -> dict[str, float]:
    cards: dict[str, float] = {f"{letter}_{p}_{q}": value for (p, q), value in terms.items()}
    cards[f"{letter}_ORDER"] = max(p + q for p, q in terms)
    return cards


def _turn(crval: tuple[float, float], turn: Vector) -> tuple[float, float, float]:
    """The new position of a chip's reference point, degrees, and the angle by which its local north turned, radians."""
    before = _frame(*crval, 0.0)
    direction = turn @ before[:, 0]
    ra, dec = _angles(direction)
    _, north, east = _frame(ra, dec, 0.0).T
    old_north = turn @ before[:, 1]
    return ra, dec, float(np.arctan2(old_north @ east, old_north @ north))


def _frame(ra: float, dec: float, pa: float) -> Vector:
    """Columns: the direction (ra, dec), the tangent at position angle `pa`, and the tangent 90 degrees further east."""
    a, d, t = np.radians([ra, dec, pa])
    direction = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.cross(direction, east)
    return np.column_stack([direction, np.cos(t) * north + np.sin(t) * east, np.cos(t) * east - np.sin(t) * north])


def _angles(direction: Vector) -> tuple[float, float]:
    x, y, z = direction
    return float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arcsin(z)))


def _mean_direction(positions: list[tuple[float, float]]) -> tuple[float, float]:
    total = np.sum([_frame(ra, dec, 0.0)[:, 0] for ra, dec in positions], axis=0)
    return _angles(total / np.linalg.norm(total))
