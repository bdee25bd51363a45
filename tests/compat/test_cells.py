"""Sky cells and projection cells as drizzlepac's callers use them. Numbers are what drizzlepac 3.11.0 printed."""

from __future__ import annotations

import numpy as np
import pytest
from spherical_geometry.polygon import SphericalPolygon

from mvmdb import ProjectionCell, SkyCell
from mvmdb.errors import NameFormatError, UsageError

NAME = "skycell-p0726x10y04"
CORNERS = [
    (53.08669338, -27.78568985), (53.08584387, -27.54197967), (52.81085003, -27.54250197), (52.81111975, -27.78621745),
    (53.08669338, -27.78568985),
]  # fmt: skip


def test_a_cell_from_its_name_has_the_numbers_of_drizzlepac() -> None:
    cell = SkyCell.from_name(NAME)
    assert (cell.sky_cell_id, cell.x_index, cell.y_index, cell.scale) == (NAME, 10, 4, 0.04)
    assert (cell.overlap, cell.nxy, cell.members) == (256, 21, [])
    assert list(cell.wcs.wcs.crpix) == [32166.0, 160818.0]
    assert cell.wcs.pixel_shape == (21954, 21954)
    np.testing.assert_allclose(cell.wcs.wcs.crval, [52.68292682926829, -26.0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(cell.corners, CORNERS, rtol=0, atol=1e-8)
    assert (cell.wcs.pscale, cell.wcs.orientat, cell.wcs.ltv1, cell.wcs.ltv2) == (0.04, 0.0, 192978.0, 64326.0)
    assert repr(cell) == f"SkyCell object: {NAME}"


def test_a_cell_from_indices_is_that_of_its_name() -> None:
    cell = SkyCell(projection_cell=ProjectionCell(index=726), x=10, y=4)
    assert cell.sky_cell_id == NAME
    np.testing.assert_array_equal(cell.corners, SkyCell.from_name(NAME).corners)


@pytest.mark.parametrize(("scale", "pixel", "side"), [("coarse", 0.12, 7318), (0.08, 0.08, 10977), (0.1, 0.1, 8781)])
def test_another_scale_is_the_same_cell_in_other_pixels(scale: str | float, pixel: float, side: int) -> None:
    fine, other = SkyCell.from_name(NAME), SkyCell.from_name(NAME, scale=scale)
    assert (other.scale, other.wcs.pixel_shape) == (pixel, (side, side))
    np.testing.assert_allclose(np.diag(other.wcs.wcs.cd), [-pixel / 3600, pixel / 3600], rtol=1e-12)
    np.testing.assert_allclose(other.wcs.wcs.crpix, fine.wcs.wcs.crpix * 0.04 / pixel, rtol=1e-12)
    assert other.wcs.pscale == pytest.approx(pixel)


def test_a_projection_cell_by_number_and_by_ring_are_one() -> None:
    cell = ProjectionCell(726)
    assert (cell.cell_id, cell.band_index, cell.band["NBAND"], cell.band["DEC"]) == (726, 12, 82, -26.0)
    assert cell.wcs.pixel_shape == (450287, 450287)
    np.testing.assert_allclose(cell.corners[:2], [(55.52442665, -28.47045255), (55.40611348, -23.47633445)], atol=1e-8)
    np.testing.assert_array_equal(cell.footprint, cell.corners[:4])
    again = ProjectionCell(cell.band_index, band=cell.band, scale=0.04, nxy=21, overlap=256)
    assert (again.cell_id, again.band_index) == (726, 12)


def test_mask_and_polygon_are_built_on_request() -> None:
    cell = SkyCell.from_name(NAME, scale=10.0)
    assert (cell.mask, cell.polygon) == (None, None)
    cell.build_mask()
    assert cell.mask is not None
    assert (cell.mask.shape, cell.mask.dtype, cell.mask.min()) == ((87, 87), np.uint8, 1)
    whole = SkyCell.from_name(NAME)
    whole.build_polygon()
    assert isinstance(whole.polygon, SphericalPolygon)
    square_degrees = whole.polygon.area() * np.rad2deg(1) ** 2
    assert square_degrees == pytest.approx((21953 * 0.04 / 3600) ** 2, rel=1e-2)


def test_what_is_no_cell_of_the_tessellation_is_refused() -> None:
    with pytest.raises(UsageError, match=r"scale is 0\.12; expected 0\.04"):
        ProjectionCell(726, scale=0.12)
    with pytest.raises(UsageError, match="nxy is 50; expected 21"):
        ProjectionCell(726, nxy=50)
    with pytest.raises(UsageError, match="overlap is 100; expected 256"):
        ProjectionCell(726, overlap=100)
    with pytest.raises(UsageError, match="no projection cell 2644"):
        ProjectionCell(2644)
    with pytest.raises(UsageError, match="index is missing"):
        ProjectionCell()
    with pytest.raises(UsageError, match="projection_cell, x or y is missing"):
        SkyCell(ProjectionCell(726), x=1)
    with pytest.raises(UsageError, match="x=22"):
        SkyCell(ProjectionCell(726), x=22, y=1)
    with pytest.raises(UsageError, match="scale is 'tiny'; expected fine, coarse"):
        SkyCell.from_name(NAME, scale="tiny")
    with pytest.raises(UsageError, match="scale is 0"):
        SkyCell.from_name(NAME, scale=0)
    with pytest.raises(NameFormatError):
        SkyCell.from_name("skycell-197")
