"""How far two mosaics of one layer are apart, as numbers; which numbers are good enough is run.py's to say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

CLIPS, SIGMAS = 8, 4.0
WHOLE = 1e-6  # pixels: how near to a whole number a shift of the canvas must be
WEIGHT_TARGET = 1e-4


@dataclass(frozen=True)
class Difference:
    """mvmdb minus drizzlepac, over the pixels that both expose, in units of `sigma` unless said.

    `sigma` is the deviation of drizzlepac's SCI about its median, clipped (electrons/s a pixel). `science` holds the
    median, 99th and 99.9th percentile and largest of |difference in SCI|, `weight` the same of |difference in WHT|
    relative to drizzlepac's, `weight_share` the share of pixels where that is over 1e-4. `only_peer`, `only_own` count
    pixels with weight in one of the two, `filled` those where drizzlepac's SCI is a number though its WHT is 0, and
    `own_nan` those where mvmdb's SCI is NaN though it has weight, or is not though it has none. `sky` is the largest
    difference of MDRIZSKY, as it enters SCI; `wcs` says what is not equal.
    """

    product: str
    shift: tuple[int, int]
    wcs: tuple[str, ...]
    pixels: int
    sigma: float
    science: tuple[float, float, float, float]
    weight: tuple[float, float, float, float]
    weight_share: float
    only_peer: int
    only_own: int
    filled: int
    own_nan: int
    sky: float


def compare_products(peer: Path, own: Path) -> Difference:
    """Compare drizzlepac's product with mvmdb's, on the canvas that both have."""
    with fits.open(peer) as theirs, fits.open(own) as ours:
        shift, faults = _compare_wcs(theirs["SCI"].header, ours["SCI"].header)
        here, there = _common(theirs["SCI"].shape, ours["SCI"].shape, shift)
        outside = _exposed_outside(theirs["WHT"].data, here), _exposed_outside(ours["WHT"].data, there)
        a, wa = (theirs[name].data[here].astype(np.float32) for name in ("SCI", "WHT"))
        b, wb = (ours[name].data[there].astype(np.float32) for name in ("SCI", "WHT"))
        skies = _sky_steps(theirs, ours)
    both = (wa > 0) & (wb > 0)
    sigma = clipped_deviation(a[both])
    science = np.abs(b[both].astype(np.float64) - a[both]) / sigma
    weight = np.abs(wb[both].astype(np.float64) / wa[both] - 1)
    return Difference(
        product=own.name,
        shift=shift,
        wcs=faults,
        pixels=int(both.sum()),
        sigma=sigma,
        science=_summary(science),
        weight=_summary(weight),
        weight_share=float((weight > WEIGHT_TARGET).mean()),
        only_peer=int(((wa > 0) & (wb == 0)).sum()) + outside[0],
        only_own=int(((wa == 0) & (wb > 0)).sum()) + outside[1],
        filled=int((np.isfinite(a) & (wa == 0)).sum()),
        own_nan=int((np.isnan(b) == (wb > 0)).sum()),
        sky=max(np.abs(skies), default=0.0) / sigma,
    )


def clipped_deviation(values: np.ndarray) -> float:
    """Standard deviation about the median, after leaving out 8 times what is over 4 deviations away."""
    kept = values[:: max(1, values.size // 2_000_000)].astype(np.float64)
    for _ in range(CLIPS):
        kept = kept[np.abs(kept - np.median(kept)) <= SIGMAS * kept.std()]
    return float(kept.std())


def _compare_wcs(theirs: fits.Header, ours: fits.Header) -> tuple[tuple[int, int], tuple[str, ...]]:
    """By how many whole pixels our canvas begins before theirs in x and y, and what else differs."""
    shifts = [ours[f"CRPIX{axis}"] - theirs[f"CRPIX{axis}"] for axis in (1, 2)]
    faults = [f"CRPIX{n} by {s}" for n, s in enumerate(shifts, 1) if abs(s - round(s)) > WHOLE]
    keys = ("CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
    faults += [k for k in keys if not np.isclose(ours[k], theirs.get(k, 0.0), rtol=1e-13, atol=0)]
    faults += [k for k in ("CTYPE1", "CTYPE2") if ours[k] != theirs[k]]
    return (round(shifts[0]), round(shifts[1])), tuple(faults)


def _common(theirs: tuple[int, int], ours: tuple[int, int], shift: tuple[int, int]) -> tuple[tuple[slice, slice], ...]:
    """The common rectangle in either array."""
    here, there = [], []
    for axis in (0, 1):
        step = shift[1 - axis]
        first, last = max(0, -step), min(theirs[axis], ours[axis] - step)
        here.append(slice(first, last))
        there.append(slice(first + step, last + step))
    return (here[0], here[1]), (there[0], there[1])


def _exposed_outside(weight: np.ndarray, inside: tuple[slice, slice]) -> int:
    return int(np.count_nonzero(weight)) - int(np.count_nonzero(weight[inside]))


def _sky_steps(theirs: fits.HDUList, ours: fits.HDUList) -> list[float]:
    """Differences of each chip's MDRIZSKY as they enter SCI: electrons/s per output pixel."""
    expected = {_chip(row): float(row["MDRIZSKY"]) for row in theirs["HDRTAB"].data}
    scale = abs(ours["SCI"].header["CD2_2"]) * 3600
    return [
        (float(row["MDRIZSKY"]) - expected[_chip(row)])
        * (scale / float(row["IDCSCALE"])) ** 2
        / (1.0 if row["BUNIT"].upper().endswith("/S") else float(row["EXPTIME"]))
        for row in ours["HDRTAB"].data
    ]


def _chip(row: fits.FITS_record) -> tuple[str, int]:
    return row["ROOTNAME"].strip()[:8], int(row["EXTVER"])


def _summary(values: np.ndarray) -> tuple[float, float, float, float]:
    middle, most, nearly = np.percentile(values, [50, 99, 99.9])
    return float(middle), float(most), float(nearly), float(values.max())
