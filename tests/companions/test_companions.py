"""Files beside products: made on request, made again when and only when their mosaic changed, and gone with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive, call
from astropy.io import fits
from PIL import Image

from mvmdb.companions import kinds as kinds_module
from mvmdb.companions.kinds import KINDS, find_kind, format_kinds, parse_kinds, read_mark
from mvmdb.errors import UsageError

SERIAL = ("--executor", "serial")


def beside(archive: Archive) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(archive.products.glob("*/*.jpg"))}


def nightly(archive: Archive, *words: str) -> str:
    done = call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), *SERIAL, *words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture
def kept(tmp_path: Path) -> Archive:
    """An archive that keeps all kinds, after its first night."""
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(40, 40))
    assert call(archive, "init", "--beside", "color,jpg,thumb,wht").exit_code == 0
    assert "7 files made beside products" in nightly(archive)
    return archive


def test_names_and_kinds_are_read_as_they_are_written() -> None:
    assert parse_kinds("color, JPG") == ("jpg", "color")
    assert format_kinds(()) == "none"
    assert parse_kinds("none") == parse_kinds("") == ()
    with pytest.raises(UsageError, match=r"'gif' cannot stand beside products; expected none, or some of jpg, thumb"):
        parse_kinds("jpg,gif")
    for kind in KINDS.values():
        subject = f"{FINE}_drz.fits" if kind.subject == "product" else CELL
        assert find_kind(kind.name_file(subject), CELL) == (kind, subject)
        assert find_kind(kind.name_file(subject), "skycell-p0001x01y01") is None
    assert find_kind(f"{FINE}_drz.fits", CELL) is None


def test_all_kinds_stand_beside_the_products_of_a_night(kept: Archive) -> None:
    names = [f"{layer}_drz{ending}.jpg" for layer in (FINE, COARSE) for ending in ("", "_thumb", "_wht")]
    assert sorted(beside(kept)) == sorted([*names, f"{CELL}_color.jpg"])
    shape = fits.getdata(kept.products / CELL / f"{FINE}_drz.fits", "SCI").shape
    for name in names:
        with Image.open(kept.products / CELL / name) as image:
            assert image.mode == "L"
            assert (image.height, image.width) == shape or COARSE in name
    with Image.open(kept.products / CELL / f"{CELL}_color.jpg") as image:
        assert (image.mode, image.height, image.width) == ("RGB", *shape)
        assert b"from blue to red: wfc3/ir f125w" in image.info["comment"]
    assert f"{FINE}_drz.jpg" not in (kept.products / CELL / f"{CELL}_manifest.txt").read_text()


def test_a_file_is_made_again_when_and_only_when_its_mosaic_changed(kept: Archive) -> None:
    before, stamps = beside(kept), {path: path.stat().st_mtime_ns for path in kept.products.glob("*/*.jpg")}
    assert "beside products" not in nightly(kept)
    assert {path: path.stat().st_mtime_ns for path in kept.products.glob("*/*.jpg")} == stamps
    kept.expose("j6o04twdq", east=20.0, detector="WFC", chips=2, kind="flc", shape=(30, 40), filters="CLEAR1L;F814W")
    nightly(kept)
    after = beside(kept)
    assert len(after) == 10, "three more, and a coloured picture of two filters"
    changed = [name for name in before if before[name] != after[name]]
    assert f"{CELL}_color.jpg" in changed
    for name in changed:
        assert read_mark(kept.products / CELL / name) is not None
    with Image.open(kept.products / CELL / f"{CELL}_color.jpg") as image:
        assert b"from blue to red: acs/wfc f814w, wfc3/ir f125w" in image.info["comment"]


def test_files_go_with_their_product(kept: Archive) -> None:
    assert call(kept, "withdraw", "ib6o04tuq").exit_code == 0
    (kept.products / CELL / f"{FINE}_drz_wht.jpg").write_bytes(b"of the user's own")
    nightly(kept)
    assert list(beside(kept)) == [f"{FINE}_drz_wht.jpg"], "what has no mark is none of mvmdb's"


def test_a_copied_archive_keeps_its_pictures(kept: Archive, tmp_path: Path) -> None:
    for path in kept.products.glob("*/*.jpg"):
        os.utime(path, ns=(0, 0))  # as a copy without times may be older than its mosaic
    assert "beside products" not in nightly(kept)
    assert all(path.stat().st_mtime_ns > 0 for path in kept.products.glob("*/*.jpg")), "so that it is not read again"


def test_an_older_mosaic_that_was_put_back_gets_its_own_pictures(kept: Archive) -> None:
    target = kept.products / CELL / f"{FINE}_drz.fits"
    shutil.copy2(target, kept.folder / "older.fits")
    old = beside(kept)[f"{FINE}_drz.jpg"]
    kept.expose("ib6o04twq", east=3.0, shape=(40, 40))
    nightly(kept)
    assert beside(kept)[f"{FINE}_drz.jpg"] != old
    shutil.copy2(kept.folder / "older.fits", target)
    kept.look()
    done = call(kept, "companions", *SERIAL)
    assert done.exit_code == 0
    found = call(kept, "verify", "--deep", *SERIAL)
    assert "companion-wrong" in found.output
    assert call(kept, "verify", "--deep", "--repair", *SERIAL).exit_code in (0, 1)
    assert "companion-wrong" not in call(kept, "verify", "--deep", *SERIAL).output
    assert beside(kept)[f"{FINE}_drz.jpg"] == old


def test_missing_and_exchanged_files_are_found_and_mended(kept: Archive) -> None:
    assert "nothing found" in call(kept, "verify").output
    right = beside(kept)
    folder = kept.products / CELL
    (folder / f"{FINE}_drz.jpg").unlink()
    shutil.copy(folder / f"{COARSE}_drz_thumb.jpg", folder / f"{FINE}_drz_thumb.jpg")
    found = call(kept, "verify", "--deep", *SERIAL)
    assert found.exit_code == 1
    assert f"{FINE}_drz.jpg: found no file" in found.output
    assert f"{FINE}_drz_thumb.jpg: found a file of another mosaic" in found.output
    mended = call(kept, "verify", "--deep", "--repair", *SERIAL)
    assert "2 found, 2 repaired" in mended.output
    assert beside(kept) == right
    assert "nothing found" in call(kept, "verify", "--deep", *SERIAL).output


def test_the_command_makes_what_is_missing_without_drizzling(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(40, 40))
    nightly(archive)
    refused = call(archive, "companions")
    assert isinstance(refused.exception, UsageError)
    assert "mvmdb init --beside" in str(refused.exception)
    before = archive.product_files()
    done = call(archive, "companions", "--beside", "thumb", "--skycell", CELL, *SERIAL)
    assert done.output.splitlines()[-1] == "2 files made, 0 removed, 0 could not be made"
    assert list(beside(archive)) == [f"{FINE}_drz_thumb.jpg", f"{COARSE}_drz_thumb.jpg"]
    assert archive.product_files() == before
    archive.expose("ib6o04twq", east=3.0, shape=(40, 40))
    nightly(archive)
    assert not beside(archive), "nobody wants them in this archive, and they show other mosaics"
    assert "4 files made beside products" in call(archive, "reconcile", "--beside", "jpg,wht", *SERIAL).output


def test_a_picture_that_cannot_be_made_fails_no_night(kept: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    real = KINDS["thumb"]
    failing = kinds_module.Kind("thumb", real.ending, real.meaning, fail)
    monkeypatch.setitem(KINDS, "thumb", failing)
    kept.expose("ib6o04twq", east=3.0, shape=(40, 40))
    report = kept.folder / "night.txt"
    output = nightly(kept, "--report", str(report))
    assert "warning: " in output
    assert f"{FINE}_drz_thumb.jpg is not made: MemoryError: no room" in output
    assert "Not made beside products (2)" in report.read_text()
    monkeypatch.setitem(KINDS, "thumb", real)
    assert "2 files made beside products" in nightly(kept), "the next night makes them"


def test_a_lost_catalog_knows_what_is_wanted_and_the_pictures_again(kept: Archive) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in kept.products.glob("*/*.jpg")}
    kept.lose_catalog()
    done = call(kept, "rebuild", str(kept.inbox), "-o", str(kept.products), *SERIAL)
    assert done.exit_code == 0, done.output
    assert "beside: jpg,thumb,wht,color" in call(kept, "config").output
    nightly(kept)
    assert {path: path.stat().st_mtime_ns for path in kept.products.glob("*/*.jpg")} == stamps


def test_what_a_killed_run_left_of_a_picture_is_swept(kept: Archive) -> None:
    left = kept.products / CELL / f".{FINE}_drz_thumb.jpg.host.123.tmp"
    left.touch()
    os.utime(left, ns=(0, 0))
    (kept.products / CELL / f"{FINE}_drz_thumb.jpg").unlink()
    assert "1 files made beside products" in nightly(kept)
    assert not left.exists()


def test_verification_changes_no_times(kept: Archive) -> None:
    for path in kept.products.glob("*/*.jpg"):
        os.utime(path, ns=(0, 0))
    assert "nothing found" in call(kept, "verify", "--deep", *SERIAL).output
    assert {path.stat().st_mtime_ns for path in kept.products.glob("*/*.jpg")} == {0}


def test_no_pixels_of_one_filter_are_of_any_colour(kept: Archive) -> None:
    with Image.open(kept.products / CELL / f"{CELL}_color.jpg") as image:
        pixels = np.asarray(image, int)
    assert np.abs(pixels - pixels.mean(axis=2, keepdims=True)).max() <= 3
