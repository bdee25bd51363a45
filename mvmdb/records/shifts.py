"""Shifts of overlapping exposures: what is measured, and where exposures lie by all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Placed(NamedTuple):
    """Where an exposure lies in its `group`, arcsec to the east and north, and the size of its pixels, arcsec."""

    group: str
    dx: float
    dy: float
    pixel: float


@dataclass(frozen=True, slots=True)
class ShiftExposure:
    """An exposure whose shifts are to be measured: its file, the pixels and the WCS that it must have, its footprint.

    `key`: its row in the catalog.
    """

    key: int
    ipppssoo: str
    path: str
    pixels: str
    wcs_digest: str
    s_region: str


@dataclass(frozen=True, slots=True)
class ShiftPair:
    """Two overlapping exposures, and how far the second lies from the first by the WCS of their files.

    `dx` and `dy` to the east and north at `ra`, `dec` (the middle of the overlap, degrees), and `error` (1 sigma of
    either): arcsec; None where the common sources, `n_sources`, are fewer than `n_needed`. `pixel`: size of the larger
    of their pixels, arcsec.
    """

    first: str
    second: str
    ra: float
    dec: float
    overlap_arcmin2: float
    pixel: float
    n_sources: int
    n_needed: int
    dx: float | None = None
    dy: float | None = None
    error: float | None = None
