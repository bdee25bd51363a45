"""Mosaics that exist become products: mvmdb's own, and drizzlepac's, which do not say which pixels they hold."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive, call
from astropy.io import fits
from drizzlepacproducts import unpack_true_product, write_product
from fitsfiles import set_pixels
from staleness import agreed_reasons

from mvmdb.catalog.decisions.values import FILENAME
from mvmdb.errors import UsageError
from mvmdb.records import Canvas

WCSNAME = "IDC_w3m18525i"
MEMBERS = {"ib6o04tuq": WCSNAME, "ib6o04twq": WCSNAME}
UNPROVEN = [("pixels-unproven", None)]


@pytest.fixture
def stocked(archive: Archive) -> Archive:
    """Two registered exposures, and drizzlepac's mosaics of them in a folder aside, a few pixels smaller."""
    return stock(archive)


@pytest.fixture
def small(tmp_path: Path) -> Archive:
    """The same on SQLite alone, for what does not depend on the database."""
    (tmp_path / "inbox").mkdir()
    return stock(Archive(tmp_path, str(tmp_path / "mvm.db")))


def stock(archive: Archive) -> Archive:
    archive.expose("ib6o04tuq")
    archive.expose("ib6o04twq", east=2)
    assert call(archive, "init", "--method", "hap", "--products", str(archive.products)).exit_code == 0
    archive.ingest()
    for layer in (FINE, COARSE):
        write_product(aside(archive), f"{layer}_drz.fits", canvas(archive, 3), MEMBERS)
    return archive


def aside(archive: Archive) -> Path:
    return archive.folder / "drizzlepac"


def canvas(archive: Archive, smaller: int = 0) -> Canvas:
    ((x_min, x_max, y_min, y_max),) = archive.rows("SELECT x_min, x_max, y_min, y_max FROM skycell")
    return Canvas(x_min + smaller, x_max - smaller, y_min + smaller, y_max - smaller)


def adopt(archive: Archive, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = call(archive, "adopt", str(folder), "--json", *words)
    assert done.exit_code in (0, 1), done.exception
    return done.exit_code, json.loads(done.stdout)


def proofs(archive: Archive) -> dict[str, str]:
    return dict(archive.rows("SELECT layer, proof FROM product WHERE state = 'intact' ORDER BY layer"))


def placed(archive: Archive, layer: str) -> Path:
    return archive.products / CELL / f"{layer}_drz.fits"


def test_drizzlepacs_mosaics_are_stale_until_trusted_and_fresh_until_a_member_changes(stocked: Archive) -> None:
    originals = {path.name: path.read_bytes() for path in aside(stocked).iterdir()}
    code, report = adopt(stocked, aside(stocked))
    assert (code, [one["proof"] for one in report["adopted"]], report["left"]) == (0, ["unproven"] * 2, [])
    assert agreed_reasons(stocked) == {FINE: UNPROVEN, COARSE: UNPROVEN}
    assert call(stocked, "verify", "--deep").exit_code == 0
    assert {path.name: path.read_bytes() for path in aside(stocked).iterdir()} == originals, "copied, not moved"
    assert {path.name: path.read_bytes() for path in (stocked.products / CELL).glob("*.fits")} == originals
    assert (stocked.products / CELL / f"{CELL}_manifest.txt").read_text().split() == sorted(originals)
    rows = stocked.rows(f"SELECT ipppssoo, wcsname, pixel_digest, sky FROM product_member m JOIN product p ON p.id ="
                        f" m.product_id WHERE layer = '{FINE}' ORDER BY ipppssoo")  # fmt: skip
    assert [row[:3] for row in rows] == [("ib6o04tu", WCSNAME, ""), ("ib6o04tw", WCSNAME, "")]
    assert rows[1][3] == pytest.approx(0.01 / 0.12825**2)
    assert adopt(stocked, aside(stocked)) == (
        0,
        {"adopted": [], "known": [*map(str, sorted(aside(stocked).iterdir()))], "left": []},
    )

    assert [one["proof"] for one in adopt(stocked, stocked.products, "--trust")[1]["adopted"]] == ["trusted"] * 2
    assert agreed_reasons(stocked) == {}
    assert len(adopt(stocked, stocked.products)[1]["known"]) == 2, "what is trusted stays so"
    os.utime(placed(stocked, FINE))  # looked at anew: the same bytes
    assert "product-changed" in call(stocked, "verify").stdout
    assert "2 fresh" in call(stocked, "status", "--deep").stdout
    assert call(stocked, "verify").exit_code == 0
    set_pixels(stocked.inbox / "ib6o04tuq_flt.fits", np.full((64, 64), 2.0))
    stocked.expose("ib6o04tuq", shape=(64, 60))
    stocked.ingest()
    assert ("member-recalibrated", "ib6o04tu") in agreed_reasons(stocked)[FINE]
    report2 = stocked.reconcile()
    assert (report2.drizzled, report2.failed) == (2, 0)
    assert proofs(stocked) == {FINE: "proven", COARSE: "proven"}
    assert agreed_reasons(stocked) == {}


def test_a_mosaic_of_counts_without_wcsname_as_of_wfpc2_is_taken_to_have_the_catalogs(small: Archive) -> None:
    for path in aside(small).iterdir():
        data = path.read_bytes()
        assert data.count(b"'WCSNAME '") == 1
        assert data.count(b"ELECTRONS/S") >= len(MEMBERS)
        path.write_bytes(data.replace(b"'WCSNAME '", b"'NAMEWCS '").replace(b"ELECTRONS/S", b"COUNTS     "))
    adopt(small, aside(small))
    assert agreed_reasons(small) == {FINE: UNPROVEN, COARSE: UNPROVEN}
    assert set(small.rows("SELECT wcsname, sky FROM product_member")) == {(WCSNAME, None)}
    adopt(small, small.products, "--trust")
    assert agreed_reasons(small) == {}
    assert call(small, "verify", "--deep").exit_code == 0


def test_the_unproven_are_made_anew_from_all_members_with_new_skies(small: Archive) -> None:
    adopt(small, aside(small))
    done = call(small, "nightly", str(small.inbox), "--executor", "serial")
    assert "2 drizzled, 0 added to, 0 recanvased, 0 removed, 0 failed" in done.stdout
    assert proofs(small) == {FINE: "proven", COARSE: "proven"}
    assert "pixels-unproven" in small.rows(f"SELECT last_reasons FROM product WHERE layer = '{FINE}'")[0][0]
    code, report = adopt(small, aside(small), "--trust")
    assert (code, len(report["left"])) == (1, 2), "an intact mosaic that is expected is not replaced"
    assert proofs(small) == {FINE: "proven", COARSE: "proven"}
    assert small.reasons() == {}


def test_mvmdbs_own_mosaics_of_another_catalog_are_adopted_fresh(small: Archive) -> None:
    small.reconcile()
    elsewhere = small.products.rename(small.folder / "elsewhere")
    (elsewhere / FILENAME).unlink(missing_ok=True)
    small.lose_catalog()
    call(small, "init", "--method", "hap", "--products", str(small.products))
    code, report = adopt(small, elsewhere)
    assert (code, len(report["left"])) == (1, 2)
    assert "ib6o04tu, ib6o04tw, which this catalog does not know; ingest them" in report["left"][0]["reason"]
    small.ingest()
    damaged = elsewhere / CELL / f"{COARSE}_drz.fits"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-2880])
    code, report = adopt(small, elsewhere)
    assert [one["proof"] for one in report["adopted"]] == ["proven"]
    assert "is damaged" in report["left"][0]["reason"]
    assert small.reasons() == {COARSE: [("product-missing", None)]}
    placed(small, COARSE).write_bytes(whole)  # put there by hand
    assert adopt(small, small.products)[1]["adopted"][0]["layer"] == COARSE
    assert small.reasons() == {}


def test_a_mosaic_that_the_products_folder_has_lost_is_copied_back(small: Archive) -> None:
    adopt(small, aside(small), "--trust")
    for path in (small.products / CELL).glob("*.fits"):
        path.unlink()
    assert [one["proof"] for one in adopt(small, aside(small))[1]["adopted"]] == ["trusted"] * 2, (
        "what is trusted stays so"
    )
    assert agreed_reasons(small) == {}
    assert call(small, "verify", "--deep").exit_code == 0
    shutil.rmtree(small.products)
    small.reconcile()
    assert proofs(small) == {FINE: "proven", COARSE: "proven"}
    kept = shutil.copytree(small.products / CELL, small.folder / "kept")
    assert len(adopt(small, kept)[1]["known"]) == 2
    placed(small, FINE).unlink()
    assert call(small, "status").exit_code == 1, "the loss is recorded before"
    placed(small, COARSE).unlink()
    code, report = adopt(small, kept)
    assert (code, [one["proof"] for one in report["adopted"]], report["known"]) == (0, ["proven"] * 2, [])
    assert agreed_reasons(small) == {}
    assert call(small, "verify", "--deep").exit_code == 0


def test_what_does_not_fit_is_told_or_left_alone(small: Archive) -> None:
    folder = small.folder / "odd"

    def left(*words: str) -> str:
        code, report = adopt(small, folder, *words)
        shutil.rmtree(folder)
        return report["left"][0]["reason"] if code else ""

    name = f"{FINE}_drz.fits"
    write_product(folder, name, canvas(small), MEMBERS | {"ib6o09zzq": WCSNAME})
    assert "holds ib6o09zz, which this catalog does not know" in left()
    write_product(folder, name.replace("f125w", "f160w"), canvas(small), MEMBERS)
    assert "no exposure of this catalog belongs in its layer" in left()
    path = write_product(folder, name, canvas(small), MEMBERS)
    path.write_bytes(path.read_bytes()[:-2880])
    assert left() != ""
    (folder).mkdir()
    os.mkfifo(folder / name)
    assert "not a plain file" in left()
    folder.mkdir()
    (folder / name).write_bytes(b"\x1f\x8b" + b"0" * 3000)
    assert "is gzip-compressed" in left()
    path = write_product(folder, name, canvas(small), MEMBERS)
    fits.setval(path, "CRVAL1", value=53.0, ext=1)
    assert "is not on the grid of its sky cell" in left()
    placed(small, FINE).parent.mkdir(parents=True)
    placed(small, FINE).write_text("somebody's")
    write_product(folder, name, canvas(small), MEMBERS)
    assert "is there, and the catalog does not know it" in left()
    assert placed(small, FINE).read_text() == "somebody's"
    placed(small, FINE).unlink()
    assert small.rows("SELECT count(*) FROM product") == [(0,)]
    assert isinstance(call(small, "adopt", str(folder)).exception, UsageError)
    # What it holds is compared with what is expected, also if it is trusted.
    far = write_product(folder, name, canvas(small, 12), {"ib6o04tuq": "IDC_other"}, chips=2)
    assert left("--trust") == ""
    assert not far.exists()
    assert agreed_reasons(small)[FINE] == [
        ("member-realigned", "ib6o04tu"), ("member-added", "ib6o04tw"), ("canvas-changed", None),
    ]  # fmt: skip
    write_product(folder, name, canvas(small), MEMBERS)
    assert left("--trust") == "", "a fresh one replaces a stale one"
    assert agreed_reasons(small).keys() == {COARSE}


def test_a_mosaic_is_not_trusted_where_the_archive_makes_another(small: Archive) -> None:
    call(small, "init", "--method", "mvmdb")
    code, report = adopt(small, aside(small), "--trust")
    assert (code, report["adopted"], len(report["left"])) == (1, [], 2)
    assert 'method is "mvmdb", was "hap"' in report["left"][0]["reason"]
    assert "adopt it without --trust, or" in report["left"][0]["reason"]
    adopt(small, aside(small))
    reasons = agreed_reasons(small)[FINE]
    assert [code for code, _ in reasons] == ["pixels-unproven", "recipe-changed"]
    assert call(small, "verify", "--deep").exit_code == 0
    call(small, "init", "--method", "hap")
    assert [one["proof"] for one in adopt(small, aside(small), "--trust")[1]["adopted"]] == ["trusted"] * 2
    assert agreed_reasons(small) == {}
    call(small, "init", "--method", "mvmdb")
    assert {name: [code for code, _ in why] for name, why in agreed_reasons(small).items()} == {
        FINE: ["recipe-changed"], COARSE: ["recipe-changed"],
    }  # fmt: skip
    assert len(adopt(small, small.products)[1]["known"]) == 2, "what is trusted stays so"


def test_a_rebuilt_catalog_has_the_adopted_mosaics_and_the_users_trust_again(
    small: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    adopt(small, aside(small))
    shutil.rmtree(aside(small))
    coarse = small.folder / "one"
    coarse.mkdir()
    os.link(placed(small, COARSE), coarse / placed(small, COARSE).name)
    adopt(small, coarse, "--trust")
    assert proofs(small) == {FINE: "unproven", COARSE: "trusted"}
    query = "SELECT layer, filename, size, mtime_ns, data_digest, recipe_digest, proof, x_min, y_max FROM product"
    lost, kept = sorted(small.rows(query)), (small.products / FILENAME).read_bytes()
    small.lose_catalog()
    done = call(small, "rebuild", str(small.inbox), "-o", str(small.products))
    assert (done.exit_code, caplog.text) == (0, "")
    assert sorted(small.rows(query)) == lost
    assert (small.products / FILENAME).read_bytes() == kept
    assert agreed_reasons(small) == {FINE: UNPROVEN}
    path, status = placed(small, COARSE), placed(small, COARSE).stat()
    path.write_bytes(path.read_bytes()[:-2880] + b"x" * 2880)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (found,) = json.loads(call(small, "verify", "--deep", "--json").stdout)["problems"]
    assert (found["kind"], found["path"]) == ("product-damaged", str(placed(small, COARSE)))
    assert small.reasons(deep=True)[COARSE] == [("product-damaged", None)]


@pytest.mark.shared
def test_a_true_product_of_drizzlepac_fits_the_layer_of_its_exposures(tmp_path: Path, ers_folder: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    call(archive, "init", "--method", "hap", "--products", str(archive.products))
    archive.ingest(ers_folder)
    path = unpack_true_product(tmp_path / "true")
    code, report = adopt(archive, path.parent, "--trust")
    assert (code, report["adopted"]) == (0, [{"layer": path.name[:-9], "path": str(path), "proof": "trusted"}])
    assert path.name[:-9] not in agreed_reasons(archive)
    members = archive.rows("SELECT ipppssoo, wcsname, exptime FROM product_member ORDER BY ipppssoo")
    assert [name for name, _, _ in members] == ["ib6o23rt", "ib6o23rw", "ib6o23rz", "ib6o23s2"]
    assert {row[1:] for row in members} == {(WCSNAME, 202.932922)}
