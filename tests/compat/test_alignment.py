"""`run_mvm_processing(skip_gaia_alignment=False)` aligns all inputs of a poller together before they are drizzled."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from mosaic_field import CELL
from skyfield import Shot, SkyField

import mvmdb
from mvmdb.names import format_cell_name

SHOTS = (Shot("aa", 0, 0, 0.31, -0.12, 0.011), Shot("bb", 4, 3, -0.02, 0.5, -0.02), Shot("cc", -6, 5, -0.21, -0.33))
FIELD = SkyField(n=40, side=40.0, seed=8)


@pytest.fixture
def poller(tmp_path: Path) -> Path:
    paths = [FIELD.expose(tmp_path / "inbox", shot)[0] for shot in SHOTS]
    file = tmp_path / "input.out"
    cell = format_cell_name(CELL)
    mvmdb.generate_poller_file([str(path) for path in paths], output_poller_filename=str(file), skycell_name=cell)
    return file


def star_errors(folder: Path) -> np.ndarray:
    """As `SkyField.errors_in`, of the fine mosaic in a folder."""
    (product,) = folder.glob("*/*_f125w_all_drz.fits")
    return FIELD.errors_in(product)


def test_mosaics_have_their_stars_where_the_reference_has_them(
    poller: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "inbox").iterdir()}
    assert mvmdb.run_mvm_processing(poller, output=tmp_path / "as-is", jobs=1) == 0
    assert np.hypot(*np.median(star_errors(tmp_path / "as-is"), axis=0)) > 5
    monkeypatch.setenv("MVMDB_REFERENCE", str(FIELD.write_reference(tmp_path / "stars.csv")))
    assert mvmdb.run_mvm_processing(poller, skip_gaia_alignment=False, output=tmp_path / "out", jobs=1) == 0
    errors = star_errors(tmp_path / "out")
    assert len(errors) > 5
    assert np.hypot(*np.median(errors, axis=0)) < 5
    assert {path: path.read_bytes() for path in (tmp_path / "inbox").iterdir()} == before


def test_without_a_reference_exposures_are_aligned_to_each_other(poller: Path, tmp_path: Path) -> None:
    assert mvmdb.run_mvm_processing(poller, skip_gaia_alignment=False, output=tmp_path / "out", jobs=1) == 0
    errors = star_errors(tmp_path / "out")
    assert np.std(errors, axis=0).max() < 5
    assert np.median(errors, axis=0) == pytest.approx(1000 * np.array([-0.0267, 0.0167]), abs=8)


def test_exposures_that_match_nothing_keep_their_solution(
    poller: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = SkyField(n=3, seed=77).write_reference(tmp_path / "few.csv")
    monkeypatch.setenv("MVMDB_REFERENCE", str(empty))
    with caplog.at_level(logging.WARNING):
        assert mvmdb.run_mvm_processing(poller, skip_gaia_alignment=False, output=tmp_path / "out", jobs=1) == 0
    assert "ib6o04aa is not aligned, and keeps its own solution: " in caplog.text
    assert "expected 6 or more" in caplog.text
    monkeypatch.setenv("MVMDB_REFERENCE", str(tmp_path / "absent.csv"))
    assert mvmdb.run_mvm_processing(poller, skip_gaia_alignment=False, output=tmp_path / "out", jobs=1) == 1
    assert "absent.csv cannot be read" in caplog.text
