"""Withdrawals: their reasons, and the way back."""

from __future__ import annotations

import json

from archive import FINE, Archive, call

from mvmdb.errors import UsageError


def test_a_readmitted_exposure_is_back_in_its_layers_as_if_it_had_never_left(two: Archive) -> None:
    layers = two.rows("SELECT name, recipe_digest FROM layer ORDER BY name")
    assert call(two, "withdraw", "ib6o04twq", "--why", "guide star lost").exit_code == 0
    assert ("member-removed", "ib6o04tw") in two.reasons()[FINE]
    done = call(two, "readmit", "ib6o04twq")
    assert (done.exit_code, done.output) == (0, "readmitted: ib6o04tw\n")
    assert two.reasons() == {}, "its mosaics were not made anew in between"
    assert two.rows("SELECT name, recipe_digest FROM layer ORDER BY name") == layers
    assert two.rows("SELECT DISTINCT withdrawn_at, withdrawn_why FROM exposure") == [(None, None)]


def test_an_exposure_that_left_its_mosaics_is_added_again(two: Archive) -> None:
    call(two, "withdraw", "ib6o04twq")
    two.reconcile()
    call(two, "readmit", "ib6o04tw")
    assert ("member-added", "ib6o04tw") in two.reasons()[FINE]
    two.reconcile()
    assert two.reasons() == {}


def test_a_second_reason_takes_the_place_of_the_first_and_none_leaves_it(two: Archive) -> None:
    for words, reason in (
        (["--why", "lost"], "lost"),
        (["--why", "spoilt"], "spoilt"),
        ([], "spoilt"),
    ):
        call(two, "withdraw", "ib6o04twq", *words)
        row = two.exposure("ib6o04tw")
        assert (row.withdrawn_why, row.withdrawn_at is None) == (reason, False)


def test_what_is_not_withdrawn_cannot_be_readmitted_and_nothing_is_done(two: Archive) -> None:
    call(two, "withdraw", "ib6o04twq")
    done = call(two, "readmit", "ib6o04twq", "ib6o04tuq")
    assert isinstance(done.exception, UsageError)
    assert "ib6o04tu: not withdrawn" in str(done.exception)
    assert two.exposure("ib6o04tw").withdrawn_at is not None
    assert isinstance(call(two, "readmit", "ib6o99tuq").exception, UsageError)


def test_withdraw_and_readmit_speak_json(two: Archive) -> None:
    assert json.loads(call(two, "withdraw", "ib6o04twq", "--json").output) == {"withdrawn": ["ib6o04tw"]}
    assert json.loads(call(two, "readmit", "ib6o04twq", "--json").output) == {"readmitted": ["ib6o04tw"]}


def test_a_missing_file_is_to_be_ingested_where_it_is_now(two: Archive) -> None:
    (two.inbox / "ib6o04twq_flt.fits").unlink()
    report = two.reconcile(full=True)
    assert report.failed == 2
    assert all("ingest it where it is now" in outcome.error for outcome in report.layers)
