"""A pair of WFPC2's files is staged as one FLT, which is read as the pair is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from wfpc2files import SCALES, write_wfpc2

from mvmdb.errors import InputError
from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.exposures.read import read_exposure
from mvmdb.pollers.files import PollerRow
from mvmdb.staging.merged import is_current, put
from mvmdb.staging.plan import StagedCell, StagedFile
from mvmdb.staging.stage import stage

NAME = "hst_8019_02_wfpc2_pc_f814w_u2eq0201_flt.fits"


def write_pair(folder: Path, **options: object) -> Path:
    flags = {chip: np.eye(40, dtype=int) * chip for chip in SCALES}
    return write_wfpc2(folder, form="c0m", side=40, gain=15, flags=flags, **options)  # type: ignore[arg-type]


def test_the_flt_of_a_pair_has_its_pixels_flags_and_place(tmp_path: Path) -> None:
    pair, target = write_pair(tmp_path), tmp_path / NAME
    put(str(pair), target)
    one, other = read_exposure(pair).exposure, read_exposure(target).exposure
    assert (other.s_region, other.filter, other.n_chips) == (one.s_region, one.filter, one.n_chips)
    for ours, theirs in zip(read_chips(pair, errors=True), read_chips(target, errors=True), strict=True):
        assert np.array_equal(ours.science, theirs.science)
        assert np.array_equal(ours.dq, theirs.dq)
        assert fits.getdata(target, ("ERR", ours.extver)) * ours.factor == pytest.approx(ours.error, rel=1e-6)
    with fits.open(target) as hdus:
        hdus.verify("exception")
        assert (hdus[0].header["DETECTOR"], hdus[0].header["NEXTEND"]) == ("PC", 12)


def test_a_pair_is_merged_again_only_when_one_of_its_files_changes(tmp_path: Path) -> None:
    pair, target = write_pair(tmp_path), tmp_path / NAME
    assert not is_current(str(pair), target)
    put(str(pair), target)
    assert is_current(str(pair), target)
    flags = tmp_path / "u2eq0201t_c1m.fits"
    os.utime(flags, ns=(0, flags.stat().st_mtime_ns + 1))
    assert not is_current(str(pair), target)


@pytest.mark.parametrize("link", ["copy", "hard", "symbolic"])
def test_stage_makes_a_file_of_its_own_whatever_the_link(tmp_path: Path, link: str) -> None:
    pair = write_pair(tmp_path / "inbox", c1m=False)
    row = PollerRow(NAME, 8019, "2EQ", "02", 300.0, "F814W", "PC", "skycell-p0726x10y04", "NEW", NAME)
    cell = StagedCell(row.skycell, (StagedFile(str(pair), NAME),), (row,))
    report = stage([cell], tmp_path / "out", link)  # type: ignore[arg-type]
    staged = tmp_path / "out" / cell.skycell / NAME
    assert report.cells[0].put == 1
    assert not staged.is_symlink()
    assert staged.stat().st_nlink == 1


def test_a_pair_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is gone"):
        put(str(tmp_path / "u2eq0201t_c0m.fits"), tmp_path / NAME)
    assert not (tmp_path / NAME).exists()
