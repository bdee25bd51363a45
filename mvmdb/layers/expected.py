"""What the layers of one sky cell should be made of: pure functions over values.

How much sky the members cover is geometry: it is measured elsewhere, and handed in as the mean number of exposures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mvmdb.layers.admission import left_out, stays
from mvmdb.layers.digests import digest_member, digest_members, digest_recipe
from mvmdb.layers.recipes import LayerKind, layer_name, layer_recipes
from mvmdb.names import Kind
from mvmdb.records import Canvas, ExpectedLayer, Member, Policy


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


def bound_members(members: Iterable[CellMember]) -> Canvas | None:
    """The rectangle that the members cover within their cell, None where there are none."""
    boxes = [member[6:] for member in members]
    if not boxes:
        return None
    x_min, x_max, y_min, y_max = zip(*boxes, strict=True)
    return Canvas(min(x_min), max(x_max), min(y_min), max(y_max))


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
