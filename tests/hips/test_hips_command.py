"""`mvmdb hips` on catalogs of both kinds."""

from __future__ import annotations

import json
import sys

import pytest
from archive import CELL, Archive
from command_line import call

from mvmdb.hips.geometry import tile_path


def test_a_filter_becomes_tiles_and_a_second_run_makes_none(archive: Archive) -> None:
    archive.expose("ib6o04tuq")
    assert archive.night().reconcile.drizzled == 2
    folder = archive.folder / "hips"
    words = ("hips", "F125W", "--scale", "coarse", "--order", "6", "-o", str(folder), "--jobs", "1", "--json")
    code, out, error = call(archive, *words)
    assert (code, error) == (0, "")
    done = json.loads(out)
    assert (done["mosaics"], done["order"], done["made"] >= done["tiles"] >= 1) == (1, 6, True)
    assert json.loads(call(archive, *words)[1])["made"] == 0
    assert list(folder.rglob(tile_path(0, 4, "fits"))) or list(folder.glob("Norder0/Dir0/Npix*.fits"))
    code, out, _ = call(archive, *words[:-1])
    assert (code, out.startswith("1 mosaics in ")) == (0, True)
    product = next((archive.products / CELL).glob("*coarse-all_drz.fits"))
    product.unlink()
    call(archive, "status")
    code, _, error = call(archive, *words)
    assert (code, "no intact mosaic of wfc3/ir in f125w (coarse)" in error) == (2, True)


def test_the_camera_must_be_clear(archive: Archive) -> None:
    archive.expose("ib6o04tuq", filters="F606W", detector="UVIS", kind="flc")
    archive.expose("jb6o04twq", filters="CLEAR1L;F606W", detector="WFC", kind="flc")
    archive.ingest()
    code, _, error = call(archive, "hips", "f606w", "-o", "hips")
    assert (code, "layers in f606w are of ACS/WFC, WFC3/UVIS; expected one camera" in error) == (2, True)
    code, _, error = call(archive, "hips", "f606w", "--camera", "WFC3/UVIS", "-o", "hips")
    assert (code, "no intact mosaic of wfc3/uvis" in error) == (2, True)
    assert "no layer of the catalog is in the filter 'f999w'" in call(archive, "hips", "f999w", "-o", "hips")[2]
    assert "expected -o DIR" in call(archive, "hips", "f606w")[2]


def test_without_reproject_the_extra_is_named(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.expose("ib6o04tuq")
    archive.ingest()
    monkeypatch.setitem(sys.modules, "reproject", None)
    code, _, error = call(archive, "hips", "f125w", "-o", str(archive.folder / "hips"))
    assert (code, "pip install 'mvmdb[hips]'" in error) == (2, True)
