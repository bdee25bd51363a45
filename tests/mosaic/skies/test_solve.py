"""The sky solver, against linear algebra written out by hand and against skies that are known."""

import itertools

import numpy as np
import pytest

from mvmdb.mosaic.skies.solve import SkyPair, solve_skies


def pairs_of(skies: dict[str, float], connected: list[tuple[str, str]], pixels: int = 1000) -> list[SkyPair]:
    return [SkyPair(a, b, skies[a] + 7.0, skies[b] + 7.0, pixels, pixels) for a, b in connected]


def test_consistent_pairs_give_back_the_skies_with_the_lowest_at_zero() -> None:
    skies = {"a": 0.4, "b": 0.9, "c": 0.1, "d": 1.3}
    solved = solve_skies(skies, pairs_of(skies, list(itertools.combinations(skies, 2))), {})
    assert solved == pytest.approx({"a": 0.3, "b": 0.8, "c": 0.0, "d": 1.2}, abs=1e-12)


def test_contradicting_pairs_are_weighted_by_pixels() -> None:
    # a-b says 1, b-c says 1, a-c says 3: the normal equations of weights 2, 1, 1 (squared: 4, 1, 1), c fixed at 0.
    pairs = [SkyPair("a", "b", 1, 0, 2, 2), SkyPair("b", "c", 1, 0, 1, 1), SkyPair("a", "c", 3, 0, 1, 1)]
    normal = np.array([[4 + 1, -4], [-4, 4 + 1]])
    a, b = np.linalg.solve(normal, [4 * 1 + 1 * 3, -4 * 1 + 1 * 1])
    assert solve_skies("abc", pairs, {}) == pytest.approx({"a": a, "b": b, "c": 0.0})


def test_weight_is_the_mean_number_of_pixels_of_both_sides() -> None:
    assert SkyPair("a", "b", 0, 0, 10, 30).weight == 20


def test_each_group_has_its_own_zero() -> None:
    skies = {"a": 5.0, "b": 6.0, "c": -2.0, "d": -4.0}
    solved = solve_skies(skies, pairs_of(skies, [("a", "b"), ("c", "d")]), {})
    assert solved == pytest.approx({"a": 0.0, "b": 1.0, "c": 2.0, "d": 0.0})


def test_kept_skies_stay_and_new_members_are_matched_to_them() -> None:
    skies = {"a": 0.4, "b": 0.9, "new": 0.1}
    solved = solve_skies(skies, pairs_of(skies, [("a", "b"), ("b", "new")]), {"a": 0.5, "b": 1.0})
    assert solved == pytest.approx({"a": 0.5, "b": 1.0, "new": 0.2})


def test_kept_skies_may_leave_a_new_member_below_zero() -> None:
    assert solve_skies("ab", [SkyPair("a", "b", 1.0, 0.2, 9, 9)], {"a": 0.3})["b"] == pytest.approx(-0.5)


def test_a_pair_of_kept_members_changes_nothing() -> None:
    pairs = [SkyPair("a", "b", 9.0, 1.0, 9, 9), SkyPair("a", "c", 2.0, 1.0, 9, 9)]
    assert solve_skies("abc", pairs, {"a": 0.0, "b": 0.0}) == pytest.approx({"a": 0.0, "b": 0.0, "c": -1.0})


@pytest.mark.parametrize("pairs", [[], [SkyPair("a", "b", 3.0, 1.0, 0, 50)], [SkyPair("a", "z", 3.0, 1.0, 5, 50)]])
def test_a_member_without_a_valid_pair_gets_zero(pairs: list[SkyPair]) -> None:
    assert solve_skies("ab", pairs, {}) == {"a": 0.0, "b": 0.0}


def test_order_of_pairs_and_sides_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    pairs = [
        SkyPair(a, b, *rng.normal(size=2), *rng.integers(10, 99, 2).tolist())
        for a, b in itertools.combinations("abcdef", 2)
    ]
    turned = [SkyPair(p.second, p.first, p.second_sky, p.first_sky, p.second_pixels, p.first_pixels) for p in pairs]
    assert solve_skies("abcdef", pairs, {}) == pytest.approx(solve_skies("fbcdea", turned[::-1], {}))
