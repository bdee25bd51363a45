"""Areas of unions against GEOS: any place, many over each other, edges that lie on each other, layers of an archive."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.sky.footprints import Footprints
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, measure_areas, project_exposures
from mvmdb.sky.tessellation import CELL_SIZE, STEP, plane_to_sky
from mvmdb.sky.unions import MOST, are_convex, union_areas_or_nan

SIZE = 100.0
BOX = shapely.box(0, 0, SIZE, SIZE)
NUMBERS = st.floats(-60, 160)
QUADS = st.tuples(NUMBERS, NUMBERS, st.floats(0, 7), st.floats(5, 60), st.floats(5, 60), st.booleans())


def quad(x, y, angle, width, height, clockwise):
    corners = np.array([[-1, -1], [1, -1], [1.1, 1], [-1, 1]]) * [width / 2, height / 2]
    turned = corners @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]] + [x, y]
    return turned[::-1] if clockwise else turned


def areas_of(unions):
    """Unions of equal numbers of quadrilaterals: ours, and what GEOS says."""
    quads = np.array(unions)  # (n, p, 4, 2)
    ours = union_areas_or_nan(quads[..., 0].transpose(1, 2, 0), quads[..., 1].transpose(1, 2, 0), SIZE)
    theirs = [shapely.union_all(shapely.polygons(own)).intersection(BOX).area for own in quads]
    return ours, np.array(theirs)


@settings(deadline=None)
@given(st.lists(QUADS, min_size=1, max_size=7))
def test_areas_agree_with_geos_wherever_they_are_given(places):
    ours, theirs = areas_of([[quad(*place) for place in places]])
    if np.isfinite(ours).all():
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-4)


def test_nearly_all_areas_are_given():
    rng = np.random.default_rng(3)
    for p in (1, 2, 5, 12):
        unions = [
            [quad(*rng.uniform(-20, 120, 2), *rng.uniform(0, 7, 1), *rng.uniform(5, 60, 2), False) for _ in range(p)]
            for _ in range(200)
        ]
        ours, theirs = areas_of(unions)
        assert np.isfinite(ours).mean() > 0.99
        sure = np.isfinite(ours)
        np.testing.assert_allclose(ours[sure], theirs[sure], rtol=1e-9, atol=1e-9)


def test_edges_that_lie_on_each_other_are_not_decided():
    one = quad(50, 50, 0.3, 20, 20, False)
    along = one + (one[1] - one[0])  # shares an edge
    apart = one + 3 * (one[1] - one[0])  # on the same lines, but not touching
    shifted = one + 0.4 * (one[1] - one[0])  # two edges partly on two others
    ours, theirs = areas_of([[one, one], [one, along], [one, shifted], [one, apart]])
    assert np.isnan(ours[:3]).all()
    np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-9)


def test_the_squares_own_edges_are_not_decided_either():
    ours, _ = areas_of([[np.array([[0.0, 10], [30, 10], [30, 40], [0, 40]])], [quad(50, 50, 0.1, 20, 20, False)]])
    assert np.isnan(ours[0])
    assert np.isfinite(ours[1])


def test_a_quadrilateral_that_holds_the_square_is_all_of_it():
    ours, _ = areas_of([[quad(50, 50, 0.3, 500, 500, False)]])
    assert ours.tolist() == [SIZE * SIZE]


def test_only_convex_quadrilaterals_are_convex():
    shapes = np.array(
        [[[0, 0], [4, 0], [4, 4], [0, 4]], [[0, 0], [4, 0], [1, 1], [0, 4]], [[0, 0], [4, 4], [4, 0], [0, 4]]]
    )
    assert are_convex(shapes[..., 0].T, shapes[..., 1].T).tolist() == [True, False, False]


def test_layers_of_all_sorts_have_the_areas_that_geos_gives():
    rng = np.random.default_rng(7)
    p, x, y = 726, 11, 11
    low = np.array([x - 1, y - 1]) * STEP + 0.5
    regions = []
    for n in range(40):
        corners = quad(*rng.uniform(-1000, CELL_SIZE + 1000, 2), rng.uniform(0, 7), 4000, 2000, False)
        if n % 5 == 0:
            fifth = corners[:2].mean(axis=0) + np.array([0.0, 30.0])
            corners = np.insert(corners, 1, fifth, axis=0)
        ra, dec = plane_to_sky(p, *(corners + low).T)
        text = " ".join(f"{value:.9f}" for value in np.column_stack([ra, dec]).ravel())
        regions.append(f"POLYGON ICRS {text}")
    regions += [regions[1], ""]  # the same place twice, and nothing
    members = [[1], [41], [1, 40], [2, 3], [5, 6, 7], list(range(41)), [1, 1 + 5, 2, 40], [0], [10, 11]]
    cell = np.full(len(members), (p * 21 + y - 1) * 21 + x - 1)
    start = np.cumsum([0, *map(len, members)])
    found = measure_areas(cell, start, np.concatenate(members), regions)
    shapes = project_exposures(p, Footprints.from_regions(regions))
    box = shapely.box(*low, *(low + CELL_SIZE))
    expected = [shapely.union_all(shapes[own]).intersection(box).area * ARCMIN2_PER_PIXEL for own in members]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_layers_have_their_areas_however_many_have_the_same_number_of_members():
    rng = np.random.default_rng(11)
    p, x, y = 726, 3, 17
    low = np.array([x - 1, y - 1]) * STEP + 0.5
    corners = [quad(*rng.uniform(-2000, CELL_SIZE + 2000, 2), rng.uniform(0, 7), 4000, 2000, False) for _ in range(80)]
    sky = [np.column_stack(plane_to_sky(p, *(own + low).T)) for own in corners]
    regions = ["POLYGON ICRS " + " ".join(f"{value:.9f}" for value in own.ravel()) for own in sky]
    sizes = [*range(1, MOST + 3, 3), *[4] * 50, *[9] * 40]  # some of which there are few layers of, and many
    members = [rng.choice(80, size, replace=False).tolist() for size in sizes]
    cell = np.full(len(members), (p * 21 + y - 1) * 21 + x - 1)
    found = measure_areas(cell, np.cumsum([0, *sizes]), np.concatenate(members), regions)
    shapes = project_exposures(p, Footprints.from_regions(regions))
    box = shapely.box(*low, *(low + CELL_SIZE))
    expected = [shapely.union_all(shapes[own]).intersection(box).area * ARCMIN2_PER_PIXEL for own in members]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
