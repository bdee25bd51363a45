"""Mosaics of a rectangle across sky cells: which exposures they are made of, and with which recipe.

A rectangle's pixels are those of its projection cell, and so of every fine mosaic in its sky cells. Where a rectangle
has the members of a sky cell's layer, it takes the recipe of that layer and, where its mosaic is recorded, its skies:
then the pixels are the same too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from mvmdb.errors import NothingViableError, ProductError, UsageError
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import ReconcileReport
from mvmdb.jobs.rounds import cell_members, make_layers, measure_mean
from mvmdb.layers.admission import left_out, stays
from mvmdb.layers.expected import expect_layers
from mvmdb.layers.recipes import LayerKind
from mvmdb.monitor import SILENT, Monitor
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import read_product
from mvmdb.mosaic.product.write import sweep_temporaries
from mvmdb.names import Kind, Scale, format_product_name
from mvmdb.records import Action, CellExposure, LayerJob, Member, MemberInput, Policy
from mvmdb.rectangles.geometry import Rectangle, areas_in_rectangle
from mvmdb.sky.layer import find_groups
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

Skies = Callable[[str, Sequence[str]], Mapping[str, float]]
"""Gives the recorded skies of a layer's members, by the layer's name and its members; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which mosaics of a rectangle are wanted: all scales that its layers have, or one; and whose skies are kept."""

    scale: Scale | None = None
    skies: Skies = field(default=lambda _layer, _members: {})


def make_rectangle(
    exposures: Sequence[CellExposure],
    rectangle: Rectangle,
    products: Path,
    policy: Policy,
    wanted: Wanted,
    *,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> ReconcileReport:
    """Make the mosaics of a rectangle from those of these exposures that it holds, in `products/<its name>/`.

    One mosaic for each instrument, detector and filter, and scale. Raises NothingViableError where no exposure
    overlaps the rectangle, UsageError where another rectangle's mosaic, or another file, has a mosaic's name.
    """
    started = monotonic()
    report = ReconcileReport()
    folder = products / rectangle.name
    plan = partial(_plan, exposures, rectangle, folder, policy, wanted)
    todo = plan(set())
    if not todo:
        raise NothingViableError(
            f"none of {len(exposures)} exposures overlaps {rectangle.canvas} of projection cell "
            f"{rectangle.projection_cell}; choose another rectangle",
            only_small=False,
        )
    with claim_folder(products), open_workers(workers) as opened:
        for job in todo:
            _check_target(job)
        monitor.plan_known(len(todo))
        sweep_temporaries(folder)
        make_layers(todo, plan, opened, report, monitor)
        sweep_temporaries(folder)
        write_manifest(folder, rectangle.name)
    report.seconds = round(monotonic() - started, 3)
    return report


def _plan(
    exposures: Sequence[CellExposure],
    rectangle: Rectangle,
    folder: Path,
    policy: Policy,
    wanted: Wanted,
    empty: set[str],
) -> list[LayerJob]:
    viable = [
        exposure
        for exposure in sorted(exposures, key=lambda e: e.ipppssoo)
        if exposure.ipppssoo not in empty
        and not left_out(exposure.instrument, exposure.detector, exposure.kind, policy)
    ]
    by_kind: dict[LayerKind, list[CellExposure]] = {}
    for exposure in viable:
        by_kind.setdefault((exposure.instrument, exposure.detector, exposure.filter), []).append(exposure)
    found: list[LayerJob] = []
    for kind, group in sorted(by_kind.items()):
        areas, _ = areas_in_rectangle(rectangle, [e.s_region for e in group])
        inside = [e for e, area in zip(group, areas.tolist(), strict=True) if area > 0.0]
        if inside:
            is_flc = np.array([e.kind == "flc" for e in inside])
            staying = stays(np.zeros(len(inside), dtype=np.int64), is_flc).tolist()
            members = [e for e, stay in zip(inside, staying, strict=True) if stay]
            found += _jobs(kind, members, viable, rectangle, folder, policy, wanted)
    return found


def _jobs(
    kind: LayerKind,
    members: Sequence[CellExposure],
    viable: Sequence[CellExposure],
    rectangle: Rectangle,
    folder: Path,
    policy: Policy,
    wanted: Wanted,
) -> list[LayerJob]:
    twin = _find_twin(kind, members, viable, rectangle, policy)
    if twin is None:
        areas, union = areas_in_rectangle(rectangle, [e.s_region for e in members])
        skycell, mean = "", float(areas.sum()) / union
    else:
        skycell, mean = twin
    regions = {e.ipppssoo: e.s_region for e in members}
    groups = find_groups(rectangle.projection_cell, regions)
    parts = [Member(e.ipppssoo, e.pixels, e.wcs_digest, groups[e.ipppssoo]) for e in members]
    file_kind: Kind = members[0].kind
    jobs = []
    for layer in expect_layers(rectangle.name, kind, parts, rectangle.canvas, mean, file_kind, policy.errors):
        if wanted.scale not in (None, layer.recipe.scale):
            continue
        twin_name = layer.name.replace(rectangle.name, skycell)
        skies = wanted.skies(twin_name, [e.ipppssoo for e in members]) if skycell else {}
        inputs = tuple(
            MemberInput(
                e.ipppssoo, e.path, e.pixels, e.pixel_digest, e.wcs_digest, groups[e.ipppssoo],
                sky=skies.get(e.ipppssoo) if layer.recipe.sky_match else None,
            )
            for e in members
        )  # fmt: skip
        target = folder / format_product_name(layer.name, file_kind)
        jobs.append(
            LayerJob(
                layer.name, Action.DRIZZLE, file_kind, layer.canvas, layer.recipe, layer.recipe_digest, inputs,
                str(target),
            )
        )  # fmt: skip
    return jobs


def _find_twin(
    kind: LayerKind,
    members: Sequence[CellExposure],
    viable: Sequence[CellExposure],
    rectangle: Rectangle,
    policy: Policy,
) -> tuple[str, float] | None:
    """The sky cell, and its layer's mean exposures, whose layer of this kind has these very members; None without."""
    own = [e for e in viable if (e.instrument, e.detector, e.filter) == kind]
    for cell in rectangle.cells:
        groups, areas = cell_members(cell, own, policy)
        group = groups.get(kind, [])
        if [member.ipppssoo for member in group] == [e.ipppssoo for e in members]:
            regions = {e.ipppssoo: e.s_region for e in members}
            return str(cell), measure_mean(cell, regions, areas)
    return None


def _check_target(job: LayerJob) -> None:
    """Refuse to write over another rectangle's mosaic of the same name, or somebody's file."""
    if not Path(job.target).exists():
        return
    try:
        canvas = read_product(job.target).canvas
    except ProductError as error:
        raise UsageError(
            f"{job.target} is there, and is no mosaic of mvmdb's ({error}); give -o another folder"
        ) from error
    if canvas != job.canvas:
        raise UsageError(
            f"{job.target} is there, of the rectangle {canvas}; expected {job.canvas}: give -o another folder"
        )
