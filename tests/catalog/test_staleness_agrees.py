"""Column, views and diff tell of the same stale layers, for the same reasons, after every change that there is.

Each test also says which reasons are right, so that the four places cannot be wrong together.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive
from fitsfiles import realign, set_keywords, set_pixels
from staleness import FAILED, MISSING, Reasons, agreed_reasons, fail, record_all, record_some

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures.standing import refuse_exposure, withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.record import forget_product, note_state, touch_product
from mvmdb.catalog.settings import read_policy
from mvmdb.layers.digests import digest_recipe
from mvmdb.recipe import ALGORITHM
from mvmdb.records import Canvas, ProductRecord, ProductState

pytestmark = pytest.mark.slow

Change = Callable[[Archive], None]

ACS = f"hst_{CELL}_acs_wfc_f814w_all"
F140W = (f"hst_{CELL}_wfc3_ir_f140w_all", f"hst_{CELL}_wfc3_ir_f140w_coarse-all")
OTHER_DIGEST = "made as another version made digests"


@pytest.fixture
def two(archive: Archive) -> Archive:
    """Two exposures of one filter, 2 arcsec apart, whose mosaics are made."""
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.ingest()
    record_all(archive)
    assert agreed_reasons(archive) == {}
    return archive


def nothing_else(reasons: Reasons) -> dict[str, Reasons]:
    """Both mosaics of F125W are stale for these reasons, and no other is."""
    return {FINE: reasons, COARSE: reasons}


def never_made(*names: str) -> dict[str, Reasons]:
    return {name: [MISSING] for name in names}


def add_between(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=1)
    archive.ingest()


def withdraw_one(archive: Archive) -> None:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tw"], "guide star lost", read_policy(connection))


def refuse_one(archive: Archive) -> None:
    with open_catalog(archive.address) as engine:
        with engine.begin() as connection:
            policy = read_policy(connection)
        refuse_exposure(engine, "ib6o04tw", "empty", "all zeros", policy)


def withdraw_all(archive: Archive) -> None:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tu", "ib6o04tw"], "", read_policy(connection))


def recalibrate(archive: Archive) -> None:
    set_pixels(archive.inbox / "ib6o04tuq_flt.fits", np.full((64, 64), 2.0))
    archive.ingest()


def recalibrate_the_zero_point(archive: Archive) -> None:
    set_keywords(archive.inbox / "ib6o04tuq_flt.fits", 0, {"PHOTFLAM": 2.3e-20})
    archive.ingest()


def realign_a_little(archive: Archive) -> None:
    realign(archive.inbox / "ib6o04tuq_flt.fits", dec_arcsec=1e-4)  # too little to change the canvas
    archive.ingest()


def recalibrate_and_realign(archive: Archive) -> None:
    set_pixels(archive.inbox / "ib6o04tuq_flt.fits", np.full((64, 64), 2.0))
    realign_a_little(archive)


def add_outside(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=5)
    archive.ingest()


def grow_by_another_filter(archive: Archive) -> None:
    archive.expose("ib6o04tzq", east=5, filters="F140W")
    archive.ingest()


def choose_the_other_method(archive: Archive) -> None:
    initialise(archive.address, method="hap")


def turn_errors_on(archive: Archive) -> None:
    initialise(archive.address, errors=True)


CHANGES: list[tuple[Change, dict[str, Reasons]]] = [
    (add_between, nothing_else([("member-added", "ib6o04tz")])),
    (
        withdraw_one,
        nothing_else([("member-removed", "ib6o04tw"), ("canvas-changed", None), ("recipe-changed", None)]),
    ),
    (refuse_one, nothing_else([("member-removed", "ib6o04tw"), ("canvas-changed", None), ("recipe-changed", None)])),
    (withdraw_all, nothing_else([("orphaned", None)])),
    (recalibrate, nothing_else([("member-recalibrated", "ib6o04tu")])),
    (recalibrate_the_zero_point, nothing_else([("member-recalibrated", "ib6o04tu")])),
    (realign_a_little, nothing_else([("member-realigned", "ib6o04tu")])),
    (
        recalibrate_and_realign,
        nothing_else([("member-recalibrated", "ib6o04tu"), ("member-realigned", "ib6o04tu")]),
    ),
    (add_outside, nothing_else([("member-added", "ib6o04tz"), ("canvas-changed", None)])),
    (grow_by_another_filter, nothing_else([("canvas-changed", None)]) | never_made(*F140W)),
    (turn_errors_on, nothing_else([("recipe-changed", None)])),
    (choose_the_other_method, nothing_else([("recipe-changed", None)])),
]
"""Each change of two exposures' archive, and what is stale after it."""


@pytest.mark.parametrize(("change", "reasons"), CHANGES)
def test_all_places_agree_after_a_change_then_after_a_failure_then_after_a_success(
    two: Archive, change: Change, reasons: dict[str, Reasons]
) -> None:
    change(two)
    assert agreed_reasons(two) == reasons
    fail(two, FINE)
    if change is not withdraw_all:  # a layer that is not expected cannot fail
        assert agreed_reasons(two) == reasons | {FINE: [FAILED, *reasons[FINE]]}
    record_all(two)
    assert agreed_reasons(two) == {}


@pytest.mark.parametrize(("change", "reasons"), CHANGES)
def test_a_failure_is_forgotten_when_something_else_is_to_be_made(
    two: Archive, change: Change, reasons: dict[str, Reasons]
) -> None:
    fail(two, FINE, COARSE)
    change(two)
    assert agreed_reasons(two) == reasons


def test_a_member_that_neither_canvas_nor_recipe_depend_on_is_removed(two: Archive) -> None:
    add_between(two)
    record_all(two, recipe_digest=OTHER_DIGEST)
    assert agreed_reasons(two) == nothing_else([("recipe-changed", None)])
    with open_catalog(two.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tz"], "", read_policy(connection))
    assert agreed_reasons(two) == nothing_else([("member-removed", "ib6o04tz")])


@pytest.mark.parametrize(("east", "north"), [(9, 0), (-9, 0), (1, 9), (1, -9)])
def test_a_canvas_that_grows_on_one_side_is_changed(two: Archive, east: float, north: float) -> None:
    before = two.rows("SELECT x_min, x_max, y_min, y_max FROM skycell")[0]
    two.expose("ib6o04tzq", east=east, north=north, filters="F140W")
    two.ingest()
    after = two.rows("SELECT x_min, x_max, y_min, y_max FROM skycell")[0]
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    assert agreed_reasons(two) == nothing_else([("canvas-changed", None)]) | never_made(*F140W)


def test_layers_that_were_never_made_are_missing(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    assert agreed_reasons(archive) == nothing_else([MISSING])
    record_some(archive, [FINE])
    assert agreed_reasons(archive) == {COARSE: [MISSING]}


def test_a_second_exposure_changes_the_recipe_of_a_layer_of_one(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    record_all(archive)
    archive.expose("ib6o04twq")
    archive.ingest()
    assert agreed_reasons(archive) == nothing_else([("member-added", "ib6o04tw"), ("recipe-changed", None)])


def test_an_flc_takes_the_place_of_the_flt_of_its_exposure(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.ingest()
    record_all(archive)
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    archive.ingest()
    assert agreed_reasons(archive) == {ACS: [("member-recalibrated", "j8oz04kp")]}
    record_all(archive)
    assert agreed_reasons(archive) == {}


def test_an_flc_evicts_the_flts_of_other_exposures(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.expose("j8oz04kqq", detector="WFC", kind="flt")
    archive.ingest()
    record_all(archive)
    archive.expose("j8oz04ksq", detector="WFC", kind="flc")
    archive.ingest()
    said = agreed_reasons(archive)
    assert said.keys() == {ACS}
    assert said[ACS][:3] == [
        ("member-removed", "j8oz04kp"),
        ("member-removed", "j8oz04kq"),
        ("member-added", "j8oz04ks"),
    ]
    assert archive.rows(f"SELECT kind, n_exposures FROM layer WHERE name = '{ACS}'") == [("flc", 1)]


@pytest.mark.parametrize(
    ("variable", "name", "detector"),
    [("MVM_INCLUDE_SMALL", f"hst_{CELL}_acs_hrc_f606w_all", "HRC"), ("MVM_ONLY_CTE", ACS, "WFC")],
)
def test_a_switch_orphans_the_layers_that_it_leaves_out_and_no_others(
    two: Archive, variable: str, name: str, detector: str
) -> None:
    two.expose("j8bt06nyq", detector=detector, kind="flt", shape=(32, 32))
    two.ingest()
    record_all(two)
    on, off = ("on", "off") if variable == "MVM_ONLY_CTE" else ("off", "on")
    for value, reasons in ((on, {name: [("orphaned", None)]}), (off, {})):
        two.environ = {variable: value}
        two.ingest()
        assert agreed_reasons(two) == reasons
    two.environ = {variable: on}
    two.ingest()
    record_all(two)
    assert agreed_reasons(two) == {}
    assert two.rows(f"SELECT layer FROM product WHERE layer = '{name}'") == []


# Changes of how layers are divided


@pytest.mark.parametrize(
    ("division", "undone", "label"),
    [
        ({"exptime_layers": "classes"}, {"exptime_layers": "all"}, "long"),
        ({"epochs": "yearly"}, {"epochs": "none"}, "2009"),
    ],
)
def test_a_division_orphans_what_was_made_and_undone_gives_it_back(
    two: Archive, division: dict[str, str], undone: dict[str, str], label: str
) -> None:
    divided = [name.replace("all", label) for name in (FINE, COARSE)]
    initialise(two.address, **division)  # type: ignore[arg-type]
    assert agreed_reasons(two) == nothing_else([("orphaned", None)]) | never_made(*divided)
    record_some(two, [divided[0]])
    assert agreed_reasons(two) == nothing_else([("orphaned", None)]) | never_made(divided[1])
    initialise(two.address, **undone)  # type: ignore[arg-type]
    assert agreed_reasons(two) == {divided[0]: [("orphaned", None)]}, "both mosaics are as they should be again"


def test_a_product_given_back_to_its_layer_is_compared_with_what_is_expected_now(two: Archive) -> None:
    withdraw_all(two)
    recalibrate(two)  # other pixels bring a withdrawn exposure back
    expected = [("member-recalibrated", "ib6o04tu"), ("member-removed", "ib6o04tw")]
    said = agreed_reasons(two)
    assert said.keys() == {FINE, COARSE}
    assert said[FINE][:2] == expected


# What becomes of products


@pytest.mark.parametrize("state", [ProductState.MISSING, ProductState.DAMAGED])
def test_a_product_that_is_gone_or_damaged_is_stale_until_it_is_seen_intact(two: Archive, state: ProductState) -> None:
    with open_catalog(two.address) as engine:
        with engine.begin() as connection:
            note_state(connection, FINE, state)
        assert agreed_reasons(two) == {FINE: [(f"product-{state}", None)]}
        add_between(two)
        added = ("member-added", "ib6o04tz")
        assert agreed_reasons(two) == {FINE: [(f"product-{state}", None), added], COARSE: [added]}
        record_all(two)
        with engine.begin() as connection:
            note_state(connection, FINE, state)
            note_state(connection, FINE, ProductState.INTACT)
    assert agreed_reasons(two) == {}


def test_a_damaged_product_that_was_copied_back_is_fresh(two: Archive) -> None:
    record = ProductRecord(FINE, CELL, "", 2, 2, "0" * 32, Canvas(1, 2, 1, 2), "{}", "", ())
    with open_catalog(two.address) as engine, engine.begin() as connection:
        note_state(connection, FINE, ProductState.DAMAGED)
        touch_product(connection, record)
    assert agreed_reasons(two) == {}


def test_a_product_that_is_forgotten_is_missing(two: Archive) -> None:
    with open_catalog(two.address) as engine, engine.begin() as connection:
        forget_product(connection, COARSE)
    assert agreed_reasons(two) == {COARSE: [MISSING]}


def test_an_orphaned_product_is_orphaned_and_nothing_else_whatever_its_state(two: Archive) -> None:
    withdraw_all(two)
    with open_catalog(two.address) as engine, engine.begin() as connection:
        note_state(connection, FINE, ProductState.DAMAGED)
        note_state(connection, COARSE, ProductState.MISSING)
    assert agreed_reasons(two) == nothing_else([("orphaned", None)])


def test_a_product_of_another_algorithm_is_stale(two: Archive) -> None:
    recipe, members, canvas = two.rows(
        "SELECT recipe, members_digest, product.x_min || ':' || product.x_max || ',' || product.y_min || ':' ||"
        f" product.y_max FROM layer JOIN product ON layer_id = layer.id WHERE name = '{FINE}'"
    )[0]
    older = recipe.replace(f'"algorithm": {ALGORITHM}', f'"algorithm": {ALGORITHM - 1}')
    assert older != recipe
    record_some(two, [FINE], recipe=older, recipe_digest=digest_recipe(members, canvas, older))
    assert agreed_reasons(two) == {FINE: [("recipe-changed", None)]}
    add_between(two)
    added = ("member-added", "ib6o04tz")
    assert agreed_reasons(two) == {FINE: [added, ("recipe-changed", None)], COARSE: [added]}


def test_a_product_whose_digest_alone_is_another_is_stale(two: Archive) -> None:
    record_some(two, [FINE], recipe_digest=OTHER_DIGEST)
    assert agreed_reasons(two) == {FINE: [("recipe-changed", None)]}
    with open_catalog(two.address) as engine, engine.begin() as connection:
        note_state(connection, FINE, ProductState.DAMAGED)
    assert agreed_reasons(two) == {FINE: [("product-damaged", None)]}
    record_some(two, [FINE], recipe_digest=OTHER_DIGEST)
    add_between(two)
    assert agreed_reasons(two) == nothing_else([("member-added", "ib6o04tz")])
    record_all(two, recipe_digest=OTHER_DIGEST)
    fail(two, FINE)
    assert agreed_reasons(two) == {FINE: [FAILED], COARSE: [("recipe-changed", None)]}
    withdraw_one(two)
    assert ("member-removed", "ib6o04tw") in agreed_reasons(two)[FINE]


# Failures


def test_a_run_that_cannot_read_a_member_fails_its_layers_until_it_can(archive: Archive) -> None:
    path = archive.expose()
    archive.ingest()
    elsewhere = path.rename(path.with_suffix(".elsewhere"))
    assert archive.reconcile().failed == 2
    assert agreed_reasons(archive) == nothing_else([MISSING, FAILED])
    elsewhere.rename(path)
    assert archive.reconcile().failed == 0
    assert agreed_reasons(archive) == {}


def test_a_member_that_is_damaged_is_left_out_until_its_file_is_whole_again(two: Archive) -> None:
    two.night()
    path = two.inbox / "ib6o04tuq_flt.fits"
    status, whole = path.stat(), path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    report = two.reconcile(full=True)
    assert (report.failed, list(report.refused)) == (0, ["ib6o04tu"])
    assert two.rows("SELECT ineligible_rule FROM exposure WHERE ipppssoo = 'ib6o04tu'") == [("data",)]
    assert agreed_reasons(two) == {}
    path.write_bytes(whole)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # the very file that was registered
    two.ingest()
    assert [reasons[0] for reasons in agreed_reasons(two).values()] == [("member-added", "ib6o04tu")] * 2
    assert two.reconcile().failed == 0
    assert agreed_reasons(two) == {}


def test_a_failure_alone_is_a_reason(two: Archive) -> None:
    fail(two, FINE)
    assert agreed_reasons(two) == {FINE: [FAILED]}
    record_some(two, [FINE])
    assert agreed_reasons(two) == {}, "a success takes it away"


def test_a_failure_is_kept_while_the_same_is_to_be_made(two: Archive) -> None:
    two.expose("ib6o05tuq", ra=139.088, dec=-13.997)
    two.ingest()
    record_all(two)
    fail(two, FINE)
    before = two.rows(f"SELECT expend FROM layer WHERE name = '{FINE}'")
    set_keywords(two.inbox / "ib6o04tuq_flt.fits", 0, {"EXPEND": 59000.0})  # no pixel depends on it
    two.ingest()
    assert two.rows(f"SELECT expend FROM layer WHERE name = '{FINE}'") != before
    two.expose("ib6o05twq", east=5, ra=139.088 + 5 / 3600, dec=-13.997, filters="F140W")  # the canvas of another cell
    two.ingest()
    said = agreed_reasons(two)
    assert said[FINE] == [FAILED]
    assert [("canvas-changed", None)] in said.values()
