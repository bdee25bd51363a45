"""Trailed exposures are told from all others: in simulated fields, in real scenes, and through a night."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, FINE, Archive, names_to_list
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner
from starfields import render_field

from mvmdb.catalog.ask.describe import describe
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import commands
from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.mosaic.trailing import describe_trail, measure_shapes
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.reconcile import run as run_module
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

pytestmark = pytest.mark.slow

DETECTORS = {"ir": (0.5, 0.128), "ccd": (0.8, 0.05)}
"""Sigma of a star in pixels, and arcsec of a pixel."""


def chip_of(science: np.ndarray, scale: float, turned: float = 0.0) -> ChipData:
    """A chip whose y axis points to the north (`turned` degrees east of it), with east to the left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [10.0, 20.0]
    cosine, sine = np.cos(np.deg2rad(turned)), np.sin(np.deg2rad(turned))
    wcs.wcs.cd = np.array([[-cosine, sine], [sine, cosine]]) * scale / 3600
    dq = np.where(science > 70_000, 256, 0).astype(np.uint16)
    return ChipData(1, science.astype(np.float32), dq, wcs, fits.Header(), 500.0, "ELECTRONS", scale, "ELECTRONS")


def said_of(chip: ChipData) -> str:
    return describe_trail([measure_shapes(chip)])


@pytest.mark.parametrize("cosmic_rays", [0, 800])
@pytest.mark.parametrize("n_stars", [0, 20, 100, 300, 3000])
@pytest.mark.parametrize("detector", DETECTORS)
def test_fields_without_trails_are_not_told_of(detector: str, n_stars: int, cosmic_rays: int) -> None:
    sigma, scale = DETECTORS[detector]
    for seed in range(3 if n_stars < 1000 else 1):
        field = render_field(n_stars, sigma=sigma, cosmic_rays=cosmic_rays, seed=seed)
        assert said_of(chip_of(field, scale)) == ""


@pytest.mark.parametrize("trail", [3.0, 5.0, 12.0, 40.0])
@pytest.mark.parametrize(
    ("detector", "n_stars", "cosmic_rays"),
    [("ir", 100, 0), ("ir", 3000, 0), ("ccd", 100, 0), ("ccd", 3000, 0), ("ccd", 1000, 800)],
)
def test_trails_of_three_pixels_or_more_are_found(detector: str, n_stars: int, cosmic_rays: int, trail: float) -> None:
    sigma, scale = DETECTORS[detector]
    angle = 10.0 * trail
    field = render_field(n_stars, trail=trail, angle=angle, sigma=sigma, cosmic_rays=cosmic_rays, seed=7)
    for turned in (0.0, 70.0):
        said = said_of(chip_of(field, scale, turned))
        found = re.fullmatch(r"looks trailed \((\d+) sources, median elongation ([\d.]+), position angle (\d+)\)", said)
        assert found is not None, said
        assert float(found[2]) > 1.3
        expected = angle - 90.0 + turned  # from x, which points to the west; north is 90 degrees from it, towards east
        assert abs((float(found[3]) - expected + 90.0) % 180.0 - 90.0) < 10.0


def test_chips_count_together() -> None:
    halves = [measure_shapes(chip_of(render_field(35, trail=6, angle=30, seed=n, size=400), 0.05)) for n in (1, 2, 3)]
    assert describe_trail(halves[:1]) == ""
    assert describe_trail(halves).startswith("looks trailed")


@pytest.mark.parametrize(
    "science",
    [
        np.zeros((200, 200)), np.full((200, 200), np.nan), np.full((20, 20), 1.0), np.full((300, 5), 1.0),
        np.where(np.arange(40000).reshape(200, 200) % 7 == 0, np.inf, 1.0), np.full((200, 200), 3e38),
    ],
)  # fmt: skip
def test_pixels_without_meaning_say_nothing(science: np.ndarray) -> None:
    assert said_of(chip_of(science, 0.128)) == ""


def test_sources_of_random_shapes_are_no_trail() -> None:
    rng = np.random.default_rng(5)
    told = 0
    for _ in range(2000):
        n = int(rng.integers(10, 60))
        ellipticity, angle = np.minimum(rng.rayleigh(0.3, n), 0.95), rng.uniform(0, 2 * np.pi, n)
        e1, e2, size = ellipticity * np.cos(angle), ellipticity * np.sin(angle), rng.lognormal(0.7, 0.5, n)
        told += bool(describe_trail([np.stack([(1 + e1) * size / 2, e2 * size / 2, (1 - e1) * size / 2], axis=1)]))
    assert told <= 2


@pytest.mark.shared
def test_no_real_exposure_looks_trailed_and_spectra_do(ers_folder: Path) -> None:
    for path in sorted(ers_folder.glob("*_flt.fits")):
        (chip,) = read_chips(path)
        is_grism = fits.getheader(path)["FILTER"] == "G141"
        assert bool(said_of(chip)) == is_grism, path.name


@pytest.mark.shared
@pytest.mark.parametrize("name", ["ib6o04tuq", "ib6o04uaq", "ib6o04uwq", "ib6o23rtq"])
def test_real_scenes_that_are_smeared_look_trailed(ers_folder: Path, name: str) -> None:
    (chip,) = read_chips(ers_folder / f"{name}_flt.fits")
    noise = 1.48 * np.median(np.abs(chip.science - np.median(chip.science)))
    steps = np.linspace(-2.5, 2.5, 11)
    phases = [np.add.outer(np.fft.fftfreq(chip.shape[0]) * 0.6, np.fft.fftfreq(chip.shape[1]) * 0.8) * s for s in steps]
    kernel = np.mean([np.exp(-2j * np.pi * phase) for phase in phases], axis=0)
    smeared = np.real(np.fft.ifft2(np.fft.fft2(chip.science) * kernel))
    smeared += np.random.default_rng(0).normal(0, 0.9 * noise, chip.shape)
    assert said_of(replace(chip, science=smeared.astype(np.float32))).startswith("looks trailed")


# Through a night


@pytest.fixture
def trailed(archive: Archive) -> Archive:
    """Two exposures of one field, of which the second is trailed."""
    for rootname, trail in (("ib6o04tuq", 0.0), ("ib6o04twq", 6.0)):
        science = render_field(60, trail=trail, angle=30, sigma=0.5, size=160, seed=3) / 800
        archive.expose(rootname, science=science)
    return archive


def warnings_of(archive: Archive) -> dict[str, str]:
    return dict(archive.rows("SELECT ipppssoo, warnings FROM exposure"))


def test_a_night_warns_of_a_trailed_exposure_and_drizzles_it(trailed: Archive) -> None:
    report = trailed.night().reconcile
    assert (report.drizzled, report.failed, report.refused) == (2, 0, {})
    (words,) = report.warnings.values()
    assert words.startswith("looks trailed (")
    assert warnings_of(trailed) == {"ib6o04tu": "", "ib6o04tw": words}
    with open_catalog(trailed.address) as engine, engine.begin() as connection:
        assert f"Warning: {words}." in describe(connection, "ib6o04tw", Policy()).lines
    trailed.reconcile(full=True)
    assert warnings_of(trailed)["ib6o04tw"] == words, "it is said once"


def test_a_warning_of_pixels_goes_before_those_of_headers_and_ends_with_the_pixels(trailed: Archive) -> None:
    science = render_field(60, trail=6, angle=30, sigma=0.5, size=160, seed=3) / 800
    trailed.expose("ib6o04twq", science=science, primary={"FGSLOCK": "COARSE"})
    trailed.night()
    assert re.fullmatch(r"looks trailed \(.*\); FGSLOCK .*drifted", warnings_of(trailed)["ib6o04tw"])
    trailed.expose("ib6o04twq", science=render_field(60, sigma=0.5, size=160, seed=3) / 800)
    trailed.night()
    assert warnings_of(trailed)["ib6o04tw"] == ""


def test_a_warning_is_recorded_with_a_product_whose_run_was_killed(
    trailed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):  # once for each layer
        with monkeypatch.context() as patch:
            patch.setattr(run_module, "record_product", die)
            with pytest.raises(KeyboardInterrupt):
                trailed.night()
    assert trailed.night().reconcile.layers == []
    assert warnings_of(trailed)["ib6o04tw"].startswith("looks trailed")
    assert not list(trailed.products.rglob(".*.findings"))


def test_process_warns_too_and_its_folder_holds_products_alone(trailed: Archive, tmp_path: Path) -> None:
    write_basic_poller(trailed.inbox / "p.out", ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"])
    report = process_poller(trailed.inbox / "p.out", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert list(report.warnings) == ["ib6o04tw"]
    names = {path.name for path in (tmp_path / "out" / CELL).iterdir()}
    products = [path.name for path in (tmp_path / "out" / CELL).glob("hst_*_drz.fits")]
    assert names == {f"{CELL}_manifest.txt", *names_to_list(products)}


def test_status_counts_warnings_and_its_query_lists_them(trailed: Archive) -> None:
    trailed.expose("ib6o04tyq", east=3, primary={"FGSLOCK": "GYROS"})
    trailed.expose("ib6o04tzq", east=3, primary={"FGSLOCK": "GYROS", "MTFLAG": "T"})
    trailed.expose("ib6o09tzq", east=900, primary={"FGSLOCK": "GYROS"})
    trailed.night()
    words = ["--db", trailed.address, "status"]
    done = CliRunner().invoke(commands, [*words, "--json"])
    assert json.loads(done.stdout)["warnings"] == {"guiding": 2, "trailed": 1}
    done = CliRunner().invoke(commands, [*words, "--skycell", CELL, "--json"])
    assert json.loads(done.stdout)["warnings"] == {"guiding": 1, "trailed": 1}
    done = CliRunner().invoke(commands, words)
    (line,) = (line for line in done.stdout.splitlines() if "looks trailed" in line)
    assert line.startswith("warning: 1 exposure: looks trailed; list: mvmdb query ")
    sql = re.search('query "(.*)"$', line)
    assert sql is not None
    listed = json.loads(CliRunner().invoke(commands, ["--db", trailed.address, "query", "--json", sql[1]]).stdout)
    assert [row["ipppssoo"] for row in listed] == ["ib6o04tw"]
    CliRunner().invoke(commands, ["--db", trailed.address, "withdraw", "ib6o04tw"])
    done = CliRunner().invoke(commands, [*words, "--json"])
    assert json.loads(done.stdout)["warnings"] == {"guiding": 2}


def test_a_lost_catalog_knows_a_trail_again_when_the_exposure_is_drizzled(trailed: Archive) -> None:
    trailed.night()
    trailed.lose_catalog()
    trailed.night()
    assert warnings_of(trailed)["ib6o04tw"] == ""
    shutil.rmtree(trailed.products)
    trailed.night()
    assert warnings_of(trailed)["ib6o04tw"].startswith("looks trailed")
    assert (trailed.products / CELL / f"{FINE}_drz.fits").exists()
