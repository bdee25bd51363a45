"""Which layers are stale, why, and the cheapest action for each: a pure function of expected and observed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mvmdb.layers.divisions import why_unexpected
from mvmdb.layers.skies import common_shift, compare_skies
from mvmdb.names import format_product_name
from mvmdb.photometry import find_factor, name_changes, parse_photometry
from mvmdb.recipe import LEFT_OUT
from mvmdb.records import (
    Action,
    ExpectedLayer,
    ObservedProduct,
    Plan,
    PlannedLayer,
    Policy,
    ProductState,
    Proof,
    Reason,
    ReasonCode,
    UnmadeLayer,
)

_KEEPING_PIXELS = {
    ReasonCode.MEMBER_ADDED, ReasonCode.MEMBER_RECALIBRATED, ReasonCode.CANVAS_CHANGED, ReasonCode.LAST_RUN_FAILED,
    ReasonCode.SKY_MOVED,
}  # fmt: skip
_UNMADE = (Reason(ReasonCode.PRODUCT_MISSING, detail="it has never been made"),)
_DEFAULT = Policy()
_NOTHING_THERE = "there is no intact product to start from"
_UNPROVEN = "another program made the product, which does not say which pixels it holds"


def diff_layers(
    expected: Iterable[ExpectedLayer],
    observed: Iterable[ObservedProduct],
    unmade: Iterable[UnmadeLayer] = (),
    policy: Policy = _DEFAULT,
) -> Plan:
    """Compare what layers should be made of with what their products say that they were made of.

    Names are unique on either side. `is_fresh` says which layers need no work. `unmade` layers have no product, so
    their members are not compared. `policy` is used only to explain why a product is orphaned.
    """
    products = {product.name: product for product in observed}
    planned = [_plan_unmade(layer) for layer in unmade]
    fresh = 0
    for layer in expected:
        product = products.pop(layer.name, None)
        if product is not None and is_fresh(layer, product):
            fresh += 1
        else:
            planned.append(_plan_layer(layer, product))
    for product in products.values():
        reason = Reason(ReasonCode.ORPHANED, detail=why_unexpected(product.name, policy))
        planned.append(PlannedLayer(product.name, product.skycell, Action.REMOVE, (reason,)))
    return Plan(tuple(sorted(planned, key=lambda line: line.name)), fresh)


def is_fresh(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    """Whether the product is intact, has the expected recipe digest and skies, and no later attempt failed."""
    made = product.state is ProductState.INTACT and product.recipe_digest == layer.recipe_digest and not layer.failure
    return made and not compare_skies(layer, product)


def _plan_unmade(layer: UnmadeLayer) -> PlannedLayer:
    reasons: tuple[Reason, ...] = _UNMADE
    if layer.failure:
        reasons += (Reason(ReasonCode.LAST_RUN_FAILED, detail=layer.failure),)
    return PlannedLayer(layer.name, layer.skycell, Action.DRIZZLE, reasons, _NOTHING_THERE, layer.n_waiting)


def _plan_layer(layer: ExpectedLayer, product: ObservedProduct | None) -> PlannedLayer:
    if product is None:
        return _plan_unmade(UnmadeLayer(layer.name, layer.skycell, layer.failure, len(layer.waits_for)))
    reasons = tuple(_find_reasons(layer, product))
    action, drizzle_because = _choose_action(layer, product, {reason.code for reason in reasons})
    n_waiting = 0 if action in (Action.RECANVAS, Action.SHIFT) else len(layer.waits_for)  # no member's pixels
    return PlannedLayer(layer.name, layer.skycell, action, reasons, drizzle_because, n_waiting)


def _find_reasons(layer: ExpectedLayer, product: ObservedProduct) -> list[Reason]:
    reasons = []
    if layer.failure:
        reasons.append(Reason(ReasonCode.LAST_RUN_FAILED, detail=layer.failure))
    if product.state is ProductState.MISSING:
        reasons.append(Reason(ReasonCode.PRODUCT_MISSING, detail=f"{product.filename} is gone"))
    if product.state is ProductState.DAMAGED:
        reasons.append(Reason(ReasonCode.PRODUCT_DAMAGED, detail=f"{product.filename} is not as it was written"))
    if product.proof is Proof.UNPROVEN:
        reasons.append(Reason(ReasonCode.PIXELS_UNPROVEN, detail=_UNPROVEN))
    reasons += _compare_members(layer, product)
    if layer.canvas != product.canvas:
        detail = f"the cell's members now cover [{layer.canvas}], the product [{product.canvas}]"
        reasons.append(Reason(ReasonCode.CANVAS_CHANGED, detail=detail))
    if layer.recipe.to_json() != product.recipe:
        reasons.append(Reason(ReasonCode.RECIPE_CHANGED, detail=recipe_changes(layer.recipe.to_json(), product.recipe)))
    others = [reason for reason in reasons if reason.code is not ReasonCode.SKY_MOVED]
    if not others and product.recipe_digest != layer.recipe_digest:  # a digest of another version
        reasons.append(Reason(ReasonCode.RECIPE_CHANGED, detail="the product has another recipe digest"))
    return reasons


def recipe_changes(now: str, then: str) -> str:
    """The parameters that differ between two recipes as JSON: `kernel is "square", was "turbo"`."""
    new = {**LEFT_OUT, **json.loads(now)}
    try:
        old = json.loads(then)
    except ValueError:
        old = None
    if not isinstance(old, dict):
        return "the product's parameters are not known"
    old = {**LEFT_OUT, **old}
    changed = [name for name in sorted(new.keys() | old.keys()) if new.get(name) != old.get(name)]
    words = (f"{name} is {json.dumps(new.get(name))}, was {json.dumps(old.get(name))}" for name in changed)
    return "; ".join(words)


def _compare_members(layer: ExpectedLayer, product: ObservedProduct) -> list[Reason]:
    now = {member.ipppssoo: member for member in layer.members}
    then = {member.ipppssoo: member for member in product.members}
    reasons = []
    for name in sorted(now.keys() | then.keys()):
        if name not in then:
            reasons.append(Reason(ReasonCode.MEMBER_ADDED, name))
        elif name not in now:
            reasons.append(Reason(ReasonCode.MEMBER_REMOVED, name))
        else:
            if now[name].pixels != then[name].pixels:
                detail = name_changes(now[name].photometry, then[name].photometry)
                reasons.append(Reason(ReasonCode.MEMBER_RECALIBRATED, name, detail))
            if now[name].wcs_digest != then[name].wcs_digest:
                reasons.append(Reason(ReasonCode.MEMBER_REALIGNED, name))
    skies = compare_skies(layer, product)
    for name, (is_now, was) in skies.items():
        detail = f"{is_now:.6g} electrons/s/arcsec^2, the product subtracted {was:.6g}"
        reasons.append(Reason(ReasonCode.SKY_MOVED, name, detail))
    return reasons


def _choose_action(layer: ExpectedLayer, product: ObservedProduct, codes: set[ReasonCode]) -> tuple[Action, str]:
    """The cheapest correct action and, if it is a drizzle, why nothing cheaper will do."""
    if product.state is not ProductState.INTACT:
        return Action.DRIZZLE, _NOTHING_THERE
    if product.proof is not Proof.PROVEN:
        return Action.DRIZZLE, "another program made the product: nothing can be added to its pixels"
    if product.filename != format_product_name(layer.name, layer.kind):
        return Action.DRIZZLE, "the members' kind has changed"
    if ReasonCode.RECIPE_CHANGED in codes and layer.recipe.to_json() != product.recipe:
        return Action.DRIZZLE, "the product was drizzled with other parameters: depth and configuration choose them"
    moved = ReasonCode.SKY_MOVED in codes
    if moved and not _shift_together(layer, product):
        return Action.DRIZZLE, "skies of members moved by different amounts"
    if moved and ReasonCode.MEMBER_RECALIBRATED in codes:
        return Action.DRIZZLE, "skies of members moved, and photometry has changed"
    if not codes <= _KEEPING_PIXELS or _other_pixels(layer, product):
        return Action.DRIZZLE, "what the product contains is no longer right"
    if layer.recipe.method != "hap" and (why := _other_scales(layer, product)):
        return Action.DRIZZLE, why
    if ReasonCode.MEMBER_ADDED not in codes:
        if ReasonCode.MEMBER_RECALIBRATED in codes:
            return Action.RESCALE, ""
        if ReasonCode.CANVAS_CHANGED in codes:
            return Action.RECANVAS, ""
        return (Action.SHIFT, "") if moved else (Action.DRIZZLE, "the last run failed")
    if layer.recipe.sky_match and layer.recipe.method == "hap" and groups_merge(layer, product):
        return Action.DRIZZLE, "an added member joins exposures whose skies were matched apart"
    return Action.ADD, ""


def _shift_together(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    scales = {member.ipppssoo: member.photscale for member in product.members}
    now, was = (
        {m.ipppssoo: None if m.sky is None else m.sky * scales.get(m.ipppssoo, 1.0) for m in members}
        for members in (layer.members, product.members)
    )
    return common_shift(now, was) is not None


def _other_pixels(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    """Whether a member has another identity that is not known to be due to its photometry alone."""
    then = {member.ipppssoo: member for member in product.members}
    changed = [
        (m, then[m.ipppssoo]) for m in layer.members if m.ipppssoo in then and m.pixels != then[m.ipppssoo].pixels
    ]
    return any(not now.pixel_digest or now.pixel_digest != before.pixel_digest for now, before in changed)


def _other_scales(layer: ExpectedLayer, product: ObservedProduct) -> str:
    """Why members of a product that were scaled to each other need another scale than before, one to another.

    An exposure whose photometry is not known could be the one that the others are scaled to. Its PHOTFLAM brings all of
    them to another scale alike, but for those that have none.
    """
    then = {member.ipppssoo: member.photometry for member in product.members}
    now = {member.ipppssoo: member.photometry or then.get(member.ipppssoo, "") for member in layer.members}
    if not all(now.values()):
        parsed = [parse_photometry(text) for text in then.values()]
        unscaled = any(one is None or one.photflam is None for one in parsed)
        recalibrated = any(now[name] and now[name] != text for name, text in then.items() if name in now)
        return "members without PHOTFLAM cannot follow the others" if unscaled or recalibrated else ""
    if find_factor(now, then) is None:
        return "its members are to be scaled to one flux by other factors than before"
    return ""


def groups_merge(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    """Whether members of one sky group were in different groups in the product: kept skies would leave a step there."""
    now = {member.ipppssoo: member.sky_group for member in layer.members}
    group_then: dict[str, str] = {}
    for member in product.members:
        if member.ipppssoo not in now:
            continue
        if group_then.setdefault(now[member.ipppssoo], member.sky_group) != member.sky_group:
            return True
    return False
