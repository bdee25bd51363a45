"""Where projection cells and sky cells are on the sky, and their pixel grids; `membership` decides what overlaps them.

The grid is that of `ps1_rings.csv` (STScI's `PS1_skycells`): 46 declination rings, 2,644 projection cells of 450287 x
450287 fine pixels (0.04 arcsec), each cut into 21 x 21 sky cells that share 512 pixels with their neighbours. Pixel
coordinates are 1-based, as in FITS: pixel i reaches from i - 0.5 to i + 0.5.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvmdb.errors import UsageError
from mvmdb.names import CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId, Scale
from mvmdb.recipe import PIXEL_SCALE
from mvmdb.records import Canvas
from mvmdb.sky.sphere import FloatArray, Frame, deproject, project, sky_to_vector, tangent_frame, vector_to_sky

if TYPE_CHECKING:
    from astropy.wcs import WCS

PROJECTION_SIZE = 450287
"""Side of a projection cell in fine pixels."""
PROJECTION_CRPIX = 225144
"""PROJECTION_SIZE / 2 + 0.5: the fine pixel of a projection cell where its plane touches the sky."""
OVERLAP = 256
"""How far a sky cell reaches, on each side, into its neighbours' share of the projection cell, in fine pixels."""
STEP = 21442
"""From one sky cell to the next, in fine pixels: int(450287 / 21 + 0.5)."""
CELL_SIZE = STEP + 2 * OVERLAP
"""Side of a sky cell in fine pixels: 21954."""
CELL_LOW, CELL_HIGH = 0.5, CELL_SIZE + 0.5
"""A sky cell's edges in its own fine pixel coordinates."""
COARSE = 3
"""Fine pixels along the side of a coarse pixel."""
REACH = CELL_HIGH + 20 * STEP - PROJECTION_CRPIX
"""How far sky cells reach from their projection cell's centre along x or y, in fine pixels; 507 past its edge."""
PIXELS_PER_RADIAN = float(np.rad2deg(1.0)) * 3600.0 / PIXEL_SCALE["fine"]


@dataclass(frozen=True, slots=True)
class Rings:
    """The declination rings, south to north: first projection cell, number of cells, declinations in degrees."""

    projcell: NDArray[np.int64]
    nband: NDArray[np.int64]
    dec: FloatArray
    dec_min: FloatArray
    dec_max: FloatArray


@cache
def load_rings() -> Rings:
    """The ring table that the package contains."""
    with (files("mvmdb.sky") / "ps1_rings.csv").open(encoding="ascii") as stream:
        rows = list(csv.DictReader(stream))
    numbers = [np.array([int(row[name]) for row in rows], dtype=np.int64) for name in ("projcell", "nband")]
    angles = [np.array([float(row[name]) for row in rows]) for name in ("dec", "dec_min", "dec_max")]
    columns: list[NDArray[np.generic]] = [*numbers, *angles]
    for column in columns:
        column.setflags(write=False)  # all callers share this table
    return Rings(numbers[0], numbers[1], *angles)


def ring_of(p: ArrayLike) -> NDArray[np.int64]:
    """The index, 0 to 45, of the ring that holds projection cells `p`.

    Raises UsageError for ids outside 0 to 2643.
    """
    ids = np.asarray(p)
    wrong = (ids < 0) | (ids >= N_PROJECTION_CELLS)
    if wrong.any():
        unknown = np.atleast_1d(ids)[np.atleast_1d(wrong)][0]
        raise UsageError(f"there is no projection cell {unknown}; expected 0 to {N_PROJECTION_CELLS - 1}")
    return np.asarray(np.searchsorted(load_rings().projcell, ids, side="right") - 1, dtype=np.int64)


def projection_cell_centers(p: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(ra, dec) in degrees where the planes of projection cells `p` touch the sky."""
    rings, ring = load_rings(), ring_of(p)
    return (np.asarray(p) - rings.projcell[ring]) * 360.0 / rings.nband[ring], rings.dec[ring]


@cache
def projection_frames() -> Frame:
    """The tangent plane axes of all projection cells, each of shape (3, 2644)."""
    frame = tangent_frame(*projection_cell_centers(np.arange(N_PROJECTION_CELLS)))
    for axis in frame:
        axis.setflags(write=False)
    return frame


def sky_to_plane(p: ArrayLike, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(x, y) in the fine pixels of projection cells `p` of positions in degrees; the three broadcast.

    NaN for positions 90 degrees or more from the cell's centre. In sky cell (i, j) the pixel is
    (x - (i - 1) * STEP, y - (j - 1) * STEP).
    """
    xi, eta = project(_frame_of(p), sky_to_vector(ra, dec))
    return PROJECTION_CRPIX - xi * PIXELS_PER_RADIAN, PROJECTION_CRPIX + eta * PIXELS_PER_RADIAN


def plane_to_sky(p: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """(ra, dec) in degrees of fine pixels of projection cells `p`: the inverse of `sky_to_plane`."""
    xi = (PROJECTION_CRPIX - np.asarray(x, dtype=np.float64)) / PIXELS_PER_RADIAN
    eta = (np.asarray(y, dtype=np.float64) - PROJECTION_CRPIX) / PIXELS_PER_RADIAN
    return vector_to_sky(deproject(_frame_of(p), xi, eta))


def may_reach(p: ArrayLike, vector: FloatArray, chord: ArrayLike) -> NDArray[np.bool_]:
    """Whether sky cells of projection cells `p` may come within `chord` of directions (3, ...); the three broadcast.

    Never false for one that does. `chord` is a straight distance between points of the unit sphere, at most that of 30
    degrees. The cell's borders are great circles: a disc that meets the cell lies nowhere farther than its radius
    beyond any of them.
    """
    east, north, centre = _frame_of(p)
    side = REACH / PIXELS_PER_RADIAN
    depth = centre[0] * vector[0] + centre[1] * vector[1] + centre[2] * vector[2]
    limit = side * depth + np.hypot(1.0, side) * np.asarray(chord)
    near = depth > 0.8  # 37 degrees: the farthest that a disc of 30 degrees and a cell that meet can be apart is 34
    near &= np.abs(east[0] * vector[0] + east[1] * vector[1]) <= limit
    near &= np.abs(north[0] * vector[0] + north[1] * vector[1] + north[2] * vector[2]) <= limit
    return np.asarray(near)


def nearest_projection_cell(vector: FloatArray) -> int:
    """The projection cell whose centre is nearest to a direction (3,), of any length."""
    centers = sky_to_vector(*projection_cell_centers(np.arange(N_PROJECTION_CELLS)))
    return int(np.argmax(centers.T @ vector))


def cell_centers(cells: Sequence[CellId]) -> tuple[FloatArray, FloatArray]:
    """(ra, dec) in degrees, shape (n,), of the centre of each sky cell."""
    p, x, y = np.array([(c.projection_cell, c.x, c.y) for c in cells], dtype=np.int64).reshape(-1, 3).T
    middle = (CELL_SIZE + 1) / 2
    return plane_to_sky(p, middle + (x - 1) * STEP, middle + (y - 1) * STEP)


def cell_corners(cell: CellId) -> FloatArray:
    """The sky cell's corners at its pixel edges, (4, 2): ra and dec in degrees, counter-clockwise as seen on the sky.

    They start at low x and low y (south-east) and go on by high x (south-west).
    """
    _check_cell(cell)
    x = (cell.x - 1) * STEP + np.array([CELL_LOW, CELL_HIGH, CELL_HIGH, CELL_LOW])
    y = (cell.y - 1) * STEP + np.array([CELL_LOW, CELL_LOW, CELL_HIGH, CELL_HIGH])
    return np.column_stack(plane_to_sky(cell.projection_cell, x, y))


def projection_cell_wcs(p: int) -> WCS:
    """The WCS of a projection cell at the fine scale."""
    return _tangent_wcs(p, (PROJECTION_CRPIX, PROJECTION_CRPIX), "fine", (PROJECTION_SIZE, PROJECTION_SIZE))


def cell_wcs(cell: CellId, scale: Scale = "fine", canvas: Canvas | None = None) -> WCS:
    """The WCS of a sky cell, or of a rectangle of it, at the fine (0.04 arcsec) or coarse (0.12 arcsec) scale.

    `canvas` is in fine pixels whatever the scale; the grid is the cell's own, shifted by whole pixels.
    """
    _check_cell(cell)
    if canvas is None:
        side = CELL_SIZE if scale == "fine" else CELL_SIZE // COARSE
        grid = Canvas(1, side, 1, side)
    else:
        grid = canvas.at_scale(scale)
    zoom = 1 if scale == "fine" else COARSE
    crpix = (
        (PROJECTION_CRPIX - (cell.x - 1) * STEP) / zoom - (grid.x_min - 1),
        (PROJECTION_CRPIX - (cell.y - 1) * STEP) / zoom - (grid.y_min - 1),
    )
    rows, columns = grid.shape
    return _tangent_wcs(cell.projection_cell, crpix, scale, (columns, rows))


def _tangent_wcs(p: int, crpix: tuple[float, float], scale: Scale, pixel_shape: tuple[int, int]) -> WCS:
    from astropy.wcs import WCS  # an import of half a second that most commands do not need

    ra, dec = projection_cell_centers(p)
    # drizzlepac's order of operations: 0.12 / 3600 differs in the last bit.
    step = PIXEL_SCALE["fine"] / 3600.0 / (PIXEL_SCALE["fine"] / PIXEL_SCALE[scale])
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [float(ra), float(dec)]
    wcs.wcs.crpix = list(crpix)
    wcs.wcs.cd = [[-step, 0.0], [0.0, step]]
    wcs.wcs.radesys = "ICRS"
    wcs.pixel_shape = pixel_shape
    wcs.wcs.set()
    return wcs


def _frame_of(p: ArrayLike) -> Frame:
    ids = np.asarray(p)
    ring_of(ids)  # raises on ids that do not exist, where indexing would wrap negative ones
    frames = projection_frames()
    return Frame(*(np.take(axis, ids, axis=1) for axis in frames))


def _check_cell(cell: CellId) -> None:
    ring_of(cell.projection_cell)
    if not (1 <= cell.x <= CELLS_PER_SIDE and 1 <= cell.y <= CELLS_PER_SIDE):
        raise UsageError(
            f"a projection cell has no sky cell x={cell.x}, y={cell.y}; expected x and y from 1 to {CELLS_PER_SIDE}"
        )
