"""Plots of fixed values, and their pictures: `python tests/plots/baselines.py` draws them anew into baseline/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvmdb.catalog.ask.plotted import CellMembers, Member, Positions
from mvmdb.catalog.ask.standing import Standing
from mvmdb.names import parse_cell_name
from mvmdb.plots.cell import draw_cell, draw_skycell
from mvmdb.plots.history import draw_coverage, draw_history
from mvmdb.plots.layer import SmallLayer, count_depth, draw_layer
from mvmdb.plots.sky import draw_pole, draw_sky
from mvmdb.plots.style import new_figure, styled
from mvmdb.records import Canvas
from mvmdb.sky.region import format_region
from mvmdb.sky.tessellation import STEP, cell_wcs, plane_to_sky

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parent / "baseline"
DPI = 45
CELL = parse_cell_name("p0726x11y11")


def positions(n: int = 300) -> Positions:
    """Exposures all over the sky."""
    random = np.random.default_rng(7)
    dec = np.rad2deg(np.arcsin(random.uniform(-1, 1, n)))
    start = np.sort(random.uniform(50000, 60000, n))
    return Positions(random.uniform(0, 360, n), dec, 10 ** random.uniform(1, 4, n), start)


def square(x: float, y: float, size: float, turn: float = 0.2) -> str:
    """The region of a turned square about fine pixel (x, y) of CELL, with sides of so many pixels."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2
    turned = corners @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + np.array([x, y])
    at = turned + np.array([(CELL.x - 1) * STEP, (CELL.y - 1) * STEP])
    return format_region([np.column_stack(plane_to_sky(CELL.projection_cell, at[:, 0], at[:, 1]))])


def members() -> CellMembers:
    """Members in three filters, in a corner of the cell."""
    listed = [Member("wfc3/ir", "f125w", 400.0, square(5000 + 300 * number, 6000, 3200)) for number in range(4)]
    listed.append(Member("acs/wfc", "f814w", 520.0, square(6500, 7000, 5000, 0.5)))
    listed.append(Member("wfc3/ir", "f160w", 500.0, square(5200, 8200, 3200)))
    return CellMembers(tuple(listed), Canvas(2500, 9800, 3600, 10400))


def small_layer() -> SmallLayer:
    """A mosaic of three squares, 90 rows by 120 columns, with stars."""
    wcs = cell_wcs(CELL, canvas=Canvas(2001, 3200, 4001, 4900)).deepcopy()
    wcs.wcs.crpix = (wcs.wcs.crpix - 0.5) / 10 + 0.5
    wcs.wcs.cd = wcs.wcs.cd * 10
    regions = [square(2500, 4400, 700), square(2650, 4450, 700), square(2700, 4500, 500, 0.6)]
    depth = count_depth(wcs, (90, 120), regions)
    science = np.random.default_rng(3).normal(0.0, 0.02, depth.shape).astype(np.float32)
    science[40:43, 50:53], science[60:62, 70:72] = 8.0, 0.6
    nothing = np.float32(np.nan)
    return SmallLayer(
        f"hst_{CELL}_wfc3_ir_f125w_all", np.where(depth > 0, science, nothing),
        np.where(depth > 0, depth * 400.0, nothing).astype(np.float32), depth, wcs, 3, 1200.0,
    )  # fmt: skip


def standing() -> Standing:
    """Five nights, on each of which layers came, and most were made."""
    nights = np.datetime64("2026-01-01T00:00:00", "us") + np.arange(10) * np.timedelta64(1, "D")
    stale = np.array([40, 5, 45, 0, 60, 10, 30, 10, 25, 3])
    return Standing(nights, np.cumsum(np.full(10, 30)) - stale // 2, stale)


def totals() -> list[tuple[str, str, int, float, float]]:
    """Filters of three cameras, with times and areas."""
    return [
        ("acs/wfc", "f606w", 50, 26000.0, 130.5), ("acs/wfc", "f814w", 40, 20500.0, 121.0),
        ("wfc3/ir", "f125w", 32, 12000.0, 60.25), ("wfc3/uvis", "f275w", 4, 900.0, 7.2),
    ]  # fmt: skip


PLOTS: dict[str, tuple[tuple[float, float], Callable[[Figure], None]]] = {
    "sky": ((10, 6.2), lambda figure: draw_sky(figure, positions())),
    "mollweide": ((10, 6.2), lambda figure: draw_sky(figure, None, "mollweide")),
    "pole": ((7.5, 7.8), lambda figure: draw_pole(figure, positions())),
    "south": ((7.5, 7.8), lambda figure: draw_pole(figure, None, south=True)),
    "cell": ((9, 8.4), lambda figure: draw_cell(figure, 726, {(11, 11): 3000.0, (12, 11): 800.0})),
    "skycell": ((9.5, 6.4), lambda figure: draw_skycell(figure, CELL, members())),
    "layer": ((11, 5.2), lambda figure: draw_layer(figure, small_layer())),
    "history": ((9, 7), lambda figure: draw_history(figure, positions(), standing())),
    "coverage": ((10, 6), lambda figure: draw_coverage(figure, totals())),
}


def draw(name: str, path: Path) -> None:
    """Draw one of the plots into a PNG file, small."""
    size, drawing = PLOTS[name]
    with styled():
        figure = new_figure(*size)
        drawing(figure)
        figure.savefig(path, dpi=DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in PLOTS:
        draw(one, FOLDER / f"{one}.png")
