"""Errors of the skies of overlapping exposures, against known ones and at the seams of real exposures.

Two exposures whose skies differ by OFFSET are drizzled: of a galaxy that fills them, one of them with a strip of the
detector lost, and of a crowd of stars, one short and one long. What the mosaics say was subtracted (MDRIZSKY) tells the
offset. Of real exposures, the seam of a pair is the mean difference of their pixels where they overlap.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from generated import Block
from mosaic_field import Field
from skysources import crowd, galaxy, paint, seam, sparse_against_all

from conformance.accuracy.pictures import draw_galaxy
from conformance.accuracy.ways import (
    NOT_RUN,
    WAYS,
    Setting,
    complete,
    make_all,
    only_fine,
    pipeline_name,
    subtracted,
    table,
)  # fmt: skip

SIDE = 300
SKY, OFFSET = 1.0, 0.3  # electrons/s of a detector pixel
NOISE = 0.0625
Products = Mapping[str, Mapping[str, Path]]


def bright_galaxy(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """A disc of up to 12 electrons/s a pixel, 190 times the noise."""
    return np.asarray(3 * galaxy(ra, dec))


def measure(setting: Setting, *, side: int = SIDE, real: bool = True) -> Iterator[Block]:
    """The tables of offsets, of the seams of real exposures, and of sparse pairs; the picture of the galaxy."""
    galaxies = make_all(write_galaxies(setting.below("galaxy"), side), setting)
    crowds = make_all(write_crowds(setting.below("crowd"), side), setting)
    rows = [
        ["a galaxy that fills both exposures", *errors_of(galaxies)],
        ["a crowd of stars, 30 s beside 2,000 s", *errors_of(crowds)],
    ]
    yield "offsets", table(["error of the offset, electrons/s a pixel", *WAYS], rows)
    drawn = {way: only_fine(made) for way, made in galaxies.items() if made}
    draw_galaxy(drawn, bright_galaxy, SKY, setting.figures / "galaxy-seam.png")
    if real:
        yield "seams", measure_seams(setting)
    ratios = [sparse_against_all(n) for n in (25, 100, 700)]
    named = zip(("mean of two exposures", "worst two"), zip(*ratios, strict=True), strict=True)
    rows = [[name, *(f"{ratio:.2f}" for ratio in some)] for name, some in named]
    yield "sparse", table(["error by chosen pairs over that by all", "25 exposures", "100", "700"], rows)


def write_galaxies(folder: Path, side: int) -> Path:
    """Two exposures of a galaxy, one with a part of the detector that the other has not lost in the same place."""
    flags = np.zeros((side, side), int)
    flags[:, side // 2 : 2 * side // 3] = 4
    for name, sky, seed, options in (
        ("aa", SKY, 1, {"dq": flags}),
        ("bb", SKY + OFFSET, 2, {"east": 0.02 * side, "north": 0.0133 * side}),
    ):
        paint(_expose(folder, name, side, **options), bright_galaxy, sky, NOISE, seed)
    return folder


def write_crowds(folder: Path, side: int) -> Path:
    """Two exposures of a crowd of stars."""
    for name, exptime, sky, noise, seed in (("cc", 30.0, 1.0, 0.45, 3), ("dd", 2000.0, 1.0 + OFFSET, 0.02, 4)):
        path = _expose(folder, name, side, exptime=exptime, east=1.3 if name == "dd" else 0.0)
        paint(path, crowd, sky, noise, seed)
    return folder


def _expose(folder: Path, name: str, side: int, **options: Any) -> Path:
    path = Field(folder).expose(name, shape=(side, side), filename=pipeline_name(f"ib6o04{name}"), **options)
    return complete(path)


def errors_of(made: Products) -> list[str]:
    """The error of the offset of two exposures by each way."""
    cells = []
    for way in WAYS:
        skies = sorted(subtracted(only_fine(made[way])).items()) if made[way] else []
        cells.append(f"{abs(skies[1][1] - skies[0][1] - OFFSET):.4f}" if skies else NOT_RUN)
    return cells


def measure_seams(setting: Setting) -> str:
    """The table of what is left between real exposures of one visit."""
    folder = setting.below("ers")
    maker = [sys.executable, str(setting.shared / "tools/make_ers_flts.py"), str(folder)]
    subprocess.run([*maker, "--names", "svm", "--visits", "04"], check=True, stdout=subprocess.DEVNULL)
    for path in folder.glob("*_g141_*"):
        path.unlink()
    names = {fits.getheader(path)["ROOTNAME"][:8]: path for path in sorted(folder.glob("*_flt.fits"))}
    found = {pair: seam(names[pair[0]], names[pair[1]]) for pair in itertools.combinations(sorted(names), 2)}
    made = make_all(folder, setting)
    cells = []
    for way in WAYS:
        if not made[way]:
            cells.append(NOT_RUN)
            continue
        skies = subtracted(only_fine(made[way]))
        left = [difference - (skies[a] - skies[b]) for (a, b), difference in found.items()]
        cells.append(f"{np.sqrt(np.mean(np.square(left))):.5f}")
    title = f"rms of {len(found)} seams of {len(names)} real exposures, electrons/s a pixel"
    return table(["", *WAYS], [[title, *cells]])
