"""How far two neighbouring sky cells differ in the pixels that they share, with flat skies, stars and galaxies.

A row of exposures lies across the border of two sky cells. The one with the lowest sky is a member of one of them only:
where each sky cell is solved by itself, both have another zero.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from archive import CENTER
from fitsfiles import write_exposure
from generated import Block
from numpy.typing import NDArray
from skysources import paint
from solvedfield import BORDER, EAST, WEST

from conformance.accuracy.pictures import PIXEL_AREA, draw_border
from conformance.accuracy.ways import (
    NOT_RUN,
    WAYS,
    Plane,
    Setting,
    complete,
    make_all,
    pipeline_name,
    read_plane,
    table,
)  # fmt: skip
from conformance.pixels.compare import clipped_deviation
from mvmdb.names import parse_cell_name, parse_layer_name
from mvmdb.sky.tessellation import OVERLAP, PROJECTION_CRPIX, STEP

SIDE = 180
PITCH = 0.5
"""From one exposure to the next, in sides of an exposure."""
SKIES = (1.15, 1.0, 1.3, 1.1, 1.25, 1.05, 0.4)
"""Electrons/s of a detector pixel, from west to east: the last one does not reach the western sky cell."""
NOISE = 0.041
PIXEL = 0.1282500028610229
REACH, HEIGHT = 300, 130
"""Half the width and the height of the strip of the figure, fine pixels."""


def measure(setting: Setting, *, side: int = SIDE) -> Iterator[Block]:
    """The table of differences, and the picture of the border."""
    made = make_all(write_row(setting.below("row"), side), setting, None)
    planes = {way: (read_plane(found[WEST]), read_plane(found[EAST])) for way, found in made.items() if found}
    rows = [[name, *(cells[name] for cells in map(compare, (planes.get(way) for way in WAYS)))] for name in ROWS]
    yield "cells", table(["SCI of one sky cell less that of its neighbour", *WAYS], rows)
    strips, border = put_together(planes, min(REACH, round(side * PIXEL / 0.04)), min(HEIGHT, side * 2))
    draw_border(strips, border, setting.figures / "cell-seam.png")


ROWS = (
    "pixels that both have", "median, electrons/s a detector pixel", "in units of the sky's sigma", "largest, in sigma",
)  # fmt: skip


def compare(planes: tuple[Plane, Plane] | None) -> dict[str, str]:
    """The cells of one way's column."""
    if planes is None:
        return dict.fromkeys(ROWS, NOT_RUN)
    west, east = planes
    other = east.cut(west.left, west.bottom, (west.science.shape[0], west.science.shape[1]))
    both = np.isfinite(west.science) & np.isfinite(other)
    difference = (west.science - other)[both]
    sigma = clipped_deviation(west.science[both])
    step = abs(float(np.median(difference)))
    numbers = (step * PIXEL_AREA, step / sigma, abs(difference).max() / sigma)
    return dict(
        zip(ROWS, (f"{both.sum():,}", *(f"{round(float(number), 4) + 0.0:.4f}" for number in numbers)), strict=True)
    )


def put_together(
    planes: Mapping[str, tuple[Plane, Plane]], reach: int, height: int
) -> tuple[dict[str, NDArray[np.float64]], float]:
    """A strip across the border for each way, to the east of it from the eastern sky cell; and the border's column."""
    west, _ = next(iter(planes.values()))
    cell = parse_cell_name(parse_layer_name(WEST).skycell)
    border = (cell.x - 1) * STEP + OVERLAP - PROJECTION_CRPIX  # from the tangent point, as in `Plane`
    column = west.cut(border, west.bottom, (west.science.shape[0], 1))
    bottom = west.bottom + int(np.flatnonzero(np.isfinite(column)).mean()) - height // 2
    strips = {}
    for way, (of_west, of_east) in planes.items():
        sides = of_east.cut(border - reach, bottom, (height, reach)), of_west.cut(border, bottom, (height, reach))
        strips[way] = np.hstack(sides)
    return strips, float(reach)


def write_row(folder: Path, side: int) -> Path:
    """Exposures from west to east across the border, with stars and galaxies."""
    for number, sky in enumerate(SKIES):
        name = f"ib6o04{number}t"
        east = BORDER + (number - (len(SKIES) - 1) / 2) * PITCH * side * PIXEL
        path = write_exposure(
            folder, rootname=f"{name}q", shape=(side, side), science=np.zeros((side, side)), dec=CENTER[1],
            ra=CENTER[0] + east / 3600 / np.cos(np.radians(CENTER[1])), filename=pipeline_name(name),
        )  # fmt: skip
        complete(paint(path, light, sky, NOISE, number))
    return folder


def light(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stars and round galaxies around the border, electrons/s of a detector pixel."""
    rng = np.random.default_rng(zlib.crc32(b"the border"))
    x = (ra - CENTER[0]) * np.cos(np.radians(CENTER[1])) * 3600 - BORDER
    y = (dec - CENTER[1]) * 3600
    found = np.zeros(ra.shape)
    for east, north, size, peak in zip(
        rng.uniform(-40, 40, 90), rng.uniform(-14, 14, 90), rng.choice([0.12, 0.12, 0.3, 0.6], 90),
        rng.pareto(1.0, 90).clip(0, 30) + 0.3, strict=True,
    ):  # fmt: skip
        found += peak * np.exp(-((x - east) ** 2 + (y - north) ** 2) / (2 * size**2))
    return found
