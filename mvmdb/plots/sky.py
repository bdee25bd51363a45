"""Plots of the tessellation on the sky: all projection cells, and those around a pole, with the coverage on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import N_PROJECTION_CELLS
from mvmdb.plots.bins import SkyBins, bin_sky
from mvmdb.plots.outlines import cut_lines, outline_cells, to_map
from mvmdb.plots.style import FAINT, INK, LINE, MAP, PALETTE, plural, thin_labels
from mvmdb.sky.tessellation import load_rings, projection_cell_centers, ring_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mvmdb.catalog.ask.plotted import Positions

Projection = Literal["aitoff", "mollweide"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)
POLE_REACH = 16.0
"""How far from the pole the plot of a pole reaches, in degrees: four rings."""
_BIN, _BIN_AT_POLE = 1.0, 0.5
_SAMPLES, _SAMPLES_HIGH = 4, 10
"""Points on each edge of a cell on a map of the whole sky; edges are more curved at high declinations."""
_MANY = 3000
"""From how many marks on an SVG file holds them as one image, which would else be of megabytes."""


def draw_sky(figure: Figure, positions: Positions | None, projection: Projection = "aitoff") -> None:
    """All projection cells, RA 0 in the middle and growing to the left, with exposure time on them."""
    from matplotlib.collections import LineCollection

    axes: Any = figure.add_subplot(projection=projection)
    outlines = LineCollection(_project_outlines(axes), colors=LINE, linewidths=0.4)
    outlines.set_transform(axes.transAffine + axes.transAxes)
    outlines.set_gid("projection-cells")
    axes.add_collection(outlines)
    if positions is not None:
        bins = bin_sky(positions.ra, positions.dec, positions.exptime, _BIN)
        _mark(figure, axes, np.deg2rad(to_map(bins.ra)), np.deg2rad(bins.dec), bins, _BIN)
    hours = np.array([9, 6, 3, 0, 21, 18, 15])
    axes.set_xticks(np.deg2rad(to_map(hours * 15.0)), [])
    for hour in hours.tolist():
        label = axes.text(
            np.deg2rad(to_map(hour * 15.0)), 0.0, f"{hour}h", ha="center", va="center", fontsize=9, zorder=5
        )
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0})
    axes.set_yticks(np.deg2rad(np.arange(-60, 61, 30)), [f"{dec:+d}°" if dec else "0°" for dec in range(-60, 61, 30)])
    axes.grid(color=FAINT, linewidth=0.5, alpha=0.5)
    words = f"The {N_PROJECTION_CELLS:,} projection cells"
    shown = "" if positions is None else f", and {plural(len(positions.ra), 'exposure')}"
    axes.set_title(words + shown, pad=14)


def draw_pole(figure: Figure, positions: Positions | None, *, south: bool = False) -> None:
    """The projection cells around a pole, as seen on the sky from inside, with their numbers.

    RA 0 is below the north pole and above the south pole, as in the image of the projection cell at the pole.
    """
    from matplotlib.collections import PolyCollection

    axes: Any = figure.add_subplot(projection="polar")
    axes.set_theta_zero_location("N" if south else "S")
    axes.set_theta_direction(1 if south else -1)
    cells = _cells_near_pole(south)
    ra, dec = outline_cells(cells)
    ring = ring_of(cells)
    colors = [PALETTE[(number if south else int(ring.max()) - number) % 4] for number in ring.tolist()]
    corners = np.stack([np.deg2rad(ra), 90.0 - np.abs(dec)], axis=-1)
    for face, edge, alpha in ((colors, "none", 0.13), ("none", colors, 0.9)):
        shapes = PolyCollection(list(corners), facecolors=face, edgecolors=edge, linewidths=0.9, alpha=alpha)
        axes.add_collection(shapes)
    near = np.zeros(0, np.int64)
    if positions is not None:
        near = np.flatnonzero((positions.dec < 0) == south)
        near = near[90.0 - np.abs(positions.dec[near]) < POLE_REACH]
        bins = bin_sky(positions.ra[near], positions.dec[near], positions.exptime[near], _BIN_AT_POLE)
        _mark(figure, axes, np.deg2rad(bins.ra), 90.0 - np.abs(bins.dec), bins, _BIN_AT_POLE)
    for cell, at, height in zip(cells.tolist(), *projection_cell_centers(cells), strict=True):
        if 90.0 - abs(height) < POLE_REACH - 1.0:
            axes.text(
                np.deg2rad(at), 90.0 - abs(height), str(cell), ha="center", va="center", fontsize=8, color=INK,
            )  # fmt: skip
    sign = "-" if south else "+"
    axes.set_rlim(0.0, POLE_REACH)
    axes.set_rgrids([5, 10, 15], [f"{sign}{90 - reach}°" for reach in (5, 10, 15)], angle=22.5, color=FAINT)
    axes.set_thetagrids(np.arange(0, 360, 45), [f"{hour}h" for hour in range(0, 24, 3)])
    axes.grid(color=FAINT, linewidth=0.5, alpha=0.5)
    words = f"Projection cells around the {'south' if south else 'north'} pole"
    axes.set_title(words if positions is None else f"{words}, and {plural(len(near), 'exposure')}", pad=16)


def _project_outlines(axes: Any) -> list[NDArray[np.float64]]:
    """The outlines of all projection cells on the plane of a map, cut where they leave it.

    They are projected at once: matplotlib would project 75 points for each, one line after the other, in minutes.
    """
    cells = np.arange(N_PROJECTION_CELLS)
    is_high = np.abs(projection_cell_centers(cells)[1]) > 60.0
    pieces = []
    for some, samples in ((cells[~is_high], _SAMPLES), (cells[is_high], _SAMPLES_HIGH)):
        ra, dec = outline_cells(some, samples)
        pieces += [piece for one, other in zip(to_map(ra), dec, strict=True) for piece in cut_lines(one, other)]
    ends = np.cumsum([len(piece) for piece in pieces])[:-1]
    projected = axes.transProjection.transform_non_affine(np.deg2rad(np.concatenate(pieces)))
    return np.split(projected, ends)


def _cells_near_pole(south: bool) -> NDArray[np.int64]:
    """The projection cells of rings that reach into the plot of a pole."""
    rings = load_rings()
    near = np.abs(rings.dec - (-90.0 if south else 90.0)) < POLE_REACH + 2.5
    numbers = [np.arange(first, first + count) for first, count in zip(rings.projcell, rings.nband, strict=True)]
    return np.concatenate([cells for cells, is_near in zip(numbers, near.tolist(), strict=True) if is_near])


def _mark(figure: Figure, axes: Any, x: NDArray[Any], y: NDArray[Any], bins: SkyBins, width: float) -> None:
    """Put a mark where there are exposures, the darker the more exposure time, with its scale."""
    from matplotlib.colors import LogNorm

    if not len(bins.exptime):
        return
    low, high = float(max(bins.exptime.min(), 1.0)), float(max(bins.exptime.max(), 1.0))
    number = len(bins.exptime)
    marks = axes.scatter(
        x, y, c=bins.exptime, cmap=f"{MAP}_r", norm=LogNorm(low if high > low else low / 10, high), marker="o",
        s=float(np.clip(12000 / number, 3.0, 24.0)), linewidths=0.5 if number < _MANY else 0, edgecolors=INK,
        zorder=3, rasterized=number > _MANY,
    )  # fmt: skip
    marks.set_gid("coverage")
    bar = figure.colorbar(marks, ax=axes, orientation="horizontal", shrink=0.6, aspect=40, pad=0.06)
    thin_labels(bar)
    bar.set_label(f"exposure time in bins of {width:g}° by {width:g}° (s)")
