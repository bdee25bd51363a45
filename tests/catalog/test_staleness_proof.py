"""Column, views and diff agree about products of another program, which do not say which pixels they hold."""

from __future__ import annotations

import numpy as np
import pytest
from archive import COARSE, FINE, Archive
from fitsfiles import realign, set_pixels
from staleness import agreed_reasons, record_some

from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.record import note_state, record_failure
from mvmdb.catalog.settings import read_policy
from mvmdb.records import ProductState, Proof

UNPROVEN: tuple[str, None] = ("pixels-unproven", None)
FAILED: tuple[str, None] = ("last-run-failed", None)
FIRST = "ib6o04tuq_flt.fits"


@pytest.fixture
def adopted(archive: Archive) -> Archive:
    """Two exposures of one filter, whose fine mosaic is unproven; the user trusts the coarse one."""
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.ingest()
    record_some(archive, [FINE], proof=Proof.UNPROVEN, recipe_digest="")
    record_some(archive, [COARSE], proof=Proof.TRUSTED)
    return archive


def add(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=1)
    archive.ingest()


def add_outside(archive: Archive) -> None:
    archive.expose("ib6o05twq", east=5)
    archive.ingest()


def grow(archive: Archive) -> None:
    archive.expose("ib6o05tzq", east=9, filters="F140W")
    archive.ingest()


def remove(archive: Archive) -> None:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tw"], "", read_policy(connection))


def recalibrate(archive: Archive) -> None:
    set_pixels(archive.inbox / FIRST, np.full((64, 64), 2.0))
    realign(archive.inbox / FIRST, dec_arcsec=1e-4)
    archive.ingest()


def test_an_unproven_product_is_stale_and_a_trusted_one_is_fresh(adopted: Archive) -> None:
    assert agreed_reasons(adopted) == {FINE: [UNPROVEN]}
    with open_catalog(adopted.address) as engine, engine.begin() as connection:
        record_failure(connection, FINE, "no space left on device")
        record_failure(connection, COARSE, "no space left on device")
    assert agreed_reasons(adopted) == {FINE: [FAILED, UNPROVEN], COARSE: [FAILED]}
    with open_catalog(adopted.address) as engine, engine.begin() as connection:
        note_state(connection, FINE, ProductState.DAMAGED)
    assert agreed_reasons(adopted)[FINE] == [FAILED, ("product-damaged", None), UNPROVEN]
    record_some(adopted, [FINE, COARSE], proof=Proof.TRUSTED)
    assert agreed_reasons(adopted) == {}
    record_some(adopted, [FINE])
    assert agreed_reasons(adopted) == {}, "mvmdb's own"


def test_a_trusted_product_whose_members_or_canvas_change_is_drizzled_from_all_members(adopted: Archive) -> None:
    for change in (add, recalibrate, add_outside, grow, remove):
        change(adopted)
        said = agreed_reasons(adopted)
        assert UNPROVEN in said[FINE], change
        assert said[COARSE] == [reason for reason in said[FINE] if reason != UNPROVEN] != [], change
        assert set(adopted_actions(adopted).values()) == {"drizzle"}, change
        record_some(adopted, [FINE], proof=Proof.UNPROVEN, recipe_digest="")
        record_some(adopted, [COARSE], proof=Proof.TRUSTED)


def adopted_actions(archive: Archive) -> dict[str, str]:
    """The actions of the plan from the records alone; the files are not there."""
    from mvmdb.catalog.products.load import load_candidates
    from mvmdb.layers.diff import diff_layers

    with open_catalog(archive.address) as engine, engine.begin() as connection:
        possible = load_candidates(connection, None)
        plan = diff_layers(possible.expected, possible.observed, possible.unmade)
    return {line.name: str(line.action) for line in plan.layers if line.name in (FINE, COARSE)}
