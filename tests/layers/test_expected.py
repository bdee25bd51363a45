"""Expected layers: grouping, eviction, policy, canvas and digests, as functions of values."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from mvmdb.layers.admission import left_out
from mvmdb.layers.expected import CellMember, bound_members, expect_layers, group_members
from mvmdb.records import Canvas, Member, Policy

BOX = Canvas(1, 10, 1, 10)


def member(name: str = "j0000001", **changes: object) -> CellMember:
    values = {
        "ipppssoo": name, "instrument": "acs", "detector": "wfc", "filter": "f814w", "kind": "flt", "digest": "d1",
        "x_min": 1, "x_max": 10, "y_min": 1, "y_max": 10,
    }  # fmt: skip
    overlap = changes.pop("overlap", None)
    if overlap is not None:
        values |= {edge: getattr(overlap, edge) for edge in ("x_min", "x_max", "y_min", "y_max")}
    return CellMember(**(values | changes))  # type: ignore[arg-type]


def test_members_are_grouped_by_instrument_detector_and_filter() -> None:
    found = group_members([member(), member("j0000002", filter="f606w"), member("j0000003")], Policy())
    assert {key: [m.ipppssoo for m in group] for key, group in found.items()} == {
        ("acs", "wfc", "f606w"): ["j0000002"],
        ("acs", "wfc", "f814w"): ["j0000001", "j0000003"],
    }


def test_one_flc_evicts_every_flt_of_its_layer_and_of_no_other() -> None:
    members = [member(), member("j0000002", kind="flc"), member("j0000003", filter="f606w")]
    found = group_members(members, Policy())
    assert [m.ipppssoo for m in found["acs", "wfc", "f814w"]] == ["j0000002"]
    assert [m.ipppssoo for m in found["acs", "wfc", "f606w"]] == ["j0000003"]


def canvas_of(members: list[CellMember], policy: Policy) -> Canvas | None:
    return bound_members(member for group in group_members(members, policy).values() for member in group)


def test_canvas_is_the_bounding_box_of_every_layer_together_but_not_of_what_is_left_out() -> None:
    members = [
        member(overlap=Canvas(5, 20, 5, 20)),
        member("i0000002", instrument="wfc3", detector="ir", overlap=Canvas(10, 40, 1, 8)),
        member("j0000003", detector="hrc", overlap=Canvas(1, 100, 1, 100)),
    ]
    assert canvas_of(members, Policy(include_small=False)) == Canvas(5, 40, 1, 20)
    assert canvas_of(members, Policy()) == Canvas(1, 100, 1, 100)
    assert canvas_of([], Policy()) is None


def test_switches_leave_out_small_detectors_and_uncorrected_files() -> None:
    small, cte = Policy(include_small=False), Policy(only_cte=True)
    assert left_out("acs", "hrc", "flt", small)
    assert left_out("acs", "sbc", "flt", small)
    assert not left_out("acs", "wfc", "flt", small)
    assert left_out("acs", "wfc", "flt", cte)
    assert left_out("wfc3", "uvis", "flt", cte)
    assert not left_out("wfc3", "ir", "flt", cte)
    assert not left_out("acs", "wfc", "flc", cte)


@given(st.permutations([member(f"j000000{n}", filter=f"f{n % 2}w") for n in range(6)]))
def test_order_of_input_is_irrelevant(members: list[CellMember]) -> None:
    shuffled = members[:]
    random.Random(1).shuffle(shuffled)
    assert group_members(members, Policy()) == group_members(shuffled, Policy())


def test_ir_layers_come_at_both_scales_with_one_canvas_and_different_digests() -> None:
    members = [Member("i0000001", "t:1", "w1", "i0000001")]
    fine, coarse = expect_layers("skycell-p0001x01y01", ("wfc3", "ir", "f160w"), members, BOX, 1.0, "flt")
    assert fine.name == "hst_skycell-p0001x01y01_wfc3_ir_f160w_all"
    assert coarse.name == "hst_skycell-p0001x01y01_wfc3_ir_f160w_coarse-all"
    assert fine.canvas == coarse.canvas == BOX
    assert fine.recipe_digest != coarse.recipe_digest


def test_recipe_digest_changes_with_each_thing_that_pixels_depend_on_and_nothing_else() -> None:
    kind = ("acs", "wfc", "f814w")
    base = {"members": [Member("j1", "t:1", "w1", "j1")], "canvas": BOX, "mean_exposures": 2.0, "file_kind": "flt"}

    def digest(**changes: object) -> str:
        return expect_layers("skycell-p0001x01y01", kind, **(base | changes))[0].recipe_digest  # type: ignore[arg-type]

    assert digest() == digest(mean_exposures=2.4)
    assert digest() == digest(members=[Member("j1", "t:1", "w1", "another group")])
    others = [
        digest(members=[Member("j1", "t:2", "w1", "j1")]),
        digest(members=[Member("j1", "t:1", "w2", "j1")]),
        digest(members=[Member("j2", "t:1", "w1", "j1")]),
        digest(members=[Member("j1", "t:1", "w1", "j1"), Member("j2", "t:1", "w1", "j1")]),
        digest(file_kind="flc"),
        digest(canvas=Canvas(1, 11, 1, 10)),
        digest(mean_exposures=1.0),
    ]
    assert len({digest(), *others}) == 8
