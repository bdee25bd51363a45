"""Plots of one projection cell, with the numbers of its sky cells, and of one sky cell, with its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mvmdb.names import CELLS_PER_SIDE, N_PROJECTION_CELLS, CellId
from mvmdb.plots.style import FAINT, INK, LINE, MAP, format_seconds, line_styles, plural, show_emptiness, thin_labels
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_HIGH, CELL_LOW, STEP, cell_wcs, projection_cell_wcs, ring_of, sky_to_plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mvmdb.catalog.ask.plotted import CellMembers
    from mvmdb.records import Canvas

_MANY = 2000
_MOST_FILTERS = 21


def draw_cell(figure: Figure, cell: int, seconds: Mapping[tuple[int, int], float] | None) -> None:
    """The sky cells of a projection cell, each with its numbers x and y, and the exposure time in it, if given.

    Pixel x, and with it the number x, grows to the right (west), and y upwards (north). Raises UsageError for a
    projection cell that does not exist.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    ring_of(cell)
    axes: Any = figure.add_subplot(projection=projection_cell_wcs(cell))
    numbers = [(x, y) for y in range(1, CELLS_PER_SIDE + 1) for x in range(1, CELLS_PER_SIDE + 1)]
    squares = [
        Rectangle(
            ((x - 1) * STEP + CELL_LOW - 1, (y - 1) * STEP + CELL_LOW - 1), CELL_HIGH - CELL_LOW, CELL_HIGH - CELL_LOW
        )
        for x, y in numbers
    ]
    outlines = PatchCollection(squares, facecolors="none", edgecolors=LINE, linewidths=0.6)
    outlines.set_gid("sky-cells")
    if seconds:
        _fill(figure, axes, seconds)
    axes.add_collection(outlines)
    for x, y in numbers:
        at = [(number - 1) * STEP + (CELL_LOW + CELL_HIGH) / 2 - 1 for number in (x, y)]
        axes.text(
            *at, f"x{x:02d}\ny{y:02d}", ha="center", va="center", fontsize=6.5, linespacing=1.0,
            color=INK if (x, y) in (seconds or {}) or not seconds else FAINT,
        )  # fmt: skip
    reach = (CELLS_PER_SIDE - 1) * STEP + CELL_HIGH
    axes.set(xlim=(-1500, reach + 1500), ylim=(-1500, reach + 1500), aspect="equal")
    _label_sky(axes, around_pole=cell in (0, N_PROJECTION_CELLS - 1))
    words = f"Projection cell {cell}: numbers of its {CELLS_PER_SIDE} by {CELLS_PER_SIDE} sky cells"
    # Not the title of the axes, which labels of right ascension above them would cross: near a pole they are there.
    figure.suptitle(f"{words}\nskycell-p{cell:04d}x01y01 (lower left) to x{CELLS_PER_SIDE}y{CELLS_PER_SIDE}")


def _fill(figure: Figure, axes: Any, seconds: Mapping[tuple[int, int], float]) -> None:
    """Colour the sky cells that hold exposures by their time; the dark colours are left out, for the numbers."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    grid = np.full((CELLS_PER_SIDE, CELLS_PER_SIDE), np.nan)
    for (x, y), value in seconds.items():
        grid[y - 1, x - 1] = max(value, 1.0)
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    light = ListedColormap(colormaps[MAP](np.linspace(0.6, 1.0, 256)))
    edges = np.arange(CELLS_PER_SIDE + 1) * STEP + (CELL_HIGH - STEP - CELL_LOW) / 2
    mesh = axes.pcolormesh(edges, edges, grid, cmap=light, norm=LogNorm(low if high > low else low / 10, high))
    bar = figure.colorbar(mesh, ax=axes, orientation="vertical", shrink=0.7, aspect=40, pad=0.02)
    thin_labels(bar)
    bar.set_label("exposure time of the members (s)")


def draw_skycell(figure: Figure, cell: CellId, held: CellMembers) -> None:
    """The footprints of a sky cell's members by camera and filter, with the cell and its canvas outlined.

    Where the canvas is less than two thirds of the cell along both sides, a second panel shows it larger.
    """
    outlines = outline_members(cell, [member.s_region for member in held.members])
    wcs, canvas = cell_wcs(cell), held.canvas
    is_small = canvas is not None and max(canvas.x_max - canvas.x_min, canvas.y_max - canvas.y_min) < CELL_HIGH * 2 / 3
    panels = [figure.add_subplot(1, 2 if is_small else 1, 1, projection=wcs)]
    _draw_members(panels[0], held, outlines)
    panels[0].set(xlim=(-1800, CELL_HIGH + 1800), ylim=(-1800, CELL_HIGH + 1800), aspect="equal")
    panels[0].set_title(f"{cell}: {plural(len(held.members), 'member')}", pad=10)
    if canvas is not None and is_small:
        panels.append(figure.add_subplot(1, 2, 2, projection=wcs))
        _draw_members(panels[1], held, outlines)
        half = max(canvas.x_max - canvas.x_min, canvas.y_max - canvas.y_min) * 0.58 + 100
        x, y = (canvas.x_min + canvas.x_max) / 2 - 1, (canvas.y_min + canvas.y_max) / 2 - 1
        panels[1].set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
        panels[1].set_title("its canvas", pad=10)
    for axes in panels:
        _label_sky(axes)
        axes.coords[1].set_axislabel("declination (ICRS)" if axes is panels[0] else " ")
    handles, labels = panels[0].get_legend_handles_labels()
    if len(labels) <= _MOST_FILTERS:
        figure.legend(handles, labels, loc="outside lower center", ncols=2 if is_small else 1)


def _draw_members(axes: Any, held: CellMembers, outlines: list[list[FloatArray]]) -> None:
    """The footprints, the sky cell and the canvas, in 0-based fine pixels of the cell."""
    from matplotlib.collections import LineCollection

    groups: dict[str, list[int]] = {}
    for place, member in enumerate(held.members):
        groups.setdefault(f"{member.camera.upper()} {member.filter.upper()}", []).append(place)
    by_size = sorted(groups, key=lambda name: (-len(groups[name]), name))
    styles = line_styles(by_size)
    for name in by_size:
        places = groups[name]
        seconds = sum(held.members[place].exptime for place in places)
        lines = LineCollection(
            [chip for place in places for chip in outlines[place]], colors=styles[name]["color"],
            linestyles=[styles[name]["linestyle"]], linewidths=1.1, alpha=max(0.15, min(0.9, 12.0 / len(places))),
            rasterized=len(held.members) > _MANY,
        )  # fmt: skip
        lines.set_gid(name.replace(" ", "-"))
        axes.add_collection(lines)
        axes.plot([], [], **styles[name], label=f"{name}: {plural(len(places), 'exposure')}, {format_seconds(seconds)}")
    axes.plot(*_rectangle(CELL_LOW, CELL_HIGH, CELL_LOW, CELL_HIGH), color=INK, linewidth=1.4, label="sky cell")
    if held.canvas is not None:
        columns, rows = (held.canvas.x_max - held.canvas.x_min + 1, held.canvas.y_max - held.canvas.y_min + 1)
        axes.plot(
            *_canvas_outline(held.canvas), color=FAINT, linestyle=(0, (4, 2)), linewidth=1.6,
            label=f"canvas: {columns:,} by {rows:,} pixels",
        )  # fmt: skip
    if not held.members:
        show_emptiness(axes, "no exposure is a member of its layers")


def outline_members(cell: CellId, s_regions: list[str]) -> list[list[FloatArray]]:
    """The closed outlines of each exposure's chips, (n, 2) in 0-based fine pixels of a sky cell."""
    footprints = Footprints.from_regions(s_regions)
    x, y = sky_to_plane(np.int64(cell.projection_cell), footprints.ra, footprints.dec)
    pixels = np.column_stack([x - (cell.x - 1) * STEP - 1, y - (cell.y - 1) * STEP - 1])
    chips: list[list[FloatArray]] = [[] for _ in s_regions]
    for owner, first, stop in zip(
        footprints.owner.tolist(), footprints.polygon_start[:-1], footprints.polygon_start[1:], strict=True
    ):
        chips[owner].append(np.vstack([pixels[first:stop], pixels[first : first + 1]]))
    return chips


def _canvas_outline(canvas: Canvas) -> tuple[list[float], list[float]]:
    return _rectangle(canvas.x_min - 0.5, canvas.x_max + 0.5, canvas.y_min - 0.5, canvas.y_max + 0.5)


def _rectangle(left: float, right: float, low: float, high: float) -> tuple[list[float], list[float]]:
    """A closed rectangle from edges in 1-based pixels, in 0-based ones."""
    x, y = [left, right, right, left, left], [low, low, high, high, low]
    return [value - 1 for value in x], [value - 1 for value in y]


def _label_sky(axes: Any, *, around_pole: bool = False) -> None:
    """Name the axes of a plot in pixels of a tangent plane by right ascension and declination.

    Around a pole, meridians leave on all sides, and parallels are circles that may leave on none.
    """
    ra, dec = axes.coords
    ra.set_axislabel("right ascension (ICRS)")
    dec.set_axislabel("declination (ICRS)")
    ra.set_major_formatter("hh:mm:ss")
    dec.set_major_formatter("dd:mm")
    axes.coords.grid(color=FAINT, alpha=0.35, linewidth=0.5)
    if around_pole:
        import astropy.units as u

        ra.set_major_formatter("hh")
        ra.set_ticks(np.arange(0, 24, 2) * u.hourangle)  # with a spacing, 0h is labelled 24h too, one over the other
        ra.set_ticklabel_position("tblr")
        ra.set_axislabel_position("b")
        dec.set_ticks(spacing=1 * u.deg)
        dec.set_ticklabel_visible(False)
        dec.set_ticks_visible(False)
        dec.set_axislabel("circles of declination, 1° from one another")
        dec.set_axislabel_position("l")
        dec.set_axislabel_visibility_rule("always")
