"""What the mosaics of a rectangle should be made of: exposures, recipes and kept skies.

A rectangle's pixel grid is that of its projection cell, which all fine mosaics of its sky cells share. If a rectangle
has the same members as a layer of a sky cell, it takes that layer's recipe and, if the layer's mosaic is recorded, its
skies, so that the values of the pixels are identical too. Where layers take their skies from the archive's solution, a
rectangle does too, so that it agrees with all sky cells that it meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvmdb.jobs.drizzle_jobs import drizzle_job
from mvmdb.layers.expect import Frame, expect_cell_layers, expect_layers, with_recipe
from mvmdb.names import Scale
from mvmdb.recipe import Recipe
from mvmdb.records import CellExposure, ExpectedLayer, LayerJob, Policy
from mvmdb.rectangles.geometry import Rectangle, overlaps_with, united_area

Skies = Callable[[str, Sequence[str]], Mapping[str, float]]
"""Returns the recorded skies (electrons/s/arcsec^2) of a layer's members by ipppssoo, or nothing if there are none.

Its arguments are the layer's name and the ipppssoo of the members.
"""


@dataclass(frozen=True, slots=True)
class RectangleOptions:
    """Which mosaics of a rectangle to make, and how.

    `scale`: the only scale to make (None: all scales of its layers). `skies`: returns the skies to keep. `adjust`:
    returns the recipe to use for a layer (name) instead of the one that it would get. `solved`: returns what the
    archive's solution says of exposures (ipppssoo), as far as it is known: electrons/s/arcsec^2.
    """

    scale: Scale | None = None
    skies: Skies = field(default=lambda _layer, _members: {})
    adjust: Callable[[str, Recipe], Recipe] = field(default=lambda _layer, recipe: recipe)
    solved: Callable[[Sequence[str]], Mapping[str, float]] = field(default=lambda _members: {})


def plan_rectangle(
    exposures: Sequence[CellExposure],
    rectangle: Rectangle,
    folder: Path,
    policy: Policy,
    options: RectangleOptions,
    refused: set[str],
) -> list[LayerJob]:
    """The jobs of a rectangle's layers, which go into `folder`, from exposures that are not in `refused` (ipppssoo).

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
        if options.scale not in (None, layer.recipe.scale):
            continue
        twin = _find_twin(layer, cell_layers)
        skies: Mapping[str, float] = {}
        like = twin or _find_matched(layer, cell_layers) or layer
        recipe = options.adjust(layer.name, like.recipe)
        members = [member.ipppssoo for member in layer.members]
        if recipe.takes_solved_skies:
            skies = options.solved(members)
        elif twin is not None:
            skies = options.skies(twin.name, members)
        jobs.append(drizzle_job(with_recipe(layer, recipe), by_name, folder, skies))
    return jobs


def _find_twin(layer: ExpectedLayer, cell_layers: Sequence[ExpectedLayer]) -> ExpectedLayer | None:
    """The first sky cell layer of the same obsmode and scale with the same members; None if there is none."""
    for twin in _of_same_mode(layer, cell_layers):
        if [m.ipppssoo for m in twin.members] == [m.ipppssoo for m in layer.members]:
            return twin
    return None


def _find_matched(layer: ExpectedLayer, cell_layers: Sequence[ExpectedLayer]) -> ExpectedLayer | None:
    """The first sky cell layer of the same obsmode and scale that takes its skies from the archive's solution, if any.

    A rectangle that is less deep is made like it, as there would be a step to its sky cells otherwise.
    """
    return next((one for one in _of_same_mode(layer, cell_layers) if one.recipe.takes_solved_skies), None)


def _of_same_mode(layer: ExpectedLayer, cell_layers: Sequence[ExpectedLayer]) -> Iterator[ExpectedLayer]:
    suffix = layer.name.removeprefix(f"hst_{layer.skycell}_")
    return (one for one in cell_layers if one.name.removeprefix(f"hst_{one.skycell}_") == suffix)
