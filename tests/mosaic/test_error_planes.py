"""Products with errors: ERR against sums by hand, unchanged SCI and WHT, and every action."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from mosaic_field import CELL, Field

from mvmdb.errors import MemberUnusableError, ProductError
from mvmdb.mosaic.drizzle.bands import split_rows
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import Action, Canvas, LayerJob
from mvmdb.sky.tessellation import cell_wcs

CANVAS = Canvas(8001, 8070, 9001, 9060)
SHAPE = (40, 44)


def with_errors(job: LayerJob) -> LayerJob:
    return replace(job, recipe=replace(job.recipe, errors=True))


def arrays(path: str | Path) -> dict[str, np.ndarray]:
    with fits.open(path) as hdus:
        return {hdu.name: hdu.data.astype("f4") for hdu in hdus if hdu.name in ("SCI", "WHT", "ERR")}


def dithered(field: Field) -> list[Path]:
    """Three overlapping exposures whose errors differ from pixel to pixel, with bad pixels."""
    rng = np.random.default_rng(11)
    return [
        field.expose(
            name, east=east, north=north, sky=sky, noise=0.01, exptime=exptime,
            errors=rng.uniform(0.01, 0.05, (64, 64)), dq=4 * (rng.random((64, 64)) < 0.05).astype(int),
        )
        for name, east, north, sky, exptime in (
            ("aa", 0, 0, 1.0, 800.0), ("bb", 2.5, 1.1, 1.4, 100.0), ("cc", -1.7, 2.3, 0.7, 350.0)
        )
    ]  # fmt: skip


def aligned(field: Field, name: str, x: int, y: int, idcscale: float, **options: object) -> Path:
    """An exposure whose pixels are the canvas' own, the first one `x` and `y` pixels from the canvas' first."""
    wcs = cell_wcs(CELL, "fine", CANVAS).wcs
    grid = {"CRVAL1": wcs.crval[0], "CRVAL2": wcs.crval[1], "CRPIX1": wcs.crpix[0] - x, "CRPIX2": wcs.crpix[1] - y}
    turn = {"CD1_1": wcs.cd[0, 0], "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": wcs.cd[1, 1], "IDCSCALE": idcscale}
    return field.expose(name, shape=SHAPE, sip=False, sci=grid | turn, **options)  # type: ignore[arg-type]


# The sum


@pytest.mark.parametrize("detector", ["IR", "WFC"])  # electrons/s and electrons
def test_error_is_the_root_of_the_variances_summed_by_squared_weights(
    field: Field, detector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No camera has the canvas' own pixels around the canvas' own tangent point.
    monkeypatch.setattr("mvmdb.exposures.read.find_implausible", lambda *_: "")
    rng = np.random.default_rng(12)
    paths, weights, variances = [], np.zeros(CANVAS.shape), np.zeros(CANVAS.shape)
    for name, x, y, exptime, idcscale in (
        ("aa", 3, 5, 800.0, 0.04),
        ("bb", 20, 15, 100.0, 0.05),
        ("cc", 9, 11, 350.0, 0.08),
    ):
        error = rng.uniform(0.5, 3.0, SHAPE)
        bad = rng.random(SHAPE) < 0.1
        paths.append(
            aligned(
                field, name, x, y, idcscale, detector=detector, exptime=exptime, errors=error, dq=4 * bad.astype(int)
            )
        )
        # Surface brightness is kept: a pixel of IDCSCALE^2 becomes pixels of 0.04^2.
        rate = error.astype("f4") / (exptime if detector == "WFC" else 1.0) * (0.04 / idcscale) ** 2
        there = np.s_[y : y + SHAPE[0], x : x + SHAPE[1]]
        weights[there] += ~bad * exptime
        variances[there] += ~bad * (exptime * rate) ** 2
    job = with_errors(field.job(paths, canvas=CANVAS))
    make_product(job)
    product = arrays(job.target)
    exposed = weights > 0
    assert product["WHT"][exposed] == pytest.approx(weights[exposed], rel=1e-5)
    expected = np.sqrt(variances[exposed]) / weights[exposed]
    assert exposed.sum() > 2000
    assert product["ERR"][exposed] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", ["fine", "coarse"])
@pytest.mark.parametrize("mean", [1, 2])
def test_science_and_weight_are_the_same_bits_with_errors_and_without(field: Field, scale: str, mean: int) -> None:
    job = field.job(dithered(field), scale=scale, mean=mean)
    plain = make_product(job)
    without_err = arrays(job.target)
    full = make_product(with_errors(job))
    with_err = arrays(job.target)
    assert list(without_err) == ["SCI", "WHT"]
    assert list(with_err) == ["SCI", "WHT", "ERR"]
    for name in without_err:
        assert with_err[name].tobytes() == without_err[name].tobytes()
    assert np.array_equal(np.isnan(with_err["ERR"]), with_err["WHT"] == 0)
    assert (full.members, full.canvas) == (plain.members, plain.canvas)
    assert full.data_digest != plain.data_digest


# The file


def test_a_product_with_errors_is_sound_fits_and_reads_back(field: Field) -> None:
    job = with_errors(field.job(dithered(field)))
    record = make_product(job)
    assert read_product(job.target, deep=True) == record
    assert '"errors": true' in record.recipe
    with fits.open(job.target) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "WHT", "ERR", "HDRTAB"]
        assert hdus[0].header["NEXTEND"] == 4
        assert hdus["ERR"].header["BUNIT"] == "electron/s"
        assert hdus["ERR"].header["CRPIX1"] == hdus["SCI"].header["CRPIX1"]
        assert hdus["HDRTAB"].header.comments["MVMDATA"] == "digest of SCI, WHT and ERR"


def test_any_changed_bit_of_err_is_found_by_a_deep_read(field: Field) -> None:
    job = with_errors(field.job(dithered(field)))
    record = make_product(job)
    path = Path(job.target)
    whole, status = path.read_bytes(), path.stat()
    with fits.open(path) as hdus:
        start, size = hdus.fileinfo("ERR")["datLoc"], hdus["ERR"].data.nbytes
    dice = random.Random(5)
    for offset in (0, size - 1, *(dice.randrange(size) for _ in range(20))):
        damaged = bytearray(whole)
        damaged[start + offset] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert read_product(path) == record
        with pytest.raises(ProductError, match="SCI, WHT and ERR have digest"):
            read_product(path, deep=True)


def test_a_product_that_lost_its_errors_is_damaged(field: Field) -> None:
    job = with_errors(field.job(dithered(field)))
    make_product(job)
    with fits.open(job.target) as hdus:
        del hdus["ERR"]
        hdus.writeto(job.target.replace("_all_", "_other-all_"))
    with pytest.raises(ProductError, match="seal"):
        read_product(job.target.replace("_all_", "_other-all_"))


# Growing


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_adding_members_is_drizzling_all_for_errors_too(field: Field, scale: str) -> None:
    paths = dithered(field)
    make_product(with_errors(field.job(paths[:1], scale=scale)))
    job = field.job(paths[:2], scale=scale, action=Action.ADD, kept={"ib6o04aa": 0.0}, drizzled=["ib6o04aa"])
    make_product(with_errors(job))
    job = field.job(paths, scale=scale, action=Action.ADD, drizzled=["ib6o04aa", "ib6o04bb"])
    record = make_product(with_errors(job))
    assert record.canvas != field.job(paths[:1]).canvas
    added = arrays(job.target)
    kept = {member.ipppssoo: member.sky for member in record.members}
    make_product(with_errors(field.job(paths, scale=scale, kept=kept)))
    rebuilt = arrays(job.target)
    for name in ("SCI", "WHT", "ERR"):
        np.testing.assert_allclose(added[name], rebuilt[name], rtol=2e-6, atol=1e-7 if name == "SCI" else 0)


def test_recanvas_keeps_every_bit_of_errors_and_pads_with_nan(field: Field) -> None:
    paths = dithered(field)
    job = with_errors(field.job(paths))
    before = make_product(job)
    error = arrays(job.target)["ERR"]
    for path in paths:
        path.unlink()
    c = job.canvas
    wide = Canvas(c.x_min - 31, c.x_max + 7, c.y_min - 2, c.y_max + 40)
    make_product(replace(job, action=Action.RECANVAS, canvas=wide))
    padded = arrays(job.target)["ERR"]
    there = np.s_[2 : 2 + c.shape[0], 31 : 31 + c.shape[1]]
    assert padded[there].tobytes() == error.tobytes()
    outside = np.ones(wide.shape, bool)
    outside[there] = False
    assert np.isnan(padded[outside]).all()
    assert make_product(replace(job, action=Action.RECANVAS)).data_digest == before.data_digest


def test_a_product_without_errors_is_no_start_for_one_with_them(field: Field) -> None:
    job = field.job(dithered(field))
    make_product(job)
    with pytest.raises(ProductError, match="another layer or recipe"):
        make_product(with_errors(replace(job, action=Action.RECANVAS)))


# Memory


@pytest.mark.parametrize("action", [Action.DRIZZLE, Action.ADD])
def test_errors_made_in_bands_are_the_same(field: Field, monkeypatch: pytest.MonkeyPatch, action: Action) -> None:
    for name, value in (("RESERVE_MB", 0), ("ERRORS_MB", 0), ("FEWEST_ROWS", 1)):
        monkeypatch.setattr(f"mvmdb.mosaic.drizzle.bands.{name}", value)
    paths = [*dithered(field), field.expose("dd", north=-25.0)]
    whole = with_errors(field.job(paths))
    drizzled = ["ib6o04aa", "ib6o04bb"] if action is Action.ADD else []
    job = with_errors(field.job(paths, action=action, drizzled=drizzled))
    digests = []
    for memory_mb in (None, 1, 2):
        if action is Action.ADD:
            make_product(replace(with_errors(field.job(paths[:2])), canvas=whole.canvas))
        digests.append(make_product(replace(job, memory_mb=memory_mb)).data_digest)
        assert read_product(job.target, deep=True).data_digest == digests[0]
    assert len(split_rows(whole.canvas.shape, 1, errors=True)) > 2
    assert digests == digests[:1] * 3


def test_with_errors_a_row_takes_half_as_much_again() -> None:
    plain, errors = (split_rows((21954, 21954), 1200 + more, with_) for more, with_ in ((0, False), (100, True)))
    assert len(plain[0]) == pytest.approx(1.5 * len(errors[0]), abs=1)


# What goes wrong


def test_an_exposure_without_errors_is_refused_and_says_what_to_do(field: Field) -> None:
    paths = [field.expose("aa"), path := field.expose("bb", errors=False)]
    make_product(field.job(paths))
    with pytest.raises(MemberUnusableError) as caught:
        make_product(with_errors(field.job(paths)))
    assert (caught.value.ipppssoo, caught.value.rule) == ("ib6o04bb", "errors")
    assert f"found no ERR extension in {path}; expected one per chip" in str(caught.value)
    assert "mvmdb init --no-errors" in str(caught.value)
