"""Members of another photometry: which plans need no drizzle, where members are scaled to each other and where not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mvmdb.layers.diff import diff_layers
from mvmdb.layers.expect import with_recipe
from mvmdb.layers.recipes import choose_recipe
from mvmdb.photometry import format_photometry, identify_calibrated
from mvmdb.recipe import Making, Method
from mvmdb.records import Action, Canvas, ExpectedLayer, Member, ObservedProduct, PlannedLayer, ReasonCode

BOX = Canvas(10, 500, 20, 600)
CELL = "skycell-p0001x01y01"
NAME = f"hst_{CELL}_acs_wfc_f814w_all"
METHODS = pytest.mark.parametrize("method", ["hap", "mvmdb"])
THREE = {"b": 1e-19, "c": 1.02e-19, "d": 1.04e-19}


def photometry(photflam: float | None) -> str:
    return format_photometry([{"PHOTFLAM": photflam, "PHOTMODE": "ACS WFC1 F814W"}], 0)


def member(name: str, text: str, *, known: bool = True, digest: str = "d:1") -> Member:
    """A member; those whose photometry is not `known` have the identity of headers."""
    identity = identify_calibrated(digest, text) if text else "t:1"
    return Member(f"j000000{name}", identity, "w1", "g", digest, text if known else "")


def layer(members: Mapping[str, float | None], method: Method, **changes: Member) -> ExpectedLayer:
    made = {name: member(name, photometry(value)) for name, value in members.items()} | changes
    recipe = choose_recipe("acs", "wfc", "f814w", "fine", 2.0, Making(method=method))
    listed = tuple(made[name] for name in sorted(made))
    return with_recipe(ExpectedLayer(NAME, CELL, "flc", listed, BOX, recipe, ""), recipe)


def product(of: ExpectedLayer) -> ObservedProduct:
    text = of.recipe.to_json()
    return ObservedProduct(NAME, CELL, f"{NAME}_drc.fits", of.members, BOX, text, of.recipe_digest)


def plan(now: ExpectedLayer, then: ExpectedLayer) -> PlannedLayer:
    (line,) = diff_layers([now], [product(then)]).layers
    return line


def scaled(factor: float, *names: str) -> dict[str, float | None]:
    return {name: value * (factor if name in names or not names else 1) for name, value in THREE.items()}


@METHODS
def test_one_factor_of_all_is_a_rescale_that_names_the_keyword(method: Method) -> None:
    line = plan(layer(scaled(1.03), method), layer(scaled(1.0), method))
    assert line.action is Action.RESCALE
    assert [reason.code for reason in line.reasons] == [ReasonCode.MEMBER_RECALIBRATED] * 3
    assert line.reasons[0].detail == "PHOTFLAM 1e-19 -> 1.03e-19"


@pytest.mark.parametrize(("method", "action"), [("hap", Action.RESCALE), ("mvmdb", Action.DRIZZLE)])
def test_a_factor_of_one_member_is_a_drizzle_where_members_are_scaled(method: Method, action: Action) -> None:
    for name in THREE:
        assert plan(layer(scaled(1.03, name), method), layer(scaled(1.0), method)).action is action


@METHODS
def test_new_members_are_added_with_a_new_zero_point(method: Method) -> None:
    for name in "ae":
        line = plan(layer(scaled(1.03) | {name: 2e-19}, method), layer(scaled(1.0), method))
        assert line.action is Action.ADD


def test_a_member_without_photflam_is_no_bar_until_the_others_are_scaled_anew() -> None:
    then = layer(scaled(1.0) | {"e": None}, "mvmdb")
    assert plan(layer(scaled(1.0) | {"e": None, "f": 2e-19}, "mvmdb"), then).action is Action.ADD
    line = plan(layer(scaled(1.0) | {"a": 2e-19, "e": None}, "mvmdb"), then)
    assert line.action is Action.DRIZZLE
    assert "by other factors" in line.drizzle_because


def test_a_new_member_of_unknown_photometry_may_become_the_reference() -> None:
    new = member("a", "", known=False)
    assert plan(layer(scaled(1.0), "mvmdb", a=new), layer(scaled(1.0), "mvmdb")).action is Action.ADD
    without = scaled(1.0) | {"e": None}
    line = plan(layer(without, "mvmdb", a=new), layer(without, "mvmdb"))
    assert (line.action, "cannot follow" in line.drizzle_because) == (Action.DRIZZLE, True)
    assert plan(layer(scaled(1.0) | {"e": None}, "hap", a=new), layer(without, "hap")).action is Action.ADD


@METHODS
def test_other_pixels_are_drizzled_whatever_the_photometry(method: Method) -> None:
    then = layer(scaled(1.0), method)
    for digest in ("d:2", ""):
        now = layer(scaled(1.03), method, c=member("c", photometry(1.0506e-19), digest=digest))
        assert plan(now, then).action is Action.DRIZZLE


def test_a_product_of_an_earlier_version_is_rescaled_though_it_says_nothing_of_photometry() -> None:
    earlier = layer({}, "hap", **{name: member(name, "", known=False) for name in THREE})
    line = plan(layer(scaled(1.0), "hap"), earlier)
    assert (line.action, line.reasons[0].detail) == (Action.RESCALE, "")


@METHODS
def test_a_failed_rescale_is_tried_again(method: Method) -> None:
    now = replace(layer(scaled(1.03), method), failure="no space left on device")
    assert plan(now, layer(scaled(1.0), method)).action is Action.RESCALE
