"""Footprints at the places where formats differ, poles, RA 0, several chips, odd texts, and an archive of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord

import mvmdb

Corners = list[tuple[float, float]]

IR: list[Corners] = [[(-68, -61), (68, -61), (68, 61), (-68, 61)]]
WFC: list[Corners] = [
    [(-101, -101), (101, -101), (101, -1.25), (-101, -1.25)],
    [(-101, 1.25), (101, 1.25), (101, 101), (-101, 101)],
]
PC: list[Corners] = [
    [(0, 0), (36, 0), (36, 36), (0, 36)],
    [(-80, 0), (-0.5, 0), (-0.5, 80), (-80, 80)],
    [(-80, -80), (-0.5, -80), (-0.5, -0.5), (-80, -0.5)],
    [(0, -80), (80, -80), (80, -0.5), (0, -0.5)],
]
TARGET = 'O\'BRIEN "X" <&> ĸ{1}'
HEAD = (
    "obs_id", "instrument_name", "filters", "t_exptime", "t_min", "t_max", "proposal_id", "target_name", "s_region",
)  # fmt: skip
POINTINGS: list[tuple[str, str, str, list[Corners], float, float, float, str]] = [
    ("ib6o01aaq", "WFC3/IR", "F125W", IR, 53.1, -27.8, 20.0, TARGET),
    ("ib6o01abq", "WFC3/IR", "F125W", IR, 53.11, -27.79, 20.0, "GOODS"),
    ("ib6o01acq", "WFC3/IR", "F160W", IR, 53.1, -27.8, 65.0, "GOODS"),
    ("j8oz02adq", "ACS/WFC", "F606W;POL60V", WFC, 0.005, 10.0, 40.0, "ZERO"),
    ("j8oz02aeq", "ACS/WFC", "F850LP;CLEAR2L", WFC, 200.0, 89.99, 10.0, "POLE"),
    ("ib6o03afq", "WFC3/IR", "F160W", IR, 10.0, -90.0, 33.0, "SOUTH"),
    ("u2a104ag1", "WFPC2/PC", "F702W", PC, 180.0, 45.0, 15.0, "DATELINE"),
]
"""Root name, camera, filters, chips in arcsec, ra, dec and roll of their centre in degrees, target."""


def chips_at(chips: list[Corners], ra: float, dec: float, roll: float) -> list[np.ndarray]:
    """The corners (n, 2), ra and dec in degrees, of chips laid out around a position; by astropy's offsets."""
    centre = SkyCoord(ra, dec, unit="deg")
    placed = []
    for chip in chips:
        x, y = np.array(chip, dtype=float).T
        angle = np.degrees(np.arctan2(x, y)) + roll
        at = centre.directional_offset_by(angle * u.deg, np.hypot(x, y) * u.arcsec)
        placed.append(np.column_stack([at.ra.deg, at.dec.deg]))
    return placed


def region(chips: list[np.ndarray]) -> str:
    return " ".join("POLYGON ICRS " + " ".join(f"{value:.9f}" for value in chip.ravel()) for chip in chips)


def write_table(path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        for n, (root, camera, filters, chips, ra, dec, roll, target) in enumerate(POINTINGS):
            dates = ("", "") if root == "ib6o03afq" else (f"{55000 + n}", f"{55000.01 + n}")
            program = 11359 if n < 3 else 90000 + n
            placed = region(chips_at(chips, ra, dec, roll))
            table.writerow([root, camera, filters, 500 + n, *dates, program, target, placed])


def fill(address: str, folder: Path) -> mvmdb.Archive:
    write_table(folder / "pointings.csv")
    archive = mvmdb.open(address, create=True)
    archive.import_table(folder / "pointings.csv")
    return archive
