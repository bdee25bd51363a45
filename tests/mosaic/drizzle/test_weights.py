"""Weights by the inverse variance of the background: what they are, and that they leave the least noise."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.units import Unit
from fitsfiles import write_exposure
from mosaic_field import DEC, RA, Field
from wfpc2files import write_wfpc2

import mvmdb
from mvmdb.errors import MemberUnusableError
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle.bands import ERRORS_MB, split_rows
from mvmdb.mosaic.drizzle.weights import background_variance
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import open_product, read_product
from mvmdb.names import Scale
from mvmdb.recipe import Recipe
from mvmdb.records import Action, Canvas, LayerJob


def by_ivm(job: LayerJob, **changes: object) -> LayerJob:
    return replace(job, recipe=replace(job.recipe, weight="ivm", **changes))  # type: ignore[arg-type]


def expose(
    field: Field, name: str, sky: float, exptime: float, shape: tuple[int, int] = (180, 180), detector: str = "IR",
    seed: int = 0, stars: int = 0, read_noise: float = 12.0, **options: object,
) -> Path:  # fmt: skip
    """An exposure under a sky of so many electrons/s a pixel, with photon and read noise, its ERR as the pipeline's."""
    rng = np.random.default_rng(seed)
    electrons = np.full(shape, sky * exptime)
    for _ in range(stars):
        y, x = (int(rng.integers(4, size - 4)) for size in shape)
        electrons[y - 2 : y + 3, x - 2 : x + 3] += 50 * exptime
    counts = rng.poisson(electrons) + rng.normal(0, read_noise, shape)
    error = np.sqrt(np.maximum(counts, 0) + read_noise**2)
    unit = exptime if detector == "IR" else 1.0
    root = ("ib6o04" if detector == "IR" else "j8oz04") + name + "q"
    return write_exposure(
        field.folder, rootname=root, detector=detector, shape=shape, science=(counts - sky * exptime) / unit,
        errors=error / unit, exptime=exptime, ra=RA, dec=DEC, **options,
    )  # type: ignore[arg-type]  # fmt: skip


def inner(path: str | Path, extension: str) -> np.ndarray:
    """The middle of an array, on which every exposure lies."""
    plane = fits.getdata(path, extension).astype("f8")
    y, x = (size // 2 for size in plane.shape)
    reach = min(plane.shape) // 4
    return plane[y - reach : y + reach, x - reach : x + reach]


def binned(plane: np.ndarray, size: int) -> np.ndarray:
    rows, columns = (length // size for length in plane.shape)
    return plane[: rows * size, : columns * size].reshape(rows, size, columns, size).sum(axis=(1, 3))


# What it is


def test_variance_is_that_of_pixels_near_the_level() -> None:
    rng = np.random.default_rng(1)
    counts = rng.poisson(100.0, 50_000).astype("f4")
    assert background_variance(counts, np.sqrt(counts)) == pytest.approx(100.0, rel=0.02)
    bright = np.concatenate([counts, np.full(5000, 4e4, "f4")])
    assert background_variance(bright, np.sqrt(bright)) == pytest.approx(100.0, rel=0.02)


def test_variance_of_photons_in_the_dark_is_their_number() -> None:
    counts = np.random.default_rng(1).poisson(0.02, 100_000).astype("f4")
    assert background_variance(counts, np.sqrt(counts)) == pytest.approx(0.02, rel=0.05)
    assert background_variance(counts * 0, counts * 0) == 0.0
    assert math.isnan(background_variance(counts, np.full(counts.shape, np.nan, "f4")))


@pytest.mark.parametrize(("detector", "scale"), [("IR", "fine"), ("IR", "coarse"), ("WFC", "fine")])
def test_weight_is_the_inverse_variance_of_the_background(field: Field, detector: str, scale: Scale) -> None:
    path = expose(field, "aa", 1.0, 500.0, detector=detector, shape=(300, 300), orientat=170.0)
    job = by_ivm(field.job([path], scale=scale, mean=1), errors=True)
    make_product(job)
    weights, errors, science = (inner(job.target, name) for name in ("WHT", "ERR", "SCI"))
    factor = mvmdb.noise_correlation(job.target).factor
    # 1 / WHT is the variance that large sums have, for each pixel of them.
    assert np.median(weights) == pytest.approx(1.0 / (factor * np.sqrt(np.mean(errors**2))) ** 2, rel=0.03)
    size = 30 if scale == "fine" and detector == "IR" else 10
    assert np.var(binned(science, size)) / size**2 == pytest.approx(1.0 / np.median(weights), rel=0.3)
    header = fits.getheader(job.target, "WHT")
    assert Unit(header["BUNIT"]) == (Unit("electron/s")) ** -2
    assert fits.getheader(job.target)["MEDWHT"] == pytest.approx(np.median(weights), rel=0.1)


# What it is good for


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_scatter_under_unlike_skies_is_the_least_possible(field: Field, scale: Scale) -> None:
    # Exposures of equal time, one of them under ten times the sky.
    paths = [expose(field, "aa", 1.0, 800.0, seed=1, read_noise=3.0), expose(field, "bb", 10.0, 800.0, seed=2)]
    plain = field.job(paths, scale=scale, mean=1)
    make_product(plain)
    seconds = inner(plain.target, "SCI")
    alone = []
    for path in paths:
        job = field.job([path], scale=scale, mean=1, canvas=plain.canvas)
        make_product(job)
        alone.append(np.var(binned(inner(job.target, "SCI"), 6)))
    make_product(by_ivm(plain))
    best = np.var(binned(inner(plain.target, "SCI"), 6))
    optimum = 1.0 / (1.0 / alone[0] + 1.0 / alone[1])
    assert best == pytest.approx(optimum, rel=0.06)
    assert np.var(binned(seconds, 6)) > 2.5 * best


def test_bright_sources_are_weighted_as_the_background_is(field: Field) -> None:
    plain, starry = (fits_weight(field, expose(field, "aa", 1.0, 800.0, seed=1, stars=stars)) for stars in (0, 60))
    assert starry == pytest.approx(plain, rel=0.02)


def fits_weight(field: Field, path: Path) -> float:
    job = by_ivm(field.job([path], mean=1))
    make_product(job)
    (row,) = open_product(job.target).rows
    return row.weight


# How it is made


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_adding_and_padding_give_the_bits_of_drizzling(field: Field, scale: Scale) -> None:
    paths = [
        expose(field, name, sky, 400.0, shape=(64, 64), seed=sum(name.encode()))
        for name, sky in (("aa", 1.0), ("bb", 8.0), ("cc", 2.0))
    ]
    whole = by_ivm(field.job(paths, scale=scale, mean=1), errors=True)
    record = make_product(whole)
    drizzled = {name: fits.getdata(whole.target, name).tobytes() for name in ("SCI", "WHT")}
    weights = fits.getdata(whole.target, "HDRTAB")["WEIGHT"]
    assert len(set(weights.tolist())) == 3
    assert read_product(whole.target, deep=True) == record
    first = [member.ipppssoo for member in whole.members[:2]]
    common = {"scale": scale, "mean": 1, "canvas": whole.canvas}
    make_product(by_ivm(field.job(paths[:2], **common), errors=True))  # type: ignore[arg-type]
    make_product(by_ivm(field.job(paths, action=Action.ADD, drizzled=first, **common), errors=True))  # type: ignore[arg-type]
    for name, bits in drizzled.items():
        assert fits.getdata(whole.target, name).tobytes() == bits
    assert fits.getdata(whole.target, "HDRTAB")["WEIGHT"].tolist() == weights.tolist()
    c = whole.canvas
    grown = Canvas(c.x_min - 6, c.x_max, c.y_min, c.y_max + 3)
    names = [member.ipppssoo for member in whole.members]
    padded = by_ivm(
        field.job(paths, scale=scale, mean=1, canvas=grown, action=Action.RECANVAS, drizzled=names), errors=True
    )
    make_product(padded)
    assert fits.getheader(padded.target, "WHT")["BUNIT"] == "s2/electron2"
    assert fits.getdata(padded.target, "HDRTAB")["WEIGHT"].tolist() == weights.tolist()


def test_errors_are_the_same_sum_with_other_weights(field: Field) -> None:
    paths = [expose(field, "aa", 1.0, 800.0, seed=1), expose(field, "bb", 10.0, 800.0, seed=2)]
    job = by_ivm(field.job(paths, mean=1), errors=True)
    make_product(job)
    science, errors = inner(job.target, "SCI"), inner(job.target, "ERR")
    assert np.std(science / errors) == pytest.approx(1.0, abs=0.03)


def test_science_does_not_depend_on_whether_errors_are_written(field: Field) -> None:
    job = by_ivm(field.job([expose(field, "aa", 1.0, 800.0, shape=(64, 64))], mean=1))
    make_product(job)
    without = [fits.getdata(job.target, name).tobytes() for name in ("SCI", "WHT")]
    assert "ERR" not in fits.open(job.target)
    make_product(replace(job, recipe=replace(job.recipe, errors=True)))
    assert [fits.getdata(job.target, name).tobytes() for name in ("SCI", "WHT")] == without


def test_chips_of_wfpc2_count_by_their_own_background(field: Field) -> None:
    rates = {chip: np.full((100, 100), 0.05 if chip == 1 else 0.24) for chip in (1, 2, 3, 4)}
    job = by_ivm(field.job([write_wfpc2(field.folder, rates=rates)], mean=1), errors=True)
    make_product(job)
    rows = open_product(job.target).rows
    assert len({row.weight for row in rows}) == 4
    for row in rows:  # electrons: sky and dark, and the noise of one read
        gain, noise = {1: (7.12, 5.24), 2: (7.12, 5.51), 3: (6.90, 5.22), 4: (7.10, 5.19)}[row.extver]
        rate = 0.05 if row.extver == 1 else 0.24
        variance = (rate * 300.0 + 0.005 * 300.0 + noise**2) * (row.factor / gain) ** 2
        assert 1.0 / row.weight == pytest.approx(variance / 300.0**2 * (0.04 / row.idcscale) ** 4, rel=0.05)


def test_recipe_by_exposure_time_is_as_before() -> None:
    recipe = choose_recipe("wfc3", "ir", "f125w", "fine", 2)
    assert "weight" not in recipe.to_json()
    assert not recipe.reads_errors
    ivm = replace(recipe, weight="ivm")
    assert '"weight": "ivm"' in ivm.to_json()
    assert Recipe.from_json(ivm.to_json()) == ivm
    assert ivm.reads_errors


def test_mosaic_by_exposure_time_has_no_column_of_weights(field: Field) -> None:
    job = field.job([field.expose("aa")], mean=1)
    make_product(job)
    with fits.open(job.target) as hdus:
        assert "WEIGHT" not in hdus["HDRTAB"].columns.names
        assert hdus["WHT"].header["BUNIT"] == "s"


def test_contributors_tell_the_weight(field: Field) -> None:
    paths = [expose(field, "aa", 1.0, 800.0, seed=1), expose(field, "bb", 10.0, 800.0, seed=2)]
    job = by_ivm(field.job(paths, mean=1))
    make_product(job)
    rows, columns = fits.getdata(job.target, "WHT").shape
    found = mvmdb.contributors(job.target, columns // 2, rows // 2)
    assert found.wht == pytest.approx(found.expected, rel=0.05)
    assert found.chips[0].share > 5 * found.chips[1].share


# Refusals


def test_exposure_without_errors_is_refused(field: Field) -> None:
    for errors, words in ((False, "no ERR extension"), (np.zeros((64, 64)), "nowhere above 0")):
        path = field.expose("aa", errors=errors)
        with pytest.raises(MemberUnusableError, match=words) as caught:
            make_product(by_ivm(field.job([path], mean=1)))
        assert caught.value.rule == "errors"
        assert "--weight exptime" in str(caught.value)


def test_memory_for_the_errors_that_are_read_is_kept() -> None:
    shape = (21954, 21954)
    assert split_rows(shape, 1200 + ERRORS_MB, reads_errors=True) == split_rows(shape, 1200)
