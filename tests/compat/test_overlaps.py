"""`get_sky_cells` and `interpret_scells` as drizzlepac's callers use them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, Archive

import mvmdb
from mvmdb.compat import interpret_scells
from mvmdb.errors import InputError, UsageError
from mvmdb.pollers.files import PollerRow, write_poller

NAMES = ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"]


def test_cells_come_by_name_with_the_members_as_they_were_named(archive: Archive) -> None:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    cells = mvmdb.get_sky_cells(NAMES, input_path=str(archive.inbox))
    assert list(cells) == [CELL]
    assert cells[CELL].members == NAMES
    np.testing.assert_array_equal(cells[CELL].corners, mvmdb.SkyCell.from_name(CELL).corners)
    paths = [str(archive.inbox / name) for name in NAMES]
    assert mvmdb.get_sky_cells(paths)[CELL].members == paths


def test_the_members_of_a_poller_are_its_file_names(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    row = PollerRow(
        NAMES[0], 11359, "B6O", "04", 802.9, "F125W", "IR", CELL, "OLD", f"/another/machine/{NAMES[0]}"
    )  # fmt: skip
    write_poller(tmp_path / "poller.out", [row, replace(row, skycell="skycell-p0726x11y12")])
    cells = mvmdb.get_sky_cells(tmp_path / "poller.out", input_path=archive.inbox)
    assert cells[CELL].members == NAMES[:1]
    (archive.inbox / "names.txt").write_text(f"/another/machine/{NAMES[0]}\n")
    assert mvmdb.get_sky_cells(str(archive.inbox / "names.txt"))[CELL].members == [f"/another/machine/{NAMES[0]}"]


def test_exposures_and_the_names_of_their_cells(archive: Archive) -> None:
    # 2 arcsec from the western border of the cell, so in its neighbour too
    corner = mvmdb.SkyCell.from_name(CELL).corners[2]
    path = archive.expose(ra=float(corner[0]), dec=float(corner[1]))
    cells = mvmdb.get_sky_cells([str(path)])
    assert len(cells) == 4
    files = interpret_scells(cells)
    assert list(files) == [str(path)]
    assert files[str(path)]["id"] == ";".join(cells)
    assert files[str(path)][CELL] is cells[CELL]
    assert len({id(cell.projection_cell) for cell in cells.values()}) == 1


def test_nothing_in_a_cell_is_an_empty_dict(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    path = archive.expose(sci={"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"})
    assert interpret_scells(mvmdb.get_sky_cells([str(path)])) == {}
    assert "is in no sky cell" in caplog.text


def test_another_tessellation_and_missing_files_are_refused(archive: Archive) -> None:
    path = str(archive.expose())
    assert list(mvmdb.get_sky_cells([path], scale=0.04, cell_size=4.2)) == [CELL]
    with pytest.raises(UsageError, match=r"scale is 0\.12; expected 0\.04 arcsec"):
        mvmdb.get_sky_cells([path], scale=0.12)
    with pytest.raises(UsageError, match=r"cell_size is 5\.0; expected 4\.2 degrees"):
        mvmdb.get_sky_cells([path], cell_size=5.0)
    with pytest.raises(InputError, match="nowhere"):
        mvmdb.get_sky_cells(["nowhere_flt.fits"])


def test_diagnostic_mode_logs_the_members(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    path = str(archive.expose())
    before = sorted(archive.inbox.iterdir())
    with caplog.at_level(logging.INFO, "mvmdb"):
        mvmdb.get_sky_cells([path], diagnostic_mode=True)
    assert f"{CELL}: {path}" in caplog.text
    assert sorted(archive.inbox.iterdir()) == before
