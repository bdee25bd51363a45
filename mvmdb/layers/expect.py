"""What the layers of one sky cell or rectangle should be made of, given its exposures, without a catalog.

catalog/layers/refresh.py uses the same `gather_members`, `bound_canvases` and `build_layers` for many cells at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from mvmdb.errors import InputError
from mvmdb.layers.build import BuiltLayers, LayersToBuild, NamedCanvas, build_layers
from mvmdb.layers.canvas import bound_canvases
from mvmdb.layers.digests import digest_member, digest_product
from mvmdb.layers.members import Candidates, FloatArray, IntArray, LayerKey, LayerMembers, gather_members
from mvmdb.names import CellId, ObsMode
from mvmdb.recipe import Recipe
from mvmdb.records import Canvas, CellExposure, ExpectedLayer, Member, Policy
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, find_groups, sky_per_plane
from mvmdb.sky.membership import match_each_region


class Overlaps(NamedTuple):
    """How n exposures overlap a sky cell or rectangle, in parallel.

    `exposure`: (n,) indices in a sequence of exposures. `box`: (n, 4) bounding box of the overlap, x_min, x_max, y_min,
    y_max in fine pixels. `area_arcmin2`: (n,) area of the overlap, summed over chips.
    """

    exposure: IntArray
    box: IntArray
    area_arcmin2: FloatArray


@dataclass(frozen=True, slots=True)
class Frame:
    """The sky cell or rectangle in which layers are to be made.

    `canvas`: None if it is the bounding box of the members, as in a sky cell. `unite`: returns the area (square arcmin)
    that exposures, given by their `s_region`, cover together; None if it is to be measured in the sky cell `cell`.
    """

    name: str
    projection_cell: int
    cell: int
    canvas: Canvas | None = None
    unite: Callable[[Sequence[str]], float] | None = None


def expect_cell_layers(cell: CellId, exposures: Sequence[CellExposure], policy: Policy) -> list[ExpectedLayer]:
    """The layers of a sky cell, made of those of these exposures that overlap it, sorted as by `expect_layers`.

    Raises InputError, with their names, for exposures whose footprint cannot be measured.
    """
    matched, faults = match_each_region([exposure.s_region for exposure in exposures], "overlap")
    if faults:
        raise InputError("; ".join(f"{exposures[index].ipppssoo}: {why}" for index, why in faults.items()))
    rows = (matched.cell_index == cell.index).nonzero()[0]
    boxes = [edges[rows] for edges in (matched.x_min, matched.x_max, matched.y_min, matched.y_max)]
    overlaps = Overlaps(
        matched.exposure[rows].astype(np.int64),
        np.stack(boxes, axis=1).astype(np.int64),
        matched.area[rows] * ARCMIN2_PER_PIXEL,
    )
    return expect_layers(Frame(str(cell), cell.projection_cell, cell.index), exposures, overlaps, policy)


def expect_layers(
    frame: Frame, exposures: Sequence[CellExposure], overlaps: Overlaps, policy: Policy
) -> list[ExpectedLayer]:
    """The layers that these overlaps imply, at every scale, sorted by instrument, detector, filter, label and scale."""
    keys, candidates = _list_candidates(frame, exposures, overlaps)
    members = gather_members(candidates, keys, policy)
    if not len(members.key):
        return []
    cell = np.full(len(members.key), frame.cell, dtype=np.int64)
    canvas = frame.canvas or bound_canvases(cell, members.box)[frame.cell]
    regions = [exposure.s_region for exposure in exposures]
    built = build_layers(
        LayersToBuild(
            making=policy.making,
            members=members,
            cell=cell,
            obsmode=[keys[number][1:] for number in members.key.tolist()],
            canvases={frame.cell: NamedCanvas(frame.name, str(canvas))},
            area=_known_areas(frame, members, regions),
            region_of=np.arange(len(exposures)),
            regions=regions,
        )
    )
    return _as_expected(frame, canvas, exposures, members, built)


def with_recipe(layer: ExpectedLayer, recipe: Recipe) -> ExpectedLayer:
    """The layer as expected with another recipe."""
    digest = digest_product(layer.members, layer.kind, layer.canvas, recipe.to_json())
    return replace(layer, recipe=recipe, recipe_digest=digest)


def _list_candidates(
    frame: Frame, exposures: Sequence[CellExposure], overlaps: Overlaps
) -> tuple[list[LayerKey], Candidates]:
    """The layer keys of the overlapping exposures, and those exposures as candidates for them."""
    obsmodes: list[ObsMode] = [(e.instrument, e.detector, e.filter) for e in exposures]
    numbers = {mode: number for number, mode in enumerate(sorted({obsmodes[i] for i in overlaps.exposure.tolist()}))}
    rows = []
    for index, box, area in zip(*(column.tolist() for column in overlaps), strict=True):
        e = exposures[index]
        digest = digest_member(e.ipppssoo, e.kind, e.pixels, e.wcs_digest)
        times = (e.exptime, e.expstart, e.expend)
        rows.append(
            (e.ipppssoo, (numbers[obsmodes[index]], index, e.kind, digest, *box, *times, area, True, e.frame, e.placed))
        )
    rows.sort(key=lambda row: (row[1][0], row[0]))
    return [(frame.cell, *mode) for mode in numbers], Candidates.of_rows([row for _, row in rows])


def _known_areas(frame: Frame, members: LayerMembers, regions: Sequence[str]) -> FloatArray:
    """(m,) square arcmin on the sky of several members, by `unite` of the frame; NaN where it is to be measured."""
    areas = np.full(len(members.counts), np.nan)
    if frame.unite is None:
        return areas
    for number in np.flatnonzero(members.counts > 1).tolist():
        chosen = members.exposure[members.start[number] : members.start[number + 1]].tolist()
        areas[number] = frame.unite([regions[index] for index in chosen])
    return areas * sky_per_plane(np.full(len(areas), frame.cell), members.box)


def _as_expected(
    frame: Frame, canvas: Canvas, exposures: Sequence[CellExposure], members: LayerMembers, built: BuiltLayers
) -> list[ExpectedLayer]:
    layer_members: dict[int, tuple[Member, ...]] = {}
    for number in np.unique(built.number).tolist():
        indices = members.exposure[members.start[number] : members.start[number + 1]].tolist()
        layer_exposures = [exposures[index] for index in indices]
        groups = find_groups(frame.projection_cell, {e.ipppssoo: e.s_region for e in layer_exposures})
        layer_members[number] = tuple(
            Member(e.ipppssoo, e.pixels, e.wcs_digest, groups[e.ipppssoo]) for e in layer_exposures
        )
    columns = built.columns
    rows = zip(built.number.tolist(), columns.name, columns.kind, columns.recipe, columns.recipe_digest, strict=True)
    return [
        ExpectedLayer(name, frame.name, kind, layer_members[number], canvas, Recipe.from_json(recipe), digest)
        for number, name, kind, recipe, digest in rows
    ]
