"""What lies within regions, judged by points all over the sky; and how exposures are divided."""

from __future__ import annotations

import numpy as np
import pytest
from skypoints import PLACES, chip, depths_at, field, inside, sample

from mvmdb.coverage.groups import Epochs, group, parse_epochs
from mvmdb.coverage.measure import measure_depths
from mvmdb.coverage.regions import clip, read_sky_region
from mvmdb.coverage.values import COLUMNS, columns_of
from mvmdb.errors import InputError, UsageError
from mvmdb.sky.region import format_region


@pytest.mark.parametrize("place", ["pole", "RA 0", "across projection cells"])
def test_area_within_regions_that_overlap_is_that_of_points(place):
    polygons, footprints, exptime = field(place, 15)
    regions = [chip(*PLACES[place], 150, 220, 10), chip(*PLACES[place], 60, 400, 80)]
    cut = clip(footprints, [read_sky_region(format_region([region])) for region in regions])
    depths = measure_depths(cut, exptime, np.zeros(15, int), 1, (2000.0,))
    points, area = sample(place)
    points = points[np.any([inside(points, region) for region in regions], axis=0)]
    number, seconds = depths_at(points, polygons, exptime)
    assert depths.area[0] == pytest.approx((number > 0).sum() * area, rel=2e-3)
    assert depths.deeper[0, 0] == pytest.approx((seconds > 2000).sum() * area, rel=2e-3, abs=0.03)


def test_a_region_has_its_area_on_the_sphere():
    assert read_sky_region("CIRCLE 0 90 10").area() == pytest.approx(
        2 * np.pi * (1 - np.cos(np.deg2rad(10))) * (180 * 60 / np.pi) ** 2, rel=2e-3
    )
    cell = read_sky_region("p0647x10y10")
    assert cell.name == "skycell-p0647x10y10"
    assert cell.area() == pytest.approx((21954 * 0.04 / 60) ** 2, rel=1e-3)
    two = read_sky_region("POLYGON 10 0 10 1 11 1 11 0 POLYGON 10.5 0 10.5 1 11.5 1 11.5 0")
    assert two.area() == pytest.approx(1.5 * 3600, rel=1e-3)
    apart = read_sky_region("POLYGON 10 0 10 1 11 1 11 0 POLYGON 30 0 30 1 31 1 31 0")
    assert apart.area() == pytest.approx(2 * 3600, rel=1e-3)
    with pytest.raises(InputError, match="nowhere"):
        read_sky_region("nowhere")


def exposures(starts, **columns):
    rows = []
    for n, start in enumerate(starts):
        row = dict.fromkeys(COLUMNS, "x") | {
            "id": n,
            "proposal_id": 1,
            "exptime": 1.0,
            "expstart": start,
            "expend": start,
        }
        rows.append([(row | {name: values[n] for name, values in columns.items()})[name] for name in COLUMNS])
    return columns_of(rows)


def test_exposures_are_divided_by_several_properties():
    some = exposures([55000.0] * 4, filter=["F125W", "f160w", "f125w", "F160W"], proposal_id=[2, 1, 10, 1])
    groups = group(some, ("filter", "program"), Epochs(unit="Y"))
    assert groups.keys == (("f125w", 2), ("f125w", 10), ("f160w", 1))
    assert groups.number.tolist() == [0, 2, 1, 2]
    assert group(some, ("all",), Epochs(unit="Y")).keys == ((),)


def test_epochs_are_calendar_lengths_or_dates():
    some = exposures([55196.5, 55197.0, np.nan, 55230.0])  # 2009-12-31, 2010-01-01, unknown, 2010-02-03
    assert group(some, ("year",), Epochs()).keys == (("2009",), ("2010",), ("undated",))
    assert group(some, ("month",), Epochs()).keys == (("2009-12",), ("2010-01",), ("2010-02",), ("undated",))
    by_length = group(some, ("epoch",), parse_epochs("30d"))
    assert by_length.keys == (("2009-12-31",), ("2010-01-30",), ("undated",))
    assert by_length.number.tolist() == [0, 0, 2, 1]
    between = group(some, ("epoch",), parse_epochs("2010-01-01,2010-02-01,2011-01-01"))
    assert between.keys == (("2010-01-01/2010-02-01",), ("2010-02-01/2011-01-01",))
    assert between.number.tolist() == [-1, 0, -1, 1]
    for text in ("soon", "2010-01-01", "2010-02-01,2010-01-01", "2010-02-31,2010-03-01", "0d"):
        with pytest.raises(UsageError, match="epochs"):
            parse_epochs(text)
