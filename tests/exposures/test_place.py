"""One file whose place cannot be told is named, and the others are placed, wherever files are placed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from archive import CELL, CENTER, Archive
from fitsfiles import write_exposure

import mvmdb
from mvmdb.cells import list_cells
from mvmdb.errors import InputError
from mvmdb.exposures.place import find_places
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.expect import expect_cell_layers
from mvmdb.names import parse_cell_name
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.records import CellExposure, Policy
from mvmdb.rectangles.geometry import rectangle_at
from mvmdb.sky import membership
from mvmdb.workers.processes import IN_THIS_PROCESS

WHY = "its footprint cannot be measured: ZeroDivisionError: GEOS says no"


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, in the same sky cell as `good`, on whose footprint the measurement fails."""
    real = membership.find_members

    def fail(footprints: membership.Footprints, rule: str = "overlap") -> membership.Memberships:
        if (footprints.dec > CENTER[1] + 0.02).any():
            raise ZeroDivisionError("GEOS says no")
        return real(footprints, rule)

    monkeypatch.setattr(membership, "find_members", fail)
    return write_exposure(tmp_path, rootname="ib6o04twq", ra=CENTER[0], dec=CENTER[1] + 0.03)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_exposure(tmp_path, ra=CENTER[0], dec=CENTER[1])


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A file without a solution."""
    return write_exposure(tmp_path, rootname="ib6o04tyq", sci={"CRPIX1": 1e6})


def test_files_are_placed_whatever_one_of_them_does(bad: Path, good: Path, nowhere: Path) -> None:
    places = find_places([read_exposure(path) for path in (bad, good, nowhere)], "overlap")
    assert places.cells == {parse_cell_name(CELL): [1]}
    assert sorted(places.unplaced) == [0, 2]
    assert places.unplaced[0] == WHY
    assert "its area is" in places.unplaced[2]


def test_cells_of_files_names_those_that_are_in_none(
    bad: Path, good: Path, nowhere: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.WARNING):
        listed = list_cells(
            [str(bad), str(good), str(nowhere)],
            position=None,
            radius=0,
            rule="overlap",
            address=str(tmp_path / "no.db"),
        )
    assert [(str(cell.id), cell.members) for cell in listed] == [(CELL, (good.name,))]
    assert f"{bad} is in no sky cell: {WHY}" in caplog.text
    assert f"{nowhere} is in no sky cell: chip 1: its area is" in caplog.text


def test_get_sky_cells_names_files_that_are_in_none(
    bad: Path, good: Path, nowhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        cells = mvmdb.get_sky_cells([str(bad), str(good), str(nowhere)])
    assert {name: cell.members for name, cell in cells.items()} == {CELL: [str(good)]}
    assert f"{bad} is in no sky cell: {WHY}" in caplog.text
    assert f"{nowhere} is in no sky cell" in caplog.text


@pytest.mark.parametrize("form", ["sky cells", "rectangle"])
def test_a_poller_is_made_without_the_file_that_is_nowhere(bad: Path, good: Path, tmp_path: Path, form: str) -> None:
    write_basic_poller(tmp_path / "p.out", [bad.name, good.name])
    c = rectangle_at(*CENTER, 0.2).canvas
    limits = (c.x_min, c.x_max, c.y_min, c.y_max) if form == "rectangle" else None
    report = process_poller(tmp_path / "p.out", tmp_path / "out", Policy(), workers=IN_THIS_PROCESS, limits=limits)
    assert report.refused == {"ib6o04tw": WHY}
    assert (report.drizzled, report.failed) == (2, 0)


def test_layers_cannot_be_expected_of_an_exposure_that_is_nowhere(bad: Path, good: Path) -> None:
    exposures = [CellExposure.of(read_exposure(path)) for path in (good, bad)]
    with pytest.raises(InputError, match=f"ib6o04tw: {WHY}"):
        expect_cell_layers(parse_cell_name(CELL), exposures, Policy())


def test_ingest_refuses_it_by_name(bad: Path, good: Path, tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.ingest(bad, good)
    assert archive.rows("SELECT ipppssoo, eligible, ineligible_reason FROM exposure ORDER BY ipppssoo") == [
        ("ib6o04tu", 1, ""),
        ("ib6o04tw", 0, WHY),
    ]
