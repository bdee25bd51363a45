"""The files of footprints: each exposure is in one file, that of the first projection cell with a layer of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvmdb.catalog.ask.page.exposures import MappedExposures
from mvmdb.catalog.ask.page.places import Place
from mvmdb.page.tallies import IntArray, script
from mvmdb.page.tree import PageTree
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.tessellation import sky_to_plane

PER_FILE = 1000


def write_prints(tree: PageTree, place: Place, exposures: MappedExposures, seen: NDArray[np.bool_]) -> list[list[int]]:
    """Write the footprints of the exposures that are first seen here, and mark them in `seen`.

    Returns [x_min, x_max, y_min, y_max, number of exposures] of each file; corners are in fine pixels of the projection
    cell, as the corners of footprints in the files are.
    """
    cell_of = {row[0]: row[1] for row in place.layers}
    home: dict[int, int] = {}
    for layer, exposure in place.members:
        cell = cell_of[layer]
        home[exposure] = min(home.get(exposure, cell), cell)
    new = list(zip(*find_new(place, exposures, seen), strict=True))
    new.sort(key=lambda pair: (home.get(pair[0][0], 0), pair[0][1]))
    listed = []
    for number, first in enumerate(range(0, len(new), PER_FILE)):
        some = new[first : first + PER_FILE]
        at = np.array([place for _, place in some])
        seen[at] = True
        key = f"prints/p{place.projection_cell:04d}-{number}"
        value, box = _file(place.projection_cell, [row for row, _ in some], at, exposures)
        listed.append([*box, len(some)])
        tree.put(f"data/{key}.js", script(key, value))
    return listed


def find_new(
    place: Place, exposures: MappedExposures, seen: NDArray[np.bool_]
) -> tuple[list[tuple[Any, ...]], list[int]]:
    """The exposures with a footprint that are first seen here: their rows in `place`, and their places."""
    places = exposures.places(np.array([row[0] for row in place.exposures], np.int64)).tolist()
    chosen = [n for n, at in enumerate(places) if at >= 0 and not seen[at] and place.exposures[n][11]]
    return [place.exposures[n] for n in chosen], [places[n] for n in chosen]


def _file(
    p: int, rows: list[tuple[Any, ...]], at: IntArray, exposures: MappedExposures
) -> tuple[dict[str, Any], list[int]]:
    """The content of a file, and the box about its corners."""
    footprints = Footprints.from_regions([row[11] for row in rows])
    x, y = (np.rint(values).astype(np.int64) for values in sky_to_plane(p, footprints.ra, footprints.dec))
    polygons: list[list[list[int]]] = [[] for _ in rows]
    # The first corner, and then steps from corner to corner: half the digits.
    flat = np.column_stack([x, y])
    steps = np.diff(flat, axis=0, prepend=flat[:1])
    firsts = footprints.polygon_start[:-1]
    steps[firsts] = flat[firsts]
    numbers, starts = steps.ravel().tolist(), (2 * footprints.polygon_start).tolist()
    for owner, start, stop in zip(footprints.owner.tolist(), starts, starts[1:], strict=False):
        polygons[owner].append(numbers[start:stop])
    filters, programs = (np.unique(column[at], return_inverse=True) for column in (exposures.filter, exposures.program))
    value = {
        "p": p,
        "names": [row[1] for row in rows],
        "cameras": [f"{row[2]}/{row[3]}".upper() for row in rows],
        "targets": [row[8] for row in rows],
        "filters": [exposures.filters[number] for number in filters[0].tolist()],
        "programs": programs[0].tolist(),
        "f": filters[1].tolist(),
        "q": programs[1].tolist(),
        "m": exposures.month[at].tolist(),
        "t": exposures.milliseconds[at].tolist(),
        "frame": exposures.frame[at].tolist(),
        "s": exposures.stale[at].astype(int).tolist(),
        "x": exposures.mixed[at].astype(int).tolist(),
        "starts": [None if row[6] is None else round(row[6], 4) for row in rows],
        "polygons": polygons,
    }
    return value, [int(x.min()), int(x.max()), int(y.min()), int(y.max())]
