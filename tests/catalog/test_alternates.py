"""Alternate solutions are kept in the catalog, and layers use those that they are told to use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, FINE, Archive, call
from astropy.io import fits
from databases import ON_SQLITE
from fitsfiles import set_keywords
from skyfield import Shot, SkyField, misplace

import mvmdb
from mvmdb.errors import UsageError

SHOTS = (Shot("aa", 0, 0, 0.31, -0.12, 0.011), Shot("bb", 4, 3, -0.02, 0.5, -0.02))
FIELD = SkyField(n=40, side=36.0, seed=8, center=CENTER)


@pytest.fixture
def fresh(archive: Archive) -> Archive:
    """An archive with two misplaced exposures, and their mosaics."""
    for shot in SHOTS:
        FIELD.expose(archive.inbox, shot, shape=(200, 200))
    archive.night()
    assert not archive.reasons()
    return archive


def align(archive: Archive, name: str = "gaia", cell: str = CELL) -> mvmdb.archive.aligning.Alignment:
    stars = FIELD.write_reference(archive.folder / "stars.csv")
    return mvmdb.open(archive.address, executor="serial").align([cell], reference=stars, name=name)


def test_layers_use_a_solution_once_they_are_told(fresh: Archive) -> None:
    before = {path: path.read_bytes() for path in fresh.inbox.iterdir()}
    done = align(fresh)
    assert repr(done) == "<Alignment: 2 exposures aligned to stars.csv as gaia, 0 refused>"
    assert not done.used
    assert not fresh.reasons()
    mvmdb.open(fresh.address).configure(alternate="gaia")
    reasons = fresh.reasons()
    assert {reason for found in reasons.values() for reason in found} == {
        ("member-realigned", "ib6o04aa"), ("member-realigned", "ib6o04bb"),
    }  # fmt: skip
    assert sorted(fresh.rows("SELECT DISTINCT reason, exposure FROM stale_reason")) == [
        ("member-realigned", "ib6o04aa"), ("member-realigned", "ib6o04bb"),
    ]  # fmt: skip
    assert not fresh.reconcile().failed
    assert not fresh.reasons()
    product = next(fresh.products.glob(f"{CELL}/*_f125w_all_drz.fits"))
    errors = FIELD.errors_in(product)
    assert len(errors) > 4
    assert np.hypot(*np.median(errors, axis=0)) < 5
    assert set(fits.getdata(product, "HDRTAB")["WCSNAME"]) == {"IDC_w3m18525i alternate gaia"}
    assert "The alternate solution gaia places all of them." in call(fresh, "explain", FINE).output
    text = call(fresh, "explain", "ib6o04aa").output
    assert "Layers use its alternate gaia: " in text
    assert {path: path.read_bytes() for path in fresh.inbox.iterdir()} == before
    assert call(fresh, "verify", "--deep").exit_code == 0
    # and back again
    mvmdb.open(fresh.address).configure(alternate="none")
    assert set(fresh.reasons()) == set(reasons)
    assert mvmdb.open(fresh.address).config()["alternate"] == "none"


@ON_SQLITE
def test_a_new_solution_of_the_name_in_use_makes_layers_stale(fresh: Archive) -> None:
    align(fresh)
    mvmdb.open(fresh.address).configure(alternate="gaia")
    fresh.reconcile()
    assert align(fresh).used
    assert not fresh.reasons()  # the same numbers again
    done = mvmdb.open(fresh.address, executor="serial").align([CELL], name="gaia", fit="shift")
    assert done.used
    assert fresh.reasons()


@ON_SQLITE
def test_a_solution_holds_for_the_wcs_that_it_was_made_of(fresh: Archive) -> None:
    align(fresh)
    mvmdb.open(fresh.address).configure(alternate="gaia")
    fresh.reconcile()
    path = fresh.inbox / "ib6o04aaq_flt.fits"
    original = path.read_bytes()
    misplace(path, 0.1, 0.0, 0.0)
    fresh.ingest()
    row = fresh.exposure("ib6o04aa")
    assert (row.alternate, row.member_wcs) == ("", row.wcs_digest)
    assert ("member-realigned", "ib6o04aa") in next(iter(fresh.reasons().values()))
    details = [detail for (detail,) in fresh.rows("SELECT detail FROM history WHERE kind = 'exposure-realigned'")]
    assert details[-1].endswith("its alternate gaia was of the former WCS, and is used no more")
    path.write_bytes(original)  # the former file comes back, and with it its solution
    fresh.ingest()
    assert fresh.exposure("ib6o04aa").alternate.startswith("gaia 52.6")
    assert not fresh.reasons()
    set_keywords(path, 0, {"TARGNAME": "OTHER"})  # the same WCS: the solution stays
    fresh.ingest()
    assert fresh.exposure("ib6o04aa").alternate.startswith("gaia 52.6")
    assert call(fresh, "verify").exit_code == 0


def test_solutions_of_a_lost_catalog_come_back(fresh: Archive) -> None:
    align(fresh)
    align(fresh, "other")
    mvmdb.open(fresh.address).configure(alternate="gaia")
    mvmdb.open(fresh.address, executor="serial").reconcile(products=fresh.products)
    before = fresh.rows("SELECT * FROM alternate ORDER BY ipppssoo, name")
    fresh.lose_catalog()
    mvmdb.open(fresh.address, create=True, executor="serial").rebuild(fresh.inbox, products=fresh.products)
    assert fresh.rows("SELECT * FROM alternate ORDER BY ipppssoo, name") == before
    assert len(before) == 4
    assert not fresh.reasons()


def test_damage_to_the_solution_in_use_is_found_and_mended(fresh: Archive) -> None:
    align(fresh)
    mvmdb.open(fresh.address).configure(alternate="gaia")
    mvmdb.open(fresh.address, executor="serial").reconcile(products=fresh.products)
    with mvmdb.catalog.open.open_catalog(fresh.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE exposure SET alternate = 'gaia 1 2 3 4 5 1.0' WHERE ipppssoo = 'ib6o04aa'")
    found = call(fresh, "verify")
    assert found.exit_code == 1
    assert "ib6o04aa" in found.output
    call(fresh, "verify", "--deep", "--repair")
    assert call(fresh, "verify").exit_code == 0
    assert not fresh.reasons()


@ON_SQLITE
def test_the_command_says_what_it_found(fresh: Archive) -> None:
    stars = FIELD.write_reference(fresh.folder / "stars.csv")
    done = call(fresh, "align", CELL, "--executor", "serial", "--reference", str(stars))
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith("ib6o04aa: -3")
    assert " with the reference, " in lines[0]
    assert lines[-2:] == [
        "2 exposures aligned to stars.csv as aligned, 0 refused",
        "layers use them after: mvmdb init --alternate aligned",
    ]
    found = json.loads(call(fresh, "align", CELL, "--executor", "serial", "--name", "each", "--json").stdout)
    assert [one["exposure"] for one in found["aligned"]] == ["ib6o04aa", "ib6o04bb"]
    assert (found["reference"], found["used"], found["refused"]) == (None, False, [])
    few = FIELD.write_reference(fresh.folder / "few.csv", every=20)
    done = call(fresh, "align", CELL, "--executor", "serial", "--reference", str(few))
    assert done.exit_code == 1
    assert "refused: ib6o04aa: " in done.output
    assert "expected 6 or more" in done.output


@ON_SQLITE
def test_what_cannot_be_is_refused(fresh: Archive, tmp_path: Path) -> None:
    archive = mvmdb.open(fresh.address, executor="serial")
    for arguments, message in (
        ({"name": "a b"}, "'a b' cannot name a solution"),
        ({"name": "None"}, "'None' cannot name a solution"),
        ({"fit": "general"}, "fit is 'general'; expected shift, rshift, rscale"),
        ({"filters": ["f160w"]}, "no exposures with the filters f160w in .* can be aligned"),
        ({"reference": tmp_path / "absent.csv"}, "absent.csv cannot be read"),
    ):
        with pytest.raises(mvmdb.MvmdbError, match=message):
            archive.align([CELL], **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no sky cell is given"):
        archive.align([])
    with pytest.raises(UsageError, match="no exposure has an alternate solution 'gaia'; found none at all; make it"):
        archive.configure(alternate="gaia")
    assert fresh.rows("SELECT * FROM alternate") == []
