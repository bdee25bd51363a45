"""Steps of the sky and flagged cosmic rays where the mean depth of a layer is below 1.5.

Two exposures overlap by a part, and their skies differ by 3.7 times the noise. Each has cosmic rays that DQ flags, some
of which the other one sees without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_pixels
from generated import Block
from mosaic_field import Field, depth_of

from conformance.accuracy.pictures import PIXEL_AREA
from conformance.accuracy.ways import NOT_RUN, WAYS, Setting, complete, make_all, only_fine, pipeline_name, table

SIDE = 128
NOISE, STEP = 0.05, 0.185
COSMIC_RAY, RAY = 8192, 300.0
PIXELS_PER_RAY = 400
ROWS = (
    "share of the exposed area with both exposures", "step of the sky, in sigma of an exposure",
    "pixels of the overlap where a flagged cosmic ray shines", "exposed pixels",
)  # fmt: skip


def measure(setting: Setting, *, side: int = SIDE) -> Iterator[Block]:
    """The table of steps and cosmic rays."""
    folder = setting.below("shallow")
    paths = [
        write(folder, name, side, east, sky, seed)
        for seed, (name, east, sky) in enumerate((("aa", 0.0, 1.0), ("bb", -0.08 * side, 1.0 + STEP)))
    ]
    made = make_all(folder, setting)
    columns = [judge(only_fine(made[way]), paths) if made[way] else dict.fromkeys(ROWS, NOT_RUN) for way in WAYS]
    yield "shallow", table(["two exposures, mean depth below 1.5", *WAYS], [
        [name, *(column[name] for column in columns)] for name in ROWS
    ])  # fmt: skip


def write(folder: Path, name: str, side: int, east: float, sky: float, seed: int) -> Path:
    """An exposure with a flat sky and flagged cosmic rays."""
    rng = np.random.default_rng(seed)
    flags = np.zeros((side, side), int)
    flags.ravel()[rng.choice(side * side, side * side // PIXELS_PER_RAY, replace=False)] = COSMIC_RAY
    path = Field(folder).expose(
        name, east=east, sky=sky, noise=NOISE, shape=(side, side), orientat=0.0, dq=flags,
        filename=pipeline_name(f"ib6o04{name}"),
    )  # fmt: skip
    with fits.open(path) as hdus:
        picture = hdus["SCI", 1].data.copy()
    picture[flags > 0] += RAY
    set_pixels(path, picture)
    return complete(path)


def judge(product: Path, paths: Sequence[Path]) -> dict[str, str]:
    """The cells of one way's column."""
    with fits.open(product) as hdus:
        wcs = WCS(hdus["SCI"].header)
        science = np.where(hdus["WHT"].data > 0, hdus["SCI"].data, np.nan) * PIXEL_AREA
    depth = depth_of(paths, wcs, science.shape)
    first = depth_of(paths[:1], wcs, science.shape) == 1
    alone = [science[(depth == 1) & side] for side in (first, ~first)]
    step = abs(np.nanmedian(alone[0]) - np.nanmedian(alone[1])) / NOISE
    shining = np.count_nonzero(science[depth == 2] > 2.0)
    share = (depth == 2).sum() / (depth > 0).sum()
    cells = (f"{share:.1%}", f"{step:.2f}", str(shining), f"{np.isfinite(science).sum():,}")
    return dict(zip(ROWS, cells, strict=True))
