"""The rows of `layer` that members imply: areas measured, recipes chosen, names and digests made; no database here.

It is the work of a layer that is not the database's, so that it can go on beside that, in another process too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from mvmdb.layers.digests import digest_recipe
from mvmdb.layers.members import FloatArray, IntArray, LayerMembers
from mvmdb.layers.recipes import LayerKind, layer_name, recipe_texts
from mvmdb.names import CellId, Scale, format_cell_name
from mvmdb.sky.footprints import expand_ranges
from mvmdb.sky.layer import measure_areas

LAYER_COLUMNS = (
    "name", "skycell_id", "instrument", "detector", "filter", "scale", "label", "kind", "n_exposures", "exptime",
    "expstart", "expend", "area_arcmin2", "mean_exposures", "x_min", "x_max", "y_min", "y_max", "members_digest",
    "recipe_id", "recipe_digest",
)  # fmt: skip
RECIPE = LAYER_COLUMNS.index("recipe_id")


@dataclass(frozen=True, slots=True)
class LayersToBuild:
    """The layers that `members` tells of, m of them, and what else their rows depend on.

    `errors`: the policy's. `cell`: (m,) `CellId.index`. `band`: instrument, detector and filter. `canvas`: the text of
    each cell's canvas. `area`: (m,) square arcmin, NaN where it has to be measured, from `regions`: the `s_region` of
    the exposures `region_of` (sorted keys).
    """

    errors: bool
    members: LayerMembers
    cell: IntArray
    band: Sequence[LayerKind]
    canvas: Mapping[int, str]
    area: FloatArray
    region_of: IntArray
    regions: Sequence[str]


@dataclass(frozen=True, slots=True)
class LayerRows:
    """Rows of `layer` as columns, in the order of LAYER_COLUMNS; `layer` is the number of each one's layer.

    A layer has a row for each scale that it is made at. Column RECIPE holds JSON, since keys are the database's.
    """

    layer: IntArray
    columns: Sequence[Sequence[Any]]


def build_rows(layers: LayersToBuild) -> LayerRows:
    """The rows of these layers, in their order."""
    area = _measure(layers)
    mean = _mean_exposures(layers, area)
    numbers: list[int] = []
    texts: list[tuple[str, Scale, str, str, str]] = []
    values = zip(
        layers.cell.tolist(), layers.band, np.maximum(1, np.rint(mean)).astype(np.int64).tolist(),
        layers.members.digest, layers.members.label, strict=True,
    )  # fmt: skip
    before, skycell, canvas = -1, "", ""
    for number, (cell, band, depth, digest, label) in enumerate(values):
        if cell != before:
            before, skycell, canvas = cell, format_cell_name(CellId.from_index(cell)), layers.canvas[cell]
        for scale, recipe in recipe_texts(band, depth, layers.errors):
            name = layer_name(skycell, band, scale, label)
            numbers.append(number)
            texts.append((str(name), scale, name.label, recipe, digest_recipe(digest, canvas, recipe)))
    return _arrange(layers, area, mean, np.array(numbers, dtype=np.int64), texts)


def _arrange(
    layers: LayersToBuild,
    area: FloatArray,
    mean: FloatArray,
    at: IntArray,
    texts: Sequence[tuple[str, Scale, str, str, str]],
) -> LayerRows:
    """The columns of rows of the layers `at`, of which `texts` holds name, scale, label, recipe and its digest."""
    members = layers.members
    name, scale, label, recipe, recipe_digest = zip(*texts, strict=True) if texts else ((),) * 5
    numbers = at.tolist()

    def pick(held: Sequence[Any]) -> list[Any]:
        return [held[number] for number in numbers]

    def days(held: FloatArray) -> list[float | None]:
        return [None if isnan(day) else day for day in held[at].tolist()]

    instrument, detector, filter_name = zip(*pick(layers.band), strict=True) if numbers else ((),) * 3
    return LayerRows(
        at,
        (
            name, layers.cell[at].tolist(), instrument, detector, filter_name, scale, label, pick(members.kind),
            members.counts[at].tolist(), members.exptime[at].tolist(), days(members.expstart),
            days(members.expend), area[at].tolist(), mean[at].tolist(), *members.box[at].T.tolist(),
            pick(members.digest), recipe, recipe_digest,
        ),
    )  # fmt: skip


def _measure(layers: LayersToBuild) -> FloatArray:
    members, area = layers.members, layers.area.copy()
    wanted = np.flatnonzero(np.isnan(area))
    counts = members.counts[wanted]
    place = np.searchsorted(layers.region_of, members.exposure[expand_ranges(members.start[wanted], counts)])
    start = np.concatenate([[0], np.cumsum(counts)])
    area[wanted] = measure_areas(layers.cell[wanted], start, place, layers.regions)
    return area


def _mean_exposures(layers: LayersToBuild, area: FloatArray) -> FloatArray:
    """(m,) mean number of exposures over the area that at least one covers; exactly 1 where there is one exposure."""
    if not len(area):
        return area
    mean = np.add.reduceat(layers.members.overlap, layers.members.start[:-1]) / area
    return np.where(layers.members.counts == 1, 1.0, mean)
