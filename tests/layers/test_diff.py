"""The diff: each reason from the one change that causes it, and the cheapest action that is right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mvmdb.layers.diff import diff_layers
from mvmdb.layers.expect import with_recipe
from mvmdb.layers.recipes import choose_recipe
from mvmdb.records import Action, Canvas, ExpectedLayer, Member, ObservedProduct, ProductState, ReasonCode

BOX = Canvas(10, 500, 20, 600)
CELL = "skycell-p0001x01y01"


def expected(
    names: str = "ab", *, canvas: Canvas = BOX, mean: float = 2.0, groups: str | None = None, **changes: str
) -> ExpectedLayer:
    """A layer of members j000000a, j000000b...; `groups` gives each member's sky group; changes apply to the last."""
    grouping = groups or names[0] * len(names)
    members = [Member(f"j000000{n}", "t:1", "w1", f"j000000{g}") for n, g in zip(names, grouping, strict=True)]
    members[-1] = replace(members[-1], **changes)
    recipe = choose_recipe("acs", "wfc", "f814w", "fine", mean)
    name = f"hst_{CELL}_acs_wfc_f814w_all"
    return with_recipe(ExpectedLayer(name, CELL, "flc", tuple(members), canvas, recipe, ""), recipe)


def product_of(layer: ExpectedLayer, state: ProductState = ProductState.INTACT) -> ObservedProduct:
    return ObservedProduct(
        layer.name, layer.skycell, f"{layer.name}_drc.fits", layer.members, layer.canvas,
        layer.recipe.to_json(), layer.recipe_digest, state,
    )  # fmt: skip


def plan_of(
    layer: ExpectedLayer, product: ObservedProduct | None
) -> tuple[Action, list[tuple[ReasonCode, str | None]]]:
    (line,) = diff_layers([layer], [product] if product else []).layers
    return line.action, [(reason.code, reason.exposure) for reason in line.reasons]


def test_a_product_made_as_expected_is_fresh() -> None:
    plan = diff_layers([expected()], [product_of(expected())])
    assert plan.layers == ()
    assert plan.fresh == 1


def test_a_layer_without_product_is_missing() -> None:
    assert plan_of(expected(), None) == (Action.DRIZZLE, [(ReasonCode.PRODUCT_MISSING, None)])


@pytest.mark.parametrize(
    ("state", "code"),
    [(ProductState.MISSING, ReasonCode.PRODUCT_MISSING), (ProductState.DAMAGED, ReasonCode.PRODUCT_DAMAGED)],
)
def test_a_product_that_is_gone_or_damaged_is_drizzled_again(state: ProductState, code: ReasonCode) -> None:
    assert plan_of(expected(), product_of(expected(), state)) == (Action.DRIZZLE, [(code, None)])


def test_an_added_member_is_added() -> None:
    assert plan_of(expected("abc"), product_of(expected())) == (
        Action.ADD, [(ReasonCode.MEMBER_ADDED, "j000000c")],
    )  # fmt: skip


def test_an_added_member_that_grows_the_canvas_is_still_added() -> None:
    action, reasons = plan_of(expected("abc", canvas=Canvas(1, 500, 20, 600)), product_of(expected()))
    assert action is Action.ADD
    assert [code for code, _ in reasons] == [ReasonCode.MEMBER_ADDED, ReasonCode.CANVAS_CHANGED]


def test_a_removed_member_needs_a_drizzle() -> None:
    assert plan_of(expected("a"), product_of(expected("ab"))) == (
        Action.DRIZZLE, [(ReasonCode.MEMBER_REMOVED, "j000000b")],
    )  # fmt: skip


def test_new_pixels_and_a_new_wcs_need_a_drizzle_and_name_the_member() -> None:
    assert plan_of(expected(pixels="d:2"), product_of(expected())) == (
        Action.DRIZZLE, [(ReasonCode.MEMBER_RECALIBRATED, "j000000b")],
    )  # fmt: skip
    assert plan_of(expected(wcs_digest="w2"), product_of(expected())) == (
        Action.DRIZZLE, [(ReasonCode.MEMBER_REALIGNED, "j000000b")],
    )  # fmt: skip


def test_a_canvas_change_alone_is_a_recanvas() -> None:
    action, reasons = plan_of(expected(canvas=Canvas(10, 501, 20, 600)), product_of(expected()))
    assert (action, reasons) == (Action.RECANVAS, [(ReasonCode.CANVAS_CHANGED, None)])


def test_another_recipe_needs_a_drizzle() -> None:
    action, reasons = plan_of(expected(mean=1.0), product_of(expected()))
    assert (action, reasons) == (Action.DRIZZLE, [(ReasonCode.RECIPE_CHANGED, None)])


def test_a_member_that_changes_the_recipe_class_is_not_added() -> None:
    action, _ = plan_of(expected("abc", mean=2.0), product_of(expected("ab", mean=1.0)))
    assert action is Action.DRIZZLE


def test_a_member_that_joins_two_groups_of_skies_is_not_added() -> None:
    before = expected("ab", groups="ab")
    (line,) = diff_layers([expected("abc", groups="aaa")], [product_of(before)]).layers
    assert line.action is Action.DRIZZLE
    assert "matched apart" in line.drizzle_because
    assert plan_of(expected("abc", groups="aba"), product_of(before))[0] is Action.ADD


def test_groups_do_not_matter_where_skies_are_not_matched() -> None:
    before = expected("ab", groups="ab", mean=1.0)
    assert plan_of(expected("abc", groups="aaa", mean=1.0), product_of(before))[0] is Action.ADD


def test_a_failed_run_is_a_separate_reason() -> None:
    layer = replace(expected(), failure="no space")
    assert plan_of(layer, product_of(expected())) == (Action.DRIZZLE, [(ReasonCode.LAST_RUN_FAILED, None)])
    grown = replace(expected("abc"), failure="no space")
    assert plan_of(grown, product_of(expected()))[0] is Action.ADD


def test_flcs_in_place_of_flts_are_drizzled_into_another_file() -> None:
    product = replace(product_of(expected()), filename="hst_x_drz.fits", recipe_digest="other")
    (line,) = diff_layers([expected("abc")], [product]).layers
    assert line.action is Action.DRIZZLE
    assert "kind" in line.drizzle_because


def test_a_product_nothing_expects_is_orphaned_and_removed() -> None:
    (line,) = diff_layers([], [product_of(expected())]).layers
    assert (line.action, line.reasons[0].code) == (Action.REMOVE, ReasonCode.ORPHANED)


def test_the_plan_is_sorted_whatever_the_order_of_input() -> None:
    layers = [replace(expected(), name=f"hst_{n}") for n in "cab"]
    assert [line.name for line in diff_layers(layers, []).layers] == ["hst_a", "hst_b", "hst_c"]


def test_a_digest_that_differs_though_all_parts_agree_is_a_recipe_change() -> None:
    product = replace(product_of(expected()), recipe_digest="made by another version")
    assert plan_of(expected(), product) == (Action.DRIZZLE, [(ReasonCode.RECIPE_CHANGED, None)])


def test_order_of_a_products_members_is_irrelevant() -> None:
    layer = expected("ab")
    turned = replace(product_of(layer), members=tuple(reversed(layer.members)))
    assert diff_layers([layer], [turned]).fresh == 1
    assert Member("j1", "t", "w") < Member("j2", "t", "w")


def test_a_changed_recipe_names_the_parameters_that_differ() -> None:
    layer = expected()
    changed = replace(layer.recipe, pixfrac=0.7)
    product = replace(product_of(layer), recipe=changed.to_json(), recipe_digest="other")
    (line,) = diff_layers([layer], [product]).layers
    assert [reason.detail for reason in line.reasons] == ["pixfrac is 1.0, was 0.7"]
    (line,) = diff_layers([layer], [replace(product, recipe="no JSON")]).layers
    assert [reason.detail for reason in line.reasons] == ["the product's parameters are not known"]


def test_parameters_that_recipes_leave_out_are_named_by_their_values() -> None:
    layer = expected()
    weighted = with_recipe(layer, replace(layer.recipe, weight="ivm", errors=True))
    (line,) = diff_layers([weighted], [product_of(layer)]).layers
    assert [reason.detail for reason in line.reasons] == ['errors is true, was false; weight is "ivm", was "exptime"']
    (line,) = diff_layers([layer], [product_of(weighted)]).layers
    assert [reason.detail for reason in line.reasons] == ['errors is false, was true; weight is "exptime", was "ivm"']
