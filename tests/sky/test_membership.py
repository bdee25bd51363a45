"""Membership against brute force over every projection cell, against spherical_geometry, and its own properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sky import judge
from spherical_geometry.polygon import SphericalPolygon

from mvmdb.errors import InputError
from mvmdb.names import CellId
from mvmdb.sky import membership
from mvmdb.sky.footprint import footprint_center
from mvmdb.sky.membership import Footprints, Memberships, find_members, match_each
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import cell_corners, load_rings, plane_to_sky

SIDE = 202 / 3600


def uniform(rng, n):
    return rng.uniform(0, 360, n), np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))


def across_ra_0(rng, n):
    return rng.normal(0, 0.05, n) % 360, rng.uniform(-89, 89, n)


def on_ring_edges(rng, n):
    edges = np.concatenate([load_rings().dec_min, load_rings().dec_max])
    return rng.uniform(0, 360, n), np.clip(rng.choice(edges, n) + rng.normal(0, 0.02, n), -89.9, 89.9)


def at_poles(rng, n):
    return rng.uniform(0, 360, n), rng.choice([-1, 1], n) * (90 - np.abs(rng.normal(0, 1, n)) ** 3)


def in_outer_strip(rng, n):
    """Around the strip, 507 pixels wide, by which sky cells of column or row 21 pass their projection cell."""
    along, across = rng.uniform(1, 450000, n), 450541 + rng.normal(0, 700, n)
    swap = rng.integers(0, 2, n).astype(bool)
    return plane_to_sky(rng.integers(0, 2644, n), np.where(swap, along, across), np.where(swap, across, along))


def squares(draw_positions, n, seed, side=SIDE, **shape):
    rng = np.random.default_rng(seed)
    return [
        [judge.draw_square(ra, dec, side, rng.uniform(0, 360), **shape)]
        for ra, dec in zip(*draw_positions(rng, n), strict=True)
    ]


def chip_pairs(draw_positions, n, seed):
    """Two chips with a gap of 2.5 arcsec between them."""
    exposures = []
    rng = np.random.default_rng(seed)
    for ra, dec in zip(*draw_positions(rng, n), strict=True):
        roll, half, gap = rng.uniform(0, 360), SIDE / 2, 1.25 / 3600
        east = np.array([-half, half, half, -half])
        chips = [np.array([gap, gap, half, half]), np.array([-half, -half, -gap, -gap])]
        exposures.append([judge.rotate_out(ra, dec, east, north, roll) for north in chips])
    return exposures


def chevrons(n, seed):
    """WFPC2's outline: an L, which is not convex."""
    rng = np.random.default_rng(seed)
    east = np.array([0, 1, 1, -1, -1, 0]) * 75 / 3600
    north = np.array([0, 0, -1, -1, 1, 1]) * 75 / 3600
    return [
        [judge.rotate_out(ra, dec, east, north, rng.uniform(0, 360))] for ra, dec in zip(*uniform(rng, n), strict=True)
    ]


def spikes(n, seed):
    """Long arms with the centre far outside: not star-shaped about the mean of the vertices."""
    rng = np.random.default_rng(seed)
    east = np.array([-1, 1, 1, 0.9, 0.9, -0.9, -0.9, -1]) * 0.04
    north = np.array([-1, -1, 1, 1, -0.9, -0.9, 1, 1]) * 0.04
    return [
        [judge.rotate_out(ra, dec, east, north, rng.uniform(0, 360))] for ra, dec in zip(*uniform(rng, n), strict=True)
    ]


def bow_ties(n, seed):
    """Squares whose vertices are in the wrong order."""
    return [[chips[0][[0, 2, 1, 3]]] for chips in squares(uniform, n, seed)]


def stars(n, seed):
    """Pentagrams: they go around their centre twice, which leaves it out, and never turn back."""
    rng = np.random.default_rng(seed)
    angle = np.arange(5) * (4 * np.pi / 5)
    east, north = 0.04 * np.sin(angle), 0.04 * np.cos(angle)
    return [
        [judge.rotate_out(ra, dec, east, north, rng.uniform(0, 360))] for ra, dec in zip(*uniform(rng, n), strict=True)
    ]


FIELDS = {
    "uniform": squares(uniform, 700, 1),
    "RA 0": squares(across_ra_0, 300, 2),
    "ring edges": squares(on_ring_edges, 300, 3),
    "poles": squares(at_poles, 300, 4),
    "row and column 21": squares(in_outer_strip, 400, 5),
    "bowed in": squares(uniform, 200, 6, n_edge=16, bow=0.1 * SIDE),
    "bowed out": squares(in_outer_strip, 200, 7, n_edge=5, bow=-0.1 * SIDE),
    "two chips": chip_pairs(uniform, 200, 8),
    "chevrons": chevrons(200, 9),
    "arms": spikes(200, 10),
    "bow-ties": bow_ties(100, 11),
    "stars": stars(60, 16),
    "large": squares(uniform, 40, 12, side=0.3)
    + squares(at_poles, 20, 13, side=2.0)
    + squares(uniform, 10, 14, side=7.0),
    "tiny": squares(uniform, 300, 15, side=1e-6),
}


def as_dict(members, exposure):
    selected = np.flatnonzero(members.exposure == exposure)
    columns = (
        members.projection_cell,
        members.x,
        members.y,
        members.x_min,
        members.x_max,
        members.y_min,
        members.y_max,
    )
    rows = np.stack(columns)[:, selected].T.tolist()
    return {tuple(row[:3]): (tuple(row[3:]), area) for row, area in zip(rows, members.area[selected], strict=True)}


@pytest.mark.parametrize("field", FIELDS)
def test_members_are_those_of_brute_force_none_missed_and_none_extra(field):
    exposures = FIELDS[field]
    members = find_members(Footprints.from_polygons(exposures))
    n_members = 0
    for i, polygons in enumerate(exposures):
        expected, overlaps = judge.judge_members(polygons), as_dict(members, i)
        assert overlaps.keys() == expected.keys(), (field, i, polygons)
        for cell, (box, area) in overlaps.items():
            judged_area, bounds = expected[cell]
            assert area == pytest.approx(judged_area, rel=1e-6, abs=0.05)
            assert box == judge.whole_pixels(bounds)
        n_members += len(overlaps)
    assert n_members == len(members.area)
    assert n_members > len(exposures)


def test_memberships_are_sorted_and_without_repeats():
    members = find_members(Footprints.from_polygons(FIELDS["two chips"] + FIELDS["large"] + FIELDS["arms"]))
    order = np.lexsort((members.x, members.y, members.projection_cell, members.exposure))
    np.testing.assert_array_equal(order, np.arange(len(order)))
    assert len(set(zip(members.exposure, members.cell_index, strict=True))) == len(order)
    cells = zip(members.projection_cell.tolist(), members.x.tolist(), members.y.tolist(), strict=True)
    assert [CellId(*cell).index for cell in cells] == members.cell_index.tolist()


def from_plane(p, x, y):
    """A polygon in the fine pixels of sky cell (1, 1) of projection cell p, put on the sky."""
    return np.column_stack(plane_to_sky(p, np.array(x, dtype=float), np.array(y, dtype=float)))


def is_member(polygon, cell):
    members = find_members(Footprints.from_polygons([[polygon]]))
    return cell.index in members.cell_index.tolist()


@pytest.mark.parametrize("p", [0, 5, 1322, 1889, 2643])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("depth", "expected"), [(1e-6, True), (0.0, False), (-1e-6, False)])
def test_touching_is_not_membership_and_a_millionth_of_a_pixel_is(p, depth, expected, backward):
    low, high = 10 * 21442 + 0.5, 10 * 21442 + 21954.5
    inside = high + 5000
    x_left, x_right = [low - 5000, low + depth, low + depth, low - 5000], [high - depth, inside, inside, high - depth]
    y = [low + 100, low + 100, low + 6000, low + 6000]
    shapes = [(x_left, y), (x_right, y), (y, x_left), (y, x_right)]
    shapes += [([low - 4000, low + 4000 + 2 * depth, low - 4000], [low + 4000, low - 4000, low - 4000])]  # at a corner
    for shape in shapes:
        polygon = from_plane(p, *shape)
        assert is_member(polygon[::-1] if backward else polygon, CellId(p, 11, 11)) is expected


@pytest.mark.parametrize("side", [30000.0, 300000.0])
def test_footprint_that_holds_a_whole_cell_covers_all_its_pixels(side):
    middle = 10 * 21442 + 10977.5
    polygon = from_plane(1889, middle + side * np.array([-1, 1, 1, -1]), middle + side * np.array([-1, -1, 1, 1]))
    box, area = as_dict(find_members(Footprints.from_polygons([[polygon]])), 0)[1889, 11, 11]
    assert box == (1, 21954, 1, 21954)
    assert area == pytest.approx(21954**2, rel=1e-9)


def test_ring_that_leaves_a_cell_in_its_hole_out():
    """An arm bent around a cell: its bounding box holds the cell, its area does not."""
    low, high = 10 * 21442 - 500, 10 * 21442 + 22500
    x = [low - 900, high + 900, high + 900, low - 900, low - 900, low, low, high, high, low - 900]
    y = [low - 900, low - 900, high + 900, high + 900, high, high, high, high, low, low]
    polygon = from_plane(1322, x, y)
    assert not is_member(polygon, CellId(1322, 11, 11))
    assert is_member(polygon, CellId(1322, 12, 11))


def test_lines_and_points_are_in_no_cell():
    line = from_plane(1322, [200000, 205000, 210000, 206000], [200000, 210000, 220000, 212000])
    point = from_plane(1322, [200000] * 4, [200000] * 4)
    assert len(find_members(Footprints.from_polygons([[line], [point]])).area) == 0


def test_no_exposures_and_exposures_without_polygons_have_no_members():
    assert len(find_members(Footprints.from_polygons([])).area) == 0
    members = find_members(Footprints.from_polygons([[], [judge.draw_square(10, 10, SIDE, 0)], []]))
    assert set(members.exposure.tolist()) == {1}


@pytest.mark.parametrize("field", ["ring edges", "poles", "RA 0", "two chips"])
def test_nearest_takes_one_projection_cell_per_ring_by_angle_on_the_sky(field):
    exposures = FIELDS[field]
    footprints = Footprints.from_polygons(exposures)
    members = find_members(footprints, "nearest")
    ring_start = load_rings().projcell
    for i, polygons in enumerate(exposures):
        ra, dec = np.deg2rad(footprint_center(polygons))
        cosine = np.sin(dec) * np.sin(judge.DEC0) + np.cos(dec) * np.cos(judge.DEC0) * np.cos(ra - judge.RA0)
        nearest = {
            int(start + np.argmax(ring))
            for start, ring in zip(ring_start, np.split(cosine, ring_start[1:]), strict=True)
        }
        expected = {cell for cell in judge.judge_members(polygons) if cell[0] in nearest}
        assert as_dict(members, i).keys() == expected
    assert len(members.area) < len(find_members(footprints).area)


def test_spherical_geometry_agrees_on_overlaps():
    """Great circle polygons on the sphere, without any plane; overlaps of less than 0.1% of the cell are left out."""
    rng = np.random.default_rng(20)
    checked = {True: 0, False: 0}
    for polygons in FIELDS["ring edges"][:15] + FIELDS["poles"][:10] + FIELDS["row and column 21"][:15]:
        (polygon,) = polygons
        overlaps = as_dict(find_members(Footprints.from_polygons([polygons])), 0)
        p, x, y = list(overlaps)[rng.integers(len(overlaps))]
        for i, j in {(x, y), (min(21, x + 1), y), (x, max(1, y - 1))}:
            area = overlaps.get((p, i, j), (None, 0.0))[1]
            if 0 < area < 1e-3 * 21954**2:
                continue
            cell = SphericalPolygon.from_radec(*cell_corners(CellId(p, i, j)).T)
            exposure = SphericalPolygon.from_radec(*polygon.T, center=footprint_center(polygons))
            assert bool(cell.intersects_poly(exposure)) is ((p, i, j) in overlaps)
            checked[(p, i, j) in overlaps] += 1
    assert min(checked.values()) >= 15


SAMPLE = (
    FIELDS["uniform"][:40] + FIELDS["poles"][:40] + FIELDS["two chips"][:20] + FIELDS["arms"][:10] + FIELDS["large"][:5]
)
SAMPLE_CELLS = [as_dict(find_members(Footprints.from_polygons(SAMPLE)), i).keys() for i in range(len(SAMPLE))]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(len(SAMPLE))), st.integers(-1, 1), st.integers(0, 3), st.booleans())
def test_order_laps_of_ra_first_vertex_and_winding_are_irrelevant(order, laps, first, backward):
    changed = []
    for i in order:
        chips = [np.roll(polygon, first, axis=0) + np.array([360.0 * laps, 0.0]) for polygon in SAMPLE[i]]
        changed.append([polygon[::-1] if backward else polygon for polygon in reversed(chips)])
    members = find_members(Footprints.from_polygons(changed))
    for number, i in enumerate(order):
        assert as_dict(members, number).keys() == SAMPLE_CELLS[i]


def test_table_and_trying_all_projection_cells_give_the_same():
    exposures = [chips for field in FIELDS.values() for chips in field]
    assert len(exposures) > membership._FEW
    together = find_members(Footprints.from_polygons(exposures))
    first = 0
    for batch in (exposures[i : i + 100] for i in range(0, len(exposures), 100)):
        assert sum(map(len, batch)) <= membership._FEW
        alone = find_members(Footprints.from_polygons(batch))
        rows = (together.exposure >= first) & (together.exposure < first + len(batch))
        np.testing.assert_array_equal(together.exposure[rows] - first, alone.exposure)
        np.testing.assert_array_equal(together.cell_index[rows], alone.cell_index)
        np.testing.assert_array_equal(together.area[rows], alone.area)
        first += len(batch)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 360), st.floats(-1, 1), st.floats(1e-4, 0.09), st.floats(0, 360))
def test_prefilter_proposes_every_projection_cell_that_overlaps(ra, z, side, roll):
    polygon = judge.draw_square(ra, np.rad2deg(np.arcsin(z)), side, roll)
    (block,) = membership.iterate_blocks(Footprints.from_polygons([[polygon]]))
    assert block.radius[0] < np.deg2rad(membership.MARGIN)
    proposed = membership._propose(block, few=False)[1].tolist()
    assert {cell[0] for cell in judge.judge_members([polygon])} <= set(proposed)
    assert len(proposed) <= 60  # the poles, where a ring's cells crowd


def test_circles_of_tables_are_members_like_their_polygons():
    (polygon,) = parse_region("CIRCLE ICRS 0.01 44 3.0")
    overlaps = as_dict(find_members(Footprints.from_polygons([[polygon]])), 0)
    assert overlaps.keys() == judge.judge_members([polygon]).keys()
    assert len(overlaps) > 400


def test_area_of_chips_adds_up_in_one_cell():
    left, right = (
        from_plane(1322, [1000, 2000, 2000, 1000], [1000, 1000, 3000, 3000]),
        from_plane(1322, [2500, 3000, 3000, 2500], [1500, 1500, 4000, 4000]),
    )
    box, area = as_dict(find_members(Footprints.from_polygons([[left, right]])), 0)[1322, 1, 1]
    assert area == pytest.approx(1000 * 2000 + 500 * 2500, abs=1e-3)
    assert box == (1000, 3000, 1000, 4000)


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ([[0, 0], [1, np.nan], [1, 1]], "off the sky"),
        ([[0, 0], [np.inf, 0], [1, 1]], "off the sky"),
        ([[0, 89], [1, 91], [1, 88]], "off the sky"),
        ([[0, 0], [100, 0], [50, 60]], "30 degrees"),
        ([[0, 0], [1, 1]], "2 vertices"),
    ],
)
def test_polygons_that_are_no_footprints_are_refused(polygon, words):
    good = judge.draw_square(10, 10, SIDE, 0)
    with pytest.raises(InputError, match=words) as caught:
        find_members(Footprints.from_polygons([[good], [np.array(polygon, dtype=float)]]))
    assert "exposure 1" in str(caught.value)
    assert "expected" in str(caught.value)


def test_ragged_arrays_that_contradict_each_other_are_refused():
    ra = dec = np.zeros(6)
    with pytest.raises(InputError, match="polygon_start"):
        Footprints(ra, dec, np.array([0, 3]), np.array([0]), 1)
    with pytest.raises(InputError, match="out of order"):
        Footprints(ra, dec, np.array([0, 3, 6]), np.array([1, 0]), 2)
    with pytest.raises(InputError, match="owners run"):
        Footprints(ra, dec, np.array([0, 3, 6]), np.array([0, 2]), 2)


def test_no_position_is_outside_every_cell():
    exposures = squares(uniform, 2000, 31, side=1e-5)
    members = find_members(Footprints.from_polygons(exposures))
    assert np.unique(members.exposure).size == len(exposures)


@pytest.fixture
def failing(monkeypatch):
    """`find_members` fails on a vertex of declination 40 and counts its calls."""
    calls = []

    def fail(footprints, rule="overlap"):
        calls.append(footprints.n)
        if (footprints.dec == 40.0).any():
            raise ZeroDivisionError("GEOS says no")
        return find_members(footprints, rule)

    monkeypatch.setattr(membership, "find_members", fail)
    return calls


def test_an_exposure_that_cannot_be_measured_is_told_from_the_others(failing):
    squares = [[judge.draw_square(10 + n, 10, SIDE, 0)] for n in range(37)]
    bad = [np.array([[10.0, 40.0], [10.1, 40.0], [10.1, 40.1]])]
    exposures = [*squares[:5], bad, *squares[5:20], [], bad, *squares[20:]]
    matched, faults = match_each(Footprints.from_polygons(exposures), "overlap")
    assert sorted(faults) == [5, 22]
    assert set(faults.values()) == {"its footprint cannot be measured: ZeroDivisionError: GEOS says no"}
    assert len(failing) < 40
    clean = find_members(Footprints.from_polygons([chips if chips is not bad else [] for chips in exposures]))
    for name in Memberships.__slots__:
        np.testing.assert_array_equal(getattr(matched, name), getattr(clean, name))


@pytest.mark.parametrize("ra", [100.0, 190.0, 75.0])
def test_chips_far_apart_are_refused_wherever_they_come_from(ra):
    chips = [judge.draw_square(10, 0, SIDE, 0), judge.draw_square(ra, 0, SIDE, 0)]
    matched, faults = match_each(Footprints.from_polygons([[judge.draw_square(10, 10, SIDE, 0)], chips]), "overlap")
    assert set(matched.exposure.tolist()) == {0}
    assert list(faults) == [1]
    assert "more than 30 degrees" in faults[1]


def test_exposures_between_are_the_footprints_of_these_alone():
    exposures = [[judge.draw_square(n, 0, SIDE, 0)] * (n % 3) for n in range(7)]
    part = Footprints.from_polygons(exposures).between(2, 6)
    expected = Footprints.from_polygons(exposures[2:6])
    for name in ("ra", "dec", "polygon_start", "owner", "n"):
        np.testing.assert_array_equal(getattr(part, name), getattr(expected, name))
