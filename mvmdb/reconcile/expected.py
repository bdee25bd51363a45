"""What the layers of one sky cell should be made of: pure functions over values.

How much sky the members cover is geometry: it is measured elsewhere, and handed in as the mean number of exposures.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import Kind, LayerName, Scale
from mvmdb.recipes import Recipe, choose_recipe, layer_scales
from mvmdb.records import Canvas, ExpectedLayer, Member, Policy

SMALL = frozenset({("acs", "hrc"), ("acs", "sbc")})
"""(instrument, detector) of the detectors that leave with MVM_INCLUDE_SMALL off."""
_CTE_CORRECTED = frozenset({("acs", "wfc"), ("wfc3", "uvis")})


LayerKind = tuple[str, str, str]
"""(instrument, detector, filter): what tells the layers of one sky cell apart."""


class CellMember(NamedTuple):
    """An eligible exposure as a member of one sky cell; `x_min` ... `y_max` bound its overlap, in fine pixels."""

    ipppssoo: str
    instrument: str
    detector: str
    filter: str
    kind: Kind
    digest: str
    x_min: int
    x_max: int
    y_min: int
    y_max: int


def group_members(members: Iterable[CellMember], policy: Policy) -> dict[LayerKind, list[CellMember]]:
    """Divide a cell's members into layers by instrument, detector and filter, each sorted by identity.

    The policy's switches leave exposures out, and one FLC evicts every FLT of its layer, as in the HAP pipeline.
    """
    groups: dict[LayerKind, list[CellMember]] = defaultdict(list)
    for member in members:
        if not left_out(member.instrument, member.detector, member.kind, policy):
            groups[member.instrument, member.detector, member.filter].append(member)
    kept = {}
    for key, group in sorted(groups.items()):
        is_flc = np.array([member.kind == "flc" for member in group])
        staying = stays(np.zeros(len(group), dtype=np.int64), is_flc)
        kept[key] = sorted(member for member, stay in zip(group, staying.tolist(), strict=True) if stay)
    return kept


def stays(layer: NDArray[np.int64], is_flc: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which members stay in their layer: one FLC evicts every FLT of its layer. `layer` numbers each member's layer."""
    has_flc = np.bincount(layer, weights=is_flc) > 0
    return np.asarray(is_flc == has_flc[layer])


def bound_members(members: Iterable[CellMember]) -> Canvas | None:
    """The rectangle that the members cover within their cell, None where there are none."""
    boxes = [member[6:] for member in members]
    if not boxes:
        return None
    x_min, x_max, y_min, y_max = zip(*boxes, strict=True)
    return Canvas(min(x_min), max(x_max), min(y_min), max(y_max))


def left_out(instrument: str, detector: str, kind: Kind, policy: Policy) -> str:
    """Why the policy leaves an exposure out, or an empty text where it does not."""
    if not policy.include_small and (instrument, detector) in SMALL:
        return f"MVM_INCLUDE_SMALL is off, and the detector is {detector.upper()}"
    if policy.only_cte and kind == "flt" and (instrument, detector) in _CTE_CORRECTED:
        return "MVM_ONLY_CTE is on, and the file is an FLT"
    return ""


def layer_name(skycell: str, kind: LayerKind, scale: Scale, label: str = "all") -> LayerName:
    """The name of a cell's layer of a kind at a scale; `label` is that of the fine scale."""
    return LayerName(skycell, *kind, label=label if scale == "fine" else f"coarse-{label}")


def digest_member(ipppssoo: str, kind: Kind, pixels: str, wcs_digest: str) -> str:
    """Digest of an exposure as a member of any layer: identity, kind, pixels and WCS."""
    return _digest(f"{ipppssoo}|{kind}|{pixels}|{wcs_digest}")


def digest_members(digests: Iterable[str]) -> str:
    """Digest of a layer's members, given the digest of each in the order of their identities."""
    return _digest("|".join(digests))


def digest_recipe(members_digest: str, canvas: Canvas | str, recipe: str) -> str:
    """Digest of all that a product's pixels depend on; the canvas and the recipe as products carry them, as text.

    The policy is in it through the members that it lets in, so that switching MVM_INCLUDE_SMALL leaves the layers of
    other detectors fresh.
    """
    return _digest(f"{members_digest}|{canvas}|{recipe}")


def layer_recipes(kind: LayerKind, mean_exposures: float, errors: bool = False) -> tuple[Recipe, ...]:
    """The recipes of a cell's layers of one kind, one for each scale that they are made at; `errors` as the policy."""
    return _recipes_at_depth(*kind, max(1, round(mean_exposures)), errors)


@cache
def recipe_texts(kind: LayerKind, depth: int, errors: bool) -> tuple[tuple[Scale, str], ...]:
    """(scale, recipe as JSON) of `layer_recipes`, for a rounded mean of 1 or more."""
    return tuple((recipe.scale, recipe.to_json()) for recipe in _recipes_at_depth(*kind, depth, errors))


@cache
def _recipes_at_depth(instrument: str, detector: str, filter_name: str, depth: int, errors: bool) -> tuple[Recipe, ...]:
    scales = layer_scales(instrument, detector)
    return tuple(choose_recipe(instrument, detector, filter_name, scale, depth, errors) for scale in scales)


def expect_layers(
    skycell: str,
    kind: LayerKind,
    members: Sequence[Member],
    canvas: Canvas,
    mean_exposures: float,
    file_kind: Kind,
    errors: bool = False,
) -> list[ExpectedLayer]:
    """The expected layers of one instrument, detector and filter of a cell, one for each scale; `members` sorted.

    `errors` is the policy's: whether mosaics have an ERR plane.
    """
    digests = (digest_member(m.ipppssoo, file_kind, m.pixels, m.wcs_digest) for m in members)
    members_digest = digest_members(digests)
    return [
        ExpectedLayer(
            name=str(layer_name(skycell, kind, recipe.scale)),
            skycell=skycell,
            kind=file_kind,
            members=tuple(members),
            canvas=canvas,
            recipe=recipe,
            recipe_digest=digest_recipe(members_digest, canvas, recipe.to_json()),
        )
        for recipe in layer_recipes(kind, mean_exposures, errors)
    ]


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
