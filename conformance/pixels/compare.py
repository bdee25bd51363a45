"""Measures how far two mosaics of one layer differ; run.py holds the targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

CLIPS, SIGMAS = 8, 4.0
WHOLE = 1e-6  # pixels: how close to an integer a shift of the canvas must be
WEIGHT_TARGET = 1e-4
WF4_GAIN = 7.10  # electrons per DN with ATODGAIN 7


@dataclass(frozen=True)
class Difference:
    """mvmdb minus drizzlepac, over the pixels with weight in both, in units of `sigma` unless stated otherwise.

    `sigma` is the clipped standard deviation of drizzlepac's SCI about its median (electrons/s per pixel). `science`
    holds the median, the 99th and 99.9th percentile and the maximum of |difference in SCI|, `weight` the same of
    |difference in WHT| relative to drizzlepac's, `weight_share` the share of pixels where that exceeds 1e-4.
    `only_peer` and `only_ours` count pixels with weight in one of the two only, `filled` those where drizzlepac's SCI
    is a number although its WHT is 0, and `ours_nan` those where mvmdb's SCI is NaN although it has weight, or a number
    although it has none. `sky` is the largest difference of MDRIZSKY as it enters SCI; `wcs` names what is not equal.
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
    only_ours: int
    filled: int
    ours_nan: int
    sky: float


def compare_products(peer_path: Path, our_path: Path) -> Difference:
    """Compare drizzlepac's product with mvmdb's, on the canvas that they share."""
    with fits.open(peer_path) as theirs, fits.open(our_path) as ours:
        shift, faults = _compare_wcs(theirs["SCI"].header, ours["SCI"].header)
        in_theirs, in_ours = _common(theirs["SCI"].shape, ours["SCI"].shape, shift)
        outside = _exposed_outside(theirs["WHT"].data, in_theirs), _exposed_outside(ours["WHT"].data, in_ours)
        a, wa = (theirs[name].data[in_theirs].astype(np.float32) for name in ("SCI", "WHT"))
        a *= _electrons(theirs["SCI"].header)
        b, wb = (ours[name].data[in_ours].astype(np.float32) for name in ("SCI", "WHT"))
        skies = _sky_steps(theirs, ours)
    both = (wa > 0) & (wb > 0)
    sigma = clipped_deviation(a[both])
    science = np.abs(b[both].astype(np.float64) - a[both]) / sigma
    weight = np.abs(wb[both].astype(np.float64) / wa[both] - 1)
    return Difference(
        product=our_path.name,
        shift=shift,
        wcs=faults,
        pixels=int(both.sum()),
        sigma=sigma,
        science=_summary(science),
        weight=_summary(weight),
        weight_share=float((weight > WEIGHT_TARGET).mean()),
        only_peer=int(((wa > 0) & (wb == 0)).sum()) + outside[0],
        only_ours=int(((wa == 0) & (wb > 0)).sum()) + outside[1],
        filled=int((np.isfinite(a) & (wa == 0)).sum()),
        ours_nan=int((np.isnan(b) == (wb > 0)).sum()),
        sky=max(np.abs(skies), default=0.0) / sigma,
    )


def _electrons(header: fits.Header) -> np.float32:
    """Electrons per unit of drizzlepac's SCI: of WFPC2, it divides by the gain of the last chip, WF4."""
    return np.float32(WF4_GAIN if header.get("BUNIT", "").lower().startswith("counts") else 1.0)


def clipped_deviation(values: np.ndarray) -> float:
    """Standard deviation about the median, clipped 8 times at 4 deviations."""
    kept = values[:: max(1, values.size // 2_000_000)].astype(np.float64)
    for _ in range(CLIPS):
        kept = kept[np.abs(kept - np.median(kept)) <= SIGMAS * kept.std()]
    return float(kept.std())


def _compare_wcs(theirs: fits.Header, ours: fits.Header) -> tuple[tuple[int, int], tuple[str, ...]]:
    """By how many whole pixels our canvas begins before theirs in x and y, and the keywords that differ."""
    shifts = [ours[f"CRPIX{axis}"] - theirs[f"CRPIX{axis}"] for axis in (1, 2)]
    faults = [f"CRPIX{n} by {s}" for n, s in enumerate(shifts, 1) if abs(s - round(s)) > WHOLE]
    keys = ("CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
    faults += [k for k in keys if not np.isclose(ours[k], theirs.get(k, 0.0), rtol=1e-13, atol=0)]
    faults += [k for k in ("CTYPE1", "CTYPE2") if ours[k] != theirs[k]]
    return (round(shifts[0]), round(shifts[1])), tuple(faults)


def _common(theirs: tuple[int, int], ours: tuple[int, int], shift: tuple[int, int]) -> tuple[tuple[slice, slice], ...]:
    """The common rectangle, as slices of their array and of ours."""
    their_slices, our_slices = [], []
    for axis in (0, 1):
        step = shift[1 - axis]
        first, last = max(0, -step), min(theirs[axis], ours[axis] - step)
        their_slices.append(slice(first, last))
        our_slices.append(slice(first + step, last + step))
    return (their_slices[0], their_slices[1]), (our_slices[0], our_slices[1])


def _exposed_outside(weight: np.ndarray, inside: tuple[slice, slice]) -> int:
    """The number of pixels with weight outside of a rectangle."""
    return int(np.count_nonzero(weight)) - int(np.count_nonzero(weight[inside]))


def _sky_steps(theirs: fits.HDUList, ours: fits.HDUList) -> list[float]:
    """Differences of each chip's MDRIZSKY as they enter SCI, in electrons/s per output pixel."""
    expected = {_chip(row): float(row["MDRIZSKY"]) for row in theirs["HDRTAB"].data}
    scale = abs(ours["SCI"].header["CD2_2"]) * 3600
    return [
        (float(row["MDRIZSKY"]) - expected[_chip(row)])
        * _factor(row)
        * (scale / float(row["IDCSCALE"])) ** 2
        / (1.0 if row["BUNIT"].upper().endswith("/S") else float(row["EXPTIME"]))
        for row in ours["HDRTAB"].data
    ]


def _factor(row: fits.FITS_record) -> float:
    """Electrons per unit of MDRIZSKY; the column is there where it is not 1."""
    return float(row["FACTOR"]) if "FACTOR" in row.array.names else 1.0


def _chip(row: fits.FITS_record) -> tuple[str, int]:
    return row["ROOTNAME"].strip()[:8], int(row["EXTVER"])


def _summary(values: np.ndarray) -> tuple[float, float, float, float]:
    """Median, 99th and 99.9th percentile, and maximum."""
    p50, p99, p999 = np.percentile(values, [50, 99, 99.9])
    return float(p50), float(p99), float(p999), float(values.max())
