"""The functions that drizzlepac's callers use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from archive import CELL, Archive

import mvmdb
from mvmdb.errors import InputError, UsageError


def test_get_sky_cells_gives_cells_by_name_with_wcs_corners_and_members(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    cells = mvmdb.get_sky_cells(["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"], input_path=str(archive.inbox))
    assert list(cells) == [CELL]
    cell = cells[CELL]
    assert cell.sky_cell_id == CELL
    assert cell.members == ("ib6o04tuq_flt.fits", "ib6o04twq_flt.fits")
    assert cell.wcs.pixel_shape == (21954, 21954)
    assert cell.corners.shape == (5, 2)
    np.testing.assert_allclose(cell.corners[0], cell.corners[4])
    footprint = cell.wcs.calc_footprint(center=False)
    for corner in cell.corners:
        assert np.abs(footprint - corner).sum(axis=1).min() < 1e-9


def test_generate_poller_file_round_trips_through_run_mvm_processing(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive.expose()
    names = tmp_path / "names.txt"
    names.write_text(f"{path}\n")
    poller = tmp_path / f"{CELL}_input.out"
    mvmdb.generate_poller_file(str(names), output_poller_filename=str(poller), skycell_name=CELL)
    assert poller.read_text() == (f"ib6o04tuq_flt.fits,11359,B6O,04,802.934753,F125W,IR,{CELL},NEW,{path}\n")
    monkeypatch.chdir(tmp_path)
    assert mvmdb.run_mvm_processing(str(poller), jobs=1) == 0
    assert len(list((tmp_path / CELL).glob("*_drz.fits"))) == 2


def test_a_poller_of_another_machine_names_the_files_beside_it(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose()
    archive.expose("ib6o04twq", east=2)
    names = archive.inbox / "names.txt"
    names.write_text(f"/another/machine/{path.name}\n")
    assert mvmdb.get_sky_cells(str(names))[CELL].members == (path.name,)
    mvmdb.generate_poller_file(str(names), output_poller_filename=str(tmp_path / "p.out"), skycell_name=CELL)
    assert (tmp_path / "p.out").read_text().endswith(f",NEW,{path}\n")


def test_other_pollers_and_missing_cells_are_refused(archive: Archive) -> None:
    path = archive.expose()
    with pytest.raises(UsageError, match="svm"):
        mvmdb.generate_poller_file([str(path)], poller_file_type="svm", skycell_name=CELL)
    with pytest.raises(UsageError, match="skycell_name"):
        mvmdb.generate_poller_file([str(path)])


def test_return_codes_are_those_of_drizzlepac(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    poller = archive.inbox / "poller.out"
    out = str(tmp_path / "out")
    archive.expose(filters="G141", primary={"OBSTYPE": "SPECTROSCOPIC"})
    poller.write_text("ib6o04tuq_flt.fits\n")
    assert mvmdb.run_mvm_processing(str(poller), out) == 65
    archive.expose("j8bt06nyq", detector="HRC")
    poller.write_text("j8bt06nyq_flt.fits\n")
    monkeypatch.setenv("MVM_INCLUDE_SMALL", "off")
    assert mvmdb.run_mvm_processing(str(poller), out) == 55
    archive.expose("ib6o04twq", primary={"EXPTIME": None})
    poller.write_text("ib6o04twq_flt.fits\n")
    assert mvmdb.run_mvm_processing(str(poller), out) == 15
    with pytest.raises(InputError):
        mvmdb.run_mvm_processing(str(archive.inbox / "nowhere.out"), out)


def test_the_package_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = mvmdb.nonsense
