"""Every change is in the history, once, in the transaction that made it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
from archive import CELL, COARSE, FINE, Archive
from astropy.io import fits
from fitsfiles import write_exposure

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures.quarantine import accept_quarantined
from mvmdb.catalog.exposures.standing import readmit, refuse_exposure, withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.record import record_failure
from mvmdb.catalog.settings import read_policy

FIRST, SECOND = "ib6o04tu", "ib6o04tw"


def events(archive: Archive, after: int = 0) -> list[tuple[Any, ...]]:
    """(kind, exposure, layer) of the events after this one, in their order; layers of one night in that of names."""
    rows = archive.rows(f"SELECT kind, exposure, layer FROM event WHERE id > {after} ORDER BY id")
    return sorted(rows, key=lambda row: row[2] or "")


def last(archive: Archive) -> int:
    return int(archive.rows("SELECT coalesce(max(id), 0) FROM event")[0][0])


def test_a_night_records_what_came_and_what_was_made(archive: Archive) -> None:
    archive.expose()
    archive.night()
    assert events(archive) == [
        ("exposure-new", FIRST, None),
        ("configured", None, None),
        ("layer-drizzled", None, FINE),
        ("layer-drizzled", None, COARSE),
    ]
    (made,) = archive.rows(
        f"SELECT reasons, n_members, seconds, size, memory_mb, path FROM event WHERE layer = '{FINE}'"
    )
    assert [code for code, _, _ in json.loads(made[0])] == ["product-missing"]
    assert (made[1], made[2] > 0, made[4] > 10) == (1, True, True)
    product = archive.products / CELL / f"{FINE}_drz.fits"
    assert (made[3], made[5]) == (product.stat().st_size, str(product))


def test_a_night_without_news_records_nothing(archive: Archive) -> None:
    archive.expose()
    archive.night()
    before = last(archive)
    archive.night()
    archive.look(deep=True)
    assert events(archive, before) == []


def test_a_new_member_is_added_and_a_withdrawn_one_is_drizzled_away(archive: Archive) -> None:
    archive.expose()
    archive.night()
    archive.expose("ib6o04twq", east=3)
    before = last(archive)
    archive.night()
    assert ("layer-added", None, FINE) in events(archive, before)
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, [SECOND], "a satellite", read_policy(connection))
    before = last(archive)
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, [SECOND], "a satellite", read_policy(connection))
        readmit(connection, [SECOND], read_policy(connection))
        withdraw(connection, [FIRST, SECOND], "", read_policy(connection))
    assert events(archive, before) == [
        ("exposure-readmitted", SECOND, None),
        ("exposure-withdrawn", FIRST, None),
        ("exposure-withdrawn", SECOND, None),
    ]
    before = last(archive)
    archive.reconcile()
    assert events(archive, before) == [("layer-removed", None, FINE), ("layer-removed", None, COARSE)]
    (removed,) = archive.rows(f"SELECT reasons FROM event WHERE layer = '{FINE}' AND kind = 'layer-removed'")
    assert [code for code, _, _ in json.loads(removed[0])] == ["orphaned"]


def test_other_pixels_another_wcs_and_another_place_are_told_apart(archive: Archive) -> None:
    path = archive.expose(wcsname="IDC_one-FIT_REL_GAIAeDR3")
    archive.ingest()

    before = last(archive)
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 1].header["CRVAL2"] += 1e-5
        hdus["SCI", 1].header["WCSNAME"] = "IDC_one-FIT_SVM_GAIAeDR3"
    archive.ingest()
    assert events(archive, before) == [("exposure-realigned", FIRST, None)]
    detail = archive.rows(f"SELECT detail FROM event WHERE id > {before}")[0][0]
    assert detail == "WCSNAME IDC_one-FIT_REL_GAIAeDR3 -> IDC_one-FIT_SVM_GAIAeDR3"

    before = last(archive)
    with fits.open(path, mode="update", memmap=False) as hdus:  # a file in memory keeps its time where it is mapped
        hdus["SCI", 1].data += 1
    archive.ingest()
    assert events(archive, before) == [("exposure-changed", FIRST, None)]

    before = last(archive)
    other = archive.folder / "elsewhere"
    other.mkdir()
    shutil.move(path, other / path.name)
    archive.ingest(other)
    assert events(archive, before) == [("exposure-moved", FIRST, None)]


def test_a_refusal_and_its_end_are_events(archive: Archive) -> None:
    path = archive.expose()
    archive.ingest()
    before = last(archive)
    with open_catalog(archive.address) as engine:
        with engine.begin() as connection:
            policy = read_policy(connection)
        refuse_exposure(engine, FIRST, "empty", "all zeros", policy)
    write_exposure(path.parent, rootname="ib6o04tuq", science=np.full((64, 64), 3.0, "f4"))
    archive.ingest()
    kinds = [kind for kind, _, _ in events(archive, before)]
    assert kinds[0] == "exposure-refused"
    assert "exposure-admitted" in kinds
    assert archive.rows(f"SELECT detail FROM event WHERE id = {before + 1}") == [("empty: all zeros",)]


def test_a_bad_file_is_an_event_when_it_is_news_and_when_it_is_accepted(archive: Archive) -> None:
    archive.expose()
    bad = archive.inbox / "ib6o04twq_flt.fits"
    bad.write_text("nothing")
    archive.ingest()
    before = last(archive)
    archive.ingest()
    assert events(archive, before) == [], "it is no news any more"
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        accept_quarantined(connection, [str(bad)])
    assert archive.rows("SELECT kind, path FROM event WHERE path = '" + str(bad) + "' ORDER BY id") == [
        ("file-quarantined", str(bad)),
        ("file-accepted", str(bad)),
    ]


def test_a_file_that_vanishes_is_an_event_once(archive: Archive) -> None:
    path = archive.expose()
    archive.expose("ib6o04twq", east=3)
    archive.night()
    path.unlink()
    before = last(archive)
    archive.night()
    archive.night()
    assert [kind for kind, _, _ in events(archive, before)] == ["file-vanished"]


def test_a_product_that_is_lost_damaged_or_back_is_an_event_each_time(archive: Archive) -> None:
    archive.expose()
    archive.night()
    product = archive.products / CELL / f"{FINE}_drz.fits"
    whole = product.read_bytes()
    before = last(archive)
    product.unlink()
    archive.look()
    archive.look()
    product.write_bytes(whole[: len(whole) // 2])
    archive.look()
    archive.look()
    product.write_bytes(whole)
    archive.look()
    assert [kind for kind, _, _ in events(archive, before)] == ["layer-missing", "layer-damaged", "layer-found"]


def test_a_failure_is_an_event_with_its_cause(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        record_failure(connection, FINE, "no space left on device")
    assert archive.rows("SELECT kind, layer, detail FROM event WHERE kind = 'layer-failed'") == [
        ("layer-failed", FINE, "no space left on device")
    ]


def test_a_setting_that_changes_is_an_event_and_one_that_does_not_is_none(archive: Archive) -> None:
    initialise(archive.address, rule="nearest")
    initialise(archive.address, rule="nearest", keep_history=30)
    assert archive.rows("SELECT kind, detail FROM event ORDER BY id") == [
        ("configured", "rule: not set -> nearest"),
        ("configured", "history_days: not set -> 30"),
    ]


def test_what_is_rolled_back_has_not_happened(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    before = last(archive)
    with open_catalog(archive.address) as engine, engine.connect() as connection:
        connection.begin()
        withdraw(connection, [FIRST], "", read_policy(connection))
        connection.rollback()
    assert events(archive, before) == []
