"""`mvmdb.aperture_error`: against the scatter of sums of noise that was put in, on products old and new."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from apertures import expose_noise, measure_mosaic, measure_scatter, mosaic_of_noise
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import CELL, Field
from wfpc2files import write_wfpc2

import mvmdb
from mvmdb.errors import ProductError, UsageError
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.noise.circles import circle_shares
from mvmdb.names import Scale
from mvmdb.records import Action, Canvas
from mvmdb.sky.tessellation import cell_wcs

RADII = (1, 2, 3, 5, 10, 20)


@pytest.mark.parametrize(
    ("detector", "scale", "number", "shape", "before"),
    [("IR", "fine", 1, (360, 360), 3.57), ("IR", "fine", 3, (330, 330), 3.57), ("IR", "coarse", 2, (800, 800), 1.556),
     ("WFC", "fine", 2, (700, 700), 1.70)],
)  # fmt: skip
def test_scatter_of_injected_noise_is_predicted(
    tmp_path: Path, detector: str, scale: Scale, number: int, shape: tuple[int, int], before: float
) -> None:
    path = mosaic_of_noise(tmp_path, detector, scale, number, shape)
    for found in measure_mosaic(path, RADII):
        # 2% at small radii; fewer apertures fit at large ones, so that 3 times their own scatter is more.
        assert found.corrected == pytest.approx(1.0, abs=max(0.02, 3.0 / math.sqrt(2 * found.independent))), found
    assert found.naive == pytest.approx(before, rel=0.1)
    assert fits.getheader(path, "SCI")["CORRFACT"] == pytest.approx(before, rel=0.01)


def test_error_is_the_factor_times_the_root_of_the_sum_of_squares(tmp_path: Path) -> None:
    path = mosaic_of_noise(tmp_path, "IR", "fine", 2, (70, 70))
    errors = fits.getdata(path, "ERR").astype("f8")
    x, y = 120.3, 117.8
    correlation = mvmdb.noise_correlation(path, x, y)
    bottom, left, shares = circle_shares(x, y, 4.0)
    window = errors[bottom : bottom + shares.shape[0], left : left + shares.shape[1]]
    by_hand = correlation.factor_of(shares) * math.sqrt(np.sum((shares * window) ** 2))
    error = mvmdb.aperture_error(path, x, y, 4.0)
    assert isinstance(error, float)
    assert error == pytest.approx(by_hand, rel=1e-9)
    assert mvmdb.aperture_error(errors, x, y, 4.0, correlation=correlation) == pytest.approx(by_hand, rel=1e-9)
    several = mvmdb.aperture_error(str(path), [[x], [100.0]], y, [1, 4, 6], method="center")
    assert isinstance(several, np.ndarray)
    assert several.shape == (2, 3)
    assert np.all(np.diff(several, axis=1) > 0)


def test_no_error_is_told_where_pixels_have_none(tmp_path: Path) -> None:
    path = mosaic_of_noise(tmp_path, "IR", "fine", 1, (64, 64))
    errors = fits.getdata(path, "ERR")
    rows, columns = errors.shape
    at = mvmdb.aperture_error(path, [2, columns // 2, columns // 2, -50], [2, rows // 2, rows, 5], 3.0)
    assert np.isnan(at).tolist() == [True, False, True, True]


def test_exposures_at_the_position_count_and_no_others(tmp_path: Path) -> None:
    # WFPC2: PC1's pixels are less than half as large as those of the other chips, and lie elsewhere.
    paths = [write_wfpc2(tmp_path)]
    field = Field(tmp_path)
    job = field.job(paths, mean=1)
    make_product(replace(job, recipe=replace(job.recipe, errors=True)))
    with fits.open(job.target) as hdus:
        sides, layer = hdus["HDRTAB"].data["IDCSCALE"], hdus["SCI"].header["CORRFACT"]
        regions, header = hdus["HDRTAB"].data["S_REGION"], hdus["SCI"].header
    factors = []
    for region in regions:
        vertices = np.array([float(word) for word in str(region).split()[2:]]).reshape(-1, 2)
        x, y = WCS(header).wcs_world2pix(vertices, 0).mean(axis=0)
        factors.append(mvmdb.noise_correlation(job.target, x, y).factor)
    assert len(factors) == 4
    for side, factor in zip(sides / 0.04, factors, strict=True):
        assert factor == pytest.approx(side / (1 - 1 / (3 * side)), rel=0.02)
    assert min(factors) < layer < max(factors)


@pytest.mark.filterwarnings("ignore:Kernel reset to 'point'")
@pytest.mark.parametrize(
    ("kernel", "pixfrac", "factor"),
    [("point", 1.0, 1.0), ("square", 0.001, 1.0), ("turbo", 0.8, 3.33), ("square", 0.8, 3.34)],
)
def test_kernel_and_pixfrac_count(tmp_path: Path, kernel: str, pixfrac: float, factor: float) -> None:
    path = mosaic_of_noise(tmp_path, "IR", "fine", 1, (64, 64), kernel=kernel, pixfrac=pixfrac)
    assert mvmdb.noise_correlation(path).factor == pytest.approx(factor, rel=0.02)
    assert fits.getheader(path, "SCI")["CORRFACT"] == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize(
    ("detector", "number", "pixfrac", "shape"),
    [("WFC", 1, 0.8, (300, 300)), ("WFC", 3, 0.8, (300, 300)), ("IR", 3, 0.6, (120, 120))],
)
def test_gaps_between_small_drops_count(
    tmp_path: Path, detector: str, number: int, pixfrac: float, shape: tuple[int, int]
) -> None:
    # As ACS/SBC has from depth 6 on. Weights of neighbouring pixels differ, and so does R from that of even ones.
    path = mosaic_of_noise(tmp_path, detector, "fine", number, shape, pixfrac=pixfrac)
    for found in measure_mosaic(path, (1, 2, 3, 5)):
        few = 3.0 / math.sqrt(2 * found.independent)
        assert found.corrected == pytest.approx(1.0, abs=max(0.035 if found.radius == 1 else 0.02, few)), found
    local = mvmdb.noise_correlation(path, *(side // 2 for side in fits.getdata(path, "ERR").shape[::-1]))
    assert fits.getheader(path, "SCI")["CORRFACT"] == pytest.approx(local.factor, rel=0.05)


# Products


def test_every_way_to_make_a_mosaic_tells_the_same_factor(tmp_path: Path) -> None:
    field = Field(tmp_path)
    paths = expose_noise(tmp_path, "IR", 3, (64, 64), turn=30.0)
    whole = field.job(paths, mean=2)
    make_product(whole)
    told = {key: fits.getheader(whole.target, "SCI")[key] for key in ("CORRFACT", "CORRDROP", "CORRF1", "CORRF20")}
    first = sorted(member.ipppssoo for member in whole.members)[:2]
    make_product(field.job(paths[:2], mean=2, canvas=whole.canvas))
    make_product(field.job(paths, mean=2, canvas=whole.canvas, action=Action.ADD, drizzled=first))
    added = fits.getheader(whole.target, "SCI")
    assert {key: added[key] for key in told} == told
    grown = Canvas(whole.canvas.x_min - 9, whole.canvas.x_max, whole.canvas.y_min, whole.canvas.y_max)
    make_product(
        field.job(paths, mean=2, canvas=grown, action=Action.RECANVAS, drizzled=[m.ipppssoo for m in whole.members])
    )
    padded = fits.getheader(whole.target, "SCI")
    assert {key: padded[key] for key in told} == pytest.approx(told, abs=2e-4)


def test_mosaics_of_earlier_versions_need_no_keywords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.mosaic.product.write._noise_cards", lambda _: {})
    old = mosaic_of_noise(tmp_path / "old", "IR", "coarse", 2, (64, 64))
    monkeypatch.undo()
    new = mosaic_of_noise(tmp_path / "new", "IR", "coarse", 2, (64, 64))
    assert "CORRFACT" not in fits.getheader(old, "SCI")
    assert "CORRFACT" in fits.getheader(new, "SCI")
    assert "CORRFACT" in fits.getheader(new, "ERR")
    assert "CORRFACT" not in fits.getheader(new, "WHT")
    assert mvmdb.aperture_error(old, 34, 33, 5) == mvmdb.aperture_error(new, 34, 33, 5)
    with pytest.raises(UsageError, match="give the mosaic's path"):
        mvmdb.noise_correlation(fits.getheader(old, "SCI"))
    whole = mvmdb.noise_correlation(new).factor
    assert mvmdb.noise_correlation(fits.getheader(new, "SCI")).factor == pytest.approx(whole, rel=5e-3)
    assert fits.getheader(old, "HDRTAB")["MVMDATA"] == fits.getheader(new, "HDRTAB")["MVMDATA"]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    field = Field(tmp_path)
    job = field.job([field.expose("aa")], mean=1)
    make_product(job)
    errors = np.ones((50, 50))
    correlation = mvmdb.noise_correlation(job.target)
    with pytest.raises(ProductError, match="has no ERR"):
        mvmdb.aperture_error(job.target, 30, 30, 3)
    with pytest.raises(ProductError, match="does not exist"):
        mvmdb.aperture_error(tmp_path / "none.fits", 30, 30, 3)
    with pytest.raises(UsageError, match="noise_correlation"):
        mvmdb.aperture_error(errors, 30, 30, 3)
    with pytest.raises(UsageError, match="1 axes"):
        mvmdb.aperture_error(errors[0], 30, 30, 3, correlation=correlation)
    with pytest.raises(UsageError, match="above 0"):
        mvmdb.aperture_error(errors, 30, 30, [3, 0], correlation=correlation)
    with pytest.raises(UsageError, match="one of x and y"):
        mvmdb.noise_correlation(job.target, 3)
    with pytest.raises(UsageError, match="no exposure at"):
        mvmdb.noise_correlation(job.target, -300, -300)
    with pytest.raises(UsageError, match="HDRTAB has the exposures"):
        mvmdb.noise_correlation(fits.Header(), 3, 3)


@pytest.mark.shared
@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_scatter_of_real_exposures_is_predicted(ers_folder: Path, tmp_path: Path, scale: Scale) -> None:
    # Two mosaics of the same stars and galaxies from three exposures each: what differs is noise.
    field = Field(tmp_path)
    paths = sorted(ers_folder.glob("ib6o04*_flt.fits"))
    x, y = (round(float(v)) for v in cell_wcs(CELL).wcs_world2pix(53.0543, -27.7111, 1))
    canvas = Canvas(x - 700, x + 699, y - 600, y + 599)
    planes = []
    for half in (paths[0::2], paths[1::2]):
        job = field.job(half, scale=scale, mean=3, canvas=canvas)
        make_product(replace(job, recipe=replace(job.recipe, errors=True)))
        with fits.open(job.target) as hdus:
            planes.append([hdus[name].data.astype("f8") for name in ("SCI", "ERR")])
    (first, first_error), (second, second_error) = planes
    errors = np.hypot(first_error, second_error)
    difference = first - second
    source = (first + second) / 2 > np.nanmedian(first) + 4 * np.nanmedian(errors)
    difference[source] = np.nan
    difference -= np.nanmedian(difference)
    for found in measure_scatter(difference, errors, mvmdb.noise_correlation(job.target), (1, 2, 3, 5)):
        assert found.corrected == pytest.approx(1.0, abs=0.05), found
