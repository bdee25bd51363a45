"""How far mosaics to which exposures are added one by one end from a rebuild: their level, and skies to one another.

drizzlepac keeps no state between runs: it drizzles all members anew each time, which is what a rebuild is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from archive import CELL, Archive
from generated import Block
from solvedfield import expose, mosaic, subtracted

from conformance.accuracy.ways import Setting, table
from mvmdb.catalog.configure import initialise
from mvmdb.recipe import Method

LAYER = f"hst_{CELL}_wfc3_uvis_f606w_all"
PIXEL_AREA = 0.03962000086903572**2
"""IDCSCALE^2 of WFC3/UVIS: from electrons/s/arcsec^2 to electrons/s of a pixel."""
NOISE = 0.05


def measure(setting: Setting, *, nights: int = 22, side: int = 400) -> Iterator[Block]:
    """The table of what is left of growth, of exposures with so many pixels along a side."""
    methods: tuple[Method, ...] = ("hap", "mvmdb")
    columns = [grow(setting.below(f"growth-{method}"), method, nights, side) for method in methods]
    rows = [[name, "0, by rebuilding", *(column[name] for column in columns)] for name in ROWS]
    rows[-1][1] = f"drizzle {nights}"
    yield "growth", table([f"{nights} exposures one by one, less a rebuild", "drizzlepac", "hap", "mvmdb"], rows)


ROWS = (
    "pedestal, in sigma of the mosaic", "largest difference of a pixel, in sigma of the mosaic",
    "largest difference of skies to one another, in sigma of an exposure", "actions",
)  # fmt: skip


def grow(folder: Path, method: Method, nights: int, side: int) -> dict[str, str]:
    """The cells of one method's column."""
    archive = Archive(folder, str(folder / "mvm.db"))
    initialise(archive.address, method=method)
    rng = np.random.default_rng(2)
    actions: Counter[str] = Counter()
    for number in range(nights):
        east, north = (rng.uniform(-0.01, 0.01, 2) * side).tolist()  # a quarter of the exposure at most
        sky = float(rng.uniform(0.9, 1.1))
        expose(archive, number, east, north, sky, noise=NOISE, side=side, detector="UVIS", exptime=100.0)
        report = archive.night().reconcile
        if report.failed:
            raise SystemExit(f"{report.failed} layers failed in night {number}; expected none")
        actions.update(str(one.action) for one in report.layers)
    grown, skies = mosaic(archive, LAYER), subtracted(archive, LAYER)
    archive.reconcile(full=True, resky=True)
    rebuilt, solved = mosaic(archive, LAYER), subtracted(archive, LAYER)
    deep = rebuilt.weight > 0.5 * rebuilt.weight.max()
    sigma = rebuilt.science[deep].std()
    off = (grown.science - rebuilt.science)[np.isfinite(rebuilt.science)] / sigma
    steps = np.array([skies[name] - solved[name] for name in solved]) * PIXEL_AREA / NOISE
    numbers = (float(np.median(off)), float(abs(off).max()), float(abs(steps - np.median(steps)).max()))
    said = ", ".join(f"{action} {count}" for action, count in sorted(actions.items()))
    return dict(zip(ROWS, (*(f"{round(number, 4) + 0.0:.4f}" for number in numbers), said), strict=True))
