"""Squares that only partly reach the canvas: fewer of their pixels are drizzled, and the canvas has the same bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drizzle.resample import Drizzle
from fitsfiles import write_exposure

from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle import members
from mvmdb.mosaic.drizzle.members import DrizzledMember, drizzle_members
from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.names import CellId, Scale
from mvmdb.recipe import Recipe
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import CELL_SIZE, projection_cell_centers

CELL = CellId(726, 11, 11)
RA, DEC = (float(value) for value in projection_cell_centers(726))  # the middle of the cell
INSTRUMENTS = {"IR": "wfc3", "WFC": "acs", "HRC": "acs", "SBC": "acs", "PC": "wfpc2"}
SKEWED = {
    "CD1_1": -7.3535609772738e-06, "CD1_2": 1.85500817048893e-06,
    "CD2_1": 2.88105626539018e-06, "CD2_2": 6.64719093910560e-06,
}  # fmt: skip
"""The linear terms of a real exposure of ACS/HRC, where pixels are no rectangles."""
PLANES = ("science", "weight", "variance")


def write_flagged(folder: Path, detector: str, shape: tuple[int, int], orientat: float) -> DrizzledMember:
    flags = (np.random.default_rng(3).random(shape) < 0.05).astype("i2") * 4
    path = write_exposure(
        folder, detector=detector, shape=shape, ra=RA, dec=DEC, orientat=orientat, dq=flags, lookup_tables=True,
        sci=SKEWED if detector == "HRC" else None,
    )  # fmt: skip
    return DrizzledMember("aa", str(path), 0.1)


def make_recipe(detector: str, scale: Scale, pixfrac: float) -> Recipe:
    recipe = choose_recipe(INSTRUMENTS[detector], detector.lower(), "f606w", scale, 2)
    return replace(recipe, pixfrac=pixfrac, errors=True)


def drizzle_on(canvas: Canvas, scale: Scale, member: DrizzledMember, recipe: Recipe) -> Planes:
    grid = LayerGrid(CELL, scale, canvas)
    planes = Planes.empty(grid.shape, errors=True)
    drizzle_members(planes, [member], grid, recipe)
    return planes


def around(member: DrizzledMember, pad: int) -> Canvas:
    """The fine pixels around an exposure, of which coarse ones are made of whole ones."""
    grid = LayerGrid(CELL, "fine", Canvas(1, CELL_SIZE, 1, CELL_SIZE))
    low, high = [], []
    for chip in read_chips(member.path):
        rows, columns = chip.shape
        x, y = np.array([0.0, columns, 0.0, columns]), np.array([0.0, 0.0, rows, rows])
        places = np.stack(grid.sky_to_pixel(*chip.wcs.all_pix2world(x, y, 0)))
        low.append(places.min(axis=1))
        high.append(places.max(axis=1))
    left, bottom = (int(side) // 3 * 3 - 1 - pad for side in np.min(low, axis=0))  # coarse pixel c has 3c-1 to 3c+1
    right, top = (int(side) // 3 * 3 + 1 + pad for side in np.max(high, axis=0))
    return Canvas(left, right, bottom, top)


@pytest.mark.parametrize("orientat", [0.0, 45.0, 90.0, 163.7])
@pytest.mark.parametrize(
    ("detector", "scale", "pixfrac"),
    [("IR", "fine", 1.0), ("IR", "coarse", 0.8), ("WFC", "fine", 0.6), ("HRC", "fine", 0.8), ("SBC", "fine", 1.0),
     ("PC", "coarse", 1.0)],
)  # fmt: skip
def test_any_window_has_the_bits_of_the_whole(
    tmp_path: Path, detector: str, scale: Scale, pixfrac: float, orientat: float
) -> None:
    member = write_flagged(tmp_path, detector, (197, 300), orientat)
    recipe, canvas = make_recipe(detector, scale, pixfrac), around(member, 12)
    whole = drizzle_on(canvas, scale, member, recipe)
    assert np.count_nonzero(whole.weight) > 1000
    rng, size = np.random.default_rng(7), 1 if scale == "fine" else 3
    rows, columns = whole.weight.shape
    covered = 0
    for narrow in (False, False, True, True):  # of a few rows, too
        width, height = columns // 3, int(rng.integers(1, 9)) if narrow else rows // 3
        x, y = int(rng.integers(0, columns - width)), int(rng.integers(0, rows - height))
        window = drizzle_on(
            Canvas(
                canvas.x_min + size * x, canvas.x_min + size * (x + width) - 1,
                canvas.y_min + size * y, canvas.y_min + size * (y + height) - 1,
            ), scale, member, recipe,
        )  # fmt: skip
        for name in PLANES:
            part = getattr(whole, name)[y : y + height, x : x + width]
            assert getattr(window, name).tobytes() == part.tobytes()
        covered += np.count_nonzero(window.weight)
    assert covered > 100


def test_pixels_that_are_far_from_the_canvas_are_not_drizzled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    class Counting(Drizzle):  # type: ignore[misc]
        def add_image(self, data: np.ndarray, **options: Any) -> object:
            last_row, last_column = (size - 1 for size in data.shape)
            rows = options.get("ymax", last_row) - options.get("ymin", 0) + 1
            columns = options.get("xmax", last_column) - options.get("xmin", 0) + 1
            taken.append(rows * columns)
            return super().add_image(data, **options)

    monkeypatch.setattr(members, "Drizzle", Counting)
    member = write_flagged(tmp_path, "IR", (256, 256), 90.0)  # one square, upright or lying on the canvas
    recipe, canvas = make_recipe("IR", "fine", 1.0), around(member, 0)
    drizzle_on(canvas, "fine", member, recipe)
    middle = (canvas.x_min + canvas.x_max) // 2
    drizzle_on(replace(canvas, x_max=middle), "fine", member, recipe)
    whole, half = taken
    assert whole >= 258 * 258 * 0.99
    assert 0.45 * whole < half < 0.6 * whole
