"""Several runs at once on one archive: each layer is made once, and nothing is lost between them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest
from archive import CELL, COARSE, FINE, Archive
from chaos.racing import FILTERS, check_settled, end, expose_filters, start
from command_line import call
from databases import PostgresDatabases
from postgres import Server

from mvmdb.catalog.claims.coordinator import Coordinator
from mvmdb.catalog.open import open_catalog
from mvmdb.jobs.lock import claim_folder
from mvmdb.mosaic.idempotent import make_idempotently
from mvmdb.records import LayerJob, ProductRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def together(tmp_path: Path, postgres: Server) -> Archive:
    """An archive on which several runs work at once."""
    (tmp_path / "inbox").mkdir()
    return Archive(tmp_path, PostgresDatabases(postgres).catalog())


def test_nights_at_once_make_each_layer_once(together: Archive) -> None:
    expose_filters(together)
    words = ("nightly", "inbox", "-o", "products", "--jobs", "1", "--json")
    nights = [end(night) for night in [start(together, *words) for _ in range(3)]]
    assert [(night.code, night.errors) for night in nights] == [(0, "")] * 3
    reports = [json.loads(night.output) for night in nights]
    assert sum(report["ingest"]["new"] for report in reports) == 2 * len(FILTERS)
    assert sum(report["reconcile"]["drizzled"] for report in reports) == 2 * len(FILTERS)
    check_settled(together, 2 * len(FILTERS))


def test_on_sqlite_the_second_waits_as_long_as_asked(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.ingest()
    with claim_folder(archive.products):
        code, _, errors = call(archive, "nightly", str(archive.inbox), "-o", str(archive.products))
        assert code == 2
        assert f"another run (process {os.getpid()} on {socket.gethostname()}) works on" in errors
        assert "--wait SECONDS" in errors
        for words in (
            ["reconcile"], ["poller", "--all"], ["process", str(archive.products / "none.out")],
            ["mosaic", "--at", "52.68", "-26", "--size", "1", "--filter", "f125w"],
        ):  # fmt: skip
            if words[0] != "process":  # which reads its poller first
                assert call(archive, *words, "-o", str(archive.products), "--wait", "0.1")[0] == 2
        assert call(archive, "status")[0] == 1
        waiting = [start(archive, "nightly", "inbox", "-o", "products", "--wait", "120") for _ in range(3)]
        for one in waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                one.wait(1)
    ends = [end(one) for one in waiting]
    assert [(one.code, one.errors) for one in ends] == [(0, "")] * 3
    check_settled(archive, 2)


def test_exposures_that_come_while_their_layer_is_made_are_not_lost(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.expose()
    came: list[str] = []

    def make_meanwhile(job: LayerJob) -> ProductRecord:
        record = make_idempotently(job)
        if not came:
            came.append(job.layer)
            archive.expose("ib6o04tzq", east=1)
            archive.ingest()
        return record

    monkeypatch.setattr("mvmdb.reconcile.run.make_idempotently", make_meanwhile)
    archive.night()
    (first,) = came
    reasons = archive.reasons()
    assert reasons.keys() == {first}, "the other was made after the exposure came"
    assert ("member-added", "ib6o04tz") in reasons[first]
    assert archive.reconcile().drizzled == 1
    assert archive.reasons() == {}


def test_a_layer_that_another_run_is_making_is_left_to_it(together: Archive) -> None:
    together.expose()
    together.ingest()
    with open_catalog(together.address) as engine:
        other = Coordinator(engine)
        other.join()
        with engine.begin() as connection:
            assert other.claim(connection, FINE) is None
        report = together.reconcile()
        assert [outcome.layer for outcome in report.layers] == [COARSE]
        holder = f"process {os.getpid()} on {socket.gethostname()}, since"
        assert report.elsewhere.keys() == {FINE}
        assert report.elsewhere[FINE].startswith(holder)
        code, output, _ = call(together, "reconcile", "-o", str(together.products), "--wait", "1.5")
        assert code == 0
        assert f"left to another run: {FINE} ({holder}" in output
        code, output, _ = call(together, "status")
        assert code == 1
        assert f"at work: {holder}" in output
        assert f", on {FINE}" in output
        (at_work,) = json.loads(call(together, "status", "--json")[1])["at_work"]
        assert (at_work["pid"], at_work["layers"]) == (os.getpid(), [FINE])
        waiting = start(together, "reconcile", "-o", "products", "--wait", "120")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(4)
        other.leave(finished=False)
    assert end(waiting).code == 0
    assert together.reasons() == {}


def test_a_product_that_another_run_has_put_in_place_is_left_to_it(together: Archive) -> None:
    together.expose()
    together.night()
    together.expose("ib6o04tzq", east=1)
    together.ingest()
    with open_catalog(together.address) as engine:
        other = Coordinator(engine)
        other.join()
        with engine.begin() as connection:
            other.claim(connection, FINE)
        path = together.products / CELL / f"{FINE}_drz.fits"
        path.write_bytes(path.read_bytes())  # it has another time now, as after a rename
        before = together.rows(f"SELECT mtime_ns, last_action FROM product WHERE layer = '{FINE}'")
        together.look()
        assert together.rows(f"SELECT mtime_ns, last_action FROM product WHERE layer = '{FINE}'") == before
        other.leave(finished=True)
    together.look()
    assert together.rows(f"SELECT mtime_ns, last_action FROM product WHERE layer = '{FINE}'") != before
