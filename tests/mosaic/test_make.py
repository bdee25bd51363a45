"""Mosaics of small fields: flux, positions, bad pixels, sky, and the three ways to make a product."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_pixels
from mosaic_field import CELL, DEC, RA, Field, Star, dithered, measure_star, plane_stretch, refusal

from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import Action, Canvas, LayerJob
from mvmdb.sky.tessellation import cell_wcs

COS = math.cos(math.radians(DEC))


def planes(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    with fits.open(path) as hdus:
        return hdus["SCI"].data.astype("f4"), hdus["WHT"].data.astype("f4")


def solved(job: LayerJob) -> dict[str, float | None]:
    return {member.ipppssoo: member.sky for member in read_product(job.target).members}


# Flux and positions


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_star_keeps_its_flux_and_place_in_wfc3_ir(field: Field, scale: str) -> None:
    star = Star(RA + 0.7 / 3600, DEC - 0.4 / 3600, 250.0)
    paths = [
        field.expose(name, east=east, north=north, sky=0.0, stars=[star], exptime=exptime)
        for name, east, north, exptime in (("aa", 0, 0, 800.0), ("bb", 0.43, -0.31, 100.0), ("cc", -0.2, 0.77, 350.0))
    ]
    record = make_product(field.job(paths, scale=scale, recipe=None))
    flux, dx, dy = measure_star(Path(record.path), star)
    assert flux == pytest.approx(star.rate * plane_stretch(star), rel=2e-4)
    assert math.hypot(dx, dy) < 0.01


def test_star_keeps_its_flux_and_place_on_either_chip_of_acs(field: Field) -> None:
    stars = [Star(RA + e / 3600 / COS, DEC + n / 3600, rate) for e, n, rate in ((0.5, 1.9, 40.0), (-0.6, -2.1, 70.0))]
    options = {"detector": "WFC", "chips": 2, "kind": "flc", "shape": (72, 144), "orientat": 20.0}
    paths = [
        field.expose("aa", sky=0.0, stars=stars, exptime=500.0, **options),
        field.expose("bb", east=0.113, north=-0.2, sky=0.0, stars=stars, exptime=350.0, lookup_tables=True, **options),
    ]
    record = make_product(field.job(paths))
    assert record.path.endswith("_drc.fits")
    for star in stars:
        flux, dx, dy = measure_star(Path(record.path), star, 0.5)
        assert flux == pytest.approx(star.rate * plane_stretch(star), rel=2e-4)
        assert math.hypot(dx, dy) < 0.01


def test_coarse_pixels_are_the_sums_of_nine_fine_ones(field: Field) -> None:
    path = field.expose("aa", stars=[Star(RA, DEC, 300.0)], noise=0.1)
    fine, coarse = (field.job([path], scale=scale, mean=1) for scale in ("fine", "coarse"))
    make_product(fine)
    make_product(coarse)
    origin, coarse_canvas = fine.canvas, fine.canvas.at_scale("coarse")
    science, small = planes(fine.target)[0], planes(coarse.target)[0]
    ratio = []
    for row, column in np.ndindex(small.shape):
        # Coarse pixel c holds fine pixels 3c-1, 3c, 3c+1 (1-based, in the sky cell).
        left, bottom = 3 * (coarse_canvas.x_min + column) - 1, 3 * (coarse_canvas.y_min + row) - 1
        y, x = bottom - origin.y_min, left - origin.x_min
        block = science[y : y + 3, x : x + 3]
        if left >= origin.x_min and bottom >= origin.y_min and block.shape == (3, 3):
            ratio.append(small[row, column] / block.sum())
    inside = np.array(ratio)[np.isfinite(ratio)]
    assert inside.size > 3000
    assert np.percentile(np.abs(inside - 1), 90) < 0.01  # border pixels are means over what is covered


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_wcs_of_the_product_is_the_cells(field: Field, scale: str) -> None:
    job = field.job([field.expose("aa")], scale=scale)
    make_product(job)
    with fits.open(job.target) as hdus:
        product, header = WCS(hdus["SCI"].header), hdus["SCI"].header
    canvas = job.canvas.at_scale(scale)  # type: ignore[arg-type]
    assert (header["NAXIS2"], header["NAXIS1"]) == canvas.shape
    whole = cell_wcs(CELL, scale)  # type: ignore[arg-type]
    corners = np.array([[canvas.x_min, canvas.y_min], [canvas.x_max, canvas.y_max]], float)
    on_canvas = corners - [canvas.x_min - 1, canvas.y_min - 1]
    assert product.wcs_pix2world(on_canvas, 1) == pytest.approx(whole.wcs_pix2world(corners, 1), abs=1e-12)


# Bad pixels


def test_a_pixel_is_nan_exactly_where_no_good_pixel_contributes(field: Field) -> None:
    dq = np.zeros((20, 20), int)
    dq[5:12, 6:13] = 4
    job = field.job([path := field.expose("aa", shape=(20, 20), dq=dq)])
    make_product(job)
    science, weight = planes(job.target)
    assert np.array_equal(np.isnan(science), weight == 0)
    with fits.open(path) as hdus:
        wcs = WCS(hdus["SCI", 1].header)
    quads = []
    for row, column in np.argwhere(dq == 0):
        corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) + np.array([column, row])
        sky = wcs.all_pix2world(corners, 0)
        quads.append(shapely.Polygon(cell_wcs(CELL, "fine", job.canvas).wcs_world2pix(sky, 0)))
    good = shapely.union_all(quads)
    shapely.prepare(good)
    y, x = np.indices(science.shape)
    shared = shapely.area(shapely.intersection(shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5), good))
    # Drizzle's own corners are interpolated between pixel centres: a rim of 1% of a pixel may go either way.
    assert np.isnan(science[shared == 0]).mean() > 0.999
    assert not np.isnan(science[shared > 0.01]).any()
    assert np.isnan(science[shared == 0]).sum() > 300


def test_bad_pixels_are_left_out_where_there_are_two_exposures_and_kept_where_there_is_one(field: Field) -> None:
    dq = np.zeros((40, 40), int)
    dq[20, 20] = 4
    flagged = field.expose("aa", shape=(40, 40), dq=dq)
    set_bad = np.ones((40, 40))
    set_bad[20, 20] = 500.0
    set_pixels(flagged, set_bad)
    deep, single = field.job([flagged], mean=2), field.job([flagged], mean=1)
    make_product(deep)
    assert np.nanmax(planes(deep.target)[0]) < 0.2
    make_product(single)
    assert np.nanmax(planes(single.target)[0]) > 30


def test_nan_pixels_are_bad_in_every_recipe(field: Field) -> None:
    path = field.expose("aa", shape=(30, 30))
    science = np.ones((30, 30))
    science[10:16, 10:16] = np.nan
    set_pixels(path, science)
    job = field.job([path], mean=1)
    make_product(job)
    science, weight = planes(job.target)
    assert np.array_equal(np.isnan(science), weight == 0)
    assert np.nanmax(np.abs(science[weight > 0])) < 0.2
    with fits.open(job.target) as hdus:
        middle = cell_wcs(CELL, "fine", job.canvas)
        with fits.open(path) as source:
            x, y = middle.all_world2pix(*WCS(source["SCI", 1].header).all_pix2world(12.5, 12.5, 0), 0)
        assert np.isnan(hdus["SCI"].data[round(float(y)), round(float(x))])


def test_weight_is_exposure_time_over_the_area_of_an_input_pixel(field: Field) -> None:
    job = field.job([field.expose("aa", exptime=100.0), field.expose("bb", exptime=300.0)])
    make_product(job)
    weight = planes(job.target)[1]
    middle = np.median(weight[weight > 0])
    assert middle == pytest.approx(400.0 * 0.04**2 / (0.13543 * 0.12096), rel=0.02)


# Sky


def test_sky_matching_removes_the_steps_between_members(field: Field) -> None:
    job = field.job(dithered(field))
    make_product(job)
    area = 0.1282500028610229**2
    expected = {"ib6o04aa": 0.3 / area, "ib6o04bb": 0.7 / area, "ib6o04cc": 0.0}
    assert solved(job) == pytest.approx(expected, abs=0.001 / area)
    science, weight = planes(job.target)
    level = np.nanmedian(science)
    assert level == pytest.approx(0.7 * (0.04 / 0.12825) ** 2, rel=0.01)
    steps = [np.median(science[(weight > low) & (weight <= high)]) for low, high in ((0, 85), (85, 170), (170, 999))]
    assert steps == pytest.approx([level] * 3, rel=0.02)


def test_sky_is_compared_per_second_and_recorded_in_the_units_of_the_input(field: Field) -> None:
    options = {"detector": "WFC", "chips": 2, "shape": (40, 80), "noise": 0.001}
    paths = [
        field.expose("aa", sky=0.05, exptime=500.0, **options),
        field.expose("bb", east=0.3, sky=0.08, exptime=200.0, **options),
    ]
    job = field.job(paths)
    make_product(job)
    assert solved(job) == pytest.approx({"j8oz04aa": 0.0, "j8oz04bb": 0.03 / 0.05**2}, abs=0.0005 / 0.05**2)
    with fits.open(job.target) as hdus:
        table = hdus["HDRTAB"].data
        assert list(zip(table["IPPPSSOO"], table["EXTVER"], strict=True)) == [
            (name, chip) for name in ("j8oz04aa", "j8oz04bb") for chip in (1, 2)
        ]
        assert table["MDRIZSKY"] == pytest.approx([0, 0, 6.0, 6.0], abs=0.1)


def test_no_sky_is_subtracted_where_the_recipe_matches_none(field: Field) -> None:
    job = field.job(dithered(field), mean=1)
    make_product(job)
    assert set(solved(job).values()) == {None}
    assert np.nanmax(planes(job.target)[0]) > 1.38 * (0.04 / 0.12825) ** 2


def test_kept_skies_are_used_as_they_are(field: Field) -> None:
    paths = dithered(field)
    job = field.job(paths, kept={"ib6o04aa": 10.0, "ib6o04bb": 40.0})
    make_product(job)
    skies = solved(job)
    assert (skies["ib6o04aa"], skies["ib6o04bb"]) == (10.0, 40.0)
    assert skies["ib6o04cc"] == pytest.approx((-0.3 + -0.7) / 2 / 0.12825**2 + 25.0, abs=2.0)


# Add, recanvas, again


def test_adding_a_member_is_drizzling_all_with_the_kept_skies(field: Field) -> None:
    paths = dithered(field)
    whole = field.job(paths)
    make_product(replace(field.job(paths[:2]), canvas=whole.canvas))
    kept = dict(solved(whole))
    record = make_product(field.job(paths, action=Action.ADD, kept=kept, drizzled=["ib6o04aa", "ib6o04bb"]))
    added = planes(whole.target)
    skies = solved(whole)
    assert {name: skies[name] for name in kept} == kept
    drizzled = make_product(field.job(paths, kept=skies))
    science, weight = planes(whole.target)
    assert np.array_equal(np.isnan(added[0]), np.isnan(science))
    np.testing.assert_allclose(added[0], science, rtol=2e-6)
    np.testing.assert_allclose(added[1], weight, rtol=2e-6)
    assert record.members == drizzled.members


def test_adding_works_on_a_canvas_that_grew(field: Field) -> None:
    paths = dithered(field)
    make_product(field.job(paths[:1]))
    whole = field.job(paths)
    assert field.job(paths[:1]).canvas != whole.canvas
    make_product(field.job(paths, action=Action.ADD, kept={"ib6o04aa": 0.0}, drizzled=["ib6o04aa"]))
    added = planes(whole.target)
    make_product(field.job(paths, kept=solved(whole)))
    np.testing.assert_allclose(added[0], planes(whole.target)[0], rtol=2e-6, atol=1e-7)


def test_adding_reads_no_old_member_that_the_new_one_does_not_overlap(field: Field) -> None:
    near, far, new = field.expose("aa"), field.expose("bb", north=-30.0), field.expose("cc", east=1.0)
    whole = field.job([near, far, new])
    make_product(replace(field.job([near, far]), canvas=whole.canvas))
    far.unlink()
    job = replace(
        whole,
        action=Action.ADD,
        members=tuple(replace(m, drizzled=m.ipppssoo != "ib6o04cc", sky=None) for m in whole.members),
    )
    assert len(make_product(job).members) == 3


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_recanvas_keeps_every_bit_and_pads_with_nan(field: Field, scale: str) -> None:
    paths = dithered(field)
    job = field.job(paths, scale=scale)
    before = make_product(job)
    science, weight = planes(job.target)
    for path in paths:
        path.unlink()  # nothing is drizzled, so nothing is read
    old, canvas = job.canvas, job.canvas
    wide = Canvas(canvas.x_min - 31, canvas.x_max + 7, canvas.y_min - 2, canvas.y_max + 40)
    after = make_product(replace(job, action=Action.RECANVAS, canvas=wide))
    small, large = old.at_scale(scale), wide.at_scale(scale)  # type: ignore[arg-type]
    there = np.s_[
        small.y_min - large.y_min : small.y_max - large.y_min + 1,
        small.x_min - large.x_min : small.x_max - large.x_min + 1,
    ]
    new_science, new_weight = planes(job.target)
    assert new_science.shape == large.shape
    assert new_science[there].tobytes() == science.tobytes()
    assert new_weight[there].tobytes() == weight.tobytes()
    outside = np.ones(large.shape, bool)
    outside[there] = False
    assert np.isnan(new_science[outside]).all()
    assert not new_weight[outside].any()
    assert (after.members, after.canvas) == (before.members, wide)
    again = make_product(replace(job, action=Action.RECANVAS))
    assert (again.data_digest, again.canvas) == (before.data_digest, old)


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_a_recanvased_products_header_says_what_a_drizzled_ones_does(field: Field, scale: str) -> None:
    job = field.job(dithered(field), scale=scale)
    c = job.canvas
    cut = Canvas(c.x_min + 60, c.x_max, c.y_min, c.y_max - 45)
    for after in (replace(c, x_max=c.x_max + 33), cut):
        make_product(job)
        make_product(replace(job, canvas=after, action=Action.RECANVAS))
        recanvased = fits.getheader(job.target)
        make_product(replace(job, canvas=after))
        drizzled = fits.getheader(job.target)
        for key in ("NPIXFRAC", "MEANEXPT", "MEDEXPT", "MEANNEXP", "MEDNEXP", "MEANWHT", "MEDWHT"):
            assert recanvased[key] == drizzled[key], key


def test_the_same_job_gives_the_same_data_twice(field: Field) -> None:
    job = field.job(dithered(field))
    assert make_product(job).data_digest == make_product(job).data_digest


@pytest.mark.parametrize("scale", ["fine", "coarse"])
@pytest.mark.parametrize("orientat", [0.0, 45.0, 163.7])
def test_a_canvas_that_holds_part_of_the_field_gets_the_same_bits(field: Field, scale: str, orientat: float) -> None:
    paths = dithered(field, shape=(200, 260), orientat=orientat)
    job = field.job(paths, scale=scale)
    kept = dict.fromkeys((m.ipppssoo for m in job.members), 0.5)
    make_product(field.job(paths, scale=scale, kept=kept))
    whole = planes(job.target)
    big, c = job.canvas.at_scale(scale), job.canvas  # type: ignore[arg-type]
    middle = ((c.x_min + c.x_max) // 2, (c.y_min + c.y_max) // 2)
    for cut in (
        replace(c, x_min=middle[0]),
        replace(c, x_max=middle[0]),
        replace(c, y_min=middle[1] + 3),
        replace(c, y_max=middle[1] - 9),
        Canvas(middle[0], middle[0] + 60, middle[1], middle[1] + 40),
    ):
        make_product(replace(field.job(paths, scale=scale, kept=kept), canvas=cut))
        small = cut.at_scale(scale)  # type: ignore[arg-type]
        there = np.s_[
            small.y_min - big.y_min : small.y_max - big.y_min + 1, small.x_min - big.x_min : small.x_max - big.x_min + 1
        ]
        for plane, expected in zip(planes(job.target), whole, strict=True):
            assert plane.tobytes() == expected[there].tobytes()


def test_no_pixel_of_a_chip_is_lost(field: Field) -> None:
    # Drizzle alone loses rows at the edges of its input to rounding, and whole wedges of distorted chips.
    for number, orientat in enumerate((0.0, 12.3, 90.0, 163.7, 271.1)):
        shape = (300, 417)
        path = field.expose(f"a{number}", shape=shape, orientat=orientat, exptime=100.0)
        job = field.job([path], mean=1)
        c = job.canvas
        make_product(replace(job, canvas=Canvas(c.x_min - 9, c.x_max + 9, c.y_min - 9, c.y_max + 9)))
        weight = planes(job.target)[1].astype("f8")
        assert weight.sum() == pytest.approx(100.0 * shape[0] * shape[1], rel=1e-6)


# Memory


@pytest.mark.parametrize("action", [Action.DRIZZLE, Action.ADD])
@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_a_product_made_in_bands_is_the_same_file(
    field: Field, monkeypatch: pytest.MonkeyPatch, action: Action, scale: str
) -> None:
    paths = [*dithered(field, shape=(90, 120), orientat=30.0), field.expose("dd", north=-25.0)]
    monkeypatch.setattr("mvmdb.mosaic.drizzle.bands.RESERVE_MB", 0)
    monkeypatch.setattr("mvmdb.mosaic.drizzle.bands.FEWEST_ROWS", 1)
    monkeypatch.setattr("mvmdb.mosaic.product.write.datetime", Clock)
    whole = field.job(paths, scale=scale)
    files = []
    for memory_mb in (None, 1, 2):
        if action is Action.ADD:
            make_product(replace(field.job(paths[:2], scale=scale), canvas=whole.canvas))
            job = field.job(paths, scale=scale, action=action, drizzled=["ib6o04aa", "ib6o04bb"])
        else:
            job = whole
        make_product(replace(job, memory_mb=memory_mb))
        files.append(Path(job.target).read_bytes())
        assert read_product(job.target, deep=True).canvas == job.canvas
    rows, columns = whole.canvas.at_scale(scale).shape  # type: ignore[arg-type]
    assert scale == "coarse" or rows * columns * 8 > 3e6  # several bands
    assert files[1] == files[0]
    assert files[2] == files[0]


def test_too_little_memory_is_refused_with_what_is_needed(field: Field) -> None:
    job = replace(field.job([field.expose("aa")]), memory_mb=100)
    assert re.search(r"100 MB is too little .* expected at least 40\d MB", refusal(job))
    make_product(replace(job, memory_mb=410))


class Clock:
    """A clock that stands still."""

    @staticmethod
    def now(zone: object) -> datetime:
        return datetime(2024, 1, 1)
