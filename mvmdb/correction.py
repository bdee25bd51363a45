"""How an alternate solution moves positions: a shift, a roll and a scale in a tangent plane, exact on the sphere."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Matrix = tuple[tuple[float, float], tuple[float, float]]

_ARCSEC = np.degrees(1.0) * 3600  # arcsec in a radian
_STEP = 30 / _ARCSEC


@dataclass(frozen=True, slots=True)
class Correction:
    """What is done to each position of one exposure in the plane that touches the sky at `ra`, `dec` (degrees).

    Positions are turned about that point by `roll` degrees, north towards east, drawn apart by `scale`, and then moved
    by `dx` arcsec to the east and `dy` to the north. The WCS of all chips follow, so that chips keep their places
    relative to each other.
    """

    ra: float
    dec: float
    dx: float
    dy: float
    roll: float
    scale: float = 1.0

    def __str__(self) -> str:
        return " ".join(repr(float(value)) for value in astuple(self))

    @classmethod
    def parse(cls, text: str) -> Correction | None:
        """The correction that `str` wrote, None for an empty text. Raises ValueError for any other text."""
        return cls(*(float(value) for value in text.split(" "))) if text else None

    def move(self, ra: Float, dec: Float) -> tuple[Float, Float]:
        """Corrected positions of positions in degrees; arrays of any one shape, within 90 degrees of the point."""
        xi, eta = sky_to_tangent(self.ra, self.dec, ra, dec)
        cosine, sine = self.scale * np.cos(np.radians(self.roll)), self.scale * np.sin(np.radians(self.roll))
        return tangent_to_sky(self.ra, self.dec, cosine * xi + sine * eta + self.dx, cosine * eta - sine * xi + self.dy)

    def displace(self, ra: float, dec: float) -> tuple[float, float]:
        """By how many arcsec, to the east and north, a position in degrees is moved."""
        xi, eta = sky_to_tangent(ra, dec, *self.move(np.array(ra), np.array(dec)))
        return float(xi), float(eta)

    def shifted(self, dx: float, dy: float) -> Correction:
        """This correction, and then a shift of all positions by some arcsec to the east and north."""
        return replace(self, dx=self.dx + dx, dy=self.dy + dy)

    def move_pointing(self, crval: tuple[float, float], cd: Matrix) -> tuple[tuple[float, float], Matrix]:
        """CRVAL (degrees) and the CD matrix of a chip after the correction.

        The reference point is moved, and the plane that touches the sky there turns with its surroundings. For a scale
        of 1 that is a rotation of the sphere, and all pixels are where `move` puts their positions; a scale of 1.0001
        leaves a difference below 0.1 milliarcsec at 5 arcmin.
        """
        (ra,), (dec,) = self.move(np.array([crval[0]]), np.array([crval[1]]))
        steps = _ARCSEC * _STEP * np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
        around = self.move(*tangent_to_sky(*crval, *steps))
        xi, eta = np.array(sky_to_tangent(float(ra), float(dec), *around)) / (2 * _ARCSEC * _STEP)
        turn = np.array([[xi[0] - xi[1], xi[2] - xi[3]], [eta[0] - eta[1], eta[2] - eta[3]]])
        ((a, b), (c, d)) = (turn @ np.array(cd)).tolist()
        return (float(ra), float(dec)), ((a, b), (c, d))

    def move_outline(self, outline: Float) -> Float:
        """A polygon (n, 2) of ra, dec in degrees after the correction."""
        return np.stack(self.move(outline[:, 0], outline[:, 1]), axis=1)


def format_alternate(name: str, correction: Correction) -> str:
    """A solution as one text, as it goes with an exposure: its name, which has no spaces, and its correction."""
    return f"{name} {correction}"


def parse_alternate(text: str) -> tuple[str, Correction | None]:
    """The inverse of `format_alternate`; no name and None for an empty text. Raises ValueError for any other text."""
    name, _, numbers = text.partition(" ")
    return name, Correction.parse(numbers)


def digest_realigned(wcs_digest: str, alternate: str) -> str:
    """The digest of a WCS with an alternate (its text): the WCS's own where there is none, else another one.

    The name does not matter. Texts are digested and not corrected numbers, whose last bits differ between machines.
    """
    correction = alternate.partition(" ")[2]
    if not correction:
        return wcs_digest
    return hashlib.blake2b(f"{wcs_digest}|{correction}".encode(), digest_size=16).hexdigest()


def sky_to_tangent(ra0: float | Float, dec0: float | Float, ra: Float, dec: Float) -> tuple[Float, Float]:
    """xi (east) and eta (north) in arcsec of positions, in the plane that touches the sky at `ra0`, `dec0`."""
    centre, north, east = _frame(ra0, dec0)
    positions = _frame(ra, dec)[0]
    depth = (positions * centre).sum(axis=-1)
    return _ARCSEC * (positions * east).sum(axis=-1) / depth, _ARCSEC * (positions * north).sum(axis=-1) / depth


def tangent_to_sky(ra0: float | Float, dec0: float | Float, xi: Float, eta: Float) -> tuple[Float, Float]:
    """The inverse of `sky_to_tangent`; each position may have a plane of its own."""
    centre, north, east = _frame(ra0, dec0)
    vectors = centre + (np.asarray(xi) / _ARCSEC)[..., None] * east + (np.asarray(eta) / _ARCSEC)[..., None] * north
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def _frame(ra: float | Float, dec: float | Float) -> tuple[Float, Float, Float]:
    """Unit vectors (..., 3) to a position, and from there to the north and to the east."""
    a, d = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(a)
    centre = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
    return centre, north, np.stack([-np.sin(a), np.cos(a), zero], axis=-1)
