"""No footprint is larger than its detector could see, none is smaller than a pixel, and real ones all pass."""

from __future__ import annotations

import numpy as np
import pytest
from pages import REPOSITORY

from mvmdb.instruments import INSTRUMENTS, Detector, find_detector
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.plausible import ALLOWANCE, find_impossible
from mvmdb.tables.regions import gather, read_regions

EVERY = [(each.name, chip.name) for each in INSTRUMENTS.values() for chip in each.detectors]


def judge(region: str, detector: Detector | None) -> str:
    """Why a region cannot be true, empty where it can."""
    groups, problems, _ = read_regions([(0, region)])
    assert problems == {}
    polygons = gather(groups)
    return find_impossible(polygons.select(np.array([0])), polygons.area, [detector])[1].get(0, "")


def draw(width: float, height: float, ra: float = 10.0, dec: float = 0.0) -> str:
    """A rectangle of these arcsec at the equator."""
    x, y = width / 7200, height / 7200
    corners = ((-x, -y), (x, -y), (x, y), (-x, y))
    return "POLYGON " + " ".join(f"{ra + a:.9f} {dec + b:.9f}" for a, b in corners)


@pytest.mark.parametrize(("instrument", "name"), EVERY)
def test_whole_fields_and_single_pixels_of_every_detector_can_be_true(instrument: str, name: str) -> None:
    detector = find_detector(instrument, name)
    width, height = detector.field
    assert judge(draw(width, height), detector) == ""
    assert judge(draw(width * ALLOWANCE * 0.99, height * ALLOWANCE * 0.99), detector) == ""
    assert judge(draw(detector.pixels[0] * 1.01, detector.pixels[0] * 1.01), detector) == ""


@pytest.mark.parametrize(("instrument", "name"), EVERY)
def test_larger_fields_and_parts_of_a_pixel_of_any_detector_cannot(instrument: str, name: str) -> None:
    detector = find_detector(instrument, name)
    width, height = detector.field
    assert "arcsec from the mean of its vertices; expected at most" in judge(draw(width * 6, height * 6), detector)
    assert "expected a pixel or more" in judge(draw(detector.pixels[0], detector.pixels[0] / 2), detector)


@pytest.mark.parametrize("other", [(100.0, 0.0), (190.0, 0.0), (10.0, 1.0), (10.0, 90.0), (10.0, -90.0)])
def test_chips_far_apart_are_not_of_one_detector(other: tuple[float, float]) -> None:
    ra, dec = other
    chip = draw(200, 100, ra, dec) if abs(dec) < 90 else f"CIRCLE {ra} {dec} 0.02"
    assert "arcsec from the mean of its vertices" in judge(f"{draw(200, 100)} {chip}", find_detector("acs", "wfc"))


def test_many_times_the_detectors_area_within_its_reach_cannot_be_true() -> None:
    assert "square arcsec; expected at most" in judge(" ".join([draw(160, 160)] * 30), find_detector("wfc3", "uvis"))


def test_without_a_detector_nothing_is_expected() -> None:
    assert judge("CIRCLE 10 0 20", None) == ""


def test_the_page_has_the_fields_of_all_detectors() -> None:
    page = (REPOSITORY / "docs/catalog.md").read_text()
    for instrument, name in EVERY:
        detector = find_detector(instrument, name)
        width, height = detector.field
        called = "WFPC2, all chips" if instrument == "wfpc2" else f"{instrument}/{name}".upper()
        reach = f"{ALLOWANCE * np.hypot(width, height) / 2:.0f}"
        assert f"| {called} | {width:g} by {height:g} | {reach} |" in page


def test_centres_are_those_of_footprints() -> None:
    footprints = Footprints.from_regions(["POLYGON ICRS 10 0 11 0 11 1 10 1", "", "POLYGON ICRS 0 89 90 89 180 89"])
    centre, impossible = find_impossible(footprints, np.ones(2), [None] * 3)
    np.testing.assert_array_equal(centre, footprints.centers())
    assert impossible == {}
