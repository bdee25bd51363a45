"""Predicts how long the whole archive's layers take on many workers, from costs that are measured here first.

    python bench/scaling.py [--workers 100] [--storage 2,10] [--layers 1900000] [--deep 300] [--seed 1] [--db URL]
                            [--method hap|mvmdb]

Layers are drawn from those of a synthetic archive (see synthetic.py), by the real rule of membership. That archive has
no deep layers, so some are added. Costs are measured in one process (see costs.py) or given as options; queue_model.py
computes the rest. With given costs, the same seed gives the same answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from costs import Costs, measure_costs
from numpy.typing import NDArray
from queue_model import simulate
from synthetic import CAMERAS, make_batches

from mvmdb.exposures.batch import ExposureBatch
from mvmdb.mosaic.skies.choose import FEW
from mvmdb.names import CELLS_PER_PROJECTION_CELL
from mvmdb.sky.membership import find_members

MPIX = (16.8, 1.03, 16.8, 1.05, 1.05)  # per exposure, in the order of CAMERAS
READ = 6  # bytes of SCI and DQ per pixel
WRITTEN = 8  # bytes of SCI and WHT per pixel
IR = 1
_FILTERS = 16  # at most, per camera
PAIRS_EACH = 3.4  # measured for each of many exposures by the method mvmdb (mvmdb/mosaic/skies/choose.py)
_DEEP = (100, 2000)  # members of deep layers, evenly in the logarithm, all overlapping


@dataclass(frozen=True)
class Layers:
    """All layers of the archive: members, megapixels of an exposure and of the canvas, overlapping pairs."""

    members: NDArray[np.int64]
    mpix: NDArray[np.float64]
    canvas: NDArray[np.float64]
    pairs: NDArray[np.float64]


def make_layers(exposures: int, seed: int) -> Layers:
    """The layers of a synthetic archive, in the order of a plan: sky cell by sky cell."""
    key, boxes = (np.concatenate(parts) for parts in zip(*_memberships(exposures, seed), strict=True))
    order = np.argsort(key, kind="stable")
    key, boxes = key[order], boxes[order]
    layer, start, members = np.unique(key, return_index=True, return_counts=True)
    cell_of_row = key // (len(CAMERAS) * _FILTERS)
    _, cell_start, cell_number = np.unique(cell_of_row, return_index=True, return_inverse=True)
    low, high = np.minimum.reduceat(boxes, cell_start)[:, [0, 2]], np.maximum.reduceat(boxes, cell_start)[:, [1, 3]]
    canvas = np.prod(high - low + 1.0, axis=1)[cell_number[start]] / 1e6
    camera = layer // _FILTERS % len(CAMERAS)
    pairs = _count_pairs(boxes, start, members)
    fine = Layers(members, np.array(MPIX)[camera], canvas, pairs)
    scales = np.where(camera == IR, 2, 1)  # WFC3/IR has a coarse layer too, of a ninth of the pixels
    again = np.repeat(np.arange(len(layer)), scales)
    coarse = np.concatenate([[False], again[1:] == again[:-1]])
    return Layers(
        fine.members[again], fine.mpix[again], np.where(coarse, 1 / 9, 1.0) * fine.canvas[again], fine.pairs[again]
    )


def draw_layers(mix: Layers, n: int, deep: int, seed: int) -> Layers:
    """Draw n layers from a mix; `deep` of them, at random positions, get hundreds of members."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.integers(0, len(mix.members), n))
    members, mpix, canvas, pairs = (column[chosen] for column in (mix.members, mix.mpix, mix.canvas, mix.pairs))
    deepened = rng.choice(n, deep, replace=False)
    members[deepened] = np.exp(rng.uniform(*np.log(_DEEP), deep)).astype(int)
    pairs[deepened] = members[deepened] * (members[deepened] - 1) / 2
    return Layers(members, mpix, canvas, pairs)


def _memberships(exposures: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each membership of an eligible exposure: a key of its layer, ordered by sky cell, and its box in the cell."""
    cameras = {camera[:2]: number for number, camera in enumerate(CAMERAS)}
    for batch in make_batches(exposures, seed):
        layer = np.array([_layer_number(batch, n, cameras) for n in range(batch.n)])
        m = find_members(batch.footprints)
        eligible = np.array(batch.columns["eligible"])[m.exposure]
        cell = m.projection_cell.astype(np.int64) * CELLS_PER_PROJECTION_CELL + m.y * 21 + m.x
        key = cell * (len(CAMERAS) * _FILTERS) + layer[m.exposure]
        boxes = np.column_stack([m.x_min, m.x_max, m.y_min, m.y_max]).astype(np.int64)
        yield key[eligible], boxes[eligible]


def _layer_number(batch: ExposureBatch, n: int, cameras: dict[tuple[str, str], int]) -> int:
    camera = cameras[str(batch.columns["instrument"][n]), str(batch.columns["detector"][n])]
    return camera * _FILTERS + CAMERAS[camera][6].index(str(batch.columns["filters"][n]))


def _count_pairs(boxes: NDArray[np.int64], start: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.float64]:
    """The number of pairs of members whose boxes overlap, for each layer."""
    pairs = np.zeros(len(start))
    for number in np.flatnonzero(members > 1).tolist():
        x0, x1, y0, y1 = boxes[start[number] : start[number] + members[number]].T
        overlap = (x0[:, None] <= x1) & (x1[:, None] >= x0) & (y0[:, None] <= y1) & (y1[:, None] >= y0)
        pairs[number] = (overlap.sum() - members[number]) / 2
    return pairs


def thin_out(layers: Layers) -> Layers:
    """The layers with the pairs that the method mvmdb measures: all of a few members, `PAIRS_EACH` of many."""
    few = np.where(layers.members <= FEW, layers.pairs, PAIRS_EACH * layers.members)
    return replace(layers, pairs=np.minimum(layers.pairs, few))


def work_of(layers: Layers, costs: Costs, action: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of work and bytes to move for each layer, if every layer needs this action."""
    canvas, exposure = layers.canvas, layers.mpix
    if action == "drizzle":
        seconds = layers.members * (costs.exposure + exposure * costs.input_mpix)
        seconds = seconds + layers.pairs * exposure * costs.pair_mpix + canvas * costs.canvas_mpix
        moved = layers.members * exposure * READ + canvas * WRITTEN
    else:
        seconds = canvas * costs.present_mpix
        moved = canvas * 2 * WRITTEN
        if action == "add":
            neighbours = 2 * layers.pairs / layers.members  # members that the new one overlaps are read to match skies
            seconds = seconds + costs.exposure + exposure * (costs.input_mpix + neighbours * costs.pair_mpix)
            moved = moved + (1 + neighbours) * exposure * READ
    return seconds + costs.layer, moved * 1e6


def describe(layers: Layers) -> str:
    """A summary of the archive in three lines."""
    tail = np.percentile(layers.members, [50, 90, 99, 100]).astype(int)
    return (
        f"{len(layers.members):,} layers; members of a layer: median {tail[0]}, 90% {tail[1]}, 99% {tail[2]}, "
        f"most {tail[3]:,}\n"
        f"canvas: median {np.median(layers.canvas):.0f} Mpix, all {layers.canvas.sum() / 1e6:.1f} Tpix "
        f"({layers.canvas.sum() * WRITTEN / 1e6:,.0f} TB of products)\n"
        f"to drizzle: {layers.members.sum() / 1e6:.1f} million exposures, "
        f"{(layers.members * layers.mpix).sum() / 1e6:.0f} Tpix"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=1_900_000)
    parser.add_argument("--deep", type=int, default=300, help="how many of them have 100 to 2000 members")
    parser.add_argument("--exposures", type=int, default=200_000, help="of the synthetic archive behind the layers")
    parser.add_argument("--method", choices=["hap", "mvmdb"], default="hap", help="how skies are matched")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", default="100", help="numbers of workers, separated by commas")
    parser.add_argument("--storage", default="2,10", help="bandwidths of the shared storage, GB/s, separated by commas")
    parser.add_argument("--link", type=float, default=1.0, help="bandwidth of each worker's link, GB/s")
    parser.add_argument("--db", metavar="URL", help="an empty database for measuring the coordinator (default: SQLite)")
    for field in fields(Costs):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=float, metavar="S", help="seconds (default: measured)"
        )
    options = parser.parse_args()
    given = {field.name: getattr(options, field.name) for field in fields(Costs)}
    if None in given.values():
        measured = measure_costs(options.db)
        given = {name: getattr(measured, name) if value is None else value for name, value in given.items()}
    costs = Costs(**given)
    print("costs, seconds: " + " ".join(f"--{name.replace('_', '-')} {value:.3g}" for name, value in given.items()))
    layers = draw_layers(make_layers(options.exposures, options.seed), options.layers, options.deep, options.seed)
    layers = layers if options.method == "hap" else thin_out(layers)
    print(describe(layers))
    print(f"{'action':9}{'workers':>8}{'GB/s':>6}{'hours':>9}{'computing':>11}{'moving':>8}{'idle':>6}  bound by")
    for action in ("drizzle", "add", "recanvas"):
        work, moved = work_of(layers, costs, action)
        for workers in map(int, options.workers.split(",")):
            for storage in map(float, options.storage.split(",")):
                outcome = simulate(
                    work, moved, workers=workers, bandwidth=storage * 1e9, link=options.link * 1e9, record=costs.record
                )
                bounds = ", ".join(f"{name} {seconds / 3600:.1f}" for name, seconds in outcome.bounds.items())
                print(
                    f"{action:9}{workers:>8}{storage:>6g}{outcome.seconds / 3600:>9.1f}{outcome.computing:>11.0%}"
                    f"{outcome.moving:>8.0%}{outcome.idle:>6.0%}  {outcome.bound_by} (hours at least: {bounds})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
