"""One outline per exposure: it holds the chips, and the gap between them, and no more."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray
from pointings import IR, PC, WFC, Corners, chips_at, region

from mvmdb.formats.shapes import GAP, MOST_VERTICES, chips_of, join_outlines
from mvmdb.sky.region import format_region, parse_region


def plane_of(polygon: NDArray[np.float64], ra: float, dec: float) -> shapely.Polygon:
    """A polygon of the sky in the tangent plane at a position, in arcsec; astropy's offsets, small angles."""
    offsets = SkyCoord(polygon, unit="deg").transform_to(SkyCoord(ra, dec, unit="deg").skyoffset_frame())
    return shapely.Polygon(np.column_stack([offsets.lon.arcsec, offsets.lat.arcsec]))


def bent(chip: Corners, pieces: int) -> Corners:
    """A chip whose edges bulge by an arcsec, in so many pieces each."""
    ends = np.array([*chip, chip[0]])
    points = [a + (b - a) * f for a, b in pairwise(ends) for f in np.arange(pieces) / pieces]
    radius = np.hypot(*np.transpose(points))
    grown = np.array(points) * (1 + np.cos(8 * np.arctan2(*np.transpose(points))) / radius)[:, None]
    return [(float(x), float(y)) for x, y in grown]


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 20.0), (0.001, -45.0), (77.0, 89.98), (200.0, -90.0)])
@pytest.mark.parametrize("chips", [IR, WFC, PC, [bent(WFC[0], 80), bent(WFC[1], 80)]], ids=["ir", "wfc", "pc", "bent"])
def test_an_outline_holds_all_chips_and_little_more(chips: list[Corners], ra: float, dec: float) -> None:
    placed = [parse_region(region([chip]))[0] for chip in chips_at(chips, ra, dec, 25.0)]
    (outline,) = join_outlines([format_region(placed)])
    assert outline is not None
    assert len(outline.vertices) <= MOST_VERTICES
    joined = plane_of(outline.vertices, ra, dec)
    union = shapely.union_all([plane_of(chip, ra, dec) for chip in placed])
    assert joined.is_valid
    assert joined.buffer(0.3).contains(union)
    assert joined.area <= union.buffer(GAP / 2, join_style="mitre").area
    assert shapely.hausdorff_distance(joined.exterior, shapely.convex_hull(union).exterior) < 100
    assert outline.fov * 3600 == pytest.approx(2 * shapely.minimum_bounding_radius(joined), rel=1e-4)


def test_the_outline_of_one_chip_is_the_chip_itself() -> None:
    (placed,) = chips_at(IR, 10.0, 20.0, 0.0)
    text = format_region(parse_region(region([placed])))
    (outline,) = join_outlines([text])
    assert outline is not None
    assert format_region([outline.vertices]) == text


def test_chips_that_lie_apart_get_their_hull() -> None:
    apart: list[Corners] = [[(x, 0), (x + 10, 0), (x + 10, 10), (x, 10)] for x in (0, 50)]
    placed = [parse_region(region([chip]))[0] for chip in chips_at(apart, 10.0, 20.0, 0.0)]
    (outline,) = join_outlines([format_region(placed)])
    assert outline is not None
    assert plane_of(outline.vertices, 10.0, 20.0).area == pytest.approx(600, rel=1e-3)


def test_an_exposure_without_a_footprint_has_no_outline() -> None:
    (chip,) = chips_at(IR, 10.0, 20.0, 0.0)
    text = format_region(parse_region(region([chip])))
    assert [outline is None for outline in join_outlines(["", text, "", ""])] == [True, False, True, True]
    assert [len(chips) for chips in chips_of(["", text, f"{text} {text}", ""])] == [0, 1, 2, 0]
    assert list(chips_of([])) == list(join_outlines([])) == []
