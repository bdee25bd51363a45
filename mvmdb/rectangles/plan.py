"""What the mosaics of a rectangle should be made of: its exposures, recipes and kept skies.

A rectangle's pixels are those of its projection cell, and so of every fine mosaic in its sky cells. Where a rectangle
has the members of a sky cell's layer, it takes the recipe of that layer and, where its mosaic is recorded, its skies:
then the pixels are the same too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvmdb.jobs.drizzle_jobs import drizzle_job
from mvmdb.layers.expect import Frame, expect_cell_layers, expect_layers, with_recipe
from mvmdb.names import Scale
from mvmdb.records import CellExposure, ExpectedLayer, LayerJob, Policy
from mvmdb.rectangles.geometry import Rectangle, overlaps_with, united_area

Skies = Callable[[str, Sequence[str]], Mapping[str, float]]
"""Gives the recorded skies of a layer's members, by the layer's name and its members; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which mosaics of a rectangle are wanted: all scales that its layers have, or one; and whose skies are kept."""

    scale: Scale | None = None
    skies: Skies = field(default=lambda _layer, _members: {})


def plan_rectangle(
    exposures: Sequence[CellExposure],
    rectangle: Rectangle,
    folder: Path,
    policy: Policy,
    wanted: Wanted,
    refused: set[str],
) -> list[LayerJob]:
    """The jobs of a rectangle's layers, in `folder`, from those of these exposures that were not refused.

    A rectangle's layers are never divided by exposure time or date.
    """
    undivided = replace(policy, exptime_layers="all", epochs="")
    usable = sorted((e for e in exposures if e.ipppssoo not in refused), key=lambda e: e.ipppssoo)
    frame = Frame(
        rectangle.name,
        rectangle.projection_cell,
        cell=0,
        canvas=rectangle.canvas,
        unite=lambda regions: united_area(rectangle, regions),
    )
    layers = expect_layers(frame, usable, overlaps_with(rectangle, [e.s_region for e in usable]), undivided)
    cell_layers = [layer for cell in rectangle.cells for layer in expect_cell_layers(cell, usable, undivided)]
    by_name = {exposure.ipppssoo: exposure for exposure in usable}
    jobs = []
    for layer in layers:
        if wanted.scale not in (None, layer.recipe.scale):
            continue
        twin = _find_twin(layer, cell_layers)
        skies: Mapping[str, float] = {}
        if twin is not None:
            skies = wanted.skies(twin.name, [member.ipppssoo for member in layer.members])
        jobs.append(drizzle_job(layer if twin is None else with_recipe(layer, twin.recipe), by_name, folder, skies))
    return jobs


def _find_twin(layer: ExpectedLayer, cell_layers: Sequence[ExpectedLayer]) -> ExpectedLayer | None:
    """The first sky cell's layer of the same obsmode and scale that has the same members, None without one."""
    kind_of_layer = layer.name.removeprefix(f"hst_{layer.skycell}_")
    for twin in cell_layers:
        same_kind = twin.name.removeprefix(f"hst_{twin.skycell}_") == kind_of_layer
        if same_kind and [m.ipppssoo for m in twin.members] == [m.ipppssoo for m in layer.members]:
            return twin
    return None
