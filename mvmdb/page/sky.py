"""The files that show the whole sky and its parts by HEALPix pixels, before sky cells can be told apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from mvmdb.catalog.ask.page.exposures import MappedExposures
from mvmdb.page.tallies import IntArray, script, tally
from mvmdb.page.tree import PageTree
from mvmdb.sky.pixels import nested_pixels

COARSE, FINE, TILE = 5, 9, 3
"""Orders of HEALPix: of the whole sky's pixels (1.8 degrees), of the finest (6.9 arcmin), of a file of the latter."""
PROGRAMS_PER_FILE = 100
_PLAIN = re.compile(r"[a-z0-9-]{1,40}")


def write_sky(tree: PageTree, exposures: MappedExposures) -> dict[str, Any]:
    """Write the tallies by pixels; returns what the index has to say of them."""
    everyone = np.flatnonzero(np.isfinite(exposures.ra) & np.isfinite(exposures.dec))
    fine = nested_pixels(FINE, exposures.ra, exposures.dec)
    coarse = fine >> (2 * (FINE - COARSE))
    month = exposures.month[everyone]
    dated = month[month >= 0]

    def of(chosen: IntArray, key: IntArray, **by: bool) -> dict[str, Any]:
        return tally(exposures, chosen, key[chosen], exposures.stale[chosen], exposures.mixed[chosen], **by)

    tree.put("data/sky/all.js", script("sky/all", of(everyone, coarse, by_filter=False, by_program=False)))
    filters = []
    for number, chosen in _groups(exposures.filter, everyone):
        name = exposures.filters[number]
        stem = _stem(name)
        tree.put(
            f"data/sky/f-{stem}.js", script(f"sky/f-{stem}", of(chosen, coarse, by_filter=False, by_program=False))
        )
        filters.append([name, stem, len(chosen)])
    for number, chosen in _groups(exposures.program // PROGRAMS_PER_FILE, everyone):
        tree.put(f"data/programs/{number}.js", script(f"programs/{number}", of(chosen, coarse)))
    tiles = []
    first = fine >> (2 * (FINE - TILE)) << (2 * (FINE - TILE))
    for number, chosen in _groups(fine >> (2 * (FINE - TILE)), everyone):
        tiles.append(number)
        tree.put(f"data/tiles/{number}.js", script(f"tiles/{number}", of(chosen, fine - first)))
    return {
        "sky": of(everyone, coarse, by_filter=False, by_month=False, by_program=False),
        "filters": filters,
        "tiles": tiles,
        "programs": np.unique(exposures.program[everyone] // PROGRAMS_PER_FILE).tolist(),
        "months": [int(dated.min()), int(dated.max())] if len(dated) else None,
    }


def _groups(key: IntArray, chosen: IntArray) -> Iterator[tuple[int, IntArray]]:
    """The chosen places by their key, in increasing order of it."""
    order = chosen[np.argsort(key[chosen], kind="stable")]
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(order)]):
        yield int(key[order[start]]), np.sort(order[start:stop])


def _stem(name: str) -> str:
    """The name of a filter's file: the filter's, unless it could not be a file's everywhere."""
    return name if _PLAIN.fullmatch(name) else "x-" + hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]
