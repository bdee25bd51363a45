"""Sparse solutions against dense linear algebra, and against skies that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.records import SkyPair


def pair(a: str, b: str, difference: float, error: float) -> SkyPair:
    return SkyPair(a, b, 1.0 + difference, 1.0, 900, 900, difference, error, None, 1.0)


def dense(names: list[str], pairs: list[SkyPair]) -> np.ndarray:
    matrix, right = np.zeros((len(pairs), len(names))), np.zeros(len(pairs))
    for row, p in enumerate(pairs):
        matrix[row, [names.index(p.first), names.index(p.second)]] = 1 / p.error, -1 / p.error  # type: ignore[operator]
        right[row] = p.difference / p.error  # type: ignore[operator]
    solution = np.linalg.lstsq(matrix, right, rcond=1e-13)[0]
    return np.asarray(solution - solution.min())


def test_noisy_pairs_give_the_weighted_least_squares_solution() -> None:
    rng = np.random.default_rng(4)
    names = [f"n{k:02d}" for k in range(30)]
    pairs = [
        pair(a, b, rng.normal(0, 5), 10 ** rng.uniform(-4, 0))
        for a, b in itertools.combinations(names, 2)
        if b == f"n{int(a[1:]) + 1:02d}" or rng.uniform() < 0.15
    ]
    solved = solve_skies(names, pairs, {})
    assert [solved[name] for name in names] == pytest.approx(dense(names, pairs), abs=1e-8)
    assert min(solved.values()) == 0.0
    turned = [pair(p.second, p.first, -p.offset, p.error) for p in pairs]  # type: ignore[arg-type]
    assert solve_skies(names[::-1], turned[::-1], {}) == pytest.approx(solved, abs=1e-9)


def test_a_long_chain_of_exact_pairs_is_exact() -> None:
    skies = np.random.default_rng(2).uniform(0, 40, 3000)
    skies -= skies.min()
    names = [f"n{k:04d}" for k in range(3000)]
    pairs = [pair(names[k], names[k + 1], skies[k] - skies[k + 1], 1e-3) for k in range(2999)]
    solved = solve_skies(names, pairs, {})
    assert np.abs(skies - [solved[name] for name in names]).max() < 1e-8


def test_kept_skies_stay_and_the_others_are_matched_to_them() -> None:
    pairs = [pair("a", "b", 9.0, 0.1), pair("b", "new", 0.2, 0.1), pair("a", "new", 0.0, 0.2), pair("new", "x", 1, 1)]
    solved = solve_skies(["a", "b", "new", "x"], pairs, {"a": 0.5, "b": 1.0})
    new = (0.8 / 0.1**2 + 0.5 / 0.2**2) / (1 / 0.1**2 + 1 / 0.2**2)
    assert solved == pytest.approx({"a": 0.5, "b": 1.0, "new": new, "x": new - 1.0})


def test_groups_without_a_common_pair_each_begin_at_zero() -> None:
    pairs = [pair("a", "b", 2.0, 0.1), pair("c", "d", -3.0, 0.1), SkyPair("b", "c", 0.0, 0.0, 0, 0)]
    assert solve_skies("abcde", pairs, {}) == pytest.approx({"a": 2.0, "b": 0.0, "c": 0.0, "d": 3.0, "e": 0.0})


def test_pairs_without_noise_do_not_drown_the_others() -> None:
    # The three of a, b and c are a thousand million times as good as that of c and d, which is the only one of d.
    pairs = [pair("a", "b", 1.0, 1e-9), pair("b", "c", 1.0, 1e-9), pair("a", "c", 2.0, 1e-9), pair("c", "d", -4.0, 1.0)]
    assert solve_skies("abcd", pairs, {}) == pytest.approx({"a": 2.0, "b": 1.0, "c": 0.0, "d": 4.0}, abs=1e-9)
