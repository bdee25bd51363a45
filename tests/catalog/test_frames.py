"""Layers that mix astrometric frames are counted, measured, told of, and kept from it if the archive is told so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from archive import CELL, COARSE, FINE, Archive, call
from databases import Databases
from fitsfiles import set_keywords
from staleness import agreed_reasons, record_all

import mvmdb
from mvmdb.catalog.ask.describe import describe
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.mosaic.product.read import read_product
from mvmdb.pollers.files import write_basic_poller
from mvmdb.process import process_poller
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS

GAIA, GUIDED, PLAIN = "IDC_w3m18525i-FIT_SVM_GAIAeDR3", "IDC_w3m18525i-GSC240", "IDC_w3m18525i"
OTHER = f"hst_{CELL}_wfc3_ir_f160w_all"
EACH = {
    "ib6o04tu": GAIA,
    "ib6o04tw": "IDC_w3m18525i-FIT_REL_GAIADR2",
    "ib6o04tx": GUIDED,
}


@pytest.fixture
def mixed(archive: Archive) -> Archive:
    """Three exposures of F125W, of two frames, and one of F160W, whose mosaics are recorded as made."""
    for east, (name, wcsname) in enumerate(EACH.items()):
        archive.expose(f"{name}q", east=east, wcsname=wcsname)
    archive.expose("ib6o04tzq", east=1, filters="F160W", wcsname=PLAIN)
    archive.ingest()
    record_all(archive)
    return archive


def members(archive: Archive, layer: str = FINE) -> list[str]:
    return [
        name
        for (name,) in archive.rows(
            "SELECT ipppssoo FROM layer_member m JOIN layer l ON l.id = m.layer_id JOIN exposure e "
            f"ON e.id = m.exposure_id WHERE l.name = '{layer}' ORDER BY ipppssoo"
        )
    ]


def lines(archive: Archive, name: str) -> tuple[str, ...]:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        return describe(connection, name, read_policy(connection)).lines


def test_a_layer_has_the_numbers_of_its_members_by_frame_and_the_area_where_they_meet(mixed: Archive) -> None:
    rows = mixed.rows("SELECT layer, frames, mixed_arcmin2 FROM coverage WHERE scale = 'fine' ORDER BY layer")
    assert [row[:2] for row in rows] == [(FINE, "gaia 2, gsc240-apriori 1"), (OTHER, "none 1")]
    ((area,),) = mixed.rows("SELECT area_arcmin2 FROM membership LIMIT 1")
    assert 0.8 * area < rows[0][2] < area  # of three exposures that are 1 arcsec apart
    assert rows[1][2] == 0.0
    assert mixed.rows(
        f"SELECT frame, astrometric_catalog, fit, n_exposures FROM astrometry WHERE layer = '{FINE}' ORDER BY fit"
    ) == [
        ("gsc240-apriori", "GSC240", "APRIORI", 1),
        ("gaia", "GAIADR2", "FIT_REL", 1),
        ("gaia", "GAIAeDR3", "FIT_SVM", 1),
    ]
    assert mixed.rows("SELECT count(*) FROM astrometry WHERE frame = 'none' AND fit IS NULL") == [(2,)]


def test_status_explain_and_astrometry_tell_of_it(mixed: Archive) -> None:
    archive = mvmdb.open(mixed.address)
    words = call(mixed, "status").output
    assert (
        "warning: 2 layers: members of different astrometric frames overlap, which can smear sources; worst: " in words
    )
    assert f"{FINE} (0.0" in words
    found = json.loads(call(mixed, "status", "--json").stdout)["astrometry"]
    assert found["mixed_layers"] == 2
    assert [(one["layer"], one["frames"]) for one in found["worst"]] == [(FINE, "gaia 2, gsc240-apriori 1")]
    assert archive.status([CELL]).mixing.layers == 2
    assert any("Warning: different ones overlap in 0.0" in line for line in lines(mixed, FINE))
    assert "Astrometric frames of its members: none 1." in lines(mixed, OTHER)
    assert "WCS solution: IDC_w3m18525i-GSC240, catalog GSC240, frame gsc240-apriori." in lines(mixed, "ib6o04tx")
    table = archive.astrometry()
    assert table["layer"].tolist() == [FINE, COARSE]
    assert table["mixed_arcmin2"].unit == "arcmin2"
    assert call(mixed, "astrometry", "--csv", "--columns", "layer", "--limit", "1").stdout == f"layer\n{FINE}\n"
    assert call(mixed, "astrometry", "--filter", "f160w", "--nl").stdout == ""
    assert len(archive.search("exposures", mixed=True)) == 3
    assert len(archive.search("products", mixed=True)) == 2


def test_nothing_is_told_where_frames_do_not_meet(archive: Archive) -> None:
    archive.expose(wcsname=GAIA)
    archive.expose("ib6o04twq", east=60, wcsname=GUIDED)
    archive.ingest()
    assert archive.rows("SELECT DISTINCT frames, mixed_arcmin2 FROM layer") == [("gaia 1, gsc240-apriori 1", 0.0)]
    assert "frames" not in call(archive, "status").output
    assert len(mvmdb.open(archive.address).astrometry()) == 0


def test_a_night_tells_of_the_layers_that_it_made(archive: Archive, tmp_path: Path) -> None:
    archive.expose(wcsname=GAIA)
    archive.expose("ib6o04twq", wcsname=GUIDED)
    opened = mvmdb.open(archive.address, create=True, executor="serial")
    first = opened.nightly(archive.inbox, products=archive.products)
    assert first.summary["astrometry"]["mixed_layers"] == 2
    archive.expose("ib6o04tzq", filters="F160W")
    report = tmp_path / "night.html"
    done = call(archive, "nightly", str(archive.inbox), "--executor", "serial", "--report", str(report))
    assert "astrometric" not in done.output  # the mixed layers are those of the night before
    assert "Mixed frames" not in report.read_text()
    archive.expose("ib6o04txq", wcsname="TWEAK")
    done = call(archive, "nightly", str(archive.inbox), "--executor", "serial", "--report", str(report))
    assert "warning: 2 layers made: members of different astrometric frames overlap" in done.output
    page = report.read_text()
    assert "<h2>Mixed frames</h2>" in page
    assert "2 of the layers made, 2 in all: " in page
    assert "gaia 1, tweak 1, gsc240-apriori 1" in page


def test_only_gaia_keeps_others_out_with_the_reason_and_any_brings_them_back(mixed: Archive) -> None:
    initialise(mixed.address, frames="gaia")
    said = agreed_reasons(mixed)
    assert said[FINE][0] == ("member-removed", "ib6o04tx")
    assert said[OTHER] == [("orphaned", None)]
    assert members(mixed) == ["ib6o04tu", "ib6o04tw"]
    reason = "Layers: none, as frames are to be gaia, and its solution is of the frame"
    assert f"{reason} gsc240-apriori." in lines(mixed, "ib6o04tx")
    assert f"{reason} none." in lines(mixed, "ib6o04tz")
    assert standings(mixed) == ["member", "member", "other frame", "other frame"]
    why = next(line for line in mixed.look().plan.layers if line.name == OTHER).reasons[0].detail
    assert why == "no exposure on gaia is expected in this layer any more"
    record_all(mixed)
    initialise(mixed.address, frames="any")
    assert agreed_reasons(mixed)[FINE][0] == ("member-added", "ib6o04tx")
    assert standings(mixed) == ["member"] * 4
    history = mixed.rows("SELECT detail FROM history WHERE detail LIKE 'frames%' ORDER BY id")
    assert history == [("frames: not set -> gaia",), ("frames: gaia -> any",)]


def wrong_rows(archive: Archive) -> set[str]:
    """The tables of what is found wrong in the rows of exposures and layers; products were recorded and not made."""
    findings = mvmdb.open(archive.address, executor="serial").verify().findings
    return {finding.table for finding in findings} & {"exposure", "layer", "layer_member", "membership"}


def standings(archive: Archive) -> list[str]:
    return mvmdb.open(archive.address).exposures(columns=["standing"])["standing"].tolist()


def test_one_frame_in_each_layer_is_that_of_most_and_changes_with_them(mixed: Archive) -> None:
    initialise(mixed.address, frames="same")
    assert agreed_reasons(mixed)[FINE][0] == ("member-removed", "ib6o04tx")
    assert members(mixed, OTHER) == ["ib6o04tz"]
    assert standings(mixed) == ["member", "member", "other frame", "member"]
    assert f"Left out of {FINE}: its frame is gsc240-apriori, that of most members gaia." in lines(mixed, "ib6o04tx")
    assert "Layers: none, as its frame is not that of most members of a layer." in lines(mixed, "ib6o04tx")
    record_all(mixed)
    mixed.expose("ib6o05tuq", wcsname=GUIDED)
    mixed.ingest()  # two and two: Gaia is preferred
    assert agreed_reasons(mixed) == {}
    mixed.expose("ib6o05twq", wcsname=GUIDED)
    mixed.ingest()
    assert members(mixed) == ["ib6o04tx", "ib6o05tu", "ib6o05tw"]
    codes = [code for code, _ in agreed_reasons(mixed)[FINE]]
    assert (codes.count("member-removed"), codes.count("member-added")) == (2, 3)
    assert call(mixed, "status", "--json").stdout.count('"mixed_layers": 0') == 1


def test_another_name_of_a_solution_changes_frames(mixed: Archive) -> None:
    set_keywords(mixed.inbox / "ib6o04txq_flt.fits", 1, {"WCSNAME": GAIA})
    mixed.ingest()
    assert mixed.rows(f"SELECT frames, mixed_arcmin2 FROM layer WHERE name = '{FINE}'") == [("gaia 3", 0.0)]
    assert agreed_reasons(mixed)[FINE] == [("member-realigned", "ib6o04tx")]


def test_an_exposure_known_from_a_table_alone_has_no_frame_and_its_layers_wait(mixed: Archive, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    query = (
        "SELECT 'ib6o09tuq' AS obs_id, 'WFC3/IR' AS instrument_name, 'F125W' AS filters, 300 AS t_exptime, "
        "expstart AS t_min, expend AS t_max, 11359 AS proposal_id, s_region FROM exposure WHERE ipppssoo = 'ib6o04tu'"
    )
    table.write_text(call(mixed, "query", "--csv", query).stdout)
    assert call(mixed, "import", str(table)).exit_code == 0
    for frames, counts in (
        ("any", "gaia 2, gsc240-apriori 1, unknown 1"),
        ("gaia", "gaia 2, unknown 1"),
        ("same", "gaia 2, unknown 1"),
    ):
        initialise(mixed.address, frames=frames)  # type: ignore[arg-type]
        assert mixed.rows(f"SELECT frames, n_waiting FROM layer WHERE name = '{FINE}'") == [(counts, 1)]
    assert wrong_rows(mixed) == set()
    assert standings(mixed) == ["member", "member", "other frame", "member", "member"]


def test_an_aligned_exposure_is_in_the_frame_of_its_reference(mixed: Archive) -> None:
    with open_catalog(mixed.address) as engine, engine.begin() as connection:
        for name, reference in (("ib6o04tx", "gaia_stars.csv"), ("ib6o04tu", "")):
            connection.execute(
                sa.text(
                    "INSERT INTO alternate SELECT ipppssoo, 'best', wcs_digest, ra, dec, 0, 0, 0, 1, 'shift', 9, 9, 0, "
                    f"1, '{reference}', 'd', changed_at FROM exposure WHERE ipppssoo = '{name}'"
                )
            )
    mvmdb.open(mixed.address).configure(alternate="best", frames="gaia")
    assert members(mixed) == ["ib6o04tw", "ib6o04tx"]
    assert mixed.exposure("ib6o04tu").frame == "aligned-best"
    assert mixed.rows(
        f"SELECT frame, astrometric_catalog, fit FROM astrometry WHERE layer = '{FINE}' ORDER BY fit"
    ) == [
        ("gaia", "gaia_stars.csv", "ALIGNED"),
        ("gaia", "GAIADR2", "FIT_REL"),
    ]
    assert wrong_rows(mixed) == set()
    mvmdb.open(mixed.address).configure(alternate="none")
    assert members(mixed) == ["ib6o04tu", "ib6o04tw"]
    assert mixed.exposure("ib6o04tu").frame == "gaia"


@pytest.mark.parametrize("frames", ["any", "gaia", "same"])
def test_a_poller_without_a_catalog_is_decided_alike(archive: Archive, tmp_path: Path, frames: str) -> None:
    paths = [archive.expose(f"{name}q", wcsname=wcsname) for name, wcsname in EACH.items()]
    archive.ingest()
    initialise(archive.address, frames=frames)  # type: ignore[arg-type]
    write_basic_poller(tmp_path / "p.out", [str(path) for path in paths])
    policy = Policy(frames=frames)  # type: ignore[arg-type]
    report = process_poller(tmp_path / "p.out", tmp_path / "out", policy, workers=IN_THIS_PROCESS)
    assert report.drizzled == 2
    made = read_product(next((tmp_path / "out").glob(f"*/{FINE}_dr?.fits")))
    assert [member.ipppssoo for member in made.members] == members(archive)
    refused = {"ib6o04tx": "frames are to be gaia, and its solution is of the frame gsc240-apriori"}
    assert report.refused == (refused if frames == "gaia" else {})


def test_a_lost_catalog_has_its_frames_again(archive: Archive) -> None:
    for name, wcsname in EACH.items():
        archive.expose(f"{name}q", wcsname=wcsname)
    opened = mvmdb.open(archive.address, create=True, executor="serial")
    archive.products.mkdir()  # the decisions file is written where the folder is there
    opened.configure(products=archive.products, frames="same")
    opened.ingest(archive.inbox)
    archive.lose_catalog()
    again = mvmdb.open(archive.address, create=True, executor="serial")
    again.rebuild(archive.inbox, products=archive.products)
    assert again.config()["frames"] == "same"
    assert members(archive) == ["ib6o04tu", "ib6o04tw"]


def test_damaged_frames_are_found_and_mended(mixed: Archive) -> None:
    with open_catalog(mixed.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE exposure SET frame = 'gaia' WHERE ipppssoo = 'ib6o04tz'")
        connection.exec_driver_sql("UPDATE layer SET frames = 'gaia 3', mixed_arcmin2 = 0")
    assert wrong_rows(mixed) == {"exposure", "layer"}
    mvmdb.open(mixed.address, executor="serial").verify(deep=True, repair=True)
    assert wrong_rows(mixed) == set()
    frames = mixed.rows("SELECT frames FROM layer WHERE scale = 'fine' ORDER BY name")
    assert frames == [("gaia 2, gsc240-apriori 1",), ("none 1",)]


def test_an_upgrade_finds_the_frames_of_layers(mixed: Archive, databases: Databases) -> None:
    before = mixed.rows("SELECT name, frames, mixed_arcmin2 FROM layer ORDER BY name")
    with open_catalog(mixed.address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE layer SET frames = NULL, mixed_arcmin2 = NULL")
    assert "not known; run mvmdb init --upgrade" in " ".join(lines(mixed, FINE))
    assert call(mixed, "status").exit_code == 0
    initialise(mixed.address, upgrade=True)
    assert mixed.rows("SELECT name, frames, mixed_arcmin2 FROM layer ORDER BY name") == before
