"""Many regions at once give the same as parse_region and format_region one by one, in every dialect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.errors import InputError
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.region import format_region, parse_region
from mvmdb.tables.regions import format_rows, gather, orient, read_regions

DIALECTS = (
    "POLYGON ICRS 10 20 10.1 20 10.1 20.1 10 20.1",
    "POLYGON 10 20 10.1 20 10.1 20.1 10 20.1 10 20",
    "polygon j2000 10 20 10 20.1 10.1 20.1 10.1 20",
    "Polygon GSC1 10 20 10 20.1 10.1 20.1 10.1 20 10 20",
    "  POLYGON   FK5  10 20\t10.1 20\n10.1 20.1  10 20.1 ",
    "POLYGON ICRS (10, 20, 10.1, 20, 10.1, 20.1)",
    "POLYGON((10 20, 10.1 20, 10.1 20.1, 10 20))",
    "POLYGON ICRS -0.1 20 0.1 20 0.1 20.1 -0.1 20.1",
    "POLYGON ICRS 359.9 20 360.1 20 360.1 20.1 359.9 20.1",
    "POLYGON ICRS 0.00000000001 0 0.1 0 0.1 0.1 -1e-11 1e-11 359.99999999999 0",
    "POLYGON ICRS 10 20 10.1 20 10.1 20 10.1 20.1 10 20.1 10 20 10 20",
    "POLYGON 10 20 10.1 20 10.1 20.1 POLYGON 11 20 11.1 20 11.1 20.1 11 20.1 11 20",
    "POLYGON ICRS 11 20 11.1 20 11.1 20.1 11 20.1 POLYGON ICRS 10 20 10.1 20 10.1 20.1",
    "POLYGON 10 20 10.1 20 10.1 20.1 CIRCLE 11 20 0.1",
    "CIRCLE ICRS 10 20 0.05",
    "circle 10 20 0.05 Polygon 10 20 10.1 20 10.1 20.1",
    "UNION ICRS (POLYGON 10 20 10.1 20 10.1 20.1 POLYGON 11 20 11.1 20 11.1 20.1)",
    "POLYGON ICRS 0 89.9 90 89.9 180 89.9 270 89.9",
    "POLYGON ICRS 270 -89.9 180 -89.9 90 -89.9 0 -89.9",
    "POLYGON ICRS 10 20 10.1 20 10 20.1 10.1 20.1",
)
BAD = (
    "POLYGON ICRS 10 20 10.1 20", "POLYGON ICRS 10 20 10.1 20 10.1", "POLYGON ICRS 10 20 10.1 20 10 20",
    "POLYGON ICRS 10 20 10.1 20 10.1 twenty", "POLYGON ICRS nan 20 10.1 20 10.1 20.1",
    "POLYGON ICRS 10 20 inf 20 10.1 20.1", "POLYGON ICRS 10 91 10.1 20 10.1 20.1",
    "POLYGON ICRS 10 20 100 20 10.1 80", "CIRCLE 10 20", "10 20 10.1 20 10.1 20.1", "BOX 10 20 1 1", "none",
    "POLYGON 10 20 10.1 20 10.1 20.1 POLYGON 11 20 11.1 20", "POLYGON 1.5.2 20 10.1 20 10.1 20.1",
    "POLYGON 10 0 10.1 0 10.2 0 10.1 0", "POLYGON 1e300 20 10.1 20 10.1 20.1",
    "POLYGON " + "10 20 10.1 20 10.1 20.1 " * 700, "POLYGON " + "10.000000000000000000000001 20 " * 1900,
)  # fmt: skip


def check(texts: list[str]) -> None:
    """A batch of texts, at every third row, gives the same as the texts one by one."""
    groups, problems, _ = read_regions([(3 * index, text) for index, text in enumerate(texts)])
    polygons = gather(groups)
    formatted = format_rows(polygons, 3 * len(texts))
    for index, text in enumerate(texts):
        expected, reason = "", None
        try:
            expected = format_region(parse_region(text))
        except InputError as error:
            reason = str(error)
        assert formatted[3 * index] == expected, text
        assert problems.pop(3 * index, None) == reason
    assert problems == {}


@pytest.mark.parametrize("text", DIALECTS)
def test_a_dialect_alone(text: str) -> None:
    check([text])


@pytest.mark.parametrize("text", BAD)
def test_an_invalid_text_has_the_reason_of_parse_region(text: str) -> None:
    with pytest.raises(InputError):
        parse_region(text)
    check([text])


def test_all_dialects_and_bad_texts_in_one_batch() -> None:
    check([*DIALECTS, *BAD, *DIALECTS[::-1]])


coordinate = st.floats(-0.3, 0.3).map(lambda x: round(x, 3))
polygon = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=7)


@st.composite
def regions(draw: st.DrawFn) -> str:
    """Runs of polygons near one position, also with repeated vertices and polygons that cross themselves."""
    ra = draw(st.sampled_from([0.0, 180.0, 359.95, -0.05]))
    dec = draw(st.sampled_from([-89.7, -45.0, 0.0, 89.7]))
    shapes = draw(st.lists(polygon, min_size=1, max_size=3))
    frame = draw(st.sampled_from(["", "ICRS ", "GSC1 "]))
    return " ".join(f"POLYGON {frame}" + " ".join(f"{ra + x} {dec + y}" for x, y in shape) for shape in shapes)


@given(st.lists(regions(), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_any_run_of_polygons_is_read_as_one_by_one(texts: list[str]) -> None:
    groups, problems, _ = read_regions(list(enumerate(texts)))
    formatted = format_rows(gather(groups), len(texts))
    for index, text in enumerate(texts):
        try:
            expected = parse_region(text)
        except InputError:
            assert index in problems
            continue
        if min(abs(area(polygon)) for polygon in expected) > 1e-9:  # a polygon without area has no winding
            assert formatted[index] == format_region(expected)


def area(vertices: np.ndarray) -> float:
    """Twice the area in square degrees on a plane: accurate enough to tell whether it is zero."""
    x, y = (vertices[:, 0] - vertices[0, 0] + 180) % 360 - 180, vertices[:, 1]
    x = x * np.cos(np.deg2rad(y.mean()))
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def test_footprints_are_those_of_the_texts() -> None:
    texts = [text + ("9" if "." in text.split()[-1] else "") for text in DIALECTS[:1] + DIALECTS[11:13]]
    groups, _, _ = read_regions(list(enumerate(texts)))
    polygons = gather(groups)
    footprints = polygons.select(np.array([0, 2]))
    formatted = format_rows(polygons, 3)
    expected = Footprints.from_polygons([parse_region(formatted[0]), parse_region(formatted[2])])
    for name in ("ra", "dec", "polygon_start", "owner"):
        assert getattr(footprints, name).tolist() == getattr(expected, name).tolist()


def test_orient_keeps_the_first_vertex() -> None:
    square = np.array([[10.0, 20.0], [10.1, 20.0], [10.1, 20.1], [10.0, 20.1]])
    clockwise = np.concatenate([square[:1], square[:0:-1]])
    oriented = orient(np.stack([square, clockwise]))
    assert not oriented.wide.any()
    assert oriented.vertices[0].tolist() == oriented.vertices[1].tolist()
    assert oriented.vertices[0, 0].tolist() == [10.0, 20.0]


def test_no_regions_make_no_polygons() -> None:
    polygons = gather([])
    assert format_rows(polygons, 2) == ["", ""]
    assert polygons.select(np.array([0, 1])).n == 2
