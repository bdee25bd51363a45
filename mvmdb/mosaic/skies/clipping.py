"""The median of many values after clipping, exactly, though hardly any of them are sorted; which values is not asked.

Sorting 8 million pixels takes 0.1 s and more, and a pair of ACS exposures needs it 8 times. A sample tells what needs
no sorting: the wide core that every clip keeps, of which the sums are enough, save for the narrow middle of it that the
median lies in. If the values prove the sample wrong, all are sorted: the result is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Values = NDArray[np.float32]

SAMPLE = 1 << 15
"""Values that are looked at first; fewer than four times as many are sorted at once."""
CORE = 0.7
"""The part of the sample's final bounds that is taken to be inside all bounds."""
MIDDLE = 6.0
"""Half width of the middle, in standard deviations of a sample median's rank."""
VALUES_AT_ONCE = 1 << 15


def clipped_median(values: Values, lower: float, clips: int, sigma: float) -> tuple[float, int] | None:
    """(median, number of values) after `clips` times leaving out what is over `sigma` deviations from the mean.

    `values` are finite. Those below `lower` never count; None if nothing is left. Bounds are about the mean of the
    values inside the bounds before, with the sample deviation, and include their ends, as stsci.imagestats does.
    """
    if values.size >= 4 * SAMPLE:
        # Not every nth value, which might be all of one column of a detector: steps of the golden section.
        sample = np.sort(values[(np.arange(SAMPLE) * 0.6180339887498949 % 1.0 * values.size).astype(np.intp)])
        bounds = _clip(_Parts.sorted(sample), lower, clips, sigma)
        parts = None if bounds is None else _split(values, sample, *bounds)
        found = None if parts is None else _clip(parts, lower, clips, sigma)
        if parts is not None and found is not None:
            median = parts.median(*found)
            if median is not None:
                return median
    parts = _Parts.sorted(np.sort(values))
    found = _clip(parts, lower, clips, sigma)
    return None if found is None else parts.median(*found)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Values in parts: `outer`, sorted; and all those from `low` to `high`, of which `middle` (sorted) is known.

    `low` is above `high` where there is no core. `place` is the core's place in `outer`, `count` its size, `before` how
    many of it lie before the middle; `total` and `squares` sum the core's distances from `centre`.
    """

    outer: Values
    centre: float
    low: float = np.inf
    high: float = -np.inf
    place: int = 0
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    before: int = 0
    middle: Values = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def sorted(cls, ordered: Values) -> _Parts:
        """Values all of which are sorted."""
        return cls(ordered, float(ordered[ordered.size // 2]) if ordered.size else 0.0)

    def keep(self, low: float, high: float) -> tuple[int, int] | None:
        """The range of `outer` from `low` to `high`; None where they cut the core."""
        if self.count and not (low <= self.low and high >= self.high):
            return None
        begin = np.searchsorted(self.outer, _next(low, np.inf), side="left")
        return int(begin), int(np.searchsorted(self.outer, _next(high, -np.inf), side="right"))

    def moments(self, begin: int, end: int) -> tuple[int, float, float]:
        """Number, mean and sample deviation of `outer[begin:end]` with the core."""
        offset = self.outer[begin:end].astype(np.float64) - self.centre
        n = offset.size + self.count
        mean = (self.total + offset.sum()) / max(n, 1)
        variance = (self.squares + np.einsum("i,i->", offset, offset) - n * mean * mean) / max(n - 1, 1)
        return n, self.centre + float(mean), float(np.sqrt(max(variance, 0.0)))

    def median(self, begin: int, end: int) -> tuple[float, int] | None:
        """(median, number) of `outer[begin:end]` with the core; None where it does not lie in the middle."""
        n = end - begin + self.count
        if not self.count:
            ranks, known = [begin + (n - 1) // 2, begin + n // 2], self.outer
        else:
            first = self.place - begin + self.before  # how many kept values come before the middle
            ranks, known = [(n - 1) // 2 - first, n // 2 - first], self.middle
        if ranks[0] < 0 or ranks[1] >= known.size:
            return None
        return float(known[ranks].astype(np.float64).mean()), n


def _clip(parts: _Parts, lower: float, clips: int, sigma: float) -> tuple[int, int] | None:
    """The range of outer values that is left after clipping; None if nothing is, or where the core is cut."""
    every = parts.keep(lower, np.inf)
    kept = every
    for _ in range(clips):
        if kept is None:
            return None
        n, mean, deviation = parts.moments(*kept)
        if n == 0:
            return None
        kept = parts.keep(max(lower, mean - sigma * deviation), mean + sigma * deviation)
        if kept is not None and kept[1] - kept[0] + parts.count <= 0:  # only by rounding, when all values are equal
            return every
    return kept


def _split(values: Values, sample: Values, begin: int, end: int) -> _Parts | None:
    """The values in parts, as a sorted sample advises, of which `begin` to `end` is left after clipping."""
    inside = sample[begin:end]
    centre = inside[inside.size // 2]
    low = np.float32(centre - CORE * (float(centre) - float(inside[0])))
    high = np.float32(centre + CORE * (float(inside[-1]) - float(centre)))
    reach = int(MIDDLE * np.sqrt(inside.size) / 2) + 1
    ranks = np.clip([inside.size // 2 - reach, inside.size // 2 + reach], 0, inside.size - 1)
    first, last = inside[ranks]
    if not low < first <= last < high:
        return None
    outer, middle = [], []
    below, total, squares = 0, 0.0, 0.0
    for start in range(0, values.size, VALUES_AT_ONCE):
        block = values[start : start + VALUES_AT_ONCE]
        core = (block >= low) & (block <= high)
        outer.append(block[~core])
        below += int(np.count_nonzero(block < first))
        middle.append(block[(block >= first) & (block <= last)])
        offset = np.subtract(np.where(core, block, centre), centre, dtype=np.float64)
        total += float(offset.sum())
        squares += float(np.einsum("i,i->", offset, offset))
    outside = np.sort(np.concatenate(outer))
    place = int(np.searchsorted(outside, low))
    return _Parts(
        outside, float(centre), float(low), float(high), place, values.size - outside.size, total, squares,
        below - place, np.sort(np.concatenate(middle)),
    )  # fmt: skip


def _next(bound: float, towards: float) -> np.float32:
    """A bound as the float32 next to it: to search float32 values for a double would convert them all."""
    near = np.float32(bound)
    inside = float(near) >= bound if towards > 0 else float(near) <= bound
    return near if inside else np.nextafter(near, np.float32(towards))
