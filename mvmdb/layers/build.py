"""What members imply for their layers: area, depth, recipe, name and digests.

This needs no database, so it can run in a child process while the database does other work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvmdb.layers.digests import digest_recipe
from mvmdb.layers.frames import count_frames
from mvmdb.layers.members import FloatArray, IntArray, LayerMembers
from mvmdb.layers.recipes import layer_name, recipe_texts
from mvmdb.names import Kind, ObsMode, Scale
from mvmdb.recipe import Weight
from mvmdb.sky.footprints import expand_ranges
from mvmdb.sky.layer import measure_areas, sky_per_plane
from mvmdb.sky.mixing import DECIMALS, measure_mixed_areas


class NamedCanvas(NamedTuple):
    """The name of a sky cell or rectangle, and its canvas as text (`str(Canvas)`, as in products)."""

    name: str
    canvas: str


@dataclass(frozen=True, slots=True)
class LayersToBuild:
    """The m layers of `members`, and what else they depend on.

    `errors`, `weight`: as in the policy. `cell`: (m,) `CellId.index`, the key of `canvases`. `obsmode`: (m,). `area`:
    (m,) square arcmin on the sky, as recorded; NaN where it must be measured from `regions`, the `s_region` of the
    exposures numbered `region_of` (sorted); of single members their overlap is taken. `mixed`: (m,) of which layers the
    area where different frames meet is measured, from the same; None for no layer.
    """

    errors: bool
    members: LayerMembers
    cell: IntArray
    obsmode: Sequence[ObsMode]
    canvases: Mapping[int, NamedCanvas]
    area: FloatArray
    region_of: IntArray
    regions: Sequence[str]
    mixed: NDArray[np.bool_] | None = None
    weight: Weight = "exptime"


class LayerColumns(NamedTuple):
    """Layers as parallel columns, named as in the table `layer`; `recipe` is the parameters as JSON."""

    name: Sequence[str]
    skycell_id: Sequence[int]
    instrument: Sequence[str]
    detector: Sequence[str]
    filter: Sequence[str]
    scale: Sequence[Scale]
    label: Sequence[str]
    kind: Sequence[Kind]
    n_exposures: Sequence[int]
    n_waiting: Sequence[int]
    exptime: Sequence[float]
    expstart: Sequence[float | None]
    expend: Sequence[float | None]
    area_arcmin2: Sequence[float]
    mean_exposures: Sequence[float]
    frames: Sequence[str]
    mixed_arcmin2: Sequence[float]
    x_min: Sequence[int]
    x_max: Sequence[int]
    y_min: Sequence[int]
    y_max: Sequence[int]
    members_digest: Sequence[str]
    recipe: Sequence[str]
    recipe_digest: Sequence[str]


@dataclass(frozen=True, slots=True)
class BuiltLayers:
    """Layers, one per scale at which their obsmode is made; `number` holds the index of each in LayerMembers."""

    number: IntArray
    columns: LayerColumns


class _Texts(NamedTuple):
    """Name, scale and label of a layer, its recipe as JSON, and the recipe digest."""

    name: str
    scale: Scale
    label: str
    recipe: str
    recipe_digest: str


def build_layers(layers: LayersToBuild) -> BuiltLayers:
    """The rows of these layers at every scale, in the order of `members`."""
    per_plane = sky_per_plane(layers.cell, layers.members.box)
    area = _measure(layers, per_plane)
    mean = _mean_exposures(layers, area, per_plane)
    mixed = (_measure_mixed(layers) * per_plane).round(DECIMALS)
    numbers: list[int] = []
    texts: list[_Texts] = []
    values = zip(
        layers.cell.tolist(), layers.obsmode, np.maximum(1, np.rint(mean)).astype(np.int64).tolist(),
        layers.members.digest, layers.members.label, strict=True,
    )  # fmt: skip
    for number, (cell, obsmode, depth, digest, label) in enumerate(values):
        named = layers.canvases[cell]
        for scale, recipe in recipe_texts(obsmode, depth, layers.errors, layers.weight):
            name = layer_name(named.name, obsmode, scale, label)
            numbers.append(number)
            texts.append(_Texts(str(name), scale, name.label, recipe, digest_recipe(digest, named.canvas, recipe)))
    return _arrange(layers, area, mean, mixed, np.array(numbers, dtype=np.int64), texts)


def _arrange(
    layers: LayersToBuild,
    area: FloatArray,
    mean: FloatArray,
    mixed: FloatArray,
    number: IntArray,
    texts: Sequence[_Texts],
) -> BuiltLayers:
    """The columns of the layers with these numbers; `texts` is parallel to `number`, areas and means to `members`."""
    members = layers.members
    columns = _Texts(*zip(*texts, strict=True)) if texts else _Texts(*((),) * len(_Texts._fields))  # type: ignore[arg-type]
    numbers = number.tolist()

    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[number] for number in numbers]

    def days(values: FloatArray) -> list[float | None]:
        return [None if isnan(day) else day for day in values[number].tolist()]

    instrument, detector, filter_name = zip(*pick(layers.obsmode), strict=True) if numbers else ((),) * 3
    x_min, x_max, y_min, y_max = members.box[number].T.tolist()
    return BuiltLayers(
        number,
        LayerColumns(
            name=columns.name,
            skycell_id=layers.cell[number].tolist(),
            instrument=instrument,
            detector=detector,
            filter=filter_name,
            scale=columns.scale,  # type: ignore[arg-type]
            label=columns.label,
            kind=pick(members.kind),
            n_exposures=members.counts[number].tolist(),
            n_waiting=members.waiting[number].tolist(),
            exptime=members.exptime[number].tolist(),
            expstart=days(members.expstart),
            expend=days(members.expend),
            area_arcmin2=area[number].tolist(),
            mean_exposures=mean[number].tolist(),
            frames=pick(count_frames(members.start, members.frame, members.frames)),
            mixed_arcmin2=mixed[number].tolist(),
            x_min=x_min,
            x_max=x_max,
            y_min=y_min,
            y_max=y_max,
            members_digest=pick(members.digest),
            recipe=columns.recipe,
            recipe_digest=columns.recipe_digest,
        ),
    )


def _measure(layers: LayersToBuild, scale: FloatArray) -> FloatArray:
    """(m,) `area`, with the missing areas measured, square arcmin on the sky; `scale` as `sky_per_plane` has it."""
    members, area = layers.members, layers.area.copy()
    single = np.flatnonzero(members.counts == 1)
    area[single] = members.overlap[members.start[single]] * scale[single]
    unmeasured = np.flatnonzero(np.isnan(area))
    start, rows = _members_of(members, unmeasured)
    plane = measure_areas(layers.cell[unmeasured], start, _region(layers, rows), layers.regions)
    area[unmeasured] = plane * scale[unmeasured]
    return area


def _measure_mixed(layers: LayersToBuild) -> FloatArray:
    """(m,) the area that members of different frames cover, square arcmin of the plane; 0 if not wanted."""
    members, area = layers.members, np.zeros(len(layers.members.key))
    if layers.mixed is not None and layers.mixed.any():
        chosen = np.flatnonzero(layers.mixed)
        start, rows = _members_of(members, chosen)
        area[chosen] = measure_mixed_areas(
            layers.cell[chosen], start, _region(layers, rows), members.frame[rows], layers.regions
        )
    return area


def _members_of(members: LayerMembers, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """The members of some layers: where those of each begin, and their rows among all members."""
    counts = members.counts[chosen]
    return np.concatenate([[0], np.cumsum(counts)]), expand_ranges(members.start[chosen], counts)


def _region(layers: LayersToBuild, rows: IntArray) -> IntArray:
    """The places in `regions` of members, by their rows."""
    return np.searchsorted(layers.region_of, layers.members.exposure[rows])


def _mean_exposures(layers: LayersToBuild, area: FloatArray, scale: FloatArray) -> FloatArray:
    """(m,) mean number of exposures over the area that at least one covers; exactly 1 for a single exposure."""
    if not len(area):
        return area
    mean = np.add.reduceat(layers.members.overlap, layers.members.start[:-1]) * scale / area
    return np.where(layers.members.counts == 1, 1.0, mean)
