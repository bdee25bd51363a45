"""What is drawn is where the tessellation has it: directions, numbers of sky cells, footprints and depths."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from matplotlib.figure import Figure

from mvmdb.catalog.ask.plotted import CellMembers, Member
from mvmdb.errors import InputError, UsageError
from mvmdb.names import parse_cell_name
from mvmdb.plots.cell import draw_cell, draw_skycell
from mvmdb.plots.layer import count_depth
from mvmdb.plots.sky import draw_pole, draw_sky
from mvmdb.plots.style import format_seconds, line_styles, new_figure, styled, write_figure
from mvmdb.records import Canvas
from mvmdb.sky.region import format_region, parse_region
from mvmdb.sky.tessellation import cell_centers, cell_wcs, projection_cell_wcs

CELL = parse_cell_name("p0726x11y11")


def drawn(draw: Callable[[Figure], None], size: tuple[float, float] = (8, 8)) -> Figure:
    with styled():
        figure = new_figure(*size)
        draw(figure)
        figure.canvas.draw()
    return figure


def place_of(axes: Any, *at: float) -> np.ndarray:
    return np.asarray(axes.transData.transform(at))


def test_numbers_of_sky_cells_are_on_their_centres() -> None:
    axes = drawn(lambda figure: draw_cell(figure, 1889, None)).axes[0]
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert len(texts) == 441
    wcs = projection_cell_wcs(1889)
    for x, y in ((1, 1), (21, 1), (7, 19), (21, 21)):
        ra, dec = cell_centers([parse_cell_name(f"p1889x{x:02d}y{y:02d}")])
        assert np.array(texts[f"x{x:02d}\ny{y:02d}"]) == pytest.approx(
            np.array(wcs.world_to_pixel_values(ra[0], dec[0])), abs=0.01
        )
    right, left = (place_of(axes, *texts[f"x{x:02d}\ny11"])[0] for x in (21, 1))
    assert right > left, "x grows to the right, as pixels do"
    west, east = (cell_centers([parse_cell_name(f"p1889x{x:02d}y11")])[0][0] for x in (21, 1))
    assert (west - east) % 360 > 180, "which is towards lower right ascension"


def test_on_the_map_east_is_left_and_north_is_up() -> None:
    axes = drawn(lambda figure: draw_sky(figure, None)).axes[0]
    words = {text.get_text(): text.get_window_extent().x0 for text in axes.texts}
    assert words["3h"] < words["0h"] < words["21h"]
    (lines,) = [one for one in axes.collections if one.get_gid() == "projection-cells"]
    assert len(lines.get_paths()) > 2644


@pytest.mark.parametrize(("south", "cell"), [(False, 2643), (True, 0)])
def test_a_pole_is_seen_as_in_the_image_of_its_projection_cell(south: bool, cell: int) -> None:
    axes = drawn(lambda figure: draw_pole(figure, None, south=south)).axes[0]
    wcs, middle = projection_cell_wcs(cell), place_of(axes, 0.0, 0.0)
    for ra in (0.0, 40.0, 130.0, 250.0):
        pixel = np.array(wcs.world_to_pixel_values(ra, -89.0 if south else 89.0)) - (wcs.wcs.crpix - 1)
        on_plot = place_of(axes, np.deg2rad(ra), 1.0) - middle
        assert on_plot / np.hypot(*on_plot) == pytest.approx(pixel / np.hypot(*pixel), abs=0.01)


def test_a_sky_cell_s_members_are_drawn_where_they_are() -> None:
    corners = np.column_stack(
        cell_wcs(CELL).pixel_to_world_values([99.0, 1099.0, 1099.0, 99.0], [199.0, 199.0, 899.0, 899.0])
    )
    held = CellMembers((Member("wfc3/ir", "f125w", 100.0, format_region([corners])),), Canvas(100, 1100, 200, 900))
    figure = drawn(lambda figure: draw_skycell(figure, CELL, held))
    assert len(figure.axes) == 2, "with its small canvas beside it"
    (lines,) = [one for one in figure.axes[0].collections if one.get_gid() == "WFC3/IR-F125W"]
    (path,) = lines.get_paths()
    assert path.vertices.min(axis=0) == pytest.approx([99.0, 199.0], abs=1e-3)
    assert path.vertices.max(axis=0) == pytest.approx([1099.0, 899.0], abs=1e-3)
    assert any("F125W: 1 exposure, 100 s" in text.get_text() for text in figure.legends[0].get_texts())


def test_depth_counts_the_exposures_over_each_pixel() -> None:
    wcs = cell_wcs(CELL, canvas=Canvas(5001, 5080, 6001, 6060))
    random = np.random.default_rng(9)
    regions = []
    for _ in range(6):
        x, y = random.uniform(-10, 90, 4), random.uniform(-10, 70, 4)
        hull = shapely.MultiPoint(np.column_stack([x, y])).convex_hull
        corners = np.column_stack(wcs.pixel_to_world_values(*np.array(hull.exterior.coords)[:-1].T))
        regions.append(format_region(parse_region("POLYGON ICRS " + " ".join(map(str, corners.ravel())))))
    depth = count_depth(wcs, (60, 80), [*regions, ""])
    x, y = np.meshgrid(np.arange(80), np.arange(60))
    expected = np.zeros((60, 80), int)
    for region in regions:
        outline = shapely.Polygon(np.column_stack(wcs.world_to_pixel_values(*parse_region(region)[0].T)))
        expected += shapely.contains_xy(outline, x, y)
    assert (depth == expected).all()
    assert depth.max() > 2


def test_an_unchanged_plot_is_an_unchanged_file_and_its_words_are_words(tmp_path: Path) -> None:
    for ending in ("svg", "png"):
        paths = [tmp_path / f"{name}.{ending}" for name in ("first", "second")]
        for path in paths:
            write_figure(drawn(lambda figure: draw_pole(figure, None), (5, 5)), path)
        assert paths[0].read_bytes() == paths[1].read_bytes()
    words = {element.text for element in ET.parse(tmp_path / "first.svg").iter() if element.tag.endswith("text")}
    assert {"2643", "2634", "0h"} <= words
    assert not re.search(r"\d{4}-\d\d-\d\dT", (tmp_path / "first.svg").read_text())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    figure = new_figure(2, 2)
    with pytest.raises(UsageError, match=r"plot.gif: found the ending '.gif'; expected one of .png, .svg"):
        write_figure(figure, tmp_path / "plot.gif")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write the plot"):
        write_figure(figure, tmp_path / "file" / "plot.png")


def test_no_two_of_21_filters_look_alike() -> None:
    styles = [tuple(style.values()) for style in line_styles([str(number) for number in range(21)]).values()]
    assert len(set(styles)) == 21


def test_times_are_short() -> None:
    assert [format_seconds(value) for value in (0.7, 812.4, 14_200.0, 1.3e6)] == ["1 s", "812 s", "14.2 ks", "1.3 Ms"]
