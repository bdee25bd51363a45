"""The exact median of many values after clipping, with hardly any of them sorted.

Sorting 8 million pixels takes 0.1 s or more, and a pair of ACS exposures needs it 8 times. A sample shows what needs no
sorting: the wide core that every clip keeps, for which sums are enough, except for its narrow middle in which the
median lies. If the values prove the sample wrong, all are sorted: the result is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Values = NDArray[np.float32]

SAMPLE = 1 << 15
"""Values in the sample; where there are fewer than four times as many in all, they are simply sorted."""
CORE = 0.7
"""The fraction of the sample's final bounds that is assumed to lie inside all bounds."""
MIDDLE = 6.0
"""Half width of the middle, in standard deviations of a sample median's rank."""
VALUES_AT_ONCE = 1 << 15


def clipped_median(values: Values, lower: float, clips: int, sigma: float) -> tuple[float, int] | None:
    """(median, number of values) after clipping values over `sigma` deviations from the mean, `clips` times.

    `values` must be finite. Those below `lower` never count; None if nothing is left. Each pair of bounds is about the
    mean of the values inside the previous one, with their sample deviation, and includes its ends, as in
    stsci.imagestats.
    """
    if values.size >= 4 * SAMPLE:
        sample = np.sort(_take_sample(values))
        bounds = _clip(_Parts.sorted(sample), lower, clips, sigma)
        parts = None if bounds is None else _split(values, sample, *bounds)
        kept = None if parts is None else _clip(parts, lower, clips, sigma)
        if parts is not None and kept is not None:
            median = parts.median(*kept)
            if median is not None:
                return median
    parts = _Parts.sorted(np.sort(values))
    kept = _clip(parts, lower, clips, sigma)
    return None if kept is None else parts.median(*kept)


def exact_median(values: Values) -> float:
    """What `numpy.median` gives, to the bit, of finite values."""
    if values.size >= 4 * SAMPLE:
        sample = np.sort(_take_sample(values))
        reach = int(MIDDLE * np.sqrt(SAMPLE) / 2) + 1
        first, last = sample[[SAMPLE // 2 - reach, SAMPLE // 2 + reach]]
        below = int(np.count_nonzero(values < first))
        middle = np.sort(values[(values >= first) & (values <= last)])
        low, high = (values.size - 1) // 2 - below, values.size // 2 - below
        if low >= 0 and high < middle.size:
            return float(middle[[low, high]].mean())
    return float(np.median(values))


def _take_sample(values: Values) -> Values:
    """`SAMPLE` of the values, by steps of the golden section: every nth might come from one column of a detector."""
    return values[(np.arange(SAMPLE) * 0.6180339887498949 % 1.0 * values.size).astype(np.intp)]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Values in two parts: `outer`, sorted, and the core from `low` to `high`, of which only `middle` is kept, sorted.

    `low` is above `high` where there is no core. `index` is where the core would lie in `outer`, `count` its size,
    `before` how many of its values lie below the middle; `total` and `squares` sum the core's distances from `centre`.
    """

    outer: Values
    centre: float
    low: float = np.inf
    high: float = -np.inf
    index: int = 0
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    before: int = 0
    middle: Values = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def sorted(cls, ordered: Values) -> _Parts:
        """Values without a core, sorted."""
        return cls(ordered, float(ordered[ordered.size // 2]) if ordered.size else 0.0)

    def keep(self, low: float, high: float) -> tuple[int, int] | None:
        """The range of `outer` from `low` to `high`; None where these bounds cut the core."""
        if self.count and not (low <= self.low and high >= self.high):
            return None
        begin = np.searchsorted(self.outer, _next(low, np.inf), side="left")
        return int(begin), int(np.searchsorted(self.outer, _next(high, -np.inf), side="right"))

    def moments(self, begin: int, end: int) -> tuple[int, float, float]:
        """Number, mean and sample deviation of `outer[begin:end]` and the core."""
        offset = self.outer[begin:end].astype(np.float64) - self.centre
        n = offset.size + self.count
        mean = (self.total + offset.sum()) / max(n, 1)
        variance = (self.squares + np.einsum("i,i->", offset, offset) - n * mean * mean) / max(n - 1, 1)
        return n, self.centre + float(mean), float(np.sqrt(max(variance, 0.0)))

    def median(self, begin: int, end: int) -> tuple[float, int] | None:
        """(median, number) of `outer[begin:end]` and the core; None where the median lies outside the middle."""
        n = end - begin + self.count
        if not self.count:
            ranks, known = [begin + (n - 1) // 2, begin + n // 2], self.outer
        else:
            first = self.index - begin + self.before  # how many kept values come before the middle
            ranks, known = [(n - 1) // 2 - first, n // 2 - first], self.middle
        if ranks[0] < 0 or ranks[1] >= known.size:
            return None
        return float(known[ranks].astype(np.float64).mean()), n


def _clip(parts: _Parts, lower: float, clips: int, sigma: float) -> tuple[int, int] | None:
    """The range of outer values left after clipping; None if nothing is left, or where a bound cuts the core."""
    unclipped = parts.keep(lower, np.inf)
    kept = unclipped
    for _ in range(clips):
        if kept is None:
            return None
        n, mean, deviation = parts.moments(*kept)
        if n == 0:
            return None
        kept = parts.keep(max(lower, mean - sigma * deviation), mean + sigma * deviation)
        if kept is not None and kept[1] - kept[0] + parts.count <= 0:  # only by rounding, when all values are equal
            return unclipped
    return kept


def _split(values: Values, sample: Values, begin: int, end: int) -> _Parts | None:
    """The values in parts, by a sorted sample of which `begin` to `end` is left after clipping; None if it fails."""
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
    index = int(np.searchsorted(outside, low))
    return _Parts(
        outside, float(centre), float(low), float(high), index, values.size - outside.size, total, squares,
        below - index, np.sort(np.concatenate(middle)),
    )  # fmt: skip


def _next(bound: float, towards: float) -> np.float32:
    """The float32 next to a bound, inside it: searching float32 values for a double would convert them all."""
    nearest = np.float32(bound)
    inside = float(nearest) >= bound if towards > 0 else float(nearest) <= bound
    return nearest if inside else np.nextafter(nearest, np.float32(towards))
