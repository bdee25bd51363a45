"""Members of unlike PHOTFLAM: what an instrument that got dimmer saw of the same sky gives the same mosaic.

`dim` makes of an exposure what a less sensitive instrument would have seen: fewer electrons, and a PHOTFLAM that is
higher by the same factor. The truth is the mosaic of the exposures as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fitsfiles import set_keywords
from mosaic_field import DEC, PHOTFLAM, RA, Field, Star, around, dim, measure_star, plane_stretch, refusal

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import open_product, read_product
from mvmdb.records import Action, LayerJob, ProductRecord

ROUNDING = 3e-6
"""Of sums in float32; skies of 20 electrons/s/arcsec2 are off by 2e-5 at most."""
FOUR = (1.0, 1.02, 1.02, 1.04)
PLACES = ((0.0, 0.0), (1.5, 1.1), (-1.7, 1.3), (-0.4, -1.9))
STAR = Star(RA, DEC, 900.0)


def expose_four(field: Field, factors: Sequence[float], *, noise: float = 0.01) -> list[Path]:
    """Four overlapping exposures of a star, with skies of their own."""
    paths = []
    for number, ((east, north), factor) in enumerate(zip(PLACES, factors, strict=True)):
        options = {"east": east, "north": north, "sky": 1.0 + 0.1 * number, "noise": noise, "stars": [STAR]}
        paths.append(dim(field.expose("abcd"[number] * 2, **options), factor))  # type: ignore[arg-type]
    return paths


@pytest.fixture
def bright(tmp_path: Path) -> Field:
    """Where exposures are written as an instrument that stays as it is sees them."""
    return folder(tmp_path / "bright")


@pytest.fixture
def dimmed(tmp_path: Path) -> Field:
    """Where the same exposures are written as one that gets dimmer sees them."""
    return folder(tmp_path / "dimmed")


def folder(path: Path) -> Field:
    path.mkdir()
    return Field(path)


def job_of(field: Field, paths: Sequence[Path], method: str, *, errors: bool = True, **options: object) -> LayerJob:
    whole = around([read_exposure(path).exposure.s_region for path in sorted(field.folder.glob("*_fl?.fits"))])
    job = field.job(paths, **{"canvas": whole, **options})  # type: ignore[arg-type]
    return replace(job, recipe=replace(job.recipe, method=method, errors=errors))


def planes_of(job: LayerJob) -> dict[str, np.ndarray]:
    with fits.open(job.target) as hdus:
        return {name: np.array(hdus[name].data) for name in ("SCI", "WHT", "ERR") if name in hdus}


def assert_same_sky(job: LayerJob, truth: LayerJob, rounding: float = ROUNDING) -> None:
    """Both mosaics say the same of the sky: pixels times PHOTFLAM, to rounding."""
    ratio = fits.getheader(job.target, "SCI")["PHOTFLAM"] / fits.getheader(truth.target, "SCI")["PHOTFLAM"]
    here, there = planes_of(job), planes_of(truth)
    assert np.array_equal(here["WHT"], there["WHT"])
    for name in here.keys() - {"WHT"}:
        scale = np.nanmax(abs(there[name]))
        np.testing.assert_allclose(here[name] * ratio, there[name], rtol=rounding, atol=rounding * scale, err_msg=name)


def flux_error(job: LayerJob) -> float:
    """By how much the flux of the star (rate and PHOTFLAM) is off."""
    rate = measure_star(Path(job.target), STAR)[0]
    photflam = fits.getheader(job.target, "SCI")["PHOTFLAM"]
    return float(rate * photflam / (STAR.rate * PHOTFLAM * plane_stretch(STAR)) - 1)


def add_all(field: Field, paths: Sequence[Path], method: str, nights: Sequence[Sequence[int]]) -> LayerJob:
    """The mosaic of members that came in these nights: the first is drizzled, the others are added."""
    came: list[int] = []
    job = None
    for night in nights:
        before = [read_exposure(paths[number]).exposure.ipppssoo for number in came]
        came += night
        action = Action.ADD if before else Action.DRIZZLE
        job = job_of(field, [paths[number] for number in came], method, action=action, drizzled=before)
        make_product(job)
    assert job is not None
    return job


def test_equal_photflam_gives_the_pixels_of_hap_to_the_bit(bright: Field) -> None:
    paths = expose_four(bright, (1.0,) * 4)
    kept = {member.ipppssoo: member.sky for member in make_product(job_of(bright, paths, "hap")).members}
    made = {}
    for method in ("hap", "mvmdb"):  # with the same skies, which the methods measure in other ways
        job = job_of(bright, paths, method, kept=kept)
        digest = make_product(job).data_digest
        made[method] = digest, fits.getheader(job.target, "SCI")["PHOTFLAM"]
    assert made["mvmdb"] == made["hap"]


def test_four_members_of_unlike_photflam_give_the_true_flux(bright: Field, dimmed: Field) -> None:
    truth, job = (
        job_of(bright, expose_four(bright, (1.0,) * 4), "mvmdb"),
        job_of(dimmed, expose_four(dimmed, FOUR), "hap"),
    )
    make_product(truth)
    record = make_product(job)
    assert flux_error(job) - flux_error(truth) < -0.01, "the fault of hap"
    assert [member.photscale for member in record.members] == [1.0] * 4
    job = replace(job, recipe=replace(job.recipe, method="mvmdb"))
    record = make_product(job)
    assert abs(flux_error(job) - flux_error(truth)) < 1e-5
    assert_same_sky(job, truth)
    assert [member.photscale for member in record.members] == pytest.approx(FOUR)
    assert [member.photflam for member in record.members] == pytest.approx([f * PHOTFLAM for f in FOUR])
    table = fits.getdata(job.target, "HDRTAB")
    assert table["PHOTFLAM"].tolist() == pytest.approx([f * PHOTFLAM for f in FOUR])
    assert table["PHOTSCAL"].tolist() == pytest.approx(FOUR)
    assert read_product(job.target, deep=True) == record


@pytest.mark.parametrize("nights", [[[0, 1], [2, 3]], [[3], [2, 1], [0]], [[1, 2], [0], [3]]], ids=str)
def test_any_order_of_nights_gives_the_flux_of_the_first_member(
    bright: Field, dimmed: Field, nights: list[list[int]]
) -> None:
    there, here = expose_four(bright, (1.0,) * 4), expose_four(dimmed, (1.01, 1.02, 0.98, 1.04))
    truth, job = (add_all(field, paths, method, nights) for field, paths, method in (
        (bright, there, "mvmdb"), (dimmed, here, "mvmdb")))  # fmt: skip
    assert fits.getheader(job.target, "SCI")["PHOTFLAM"] == pytest.approx(1.01 * PHOTFLAM, rel=1e-12)
    assert_same_sky(job, truth)
    rows = open_product(job.target).rows
    assert [row.photscale for row in rows] == pytest.approx(np.array([1.01, 1.02, 0.98, 1.04]) / 1.01)
    for row, there_row in zip(rows, open_product(truth.target).rows, strict=True):
        assert row.sky * 1.01 == pytest.approx(there_row.sky, abs=2e-5)
        assert row.subtracted == pytest.approx(there_row.sky * row.idcscale**2 * PHOTFLAM / row.photflam, abs=1e-6)


def test_a_drift_over_ten_years_leaves_nothing_whatever_is_done(bright: Field, dimmed: Field) -> None:
    drift = tuple(1.0 + 0.03 * year / 10 for year in (0, 3, 7, 10))
    there, here = expose_four(bright, (1.0,) * 4), expose_four(dimmed, drift)
    errors = {}
    for name, field, paths in (("bright", bright, there), ("dimmed", dimmed, here)):
        drizzled = job_of(field, paths, "mvmdb")
        make_product(drizzled)
        errors[name] = [flux_error(drizzled)]
        wide = replace(drizzled.canvas, x_max=drizzled.canvas.x_max + 9)
        make_product(replace(drizzled, action=Action.RECANVAS, canvas=wide))
        errors[name].append(flux_error(drizzled))
        errors[name].append(flux_error(add_all(field, paths, "mvmdb", [[2, 3], [1], [0]])))
    assert abs(np.subtract(errors["dimmed"], errors["bright"])).max() < 1e-5
    worst = job_of(dimmed, here, "hap")
    make_product(worst)
    assert abs(flux_error(worst) - errors["bright"][0]) > 0.01, "what is left without scaling"


def test_a_job_with_little_memory_scales_the_same(dimmed: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    here = expose_four(dimmed, (1.01, 1.02, 0.98, 1.04))
    whole = read_product(add_all(dimmed, here, "mvmdb", [[1, 2, 3], [0]]).target)
    before = add_all(dimmed, here, "mvmdb", [[1, 2, 3]])
    job = job_of(dimmed, here, "mvmdb", action=Action.ADD, drizzled=[m.ipppssoo for m in before.members])
    monkeypatch.setattr("mvmdb.mosaic.make.split_rows", lambda shape, *_: [range(50), range(50, shape[0])])
    assert make_product(replace(job, memory_mb=1000)).data_digest == whole.data_digest


def test_each_chip_is_scaled_by_its_own_photflam(bright: Field, dimmed: Field) -> None:
    options = {"detector": "UVIS", "chips": 2, "stars": [STAR], "noise": 0.01}
    jobs = []
    for field, factors, method in ((bright, (1.0, 1.0), "mvmdb"), (dimmed, (1.0, 1.07), "mvmdb")):
        paths = [
            dim(field.expose(name, east=east, **options), *factors)  # type: ignore[arg-type]
            for name, east in (("aa", 0.0), ("bb", 0.7))
        ]
        jobs.append(job_of(field, paths, method))
        make_product(jobs[-1])
    assert_same_sky(jobs[1], jobs[0])
    assert [row.photscale for row in open_product(jobs[1].target).rows] == pytest.approx([1, 1.07] * 2)


def test_skies_kept_from_another_flux_are_the_same_sky(dimmed: Field) -> None:
    here = expose_four(dimmed, (1.01, 1.02, 0.98, 1.04))
    three = make_product(job_of(dimmed, here[1:], "mvmdb"))
    kept = {m.ipppssoo: m.sky / m.photscale for m in three.members}  # type: ignore[operator]
    rebuilt = make_product(job_of(dimmed, here, "mvmdb", kept=kept))
    skies = {member.ipppssoo: member.sky for member in rebuilt.members}
    for member in three.members:
        assert skies[member.ipppssoo] * 1.01 == pytest.approx(member.sky * 1.02, abs=1e-9)  # type: ignore[operator]


def test_pairs_that_were_measured_in_one_layer_hold_in_a_layer_of_another_flux(dimmed: Field) -> None:
    here = expose_four(dimmed, (1.01, 1.02, 0.98, 1.04))
    pairs = make_product(job_of(dimmed, here[1:], "mvmdb")).pairs
    assert len(pairs) == 3
    known = make_product(replace(job_of(dimmed, here, "mvmdb"), pairs=pairs))
    anew = make_product(job_of(dimmed, here, "mvmdb"))
    assert len(known.pairs) == 3
    assert [m.sky for m in known.members] == pytest.approx([m.sky for m in anew.members], abs=2e-5)


@pytest.mark.parametrize("value", [None, 0.0, -1e-20])
def test_a_member_without_photflam_is_not_scaled_and_is_no_reference(dimmed: Field, value: float | None) -> None:
    here = expose_four(dimmed, FOUR)
    with fits.open(here[0], mode="update") as hdus:
        del hdus["SCI"].header["PHOTFLAM"]
        if value is not None:
            hdus["SCI"].header["PHOTFLAM"] = value
    warning = "PHOTFLAM is missing from SCI; its electrons are taken as those of its layers' other members"
    assert warning in read_exposure(here[0]).exposure.warnings
    job = job_of(dimmed, here, "mvmdb")
    record = make_product(job)
    assert fits.getheader(job.target, "SCI")["PHOTFLAM"] == pytest.approx(1.02 * PHOTFLAM)
    assert [member.photscale for member in record.members] == pytest.approx([1, 1, 1, 1.04 / 1.02])
    assert record.members[0].photflam is None


def test_no_member_with_photflam_gives_what_hap_gives(dimmed: Field) -> None:
    here = expose_four(dimmed, FOUR)
    for path in here:
        with fits.open(path, mode="update") as hdus:
            del hdus["SCI"].header["PHOTFLAM"]
    kept = {member.ipppssoo: member.sky for member in make_product(job_of(dimmed, here, "hap")).members}
    digests = {method: make_product(job_of(dimmed, here, method, kept=kept)).data_digest for method in ("hap", "mvmdb")}
    assert digests["hap"] == digests["mvmdb"]


# Another photometry of the same pixels


def recalibrate(paths: Sequence[Path], factor: float) -> None:
    for path in paths:
        with fits.open(path, mode="update") as hdus:
            hdus["SCI"].header["PHOTFLAM"] *= factor


def rescaled(job: LayerJob, before: ProductRecord) -> LayerJob:
    """The job to bring a product to its members' new photometry, as the catalog makes it."""
    digests = {member.ipppssoo: member.pixel_digest for member in before.members}
    members = [replace(m, pixels=f"c:{m.ipppssoo}", pixel_digest=digests[m.ipppssoo]) for m in job.members]
    return replace(job, action=Action.RESCALE, members=tuple(members))


@pytest.mark.parametrize("method", ["hap", "mvmdb"])
def test_a_new_zero_point_of_all_members_is_written_and_no_pixel_changes(dimmed: Field, method: str) -> None:
    here = expose_four(dimmed, FOUR)
    job = job_of(dimmed, here, method)
    before, pixels = make_product(job), planes_of(job)
    recalibrate(here, 1.03)
    after = make_product(rescaled(job, before))
    assert after.data_digest == before.data_digest
    assert all(np.array_equal(planes_of(job)[name], plane, equal_nan=True) for name, plane in pixels.items())
    with fits.open(job.target) as hdus:
        assert hdus["SCI"].header["PHOTFLAM"] == 1.03 * PHOTFLAM
        assert hdus["HDRTAB"].data["PHOTFLAM"].tolist() == pytest.approx([1.03 * f * PHOTFLAM for f in FOUR])
    assert [m.photscale for m in after.members] == [m.photscale for m in before.members]
    assert [m.pixels for m in after.members] == [f"c:{m.ipppssoo}" for m in before.members]
    assert read_product(job.target, deep=True) == after
    assert make_product(rescaled(job, before)).data_digest == before.data_digest, "it can be done twice"


def test_a_new_zero_point_of_one_member_is_written_where_members_are_not_scaled(dimmed: Field) -> None:
    here = expose_four(dimmed, FOUR)
    hap, own = job_of(dimmed, here, "hap"), job_of(dimmed, here, "mvmdb")
    before = make_product(hap)
    recalibrate(here[1:2], 1.03)
    make_product(rescaled(hap, before))
    assert fits.getheader(hap.target, "SCI")["PHOTFLAM"] == PHOTFLAM
    recalibrate(here[1:2], 1 / 1.03)
    before = make_product(own)
    recalibrate(here[1:2], 1.03)
    assert "PHOTFLAM changed unlike" in refusal(rescaled(own, before))


def test_members_are_added_to_a_product_of_the_old_zero_point(bright: Field, dimmed: Field) -> None:
    there, here = expose_four(bright, (1.0,) * 4), expose_four(dimmed, FOUR)
    truth = add_all(bright, there, "mvmdb", [[1, 2, 3], [0]])
    job = add_all(dimmed, here, "mvmdb", [[1, 2, 3]])
    before = read_product(job.target)
    recalibrate(here, 1.03)
    drizzled = [member.ipppssoo for member in before.members]
    job = job_of(dimmed, here, "mvmdb", action=Action.ADD, drizzled=drizzled)
    digests = {member.ipppssoo: member.pixel_digest for member in before.members}
    members = [replace(m, pixels="c:0", pixel_digest=digests[m.ipppssoo]) if m.drizzled else m for m in job.members]
    job = replace(job, members=tuple(members))
    make_product(job)
    assert fits.getheader(job.target, "SCI")["PHOTFLAM"] == 1.03 * PHOTFLAM
    set_keywords(Path(job.target), ("SCI", 1), {"PHOTFLAM": PHOTFLAM})  # the truth was not recalibrated
    assert_same_sky(job, truth)


def test_a_file_that_was_recalibrated_since_it_was_registered_is_not_drizzled(dimmed: Field) -> None:
    here = expose_four(dimmed, FOUR)
    job = job_of(dimmed, here, "hap")
    known = {e.ipppssoo: e.photometry for e in (read_exposure(path).exposure for path in here)}
    job = replace(job, members=tuple(replace(m, photometry=known[m.ipppssoo]) for m in job.members))
    make_product(job)
    recalibrate(here[2:3], 1.03)
    assert "its photometry is PHOTFLAM 2.293" in refusal(job)
