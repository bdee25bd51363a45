"""`mvmdb.open`: a program's archive does what the commands do, and its history tells of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, FINE, Archive
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

import mvmdb
from mvmdb.errors import UsageError

EXPOSURE = "ib6o04tu"


@pytest.fixture
def opened(archive: Archive) -> mvmdb.Archive:
    archive.expose()
    archive.expose("ib6o04tvq", east=1.0)
    return mvmdb.open(archive.address, create=True, jobs=1)


def test_a_night_is_a_run_of_the_history(opened: mvmdb.Archive, archive: Archive) -> None:
    night = opened.nightly(archive.inbox, products=archive.products)
    assert repr(night).startswith("<Night: 2 files: 2 new, ")
    assert repr(opened.status()) == "<Status: 2 layers, 2 fresh, 0 stale, 0 orphaned>"
    (run,) = opened.history().runs
    assert (run.id, run.command, run.exit_code, run.error) == (night.run, "nightly", 0, None)
    assert run.arguments == f"archive.nightly({str(archive.inbox)!r}, products={archive.products!r})"
    events = opened.history(layer=FINE).events
    assert [(event.kind, event.run_id) for event in events] == [("layer-drizzled", night.run)]
    assert json.loads((archive.products / "mvmdb-decisions.json").read_text())["catalog"]


def test_what_could_not_run_and_what_needs_attention_is_recorded(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.ingest(archive.inbox)
    with pytest.raises(mvmdb.MvmdbError, match="no products folder is recorded"):
        opened.reconcile()
    (archive.inbox / "ib6o99tuq_flt.fits").write_bytes(b"no exposure")
    assert opened.ingest(archive.inbox).attention
    runs = opened.history().runs
    assert [(run.command, run.exit_code) for run in runs] == [("ingest", 0), ("reconcile", 2), ("ingest", 1)]
    assert "no products folder is recorded" in (runs[1].error or "")
    (file,) = opened.quarantine().files
    assert not opened.accept(file.path).attention


def test_what_is_decided_is_kept_beside_the_products(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.configure(products=archive.products)
    opened.nightly(archive.inbox)
    assert opened.withdraw(EXPOSURE, why="guide star lost") == [EXPOSURE]
    kept = (archive.products / "mvmdb-decisions.json").read_text()
    assert "guide star lost" in kept
    status = opened.status()
    assert (status.stale, status.attention) == (2, True)
    (because,) = {str(reason.code) for layer in status.plan for reason in layer.reasons if reason.exposure == EXPOSURE}
    assert because == "member-removed"
    assert opened.preview().stale == 2
    assert opened.reconcile().report.drizzled == 2
    assert opened.readmit("ib6o04tuq") == [EXPOSURE]
    assert "guide star lost" not in (archive.products / "mvmdb-decisions.json").read_text()
    assert any("withdrawn" in str(event.kind) for event in opened.history(exposure=EXPOSURE).events)
    assert "member-added" in repr(opened.explain(FINE)._repr_html_())


def test_an_answer_is_a_table_with_units_and_meanings(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.ingest(archive.inbox)
    table = opened.query(
        "SELECT layer, exptime, expstart, area_arcmin2, path, 1 + 1 AS two FROM coverage ORDER BY layer"
    )
    assert isinstance(table, Table)
    assert (table["exptime"].unit, table["area_arcmin2"].unit, table["expstart"].unit) == (u.s, u.arcmin**2, u.d)
    assert table["exptime"].description == "summed exposure time, seconds"
    assert table["two"].tolist() == [2, 2]
    assert table["two"].unit is None
    assert np.all(table["path"].mask), "nothing is made yet"
    assert len(opened.query("SELECT layer, exptime FROM coverage WHERE exptime < 0")) == 0
    with pytest.raises(mvmdb.MvmdbError, match=r"refuses|may do more|returns no rows"):
        opened.query("DELETE FROM exposure")
    assert opened.query("SELECT count(*) AS n FROM exposure")["n"].tolist() == [2]


def test_a_mosaic_is_asked_for_by_position_and_angle(opened: mvmdb.Archive, archive: Archive, tmp_path: Path) -> None:
    opened.ingest(archive.inbox)
    done = opened.mosaic(SkyCoord(*CENTER, unit="deg"), 6 * u.arcsec, "f125w", scale="fine", output=tmp_path / "made")
    assert [Path(path).is_file() for path in done.products] == [True]
    assert done.estimate is not None
    again = opened.mosaic(CENTER, 0.1, "f125w", scale="fine", output=tmp_path / "again")
    assert [Path(path).name for path in again.products] == [Path(path).name for path in done.products]
    with pytest.raises(mvmdb.MvmdbError, match="no angle"):
        opened.mosaic(CENTER, 3 * u.s, "f125w")
    with pytest.raises(mvmdb.MvmdbError, match="no position"):
        opened.mosaic("here", 3, "f125w")


def test_searches_take_values_of_astropy(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.nightly(archive.inbox, products=archive.products)
    here = SkyCoord(*CENTER, unit="deg").galactic
    assert opened.exposures(at=here)["rootname"].tolist() == ["ib6o04tuq", "ib6o04tvq"]
    many = SkyCoord([10.0, CENTER[0]], [0.0, CENTER[1]], unit="deg")
    found = opened.layers(at=many, radius=1 * u.arcmin, columns="layer")
    assert found["layer"].tolist() == [FINE, FINE.replace("_all", "_coarse-all")]
    assert len(opened.products(at=(10.0, 0.0))) == 0
    since = dt.datetime(2009, 1, 1, tzinfo=dt.UTC)
    assert len(opened.exposures(dates=(since, None))) == 2
    assert len(opened.exposures(dates=(None, since))) == 0
    assert opened.coverage(skycells=CELL)["programs"].tolist() == ["11359", "11359"]


def test_there_must_be_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(mvmdb.MvmdbError, match=r"nothing\.db"):
        mvmdb.open(tmp_path / "nothing.db")


def test_a_program_verifies_and_writes_pollers(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.nightly(archive.inbox, products=archive.products)
    assert opened.verify(deep=True).left == 0
    (path,) = opened.poller(everything=True, basic=True).paths
    assert len(Path(path).read_text().splitlines()) == 2
    assert opened.config()["products"] == str(archive.products)
    assert {relation["name"] for relation in opened.schema()} >= {"exposure", "coverage"}


def test_exposures_are_given_one_by_one_or_in_lists(opened: mvmdb.Archive, archive: Archive) -> None:
    opened.ingest(archive.inbox)
    names = [EXPOSURE, "ib6o04tv"]
    assert opened.withdraw(["ib6o04tuq"], "ib6o04tvq", why="test") == names
    assert opened.readmit(tuple(names)) == names
    with pytest.raises(UsageError, match=r"7 is given; expected a text, or a list of texts"):
        opened.withdraw([7])  # type: ignore[list-item]
    assert opened.exposures(columns=["standing"])["standing"].tolist() == ["member", "member"]
