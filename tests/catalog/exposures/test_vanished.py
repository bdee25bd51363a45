"""A file that is deleted from a watched folder is noticed the same night, told of once, and its mosaics stay."""

from __future__ import annotations

import json

from archive import Archive, call
from click.testing import Result

from mvmdb.catalog import due_pollers
from mvmdb.catalog.open import open_catalog


def night(archive: Archive) -> Result:
    return call(archive, "nightly", str(archive.inbox), "-o", str(archive.products), "--jobs", "1")


def test_a_file_that_vanished_is_worth_attention_once_and_its_mosaics_stay(two: Archive) -> None:
    path = two.inbox / "ib6o04twq_flt.fits"
    path.unlink()
    before = two.product_files()
    first = night(two)
    assert first.exit_code == 1
    assert f"vanished: {path}, the file of ib6o04tw, is gone" in first.output
    second = night(two)
    assert (second.exit_code, "still vanished, since 20" in second.output) == (0, True)
    assert two.product_files() == before
    assert two.reasons() == {}


def test_a_poller_that_names_a_file_known_to_be_gone_is_no_news(two: Archive) -> None:
    (two.inbox / "ib6o04twq_flt.fits").unlink()
    assert night(two).exit_code == 1
    with open_catalog(two.address) as engine, engine.begin() as connection:
        due_pollers.forget(connection)  # so that every poller file is written again
    assert night(two).exit_code == 0


def test_vanished_files_are_in_json_and_can_be_accepted(two: Archive) -> None:
    path = two.inbox / "ib6o04twq_flt.fits"
    path.unlink()
    words = ("nightly", str(two.inbox), "-o", str(two.products), "--jobs", "1", "--json")
    (file,) = json.loads(call(two, *words).output)["vanished"]
    assert (file["path"], file["kind"], file["new"]) == (str(path), "vanished", True)
    two.ingest()
    assert call(two, "quarantine", "--accept", str(path)).exit_code == 0
    assert "vanished" not in night(two).output
    assert call(two, "explain", str(path)).output.startswith("ib6o04tw (exposure)\n  Quarantined since")


def test_a_file_that_comes_back_or_is_ingested_elsewhere_is_vanished_no_more(two: Archive) -> None:
    path, away = two.inbox / "ib6o04twq_flt.fits", two.folder / "ib6o04twq_flt.fits"
    for _ in range(2):  # it may vanish again
        path.rename(away)
        assert night(two).exit_code == 1
        away.rename(path)
        assert night(two).exit_code == 0
        assert two.rows("SELECT path FROM quarantine") == []
    path.rename(away)
    assert night(two).exit_code == 1
    two.ingest(away)
    assert night(two).exit_code == 0
    assert two.rows("SELECT path FROM quarantine") == []


def test_the_file_of_a_withdrawn_exposure_may_go(two: Archive) -> None:
    call(two, "withdraw", "ib6o04twq")
    (two.inbox / "ib6o04twq_flt.fits").unlink()
    assert night(two).exit_code == 0
