"""Texts of plots do not lie over one another, and say what is shown, where little is there and around the poles."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mvmdb.catalog.ask.plotted import Positions
from mvmdb.catalog.ask.standing import Standing
from mvmdb.plots.cell import draw_cell
from mvmdb.plots.history import draw_history
from mvmdb.plots.sky import draw_pole
from mvmdb.plots.style import new_figure, styled


def drawn(draw: Callable[[Figure], None]) -> Figure:
    with styled():
        figure = new_figure(7.5, 7.8)
        draw(figure)
        figure.savefig(BytesIO())  # as it is written: axes of WCS know the places of their labels once they were drawn
    return figure


def exposures(dec: list[float], exptime: list[float]) -> Positions:
    n = len(dec)
    return Positions(np.linspace(10, 300, n), np.array(dec), np.array(exptime), np.full(n, 55000.0))


@pytest.mark.parametrize(
    "exptime", [[160.0, 6000.0], [300.0, 900.0], [100.0, 100.0], [1.0, 1e6], [2e3, 1e6], [2e4, 1e6]]
)
def test_the_scale_of_a_few_exposures_can_be_read(exptime: list[float]) -> None:
    figure = drawn(lambda figure: draw_pole(figure, exposures([80.0, 85.0], exptime)))
    axes = figure.axes[1]
    labels = [label for label in axes.xaxis.get_ticklabels(which="both") if label.get_text()]
    boxes = [label.get_window_extent() for label in labels]
    places = sorted((box.x0, box.x1) for box in boxes if axes.bbox.x0 - 1 <= (box.x0 + box.x1) / 2 <= axes.bbox.x1 + 1)
    assert len(places) >= 2
    assert all(one[1] < other[0] for one, other in pairwise(places))


def test_a_pole_counts_the_exposures_that_it_shows() -> None:
    positions = exposures([80.0, 10.0, -80.0, 86.0], [10.0] * 4)
    titles = [
        drawn(lambda figure, south=south: draw_pole(figure, positions, south=south)).axes[0].get_title()  # type: ignore[misc]
        for south in (False, True)
    ]
    assert [title.split(", and ")[1] for title in titles] == ["2 exposures", "1 exposure"]


@pytest.mark.parametrize("cell", [0, 3, 2640, 2643])
def test_the_title_of_a_projection_cell_at_a_pole_is_above_all_labels(cell: int) -> None:
    figure = drawn(lambda figure: draw_cell(figure, cell, None))
    title, below = figure.get_suptitle(), figure.axes[0].get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert f"cell {cell}:" in title
    (text,) = [one for one in figure.texts if one.get_text() == title]
    assert below is not None
    assert text.get_window_extent().y0 >= below.y1


def test_layers_that_wait_for_files_are_not_called_stale() -> None:
    times = np.array(["2026-01-01", "2026-01-02"], "datetime64[us]")
    standing = Standing(times, np.array([1, 3]), np.array([9, 7]), 5)
    axes = drawn(lambda figure: draw_history(figure, exposures([1.0], [10.0]), standing)).axes
    assert "Layers: 3 fresh, 2 stale, 5 waiting for files" in [one.get_title(loc="left") for one in axes]
