"""Rows and the events about them bear one time, whatever the clock does between them."""

from __future__ import annotations

import datetime as dt
from itertools import count
from pathlib import Path

import pytest
from archive import Archive
from databases import Databases

from mvmdb.catalog import clock
from mvmdb.catalog.clock import time_in
from mvmdb.catalog.open import open_catalog

BEGIN = dt.datetime(2026, 1, 1)


@pytest.fixture
def racing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr(clock, "now", lambda: BEGIN + dt.timedelta(seconds=next(seconds)))


@pytest.mark.usefixtures("racing_clock")
def test_a_transaction_has_one_time_and_the_next_another(databases: Databases) -> None:
    with open_catalog(databases.catalog(), create=True) as engine:
        times = []
        for _ in range(3):
            with engine.begin() as connection:
                times.append({time_in(connection) for _ in range(3)})
    assert [len(each) for each in times] == [1, 1, 1]
    assert len(set.union(*times)) == 3


@pytest.mark.usefixtures("racing_clock")
def test_an_exposure_is_registered_when_its_event_says(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.night()
    rows = archive.rows(
        "SELECT x.registered_at, e.at FROM exposure x JOIN event e ON e.exposure = x.ipppssoo"
        " WHERE e.kind = 'exposure-new' UNION ALL"
        " SELECT p.made_at, e.at FROM product p JOIN event e ON e.layer = p.layer WHERE e.kind = 'layer-drizzled'"
    )
    assert len(rows) >= 2
    assert all(recorded == happened for recorded, happened in rows), rows
