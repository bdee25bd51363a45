"""How well shifts of pairs are measured: many pairs of real exposures, with shifts of 0 to 3 pixels injected.

    python bench/shifts.py [--exposures FOLDER] [--rounds 4] [--cosmic-rays 2000]

The exposures are the images of the ERS field that the shared data hold (`make_ers_flts.py` writes them to a folder).
In each round every exposure gets noise of its own, half of that which it has, and cosmic rays that DQ knows nothing of;
its header is moved, and the pairs are measured as a run measures them. Printed are, by the number of common sources,
how far shifts are off, in pixels and in units of their errors; and of pairs whose files lie half a pixel apart or more,
how many are flagged, of those that agree, how many are flagged falsely, and how many could not be measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from time import process_time

import numpy as np
from astropy.io import fits

from mvmdb.alignment.shifts.measure import choose_overlaps, measure_overlaps
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.agreement import TOGETHER
from mvmdb.records import ShiftExposure
from mvmdb.workers.processes import IN_THIS_PROCESS

SHARED = Path(__file__).resolve().parents[2] / "shared"
FILTERS = ("F125W", "F140W")
BOUNDS = (4, 8, 16, 32, 64, 1000)


@dataclass(frozen=True)
class Measured:
    """A pair: the true shift and the measured one (None: too few sources), its error, all in pixels."""

    true: complex
    found: complex | None
    error: float
    n_sources: int

    @property
    def flagged(self) -> bool:
        """Whether it is said to lie apart."""
        return self.found is not None and abs(self.found) >= TOGETHER


def main() -> None:
    """Print the figures without cosmic rays and with them."""
    parser = argparse.ArgumentParser(description="measures shifts of many pairs")
    parser.add_argument("--exposures", type=Path, help="a folder of FLTs; else they are made of the shared data")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--cosmic-rays", type=int, default=2000, help="in each exposure, not flagged")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = chosen.exposures or make_exposures(Path(folder) / "ers")
        for hits in (0, chosen.cosmic_rays):
            started = process_time()
            pairs = [
                pair
                for number in range(chosen.rounds)
                for pair in measure_round(source, Path(folder) / f"{hits}-{number}", number, hits)
            ]
            print(f"{hits} cosmic rays in each exposure, {len(pairs)} pairs, {process_time() - started:.0f} s")
            report(pairs)


def make_exposures(folder: Path) -> Path:
    """The FLTs of the ERS field, in a new folder."""
    tool = SHARED / "tools" / "make_ers_flts.py"
    subprocess.run([sys.executable, str(tool), str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def measure_round(source: Path, folder: Path, number: int, hits: int) -> Iterator[Measured]:
    """The pairs of one round, each exposure moved by 0 or by 0.5 to 3 pixels."""
    folder.mkdir()
    rng = np.random.default_rng(number)
    moved: dict[str, complex] = {}
    by_filter: dict[str, list[ShiftExposure]] = {}
    for path in sorted(source.glob("*_flt.fits")):
        if fits.getval(path, "FILTER") not in FILTERS:
            continue
        target = folder / path.name
        length = rng.choice([0.0, rng.uniform(0.5, 3.0)])
        shift = complex(length * np.exp(2j * np.pi * rng.random()))
        pixel = write_moved(path, target, shift, hits, rng)
        exposure = read_exposure(target).exposure
        moved[exposure.ipppssoo] = shift
        by_filter.setdefault(exposure.filter, []).append(
            ShiftExposure(
                0, exposure.ipppssoo, str(target), exposure.pixels, exposure.wcs_digest or "", exposure.s_region
            )
        )
    for exposures in by_filter.values():
        chosen = [one for pair in combinations(exposures, 2) for one in choose_overlaps(pair)]
        for pair in measure_overlaps(chosen, IN_THIS_PROCESS):
            true = moved[pair.second] - moved[pair.first]
            if pair.dx is None or pair.dy is None or pair.error is None:
                yield Measured(true, None, 0.0, pair.n_sources)
            else:
                yield Measured(true, complex(pair.dx, pair.dy) / pixel, pair.error / pixel, pair.n_sources)


def write_moved(source: Path, target: Path, shift: complex, hits: int, rng: np.random.Generator) -> float:
    """Write an exposure with more noise, cosmic rays and its header moved by pixels; return the size of its pixels."""
    with fits.open(source) as hdus:
        science, header = hdus["SCI", 1].data, hdus["SCI", 1].header
        science += 0.5 * hdus["ERR", 1].data * rng.standard_normal(science.shape)
        rows, columns = (rng.integers(2, side - 2, hits) for side in science.shape)
        for _ in range(3):  # tracks of one to three pixels
            science[rows, columns] += rng.exponential(3.0, hits)
            rows, columns = rows + rng.integers(0, 2, hits), columns + rng.integers(0, 2, hits)
            keep = rng.random(hits) < 0.5
            rows, columns, hits = rows[keep], columns[keep], int(keep.sum())
        pixel = float(header["IDCSCALE"])
        header["CRVAL1"] += shift.real * pixel / 3600 / np.cos(np.radians(header["CRVAL2"]))
        header["CRVAL2"] += shift.imag * pixel / 3600
        hdus.writeto(target)
    return pixel


@dataclass(frozen=True)
class Precision:
    """Measured pairs with `low` to `high` common sources: how many, and how far off, in pixels and in their errors."""

    low: int
    high: int
    pairs: int
    median: float
    most: float
    sigmas: float


@dataclass(frozen=True)
class Flagged:
    """Of `pairs` pairs, how many have too few sources, and how many of the others are flagged as apart."""

    pairs: int
    too_few: int
    flagged: int

    @property
    def measured(self) -> int:
        return self.pairs - self.too_few


def precision_of(pairs: Sequence[Measured]) -> list[Precision]:
    """How well shifts are recovered, by the number of common sources."""
    found = []
    for low, high in pairwise(BOUNDS):
        some = [pair for pair in pairs if pair.found is not None and low <= pair.n_sources < high]
        if some:
            off = np.array([abs(pair.found - pair.true) for pair in some if pair.found is not None])
            sigmas = np.sqrt(np.mean([(o / p.error) ** 2 / 2 for o, p in zip(off, some, strict=True)]))
            most = float(np.quantile(off, 0.95))
            found.append(Precision(low, high - 1, len(some), float(np.median(off)), most, float(sigmas)))
    return found


def flagged_of(pairs: Sequence[Measured]) -> tuple[Flagged, Flagged]:
    """Of pairs that lie apart by half a pixel or more, and of those that lie together."""
    apart = [pair for pair in pairs if abs(pair.true) >= 0.5]
    together = [pair for pair in pairs if abs(pair.true) < 0.1]
    first, second = (
        Flagged(len(some), sum(pair.found is None for pair in some), sum(pair.flagged for pair in some))
        for some in (apart, together)
    )
    return first, second


def report(pairs: Sequence[Measured]) -> None:
    """Print the figures of pairs."""
    for one in precision_of(pairs):
        print(
            f"  {one.low:3d} to {one.high:3d} sources: {one.pairs:4d} pairs, off by {one.median:.3f} pixels in the "
            f"median, {one.most:.3f} in 95%, {one.sigmas:.2f} times their errors"
        )
    for name, some in zip(("apart by half a pixel or more", "together"), flagged_of(pairs), strict=True):
        print(
            f"  {name}: {some.pairs} pairs, {some.too_few} with too few sources, "
            f"{some.flagged} of {some.measured} flagged ({100 * some.flagged / max(some.measured, 1):.2f}%)"
        )


if __name__ == "__main__":
    main()
