"""The telescope's aperture file: where apertures lie in the focal plane, and on the sky for a pointing.

Which aperture a row means is decided in apertures. The format is that of the HST SIAF, as pysiaf reads it, and pysiaf
ships the file. It is read here, as importing pysiaf asks a server for news each time, without a time limit.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mvmdb.errors import InputError
from mvmdb.inputs import open_plain
from mvmdb.sky.sphere import FloatArray, sky_to_vector, vector_to_sky

_LARGEST = 50_000_000  # bytes; the archive's file has 0.6 million
_REMEDY = 'pip install "mvmdb[siaf]", or name the archive\'s SIAF file with --siaf'


@dataclass(frozen=True, slots=True, eq=False)
class Aperture:
    """A four-sided aperture: its reference point (2,) and corners (4, 2), V2 and V3 in arcsec."""

    name: str
    reference: FloatArray
    corners: FloatArray


@cache
def load_apertures(path: str | None = None) -> Mapping[str, Aperture]:
    """The four-sided apertures of an HST SIAF file (gzipped or not), by name; without a path, of pysiaf's.

    Raises InputError where pysiaf is not installed, or the file is no SIAF.
    """
    name = path or str(_find_shipped())
    try:
        content = _read(name)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"the aperture file {name} cannot be read: {error}; check the path") from error
    if len(content) > _LARGEST:
        raise InputError(f"{name} has more than {_LARGEST} bytes; expected the archive's HST SIAF file (siaf.dat)")
    try:
        apertures = _parse(content.decode("ascii", errors="replace").splitlines())
    except (ValueError, IndexError) as error:
        raise InputError(f"{name} is not an HST SIAF file: {error}; expected the archive's siaf.dat") from error
    if not apertures:
        raise InputError(f"{name} has no apertures; expected the archive's HST SIAF file (siaf.dat)")
    return apertures


def _read(name: str) -> bytes:
    """The file's bytes, decompressed: no more than one beyond _LARGEST."""
    with open_plain(name) as stream:
        if stream.read(2) == b"\x1f\x8b":
            stream.seek(0)
            with gzip.GzipFile(fileobj=stream) as unzipped:
                return unzipped.read(_LARGEST + 1)
        stream.seek(0)
        return stream.read(_LARGEST + 1)


def place_on_sky(
    reference: FloatArray, points: FloatArray, ra: FloatArray, dec: FloatArray, pa_v3: FloatArray
) -> FloatArray:
    """Points of the focal plane (..., 2), V2 and V3 in arcsec, on the sky: (n, ..., 2), ra and dec in degrees.

    For n pointings that have the `reference` point (2,) at `ra`, `dec` (n,), and the V3 axis at position angle
    `pa_v3` (n,), all in degrees. As in FITS headers (PA_V3) that angle is the one at the V1 axis, not at the
    aperture: for ACS the two differ by up to 0.1 degree times tan(dec). Solved in closed form: the declination of V1
    from the third component of the reference's direction, then its right ascension from the other two.
    """
    b1, b2, b3 = _to_vector(reference)
    target = sky_to_vector(ra, dec)
    angle = np.deg2rad(pa_v3)
    north = b3 * np.cos(angle) - b2 * np.sin(angle)  # of the reference, seen from V1
    east = b2 * np.cos(angle) + b3 * np.sin(angle)
    # Next to a pole there may be no such attitude, by less than the reference's distance from V1.
    sine = np.clip(target[2] / np.hypot(b1, north), -1.0, 1.0)
    dec_v1 = np.arcsin(sine) - np.arctan2(north, b1)
    ra_v1 = np.deg2rad(ra) - np.arctan2(east, b1 * np.cos(dec_v1) - north * np.sin(dec_v1))
    zero = np.zeros_like(ra_v1)
    v1 = np.stack([np.cos(dec_v1) * np.cos(ra_v1), np.cos(dec_v1) * np.sin(ra_v1), np.sin(dec_v1)])
    to_north = np.stack([-np.sin(dec_v1) * np.cos(ra_v1), -np.sin(dec_v1) * np.sin(ra_v1), np.cos(dec_v1)])
    to_east = np.stack([-np.sin(ra_v1), np.cos(ra_v1), zero])
    v3 = to_north * np.cos(angle) + to_east * np.sin(angle)
    v2 = to_east * np.cos(angle) - to_north * np.sin(angle)
    body = _to_vector(points)
    vectors = np.einsum("cin,i...->cn...", np.stack([v1, v2, v3], axis=1), body)
    return np.stack(vector_to_sky(vectors), axis=-1)


def _to_vector(points: FloatArray) -> FloatArray:
    """Unit vectors (3, ...) along V1, V2, V3 of (..., 2) V2 and V3 in arcsec (V2 is a longitude, V3 a latitude)."""
    return sky_to_vector(points[..., 0] / 3600.0, points[..., 1] / 3600.0)


def _find_shipped() -> Path:
    package = find_spec("pysiaf")
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise InputError(f"footprints from apertures need the telescope's aperture file, and there is none; {_REMEDY}")
    path = Path(folders[0]) / "prd_data" / "HST" / "siaf.dat-Latest"
    if not path.is_file():
        raise InputError(f"the installed pysiaf has no {os.path.basename(path)}; {_REMEDY}")
    return path


def _parse(lines: list[str]) -> dict[str, Aperture]:
    """Apertures of shape QUAD. Cards of 80 columns end in the type of record: CAJ three times, then AJ; CAQ and AQ
    hold the corners; values stand in fields of 15."""
    apertures: dict[str, Aperture] = {}
    cards: list[str] = []
    shape = ""
    sides: list[float] = []
    for line in lines:
        card = line.rstrip()
        if card.endswith("CAJ"):
            cards = [card] if len(cards) == 3 else [*cards, card]
            shape = cards[0][40:44]
        elif card.endswith("CAQ"):
            sides = _fields(card)
        elif card.endswith("AQ") and shape == "QUAD" and len(cards) == 3:
            aperture = _build(cards, np.array(sides + _fields(card)).reshape(4, 2))
            apertures[aperture.name] = aperture
    return apertures


def _build(cards: list[str], corners: FloatArray) -> Aperture:
    """From the aperture's own axes to V2 and V3: turned by its angle, mirrored where its parity is -1."""
    reference = np.array([float(cards[0][10:25]), float(cards[0][25:40])])
    angle = np.deg2rad(float(cards[1][45:60]))
    x, y = corners[:, 0] * int(cards[2][:2]), corners[:, 1]
    offset = np.column_stack([x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)])
    return Aperture(cards[0][:10].strip(), reference, reference + offset)


def _fields(card: str) -> list[float]:
    return [float(card[column : column + 15]) for column in range(0, 60, 15)]
