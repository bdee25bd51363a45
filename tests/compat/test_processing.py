"""`run_mvm_processing` as drizzlepac's callers use it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from archive import CELL, CENTER, COARSE, FINE, Archive
from astropy.io import fits

import mvmdb
from mvmdb.errors import UsageError
from mvmdb.rectangles.geometry import rectangle_at


@pytest.fixture
def poller(archive: Archive) -> Path:
    """A full poller of one exposure, which `generate_poller_file` wrote."""
    path = archive.expose()
    target = archive.folder / f"{CELL}_input.out"
    mvmdb.generate_poller_file([str(path)], output_poller_filename=str(target), skycell_name=CELL)
    return target


def test_the_poller_that_was_generated_gives_mosaics_below_this_folder(
    poller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mvmdb.run_mvm_processing(str(poller), jobs=1) == 0
    assert sorted(path.name for path in (tmp_path / CELL).glob("*.fits")) == [f"{FINE}_drz.fits", f"{COARSE}_drz.fits"]


def test_every_argument_of_drizzlepac_is_accepted(poller: Path, tmp_path: Path) -> None:
    code = mvmdb.run_mvm_processing(
        str(poller), True, True, True, None, str(tmp_path / "used.json"), "segment", None, None, logging.WARNING,
        output=tmp_path / "out", jobs=1,
    )  # fmt: skip
    assert code == 0
    assert len(list((tmp_path / "out" / CELL).glob("*.fits"))) == 2


def test_the_parameters_that_were_used_come_back_and_give_the_same_mosaics(poller: Path, tmp_path: Path) -> None:
    used = tmp_path / "used.json"
    assert mvmdb.run_mvm_processing(poller, output_custom_pars_file=used, output=tmp_path / "a", jobs=1) == 0
    assert sorted(json.loads(used.read_text())) == sorted([FINE, COARSE])
    assert mvmdb.run_mvm_processing(poller, input_custom_pars_file=used, output=tmp_path / "b", jobs=1) == 0
    name = f"{CELL}/{FINE}_drz.fits"
    assert fits.getdata(tmp_path / "a" / name).tobytes() == fits.getdata(tmp_path / "b" / name).tobytes()


def test_the_section_of_the_parameters_is_chosen_as_in_drizzlepac(poller: Path, tmp_path: Path) -> None:
    file = tmp_path / "pars.json"

    def section(pixfrac: float) -> dict[str, object]:
        return {"astrodrizzle": {"STEP 7: DRIZZLE FINAL COMBINED IMAGE": {"final_pixfrac": pixfrac}}}

    file.write_text(
        json.dumps({name: {"parameters": section(0.6), "default_values": section(0.9)} for name in (FINE, COARSE)})
    )
    for use_defaults, pixfrac in ((True, 0.9), (False, 0.6)):
        out = tmp_path / str(use_defaults)
        code = mvmdb.run_mvm_processing(
            poller, use_defaults_configs=use_defaults, input_custom_pars_file=file, output=out, jobs=1
        )
        assert code == 0
        assert fits.getheader(out / CELL / f"{FINE}_drz.fits")["DRIZPIXF"] == pixfrac


def test_custom_limits_are_0_based_pixels_of_the_projection_cell(poller: Path, tmp_path: Path) -> None:
    canvas = rectangle_at(*CENTER, 0.05).canvas
    limits = [canvas.x_min - 1.0, canvas.x_max - 1.2, canvas.y_min - 0.8, canvas.y_max - 1.0]
    assert mvmdb.run_mvm_processing(str(poller), custom_limits=limits, output=tmp_path / "out", jobs=1) == 0
    (product,) = (tmp_path / "out").glob("skycell-p0726-ra*/*_f125w_all_drz.fits")
    header = fits.getheader(product, "SCI")
    assert (header["NAXIS2"], header["NAXIS1"]) == canvas.shape
    # the first pixel of the mosaic is the first one of the limits
    assert header["CRPIX1"] == 225144 - limits[0]


def test_arguments_that_mvmdb_cannot_follow_are_refused(poller: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the folder of products is output="):
        mvmdb.run_mvm_processing(str(poller), str(tmp_path))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="output_file_prefix is 'mine'; expected None"):
        mvmdb.run_mvm_processing(str(poller), output_file_prefix="mine")
    with pytest.raises(UsageError, match="phot_mode is 'psf'"):
        mvmdb.run_mvm_processing(str(poller), phot_mode="psf")
    with pytest.raises(UsageError, match="expected two files"):
        mvmdb.run_mvm_processing(str(poller), input_custom_pars_file="a.toml", output_custom_pars_file="./a.toml")
    for limits in ([1, 2, 3], [1, 2, 3, float("nan")], ["a", 1, 2, 3], 7):
        with pytest.raises(UsageError, match="expected four numbers"):
            mvmdb.run_mvm_processing(str(poller), custom_limits=limits)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected X0 X1 Y0 Y1"):
        mvmdb.run_mvm_processing(str(poller), custom_limits=[10, 2, 3, 4], output=tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "archive"] or not list(tmp_path.glob("**/*_dr?.fits"))


def test_the_log_level_holds_during_the_call_alone(poller: Path, tmp_path: Path) -> None:
    logger = logging.getLogger("mvmdb")
    seen: list[int] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.levelno)  # type: ignore[method-assign]
    logger.addHandler(handler)
    before = logger.level
    try:
        mvmdb.run_mvm_processing(str(poller), output=tmp_path / "a", jobs=1, log_level=logging.CRITICAL)
        assert not seen
        mvmdb.run_mvm_processing(str(poller), output=tmp_path / "b", jobs=1)
        assert logging.INFO in seen
    finally:
        logger.removeHandler(handler)
    assert logger.level == before


def test_return_codes_are_those_of_drizzlepac(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    poller = archive.inbox / "poller.out"
    out = tmp_path / "out"
    archive.expose(filters="G141", primary={"OBSTYPE": "SPECTROSCOPIC"})
    poller.write_text("ib6o04tuq_flt.fits\n")
    assert mvmdb.run_mvm_processing(str(poller), output=out) == 65
    archive.expose("j8bt06nyq", detector="HRC")
    poller.write_text("j8bt06nyq_flt.fits\n")
    monkeypatch.setenv("MVM_INCLUDE_SMALL", "off")
    assert mvmdb.run_mvm_processing(str(poller), output=out) == 55
    archive.expose("ib6o04twq", primary={"EXPTIME": None})
    poller.write_text("ib6o04twq_flt.fits\n")
    assert mvmdb.run_mvm_processing(str(poller), output=out) == 15
    assert mvmdb.run_mvm_processing(str(archive.inbox / "nowhere.out"), output=out) == 1
    assert "nowhere.out cannot be read" in caplog.text


def test_a_layer_that_cannot_be_made_gives_1(
    poller: Path, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out" / CELL / f"{FINE}_drz.fits").mkdir(parents=True)
    assert mvmdb.run_mvm_processing(str(poller), output=tmp_path / "out", jobs=1) == 1
    assert FINE in caplog.text


def test_the_package_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = mvmdb.nonsense
