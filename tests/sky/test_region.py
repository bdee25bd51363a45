"""Region texts in every dialect, and their normal form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sky.judge import rotate_out

from mvmdb.errors import InputError
from mvmdb.sky.region import format_region, normalize_polygon, parse_region

SQUARE = [[10.0, 0.0], [10.0, 1.0], [11.0, 1.0], [11.0, 0.0]]  # south-west, north-west, north-east, south-east


@pytest.mark.parametrize(
    "text",
    [
        "POLYGON ICRS 10 0 10 1 11 1 11 0",
        "polygon 10 0 10 1 11 1 11 0",
        "POLYGON J2000 10.0 0.0 10.0 1.0 11.0 1.0 11.0 0.0 10.0 0.0",
        "POLYGON GSC1 10 0 10 0 10 1 10 1 11 1 11 0 10 0 10 0",
        "Polygon ICRS TOPOCENTER 10 0 11 0 11 1 10 1",
        "  POLYGON   ICRS  370 0 370 1 371 1 371 0 ",
        "POLYGON ICRS -350 0 -350 1 -349 1 -349 0",
        "POLYGON((10 0, 10 1, 11 1, 11 0))",
    ],
)
def test_every_dialect_of_one_square_has_one_normal_form(text):
    (polygon,) = parse_region(text)
    np.testing.assert_array_equal(polygon, SQUARE)


def test_several_polygons_in_one_text_are_kept_apart():
    text = "POLYGON ICRS 10 0 10 1 11 1 11 0 10 0 POLYGON 20 0 20 1 21 1 CIRCLE ICRS 30 0 0.5"
    assert [len(polygon) for polygon in parse_region(text)] == [4, 3, 64]


def test_polygons_around_a_pole_are_counter_clockwise_from_inside():
    # From inside, right ascension grows clockwise around the north pole and counter-clockwise around the south pole.
    cap = np.array([[0.0, 85.0], [90.0, 85.0], [180.0, 85.0], [270.0, 85.0]])
    np.testing.assert_array_equal(normalize_polygon(cap), cap[[0, 3, 2, 1]])
    np.testing.assert_array_equal(normalize_polygon(cap * [1, -1]), cap * [1, -1])


def turn(polygon):
    """Position angle, north over east, that the vertices sweep for an observer inside: +360 when normal."""
    ra, dec = np.deg2rad(polygon).T
    v = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    c = v.mean(axis=0) / np.linalg.norm(v.mean(axis=0))
    north = np.array([0.0, 0.0, 1.0]) - c * c[2]
    east = np.cross([0.0, 0.0, 1.0], c)
    angle = np.unwrap(np.arctan2(np.append(v, v[:1], axis=0) @ east, np.append(v, v[:1], axis=0) @ north))
    return np.rad2deg(angle[-1] - angle[0])


@given(
    ra=st.floats(0, 360), z=st.floats(-0.9999, 0.9999), radius=st.floats(1e-4, 5.0), n=st.integers(3, 40),
    backward=st.booleans(), closed=st.booleans(), laps=st.integers(-1, 1),
)  # fmt: skip
def test_winding_closure_and_laps_of_ra_are_normalised_anywhere(ra, z, radius, n, backward, closed, laps):
    angle = 2 * np.pi * np.arange(n) / n
    polygon = rotate_out(ra, np.rad2deg(np.arcsin(z)), radius * np.sin(angle), radius * np.cos(angle), 13.0)
    given_polygon = polygon[::-1] if backward else polygon
    if closed:
        given_polygon = np.append(given_polygon, given_polygon[:1], axis=0)
    normal = normalize_polygon(given_polygon + np.array([360.0 * laps, 0.0]))
    assert turn(normal) == pytest.approx(360.0, abs=1e-3)
    assert len(normal) == n
    assert ((normal[:, 0] >= 0) & (normal[:, 0] < 360)).all()
    normal_ra = np.deg2rad(np.sort(normal[:, 0]))
    np.testing.assert_allclose(np.exp(1j * normal_ra).sum(), np.exp(1j * np.deg2rad(polygon[:, 0])).sum(), atol=1e-9)


WORD = st.one_of(
    st.sampled_from(
        ["POLYGON", "CIRCLE", "ICRS", "J2000", "polygon", "POSITION", "1e300", "nan", "inf", "-inf", "0", "90", "1_0"]
    ),
    st.floats().map(str),
    st.floats(-400, 400).map(str),
    st.text(max_size=5),
)


TEXT = st.one_of(
    st.text(st.characters(codec=None)),
    st.lists(WORD, max_size=30).map(" ".join),
    st.lists(st.floats(9, 11).map(str), min_size=3, max_size=9).map(lambda numbers: " ".join(["POLYGON", *numbers])),
)


@given(TEXT)
def test_any_text_is_a_region_or_an_error(text):
    try:
        polygons = parse_region(text)
    except InputError as error:
        length = len(str(error))
    else:
        length = 0
    if length:
        assert 10 < length < 1000
        return
    assert polygons
    for polygon in polygons:
        assert np.isfinite(polygon).all()
        assert (np.abs(polygon[:, 1]) <= 90).all()
        assert len(polygon) >= 3
    assert format_region(parse_region(format_region(polygons))) == format_region(polygons)


@given(st.lists(st.tuples(st.floats(-400, 400), st.floats(-89, 89)), min_size=1, max_size=3), st.integers(3, 8))
def test_formatted_regions_come_back_as_they_were(centers, n):
    angle = 2 * np.pi * np.arange(n) / n
    polygons = [rotate_out(ra, dec, np.sin(angle), np.cos(angle), 0.0) for ra, dec in centers]
    text = format_region([normalize_polygon(polygon) for polygon in polygons])
    parsed_polygons = parse_region(text)
    assert format_region(parsed_polygons) == text
    for polygon, parsed in zip(polygons, parsed_polygons, strict=True):
        difference = parsed - normalize_polygon(polygon)
        difference[:, 0] = (difference[:, 0] + 180) % 360 - 180  # 359.9999999999 is written as 0
        np.testing.assert_allclose(difference, 0, atol=5.1e-10)


def test_vertices_that_differ_only_beyond_the_ninth_decimal_are_one():
    (polygon,) = parse_region("POLYGON 359.99999999999 0 10 0 10 10 0 10 0.0000000000001 0")
    assert len(polygon) == 4
    assert "360.000000000" not in format_region([polygon])
    assert format_region(parse_region(format_region([polygon]))) == format_region([polygon])


def test_circle_becomes_a_polygon_around_it():
    for dec, radius in ((0.0, 0.5), (89.9, 2.0), (-60.0, 10.0)):
        (polygon,) = parse_region(f"CIRCLE ICRS 359.9 {dec} {radius}")
        ra, decs = np.deg2rad(polygon).T
        v = np.array([np.cos(decs) * np.cos(ra), np.cos(decs) * np.sin(ra), np.sin(decs)])
        a, d = np.deg2rad([359.9, dec])
        c = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        pole = np.cross(v, np.roll(v, -1, axis=1), axis=0)
        to_side = np.abs(np.arcsin(c @ (pole / np.linalg.norm(pole, axis=0))))
        np.testing.assert_allclose(np.rad2deg(to_side), radius, rtol=1e-9)
        assert (np.rad2deg(np.arccos(c @ v)) < radius * 1.0013).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no shape"),
        ("ICRS", "no shape"),
        ("10 0 10 1 11 1", "'10' first"),
        ("BOX ICRS 10 0 1 1", "'BOX'"),
        ("POLYGON GALACTIC 10 0 10 1 11 1", "'GALACTIC'"),
        ("POLYGON ICRS 10 0 ICRS 10 1 11 1", "'ICRS'"),
        ("POLYGON ICRS 10 0 10 1 11", "5 numbers"),
        ("POLYGON ICRS 10 0 10 1", "4 numbers"),
        ("POLYGON ICRS 10 0 10 1 1o 1", "'1o'"),
        ("POLYGON ICRS nan 0 10 1 11 1", "vertex nan"),
        ("POLYGON ICRS 10 0 10 91 11 1", "vertex 10 91"),
        ("POLYGON ICRS 10 0 10 0 11 1 11 1", "2 different vertices"),
        ("POLYGON ICRS 0 0 100 0 50 60", "more than 30 degrees"),
        ("CIRCLE ICRS 10 0", "2 numbers"),
        ("CIRCLE ICRS 10 0 0", "radius 0"),
        ("CIRCLE ICRS 10 0 -1", "radius -1"),
        ("CIRCLE ICRS 10 0 45", "radius 45"),
        ("CIRCLE ICRS 10 95 1", "vertex 10 95"),
    ],
)
def test_texts_that_are_no_region_are_refused_with_what_was_found(text, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_region(text)
    assert "expected" in str(caught.value)
