"""Pairs measured by differences of pixels, against skies that are known, where medians of exposures are deceived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import write_exposure
from mosaic_field import CELL, DEC, RA, Field
from skysources import crowd, dark, galaxy, paint, sources_of
from wfpc2files import GAINS, PHOTFLAMS, SCALES, write_wfpc2

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.compare import FEWEST, compare_exposures, read_sky_chips
from mvmdb.mosaic.skies.differences import measure_differences
from mvmdb.mosaic.skies.measure import find_neighbours, measure_pairs
from mvmdb.mosaic.skies.overlay import overlay
from mvmdb.records import SkyPair

IR_AREA = 0.1282500028610229**2


def compare(field: Field, paths: Sequence[Path], memory_mb: int = 512, threads: int = 1) -> list[SkyPair]:
    job = field.job(paths)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(job, grid)
    pairs = [(i, j) for j in range(len(sources)) for i in range(j)]
    return measure_differences(sources, pairs, grid, job.recipe, threads, memory_mb)


def by_medians(field: Field, paths: Sequence[Path]) -> SkyPair:
    job = field.job(paths)
    grid = LayerGrid(CELL, "fine", job.canvas)
    sources = sources_of(job, grid)
    neighbours = find_neighbours(sources, {source.ipppssoo for source in sources})
    return measure_pairs(sources, neighbours, grid, job.recipe)[0]


def widen(path: Path, scale: float) -> Path:
    """Give the pixels of an exposure another size on the sky, in arcsec."""
    with fits.open(path, mode="update") as hdus:
        header = hdus["SCI", 1].header
        for keyword in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            header[keyword] *= scale / header["IDCSCALE"]
        header["IDCSCALE"] = scale
    return path


def test_a_galaxy_that_fills_an_exposure_leaves_no_error(field: Field) -> None:
    shape = (160, 160)
    first = paint(field.expose("aa", shape=shape), galaxy, 1.0, 0.0625, 1)
    second = paint(field.expose("bb", shape=shape, east=5.2, north=3.1), galaxy, 1.3, 0.0625, 2)
    pair = compare(field, [first, second])[0]
    assert pair.offset * IR_AREA == pytest.approx(-0.3, abs=0.0035)
    assert pair.offset == pytest.approx(-0.3 / IR_AREA, abs=5 * pair.error)  # type: ignore[operator]
    assert pair.error * IR_AREA < 0.0012  # type: ignore[operator]
    assert pair.area == pytest.approx(pair.first_pixels * IR_AREA)


def test_a_crowded_field_of_30_seconds_beside_2000_leaves_no_error(field: Field) -> None:
    shape = (200, 200)
    short = paint(field.expose("aa", shape=shape, exptime=30.0), crowd, 0.8, 0.45, 1)
    deep = paint(field.expose("bb", shape=shape, exptime=2000.0, east=1.3, north=-0.7), crowd, 1.1, 0.02, 2)
    pair, medians = compare(field, [short, deep])[0], by_medians(field, [short, deep])
    error, of_medians = (abs(p.offset * IR_AREA + 0.3) for p in (pair, medians))
    assert error < 5 * pair.error * IR_AREA < 0.02  # type: ignore[operator]
    assert of_medians > 3 * error


def test_errors_are_the_scatter_of_offsets(field: Field) -> None:
    job = field.job([field.expose("aa", shape=(48, 48)), field.expose("bb", shape=(48, 48), east=0.5, north=0.4)])
    grid = LayerGrid(CELL, "fine", job.canvas)
    first, second = (read_sky_chips(source, job.recipe)[0] for source in sources_of(job, grid))
    rng = np.random.default_rng(1)
    found = []
    for _ in range(150):
        noisy = [
            replace(chip, brightness=rng.normal(1.0, sigma, (48, 48)).astype("f4"))
            for chip, sigma in ((first, 0.1), (second, 0.2))
        ]
        found.append(compare_exposures(("aa", "bb"), (noisy[0],), (noisy[1],), grid, job.recipe))
    errors = np.array([pair.error for pair in found])
    # Of 150 values the deviation is good to 6%. A pixel of the second that is compared twice makes it 10% larger.
    assert np.std([pair.offset for pair in found]) / errors.mean() == pytest.approx(1.05, abs=0.2)
    n_pixels = np.mean([pair.first_pixels for pair in found])
    assert errors.mean() == pytest.approx(1.2533 * np.hypot(0.1, 0.2) / np.sqrt(n_pixels), rel=0.02)


def test_chips_of_unlike_scale_agree_on_brightness(field: Field) -> None:
    # A pixel of 0.2 arcsec sees 2.43 times the sky of one of 0.128; the overlap is compared at the nearest pixels.
    first = field.expose("aa", shape=(96, 96), sky=2.0, noise=0.01)
    second = widen(field.expose("bb", shape=(64, 64), sky=2.0, noise=0.01), 0.2)
    pair = compare(field, [first, second])[0]
    assert pair.offset == pytest.approx(2.0 / IR_AREA - 2.0 / 0.04, rel=1e-3)
    assert pair.error is not None
    distinct = pair.first_pixels * IR_AREA / 0.04  # several pixels of the first fall on one of the second
    assert pair.error * np.sqrt(distinct) == pytest.approx(1.2533 * np.hypot(0.01 / IR_AREA, 0.01 / 0.04), rel=0.1)


def test_all_chips_of_a_detector_with_two_count(field: Field) -> None:
    options = {"detector": "WFC", "chips": 2, "shape": (60, 90), "kind": "flc"}
    paths = [field.expose(n, sky=s, noise=0.02, east=e, **options) for n, s, e in (("aa", 1.0, 0.0), ("bb", 1.5, 0.4))]
    one_chip = 60 * 90
    pair = compare(field, paths)[0]
    assert one_chip < pair.first_pixels < 2 * one_chip
    area = pair.area / pair.first_pixels  # type: ignore[operator]
    assert pair.offset * area == pytest.approx(-0.5, abs=0.002)


def test_skies_of_wfpc2_are_one_over_chips_of_unlike_scale_and_sensitivity(field: Field) -> None:
    rng = np.random.default_rng(5)
    paths = []
    # So far apart that parts of PC1 fall on WF chips of the other exposure.
    for rootname, sky, gain, dec in (("u2eq0201t", 2.0, 7, DEC), ("u2eq0202t", 3.1, 15, DEC + 1.6 / 3600)):
        rates = {}
        for chip in (1, 2, 3, 4):
            own = PHOTFLAMS[3] / GAINS[7][3] / (PHOTFLAMS[chip] / GAINS[7][chip])
            level = sky * own * SCALES[chip] ** 2
            rates[chip] = rng.normal(level, 0.2 * own * SCALES[chip] ** 2, (100, 100))
        paths.append(write_wfpc2(field.folder, rootname=rootname, gain=gain, dec=dec, rates=rates))
    pair = compare(field, paths)[0]
    assert pair.first_pixels > 20_000
    assert pair.offset == pytest.approx(-1.1, abs=0.02)
    assert pair.offset == pytest.approx(-1.1, abs=5 * pair.error)  # type: ignore[operator]


def test_flagged_pixels_of_either_exposure_do_not_count(field: Field) -> None:
    dq = np.zeros((64, 64), int)
    dq[:, :32] = 4
    first = paint(field.expose("aa", dq=dq), dark, 1.0, 0.01, 1)
    second = paint(field.expose("bb"), dark, 2.0, 0.01, 2)
    for paths in ([first, second], [second, first]):
        assert compare(field, paths)[0].first_pixels == pytest.approx(64 * 32, abs=64)
    dq[:] = 4
    dq[:12, :12] = 0
    first = field.expose("aa", dq=dq)
    assert FEWEST > 12 * 12
    silent = compare(field, [first, second])[0]
    assert (silent.speaks, silent.offset, silent.error) == (False, 0.0, None)


def test_a_slope_between_two_exposures_is_told_and_none_where_there_is_none(field: Field) -> None:
    def slope(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        return 0.04 * (dec - DEC) * 3600

    even = [paint(field.expose(n, shape=(96, 96)), dark, 1.0, 0.05, k) for k, n in enumerate(("aa", "bb"))]
    pair = compare(field, even)[0]
    assert pair.gradient is not None
    assert pair.error is not None
    assert pair.gradient < 5 * 2 * pair.error
    tilted = paint(field.expose("cc", shape=(96, 96)), slope, 1.0, 0.05, 9)
    pair = compare(field, [even[0], tilted])[0]
    # Means of halves of a field of 96 pixels lie half its height apart; the field is turned by less than half a degree.
    assert pair.gradient == pytest.approx(0.04 * 96 * 0.121 / 2 / IR_AREA, rel=0.15)
    assert pair.gradient > 5 * 2 * pair.error  # type: ignore[operator]


def test_pairs_depend_neither_on_memory_nor_on_threads_nor_on_the_sky_cell(field: Field) -> None:
    paths = [field.expose(name, east=0.5 * n, sky=1 + n, noise=0.05) for n, name in enumerate(("aa", "bb", "cc", "dd"))]
    pairs = compare(field, paths)
    assert [(pair.first[6:], pair.second[6:]) for pair in pairs] == [
        ("aa", "bb"), ("aa", "cc"), ("aa", "dd"), ("bb", "cc"), ("bb", "dd"), ("cc", "dd")
    ]  # fmt: skip
    assert compare(field, paths[::-1], memory_mb=0) == pairs
    assert compare(field, paths, threads=3) == pairs
    job = field.job(paths)
    elsewhere = LayerGrid(replace(CELL, x=CELL.x - 1), "fine", job.canvas)
    sources = sources_of(job, elsewhere)
    assert measure_differences(sources, [(0, 1)], elsewhere, job.recipe)[0].offset == pairs[0].offset


@pytest.mark.parametrize(
    "options",
    [
        {"detector": "IR"},
        {"detector": "WFC", "kind": "flc", "lookup_tables": True},
    ],
    ids=["SIP", "SIP, NPOL and D2IM"],
)
def test_positions_on_the_other_chip_are_right_to_a_third_of_a_pixel(
    tmp_path: Path, options: dict[str, object]
) -> None:
    shape = (400, 500)
    paths = [
        write_exposure(tmp_path, rootname=root, ra=RA + east / 3600, dec=DEC, orientat=angle, shape=shape, **options)
        for root, east, angle in (("ib6o04aaq", 0.0, 0.0), ("ib6o04bbq", 5.0, 77.0))
    ]
    solutions = []
    for path in paths:
        with fits.open(path) as hdus:
            solutions.append(WCS(hdus["SCI", 1].header, hdus))
    first, second = solutions
    box = (slice(64, 320), slice(0, 448))
    y, x = np.mgrid[64:320, 0:448].astype(float)
    exact = second.all_world2pix(*first.all_pix2world(x.ravel(), y.ravel(), 0), 0, quiet=True)
    found = overlay(first, box, second, shape).positions(slice(0, 256))
    inside = (exact[0] > -1) & (exact[0] < 500) & (exact[1] > -1) & (exact[1] < 400)
    assert inside.sum() > 10_000
    distance = np.hypot(found[0].ravel() - exact[0], found[1].ravel() - exact[1])
    assert distance[inside].max() < 0.3
