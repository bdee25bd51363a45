"""What the layers of one sky cell should be made of: pure functions over values.

How much sky the members cover is geometry, measured elsewhere and handed in as a LayerDepth.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mvmdb.names import Kind, LayerName, Scale
from mvmdb.recipes import Recipe, choose_recipe, layer_scales
from mvmdb.records import Canvas, ExpectedLayer, Member, Policy

SMALL = frozenset({("acs", "hrc"), ("acs", "sbc")})
"""(instrument, detector) of the detectors that leave with MVM_INCLUDE_SMALL off."""
_CTE_CORRECTED = frozenset({("acs", "wfc"), ("wfc3", "uvis")})


@dataclass(frozen=True, slots=True)
class CellMember:
    """An eligible exposure as a member of one sky cell; `overlap` is its bounding box within the cell."""

    ipppssoo: str
    instrument: str
    detector: str
    filter: str
    kind: Kind
    pixels: str
    wcs_digest: str
    overlap: Canvas


@dataclass(frozen=True, slots=True)
class LayerDepth:
    """Geometry of a layer's members within its cell.

    `area_arcmin2` is the area that at least one of them covers, `mean_exposures` the mean number of exposures over
    that area, `sky_groups` maps each member to the first member of its group of mutually overlapping footprints.
    """

    area_arcmin2: float
    mean_exposures: float
    sky_groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CellLayers:
    """The layers of one sky cell, as sets of members sorted by identity, and the canvas that all of them share."""

    canvas: Canvas | None
    groups: Mapping[tuple[str, str, str], tuple[CellMember, ...]]


def group_members(members: Iterable[CellMember], policy: Policy) -> CellLayers:
    """Divide a cell's members into layers by instrument, detector and filter.

    The policy's switches leave exposures out, and one FLC evicts every FLT of its layer, as in the HAP pipeline. The
    canvas is the bounding box of what is left, in every layer together.
    """
    groups: dict[tuple[str, str, str], list[CellMember]] = defaultdict(list)
    for member in members:
        if not left_out(member.instrument, member.detector, member.kind, policy):
            groups[member.instrument, member.detector, member.filter].append(member)
    kept: dict[tuple[str, str, str], tuple[CellMember, ...]] = {}
    for key, group in sorted(groups.items()):
        best = min(member.kind for member in group)  # "flc" < "flt"
        kept[key] = tuple(sorted((m for m in group if m.kind == best), key=lambda m: m.ipppssoo))
    return CellLayers(_bound([member.overlap for group in kept.values() for member in group]), kept)


def left_out(instrument: str, detector: str, kind: Kind, policy: Policy) -> str:
    """Why the policy leaves an exposure out, or an empty text where it does not."""
    if not policy.include_small and (instrument, detector) in SMALL:
        return f"MVM_INCLUDESMALL is off, and the detector is {detector.upper()}"
    if policy.only_cte and kind == "flt" and (instrument, detector) in _CTE_CORRECTED:
        return "MVM_ONLY_CTE is on, and the file is an FLT"
    return ""


def layer_name(skycell: str, key: tuple[str, str, str], scale: Scale) -> LayerName:
    """The name of a cell's layer at a scale; `key` is (instrument, detector, filter)."""
    return LayerName(skycell, *key, label="all" if scale == "fine" else "coarse-all")


def digest_members(members: Sequence[CellMember]) -> str:
    """Digest of a layer's sorted members: identity, kind, pixels and WCS of each."""
    return _digest([[m.ipppssoo, m.kind, m.pixels, m.wcs_digest] for m in members])


def digest_recipe(members_digest: str, canvas: Canvas, recipe: Recipe) -> str:
    """Digest of all that a product's pixels depend on.

    The policy is in it through the members that it lets in, so that switching MVM_INCLUDESMALL leaves the layers of
    other detectors fresh.
    """
    return _digest([members_digest, str(canvas), recipe.describe()])


def describe_recipe(recipe: Recipe) -> str:
    """A recipe as the JSON text that the catalog and the products carry."""
    return json.dumps(recipe.describe(), sort_keys=True)


def expect_layers(
    skycell: str, key: tuple[str, str, str], members: Sequence[CellMember], canvas: Canvas, depth: LayerDepth
) -> list[ExpectedLayer]:
    """The expected layers of one instrument, detector and filter of a cell, one for each scale."""
    members_digest = digest_members(members)
    parts = tuple(Member(m.ipppssoo, m.pixels, m.wcs_digest, depth.sky_groups[m.ipppssoo]) for m in members)
    layers = []
    for scale in layer_scales(key[0], key[1]):
        recipe = choose_recipe(*key, scale, depth.mean_exposures)
        layers.append(
            ExpectedLayer(
                name=str(layer_name(skycell, key, scale)),
                skycell=skycell,
                kind=members[0].kind,
                members=parts,
                canvas=canvas,
                recipe=recipe,
                recipe_digest=digest_recipe(members_digest, canvas, recipe),
            )
        )
    return layers


def _bound(boxes: Sequence[Canvas]) -> Canvas | None:
    if not boxes:
        return None
    return Canvas(
        min(box.x_min for box in boxes),
        max(box.x_max for box in boxes),
        min(box.y_min for box in boxes),
        max(box.y_max for box in boxes),
    )


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
