"""Mosaics that a catalog does not know: those of a lost catalog, or of a run that could not record them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from archive import Archive

from mvmdb.reconcile import run as run_module


def test_a_catalog_that_knows_only_some_exposures_leaves_mosaics_of_others_alone(two: Archive, tmp_path: Path) -> None:
    two.use_hap()  # by mvmdb's, the sky of the exposure that was known first is the lowest, and mosaics follow it
    two.expose("ib6o05tuq", filters="F140W")
    two.night()
    before = two.product_files()
    bytes_before = {path: path.read_bytes() for path in two.products.glob("*/*.fits")}
    two.lose_catalog()
    two.use_hap()
    report = two.night(two.inbox / "ib6o04tuq_flt.fits").reconcile
    assert two.product_files() == before
    assert {path: path.read_bytes() for path in bytes_before} == bytes_before
    assert (report.drizzled, report.removed, report.failed) == (0, 0, 2)
    assert "ingest the exposures that it holds" in report.layers[0].error
    assert two.night().reconcile.failed == 0
    assert two.product_files() == before, "with all exposures known, all is fresh again"


def test_what_a_killed_run_did_and_could_not_record_is_recorded_by_the_next(
    two: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = "SELECT layer, last_action, last_reasons FROM product ORDER BY layer"
    pairs = "SELECT * FROM sky_pair WHERE difference IS NULL ORDER BY first_id, second_id"
    two.use_hap()
    two.night()
    two.expose("ib6o04tzq", east=1)
    two.night()
    whole, measured = two.rows(history), two.rows(pairs)
    two.lose_catalog()
    two.use_hap()
    shutil.rmtree(two.products)
    (two.inbox / "ib6o04tzq_flt.fits").unlink()
    two.night()
    two.expose("ib6o04tzq", east=1)
    real = run_module.record_product

    def die(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):  # once for each layer
        monkeypatch.setattr(run_module, "record_product", die)
        with pytest.raises(KeyboardInterrupt):
            two.night()
        monkeypatch.setattr(run_module, "record_product", real)
    assert two.night().reconcile.layers == []
    assert two.rows(history) == whole
    assert {action for _, action, _ in whole} == {"add"}
    assert two.rows(pairs) == measured
    assert list(two.products.glob("*/.*.findings")) == []
