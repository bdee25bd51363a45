"""Clipped medians against a literal clipping loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.mosaic.skies import clipping
from mvmdb.mosaic.skies.clipping import SAMPLE, clipped_median, exact_median


def clip_literally(values: np.ndarray, lower: float, clips: int, sigma: float) -> tuple[float, int]:
    kept = values[values >= lower].astype("f8")
    low, high = lower, np.inf
    for _ in range(clips):
        inside = kept[(kept >= low) & (kept <= high)]
        deviation = inside.std(ddof=1) if inside.size > 1 else 0.0
        low, high = max(lower, inside.mean() - sigma * deviation), inside.mean() + sigma * deviation
    inside = kept[(kept >= low) & (kept <= high)]
    return float(np.median(inside)), inside.size


def picture(seed: int, size: int, spread: float) -> np.ndarray:
    """Sky, sources and bad pixels."""
    rng = np.random.default_rng(seed)
    values = rng.normal(30, 1, size)
    values[::10] += spread * rng.exponential(10, values[::10].size)
    values[::17] = -300.0
    return values.astype("f4")


@given(st.integers(0, 10**6), st.integers(2, 500), st.sampled_from([0.0, 5.0]), st.sampled_from([2.5, 4.0]))
def test_clipping_is_that_of_the_literal_loop(seed: int, size: int, spread: float, sigma: float) -> None:
    values = picture(seed, size, spread)
    if (values >= -100).any():
        assert clipped_median(values, -100.0, 5, sigma) == pytest.approx(clip_literally(values, -100.0, 5, sigma))


@pytest.mark.parametrize("size", [4 * SAMPLE - 1, 4 * SAMPLE, 8 * SAMPLE + 1, 50 * SAMPLE + 17])
@pytest.mark.parametrize("spread", [0.0, 1.0, 500.0])
@pytest.mark.parametrize("sigma", [1.0, 2.5, 4.0])
def test_clipping_of_many_values_is_that_of_the_literal_loop(size: int, spread: float, sigma: float) -> None:
    values = picture(size, size, spread)
    before = values.copy()
    clipped = clipped_median(values, -100.0, 5, sigma)
    assert clipped is not None
    median, count = clip_literally(values, -100.0, 5, sigma)
    assert clipped == (median, count)
    assert np.array_equal(values, before)


def test_values_of_which_a_sample_tells_nothing_are_sorted_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    size = 8 * SAMPLE
    values = rng.normal(5.0, 2.0, size).astype("f4")
    looked_at = (np.arange(SAMPLE) * 0.6180339887498949 % 1.0 * size).astype(int)
    values[looked_at] = rng.normal(-50.0, 0.1, SAMPLE).astype("f4")  # just those that are sampled
    sizes, sort = [], np.sort
    monkeypatch.setattr(clipping.np, "sort", lambda a: sizes.append(a.size) or sort(a))
    assert clipped_median(values, -100.0, 5, 2.5) == clip_literally(values, -100.0, 5, 2.5)
    assert size in sizes


def test_ordinary_values_are_hardly_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, sort = [], np.sort
    monkeypatch.setattr(clipping.np, "sort", lambda a: sizes.append(a.size) or sort(a))
    values = picture(1, 32 * SAMPLE, 1.0)
    assert clipped_median(values, -100.0, 5, 4.0) == clip_literally(values, -100.0, 5, 4.0)
    assert sum(sizes) < values.size / 3


@pytest.mark.parametrize("size", [7, 8 * SAMPLE])
def test_equal_values_survive_clipping(size: int) -> None:
    assert clipped_median(np.full(size, 0.1, "f4"), -100.0, 5, 4.0) == pytest.approx((0.1, size))


def test_whole_numbers_are_clipped_like_any_others() -> None:
    values = np.random.default_rng(4).poisson(3.0, 8 * SAMPLE).astype("f4")
    assert clipped_median(values, -100.0, 5, 4.0) == clip_literally(values, -100.0, 5, 4.0)


@pytest.mark.parametrize("size", [2, 8 * SAMPLE])
def test_values_below_the_limit_never_count(size: int) -> None:
    assert clipped_median(np.full(size, -100.5, "f4"), -100.0, 5, 4.0) is None
    assert clipped_median(np.zeros(0, "f4"), -100.0, 5, 4.0) is None
    values = np.full(size, -100.5, "f4")
    values[0] = 3.0
    assert clipped_median(values, -100.0, 5, 4.0) == (3.0, 1)


@pytest.mark.parametrize("size", [1, 2, 4 * SAMPLE - 1, 4 * SAMPLE, 4 * SAMPLE + 1, 300_000])
@pytest.mark.parametrize("kind", ["picture", "equal", "two", "ordered"])
def test_an_exact_median_is_numpys_to_the_bit(size: int, kind: str) -> None:
    values = picture(size, size, 5.0)
    if kind == "equal":
        values[:] = 0.1
    elif kind == "two":  # values of which the sample's middle holds one alone
        values = np.where(values > 30, np.float32(0.1), np.float32(0.7))
    elif kind == "ordered":
        values.sort()
    assert exact_median(values) == float(np.median(values))
