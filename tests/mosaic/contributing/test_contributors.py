"""Who is in a pixel: against drizzle's own context image, and against what was put there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from command_line import call
from drizzle.resample import Drizzle
from mosaic_field import Field
from wfpc2files import write_wfpc2

import mvmdb
from mvmdb.errors import ProductError, UsageError
from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.mosaic.contributing.image import count_planes
from mvmdb.mosaic.drizzle.chips import good_pixels
from mvmdb.mosaic.drizzle.pixmap import ExactMap
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.make import make_product
from mvmdb.names import parse_layer_name
from mvmdb.records import Canvas, LayerJob

Ask = Callable[..., SimpleNamespace]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs the command with a catalog that need not exist."""

    def run(*words: str) -> SimpleNamespace:
        code, stdout, stderr = call(SimpleNamespace(address=str(tmp_path / "mvm.db")), *words)
        return SimpleNamespace(exit_code=code, stdout=stdout, stderr=stderr)

    return run


def context_of_drizzle(job: LayerJob) -> tuple[np.ndarray, np.ndarray]:
    """Drizzle's own context image of a job's members, (rows, columns) for 32 chips; and where pixels are flagged."""
    grid = LayerGrid.of_layer(parse_layer_name(job.layer), job.canvas)
    engine, everything = (Drizzle(kernel=job.recipe.kernel, out_shape=grid.shape) for _ in range(2))
    for member in job.members:
        for chip in read_chips(member.path):
            positions = ExactMap(chip.wcs, chip.shape, grid).positions(slice(0, chip.shape[0])) - grid.offset
            science = np.ones(chip.shape, np.float32)
            for drizzle, good in ((engine, good_pixels(chip, job.recipe.good_bits)), (everything, science)):
                drizzle.add_image(
                    science, 1.0, positions, weight_map=good.astype(np.float32), pixfrac=job.recipe.pixfrac
                )
    context, whole = (np.atleast_3d(np.squeeze(each.out_ctx).T).T for each in (engine, everything))
    return context[0].astype(np.uint32), (context[0] != whole[0])


def wide(job: LayerJob, margin: int = 9) -> LayerJob:
    """The job on a larger canvas: at the edge of its array, drizzle leaves pixels out."""
    c = job.canvas
    return replace(job, canvas=Canvas(c.x_min - margin, c.x_max + margin, c.y_min - margin, c.y_max + margin))


def dithered(field: Field, detector: str = "IR", chips: int = 1, flagged: float = 0.02) -> list[Path]:
    rng = np.random.default_rng(3)
    return [
        field.expose(
            name, east=east, north=north, detector=detector, chips=chips, shape=(64, 64), noise=0.01,
            orientat=160.0 + 20 * east, dq=4 * (rng.random((64, 64)) < flagged).astype(int),
        )
        for name, east, north in (("aa", 0, 0), ("bb", 2.5, 1.1), ("cc", -1.7, 2.3))
    ]  # fmt: skip


@pytest.mark.parametrize(("detector", "chips", "scale"), [("IR", 1, "fine"), ("IR", 1, "coarse"), ("WFC", 2, "fine")])
def test_context_image_is_that_of_drizzle_but_for_flagged_pixels(
    field: Field, detector: str, chips: int, scale: str
) -> None:
    job = wide(field.job(dithered(field, detector, chips), scale=scale, mean=2))
    make_product(job)
    path = mvmdb.context_image(job.target, field.folder / "ctx.fits")
    with fits.open(path) as hdus, fits.open(job.target) as product:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "CTX", "HDRTAB"]
        context = hdus["CTX"].data
        assert context.dtype == np.dtype(">i4")
        for keyword in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CD1_1", "CD2_2", "CTYPE1"):
            assert hdus["CTX"].header[keyword] == product["SCI"].header[keyword]
        assert hdus["HDRTAB"].data["ROOTNAME"].tolist() == product["HDRTAB"].data["ROOTNAME"].tolist()
        assert hdus[0].header["MVMDATA"] == product["HDRTAB"].header["MVMDATA"]
    expected, flagged = context_of_drizzle(job)
    ours = context.astype(np.uint32)
    assert len(np.unique(ours)) > 5
    # Where a pixel is not flagged, all bits are drizzle's; outlines lie within a tenth of a pixel of the true edges.
    different = (ours != expected) & ~flagged
    outlines = len(job.members) * chips * 4 * 64 * (3.3 if scale == "fine" else 1.1)
    assert different.sum() < 0.1 * outlines
    assert different.sum() < 0.004 * different.size
    # Flags only ever take bits away.
    assert np.all((expected & ~ours)[~different] == 0)
    assert flagged.sum() > 5


def test_chip_of_bit_32_is_in_the_second_plane(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.mosaic.contributing.image.BITS", 2)
    job = field.job(dithered(field, flagged=0.0), mean=2)
    make_product(job)
    mvmdb.context_image(job.target, field.folder / "ctx.fits")
    planes = fits.getdata(field.folder / "ctx.fits", "CTX")
    assert planes.shape == (2, *fits.getdata(job.target, "SCI").shape)
    assert (set(np.unique(planes[0])), set(np.unique(planes[1]))) == ({0, 1, 2, 3}, {0, 1})
    assert np.mean(np.any(planes != 0, axis=0) != (fits.getdata(job.target, "WHT") > 0)) < 1e-3


def test_sign_bit_is_the_last_chip_of_a_plane() -> None:
    assert [count_planes(n) for n in (0, 1, 32, 33, 64, 65)] == [1, 1, 1, 2, 2, 3]


def test_contributors_of_a_pixel_are_the_bits_of_the_image(field: Field) -> None:
    job = field.job(dithered(field, flagged=0.0), mean=2)
    make_product(job)
    context = fits.getdata(mvmdb.context_image(job.target, field.folder / "ctx.fits"), "CTX")
    weights = fits.getdata(job.target, "WHT")
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(40):
        row, column = (int(rng.integers(size)) for size in context.shape)
        found = mvmdb.contributors(job.target, column + 1, row + 1)
        assert sum(1 << chip.row for chip in found.chips) == context[row, column]
        assert found.wht == weights[row, column]
        if all(chip.covered == 1.0 for chip in found.chips):
            assert found.wht == pytest.approx(found.expected, rel=0.05, abs=1e-6)
            assert not found.some_bad
        assert sum(chip.share for chip in found.chips) == pytest.approx(1.0 if found.chips else 0.0)
        seen.add(len(found.chips))
    assert seen >= {0, 1, 2, 3}


def test_what_is_told_of_a_contributor(field: Field) -> None:
    path = field.expose("aa", primary={"PROPOSID": 11359, "TARGNAME": "ERS", "DATE-OBS": "2009-10-05"}, exptime=800.0)
    job = field.job([path], mean=1)
    make_product(job)
    (chip,) = mvmdb.contributors(job.target, 100, 100).chips
    assert (chip.row, chip.ipppssoo, chip.extver, chip.exptime) == (0, "ib6o04aa", 1, 800.0)
    assert (chip.proposal_id, chip.target, chip.date_obs) == (11359, "ERS", "2009-10-05")
    assert (chip.covered, chip.share, chip.factor, chip.sky, chip.path) == (1.0, 1.0, 1.0, None, None)


def test_position_on_the_sky_is_the_pixel_there(field: Field) -> None:
    job = field.job(dithered(field), mean=2)
    make_product(job)
    found = mvmdb.contributors(job.target, 180, 160)
    again = mvmdb.contributors(job.target, at=SkyCoord(found.ra, found.dec, unit="deg"))
    assert again == found
    assert "pixel 180, 160: 3 chips" in repr(found)


def test_bad_pixels_that_were_left_out_are_noticed(field: Field) -> None:
    flags = np.zeros((64, 64), int)
    flags[20:44, 20:44] = 4
    paths = [field.expose("aa", dq=flags), field.expose("bb", orientat=170.0)]
    job = field.job(paths, mean=2)
    make_product(job)
    middle = [size // 2 for size in fits.getdata(job.target, "SCI").shape]
    found = mvmdb.contributors(job.target, middle[1], middle[0])
    assert len(found.chips) == 2
    assert found.some_bad
    assert found.wht == pytest.approx(found.expected / 2, rel=0.05)
    assert "bad pixels of some were left out" in found.tell().line


def test_chips_of_wfpc2_count_each(field: Field) -> None:
    job = field.job([write_wfpc2(field.folder)], mean=1)
    make_product(job)
    context = fits.getdata(mvmdb.context_image(job.target, field.folder / "ctx.fits"), "CTX")
    assert {1, 2, 4, 8} <= set(np.unique(context).tolist())


# The command


def test_command_lists_and_writes(field: Field, ask: Ask) -> None:
    paths = dithered(field)
    job = field.job(paths, mean=2)
    make_product(job)
    assert ask("ingest", str(field.folder)).exit_code == 0
    done = ask("contributors", job.target, "180", "160")
    assert done.exit_code == 0
    assert "ib6o04aaq" in done.stdout
    assert "pixel 180, 160: 3 chips" in done.stdout
    told = json.loads(ask("contributors", job.target, "180", "160", "--json").stdout)
    assert [chip["path"] for chip in told["chips"]] == [str(path) for path in paths]
    assert (told["x"], told["y"]) == (180, 160)
    at = json.loads(ask("contributors", job.target, "--sky", str(told["ra"]), str(told["dec"]), "--json").stdout)
    assert at == told
    image = field.folder / "ctx.fits"
    assert ask("contributors", job.target, "--image", str(image)).stdout.strip() == str(image)
    assert image.exists()


def test_no_catalog_is_needed_nor_made(field: Field, ask: Ask, tmp_path: Path) -> None:
    job = field.job(dithered(field), mean=2)
    make_product(job)
    catalogs = set(tmp_path.rglob("*.db"))
    told = json.loads(ask("contributors", job.target, "180", "160", "--json").stdout)
    assert [chip["path"] for chip in told["chips"]] == [None] * 3
    assert set(tmp_path.rglob("*.db")) == catalogs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected X and Y, or --at RA DEC, or --image"),
        (("3",), "expected X and Y"),
        (("3", "4", "--at", "53.0", "-27.7"), "expected one of them"),
        (("3", "4", "--image", "out.fits"), "expected one of them"),
        (("0", "4"), "off the mosaic"),
        (("nan", "4"), "off the mosaic"),
        (("--at", "10", "10"), "off the mosaic"),
    ],
)
def test_impossible_questions_are_refused(field: Field, ask: Ask, arguments: tuple[str, ...], words: str) -> None:
    job = field.job([field.expose("aa")], mean=1)
    make_product(job)
    done = ask("contributors", job.target, *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_mosaic_itself_is_not_overwritten(field: Field) -> None:
    job = field.job([field.expose("aa")], mean=1)
    make_product(job)
    before = Path(job.target).read_bytes()
    with pytest.raises(UsageError, match="is the mosaic itself"):
        mvmdb.context_image(job.target, job.target)
    assert Path(job.target).read_bytes() == before
    with pytest.raises(ProductError, match="does not exist"):
        mvmdb.contributors(field.folder / "no.fits", 3, 4)
