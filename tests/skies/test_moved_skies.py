"""Every place that tells of stale layers tells of moved skies, and of what they ask for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from archive import COARSE, FINE, Archive, call
from solvedfield import begin, expose, solved, subtracted
from staleness import agreed_reasons, record_all, record_some

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.record import note_state, record_failure
from mvmdb.catalog.settings import read_policy
from mvmdb.catalog.skies.participants import load_participants
from mvmdb.catalog.skies.solution import save_noise, store_skies
from mvmdb.reconcile.planning import look_ahead
from mvmdb.records import Policy, ProductState

A, B = "ib6o00tu", "ib6o01tu"
MOVED_BOTH = [("sky-moved", A), ("sky-moved", B)]


def store(archive: Archive, *values: float) -> None:
    """Store a solution for the exposures A and B."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        participants = load_participants(connection, ("wfc3", "ir", "f125w"), [FINE])
        assert participants is not None
        save_noise(connection, participants.exposures, dict.fromkeys(participants.exposures, 1.0))
        store_skies(connection, participants.exposures, dict(zip((A, B), values, strict=False)), A)


@pytest.fixture
def two(archive: Archive) -> Archive:
    """Two exposures of one filter whose skies are solved, and whose mosaics are recorded as made with them."""
    begin(archive)
    for number in range(2):
        expose(archive, number, float(number), 0.0, 1.0)
    archive.ingest()
    store(archive, 0.0, 2.0)
    record_all(archive)
    assert agreed_reasons(archive) == {}
    return archive


def actions(archive: Archive) -> dict[str, tuple[str, str]]:
    """What the plan says, without a look at files: nothing was drizzled."""
    with open_catalog(archive.address) as engine:
        lines = look_ahead(engine.begin, None, Policy(method="mvmdb")).plan.layers
    return {line.name: (str(line.action), line.drizzle_because) for line in lines}


def test_a_common_shift_makes_layers_stale_and_asks_for_no_drizzle(two: Archive) -> None:
    store(two, 0.5, 2.5)
    assert agreed_reasons(two) == {FINE: MOVED_BOTH, COARSE: MOVED_BOTH}
    assert actions(two) == dict.fromkeys((FINE, COARSE), ("shift", ""))
    record_some(two, [FINE])
    assert agreed_reasons(two) == {COARSE: MOVED_BOTH}
    store(two, 0.0, 2.0)
    assert agreed_reasons(two) == {FINE: MOVED_BOTH}
    record_all(two)
    assert agreed_reasons(two) == {}


def test_one_sky_that_moved_asks_for_a_drizzle_and_the_plan_says_why(two: Archive) -> None:
    store(two, 0.0, 2.25)
    assert agreed_reasons(two) == {FINE: [("sky-moved", B)], COARSE: [("sky-moved", B)]}
    assert actions(two) == dict.fromkeys((FINE, COARSE), ("drizzle", "skies of members moved by different amounts"))
    said = call(two, "explain", FINE).output
    assert "sky-moved" in said
    assert "2.25 electrons/s/arcsec^2, the product subtracted 2" in said
    told = call(two, "explain", B).output
    assert "mosaics subtract 2.25 electrons/s/arcsec^2 (noise of a pixel 1), as solved on" in told
    assert f"in the component of {A}" in told


def test_moved_skies_come_with_every_other_reason(two: Archive) -> None:
    store(two, 0.5, 2.5)
    with open_catalog(two.address) as engine, engine.begin() as connection:
        record_failure(connection, FINE, "no space left on device")
    assert agreed_reasons(two)[FINE] == [("last-run-failed", None), *MOVED_BOTH]
    expose(two, 2, 0.5, 0.0, 1.0)
    two.ingest()
    assert agreed_reasons(two)[FINE] == [("member-added", "ib6o02tu"), *MOVED_BOTH]
    assert actions(two)[FINE] == ("add", "")
    with open_catalog(two.address) as engine, engine.begin() as connection:
        withdraw(connection, [B], "", read_policy(connection))
    assert ("member-removed", B) in agreed_reasons(two)[FINE]
    assert ("sky-moved", A) in agreed_reasons(two)[FINE]
    with open_catalog(two.address) as engine, engine.begin() as connection:
        note_state(connection, COARSE, ProductState.MISSING)
    assert agreed_reasons(two)[COARSE][0] == ("product-missing", None)


def test_digests_of_another_version_and_moved_skies_are_two_reasons(two: Archive) -> None:
    record_some(two, [FINE], recipe_digest="made as another version made digests")
    store(two, 0.5, 2.5)
    assert agreed_reasons(two)[FINE] == [*MOVED_BOTH, ("recipe-changed", None)]


def test_mosaics_of_the_other_method_do_not_follow_the_solution(two: Archive) -> None:
    initialise(two.address, method="hap")
    record_all(two)
    store_anyway = "UPDATE sky SET value = value + 1"
    with open_catalog(two.address) as engine, engine.begin() as connection:
        connection.execute(sa.text(store_anyway))
    assert agreed_reasons(two) == {}


def test_what_verify_says_of_skies_that_no_solution_stored_and_its_repair(two: Archive) -> None:
    for change in ("noise = -1", "component = NULL", "component = 'nobody'", f"component = '{B}'"):
        with open_catalog(two.address) as engine, engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE sky SET {change} WHERE value = 0"))
        found = call(two, "verify", "--json").output
        assert '"sky-wrong"' in found, change
        assert A in found
        call(two, "verify", "--repair")
        assert solved(two) == {B: 2.0}, change
        store(two, 0.0, 2.0)
    assert '"sky-wrong"' not in call(two, "verify", "--json").output
    assert subtracted(two, FINE) == {A: 0.0, B: 2.0}
