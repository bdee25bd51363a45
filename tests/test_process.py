"""Mosaics of a poller file without a catalog, in both forms, against those that the catalog makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, COARSE, FINE, Archive, names_to_list
from astropy.io import fits
from click.testing import CliRunner
from databases import SqliteDatabases
from fitsfiles import set_pixels

from mvmdb.cli import commands
from mvmdb.errors import InputError, NothingViableError
from mvmdb.mosaic.product.read import read_product
from mvmdb.parameters.read import read_parameters
from mvmdb.pollers.files import read_poller, write_basic_poller, write_poller
from mvmdb.process import process_poller
from mvmdb.records import Policy
from mvmdb.rectangles.geometry import rectangle_at
from mvmdb.workers.processes import IN_THIS_PROCESS


@pytest.fixture
def databases(tmp_path: Path) -> SqliteDatabases:
    """One kind: a poller is processed without a catalog, which only makes pollers and mosaics to compare with."""
    return SqliteDatabases(tmp_path)


@pytest.fixture
def night(archive: Archive) -> Archive:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.expose("ib6o05tuq", filters="F140W", east=5)
    archive.night()
    return archive


def poller_of(archive: Archive) -> Path:
    return archive.products / CELL / f"{CELL}_input.planned"


def test_a_full_poller_gives_the_mosaics_of_the_catalog(night: Archive, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = process_poller(poller_of(night), out, Policy(), workers=IN_THIS_PROCESS)
    assert (report.drizzled, report.failed) == (4, 0)
    made = sorted(path.name for path in (out / CELL).glob("*.fits"))
    assert made == sorted(night.product_files())
    assert (out / CELL / f"{CELL}_manifest.txt").read_text().split() == names_to_list(made)
    for name in made:
        own, theirs = read_product(out / CELL / name), read_product(night.products / CELL / name)
        assert (own.data_digest, own.recipe_digest) == (theirs.data_digest, theirs.recipe_digest)


def test_a_basic_poller_makes_every_sky_cell_that_its_files_overlap(night: Archive, tmp_path: Path) -> None:
    poller = night.inbox / "basic.out"
    write_basic_poller(poller, [path.name for path in sorted(night.inbox.glob("*.fits"))])
    process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert sorted(path.name for path in (tmp_path / "out" / CELL).glob("*.fits")) == sorted(night.product_files())


def test_a_layer_of_old_rows_is_left_alone_and_one_new_row_rebuilds_from_all(night: Archive, tmp_path: Path) -> None:
    rows = read_poller(poller_of(night)).rows
    from dataclasses import replace

    marked = [replace(row, flag="NEW" if row.filename == "ib6o04twq_flt.fits" else "OLD") for row in rows]
    write_poller(tmp_path / "poller.out", marked)
    process_poller(tmp_path / "poller.out", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    made = {path.name for path in (tmp_path / "out" / CELL).glob("*.fits")}
    assert made == {f"{FINE}_drz.fits", f"{COARSE}_drz.fits"}
    record = read_product(tmp_path / "out" / CELL / f"{FINE}_drz.fits")
    assert [member.ipppssoo for member in record.members] == ["ib6o04tu", "ib6o04tw"]
    theirs = read_product(night.products / CELL / f"{FINE}_drz.fits")
    assert record.canvas == theirs.canvas, "OLD rows of other layers count for the canvas"


def test_flc_and_flt_of_one_exposure_count_once(archive: Archive, tmp_path: Path) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    poller = archive.inbox / "basic.out"
    write_basic_poller(poller, ["j8oz04kpq_flt.fits", "j8oz04kpq_flc.fits"])
    process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    (product,) = (tmp_path / "out").glob("*/*.fits")
    assert product.name.endswith("_drc.fits")
    assert len(read_product(product).members) == 1


def test_an_empty_exposure_is_left_out_and_told_of(night: Archive, tmp_path: Path) -> None:
    set_pixels(night.inbox / "ib6o04twq_flt.fits", np.zeros((64, 64)))
    report = process_poller(poller_of(night), tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert "ib6o04tw" in report.refused
    assert report.failed == 0
    record = read_product(tmp_path / "out" / CELL / f"{FINE}_drz.fits")
    assert [member.ipppssoo for member in record.members] == ["ib6o04tu"]


def test_unusable_exposures_are_told_of_and_none_at_all_is_an_error(archive: Archive, tmp_path: Path) -> None:
    archive.expose(filters="G141", primary={"OBSTYPE": "SPECTROSCOPIC"})
    poller = archive.inbox / "basic.out"
    write_basic_poller(poller, ["ib6o04tuq_flt.fits"])
    with pytest.raises(NothingViableError, match="G141") as caught:
        process_poller(poller, tmp_path / "out", Policy())
    assert not caught.value.only_small
    archive.expose("ib6o04twq")
    write_basic_poller(poller, ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"])
    report = process_poller(poller, tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert list(report.refused) == ["ib6o04tu"]
    assert report.drizzled == 2


def test_only_small_detectors_are_told_apart(archive: Archive, tmp_path: Path) -> None:
    archive.expose("j8bt06nyq", detector="HRC")
    poller = archive.inbox / "basic.out"
    write_basic_poller(poller, ["j8bt06nyq_flt.fits"])
    with pytest.raises(NothingViableError) as caught:
        process_poller(poller, tmp_path / "out", Policy(include_small=False))
    assert caught.value.only_small


def test_a_missing_exposure_is_an_error_before_anything_is_made(night: Archive, tmp_path: Path) -> None:
    (night.inbox / "ib6o04tuq_flt.fits").unlink()
    with pytest.raises(InputError, match=r"ib6o04tuq_flt.fits.*not there"):
        process_poller(poller_of(night), tmp_path / "out", Policy())
    assert not (tmp_path / "out").exists()


def test_a_poller_of_another_machine_is_made_from_the_files_beside_it(night: Archive, tmp_path: Path) -> None:
    there = tmp_path / "there"
    night.inbox.rename(there)
    (there / "p.out").write_text(poller_of(night).read_text())
    report = process_poller(there / "p.out", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    assert (report.drizzled, report.failed, report.refused) == (4, 0, {})
    assert report.beside == {
        str(night.inbox / name): str(there / name)
        for name in ("ib6o04tuq_flt.fits", "ib6o04twq_flt.fits", "ib6o05tuq_flt.fits")
    }
    c = rectangle_at(*CENTER, 0.1).canvas
    limits = (c.x_min, c.x_max, c.y_min, c.y_max)
    report = process_poller(there / "p.out", tmp_path / "o", Policy(), workers=IN_THIS_PROCESS, limits=limits)
    assert len(report.beside) == 3


def test_the_command_process_says_which_files_it_took_from_beside_the_poller(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose()
    poller = archive.inbox / "p.out"
    write_basic_poller(poller, [f"/another/machine/{path.name}"])
    words = ["process", str(poller), "-o", str(tmp_path / "out"), "--executor", "serial"]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0
    assert f"taken from beside the poller: {path} (/another/machine/{path.name} is not there)" in done.stdout
    done = CliRunner().invoke(commands, [*words, "--json"])
    assert json.loads(done.stdout)["beside"] == {f"/another/machine/{path.name}": str(path)}


def test_parameters_of_a_file_change_the_recipe_of_all_layers_or_of_one(night: Archive, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(f"pixfrac = 0.8\n[layers.{FINE}]\nkernel = 'turbo'\ngood_bits = 16\n")
    process_poller(poller_of(night), tmp_path / "out", Policy(), workers=IN_THIS_PROCESS)
    process_poller(
        poller_of(night), tmp_path / "own", Policy(), workers=IN_THIS_PROCESS, parameters=read_parameters(file)
    )
    for name, changes in ((FINE, {"pixfrac": 0.8, "kernel": "turbo", "good_bits": 16}), (COARSE, {"pixfrac": 0.8})):
        plain, own = (read_product(tmp_path / folder / CELL / f"{name}_drz.fits") for folder in ("out", "own"))
        assert json.loads(own.recipe) == {**json.loads(plain.recipe), **changes}
        assert own.recipe_digest != plain.recipe_digest
        assert own.data_digest != plain.data_digest


def test_the_turbo_kernel_gives_nearly_the_flux_of_the_square_one(night: Archive, tmp_path: Path) -> None:
    totals = []
    for kernel in ("square", "turbo", "point"):
        (tmp_path / "p.toml").write_text(f"kernel = '{kernel}'\n")
        parameters = read_parameters(tmp_path / "p.toml")
        out = tmp_path / kernel
        process_poller(poller_of(night), out, Policy(), workers=IN_THIS_PROCESS, parameters=parameters)
        with fits.open(out / CELL / f"{COARSE}_drz.fits") as hdus:
            weighted = np.nansum(hdus["SCI"].data.astype(np.float64) * hdus["WHT"].data)
            totals.append(weighted / hdus["WHT"].data.sum(dtype=np.float64))
    assert totals[1:] == pytest.approx([totals[0]] * 2, rel=0.05)


def test_parameters_reach_rectangles_and_what_they_name_in_vain_is_told(
    night: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    absent = f"hst_{CELL}_acs_wfc_f814w_all"
    (tmp_path / "p.toml").write_text(f"pixfrac = 0.8\n[layers.{absent}]\npixfrac = 0.5\n")
    canvas = rectangle_at(*CENTER, 0.05).canvas
    words = ["process", str(poller_of(night)), "--parameters", str(tmp_path / "p.toml"), "--executor", "serial"]
    limits = [str(edge) for edge in (canvas.x_min, canvas.x_max, canvas.y_min, canvas.y_max)]
    ended = CliRunner().invoke(commands, [*words, "-o", str(tmp_path / "field"), "--limits", *limits])
    assert ended.exit_code == 0, ended.output
    products = list((tmp_path / "field").glob("*/*_drz.fits"))
    assert products
    assert {json.loads(read_product(path).recipe)["pixfrac"] for path in products} == {0.8}
    assert CliRunner().invoke(commands, [*words, "-o", str(tmp_path / "cell")]).exit_code == 0
    assert f"has parameters for {absent}, which is not made from this poller" in caplog.text


def test_parameters_that_cannot_be_followed_end_the_command_before_anything_is_made(
    night: Archive, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text("pixfrc = 0.8\n")
    out = tmp_path / "out"
    words = ["process", str(poller_of(night)), "-o", str(out), "--parameters", str(tmp_path / "p.toml")]
    ended = CliRunner().invoke(commands, words)
    assert isinstance(ended.exception, InputError)
    assert "there is no parameter pixfrc" in str(ended.exception)
    assert not out.exists()
