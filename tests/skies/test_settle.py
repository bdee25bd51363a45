"""Which skies are kept when a new solution comes: shifts of groups, single skies that moved, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.layers.skies import common_shift
from mvmdb.mosaic.skies.settle import DRIZZLED_NOISE, LEAST, LIMIT, keep_levels, settle_skies, sky_limit

ALIKE = {"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1}
SKY = st.floats(-5, 5)
CHAIN = [("a", "b"), ("b", "c"), ("c", "d")]


def test_skies_within_their_limits_stay_to_the_bit_and_new_ones_are_as_solved() -> None:
    settled = settle_skies({"a": 0.0, "b": 1.05, "c": 2.0}, {"a": 0.07, "b": 1.0}, ALIKE, CHAIN)
    assert settled == {"a": 0.07, "b": 1.0, "c": 2.0}


def test_a_group_that_moved_as_one_is_shifted_as_one() -> None:
    kept = {"a": 0.0, "b": 1.0, "c": 2.5}
    settled = settle_skies({"a": 3.0, "b": 4.02, "c": 5.5, "d": 0.0}, kept, ALIKE, CHAIN)
    assert common_shift(settled, kept) == pytest.approx(3.0)
    assert settled["d"] == 0.0


def test_two_groups_that_a_new_exposure_joins_are_shifted_apart() -> None:
    kept = {"a": 0.0, "b": 1.0, "d": 0.0}
    settled = settle_skies({"a": 2.0, "b": 3.0, "c": 0.0, "d": 7.0}, kept, ALIKE, CHAIN)
    assert settled == {"a": 2.0, "b": 3.0, "c": 0.0, "d": 7.0}


def test_one_sky_that_moved_against_the_others_moves_alone() -> None:
    kept = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0}
    settled = settle_skies({"a": 0.0, "b": 1.05, "c": 2.5, "d": 3.0}, kept, ALIKE, CHAIN)
    assert settled == kept | {"c": 2.5}


@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(1e-3, 1.0), st.booleans()), min_size=1, max_size=9
    ),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12),
)
def test_every_sky_ends_within_its_limit_and_stays_there(
    skies: list[tuple[float, float, float, bool]], links: list[tuple[int, int]]
) -> None:
    solved = {f"e{n}": one[0] for n, one in enumerate(skies)}
    kept = {f"e{n}": one[1] for n, one in enumerate(skies) if one[3]}
    limits = {f"e{n}": one[2] for n, one in enumerate(skies)}
    pairs = [(f"e{a}", f"e{b}") for a, b in links if a < b < len(skies)]
    settled = settle_skies(solved, kept, limits, pairs)
    assert settled.keys() == solved.keys()
    assert all(abs(settled[name] - solved[name]) <= limits[name] * (1 + 1e-9) for name in solved)
    roomy = {name: limit * (1 + 1e-6) for name, limit in limits.items()}  # sums are rounded
    assert settle_skies(solved, settled, roomy, pairs) == settled


def test_the_limit_bounds_the_mean_of_unlike_exposures_by_its_own_noise() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        n = int(rng.integers(1, 12))
        noise, weight = rng.uniform(0.1, 10.0, n), rng.dirichlet(np.ones(n))
        worst = np.sum(weight * sky_limit(noise, np.full(n, n - 1)))
        assert worst <= LIMIT * DRIZZLED_NOISE * np.sqrt(np.sum((weight * noise) ** 2)) * (1 + 1e-9)
    assert sky_limit(np.zeros(2), np.array([0, 3])).tolist() == [LEAST, LEAST]


def test_a_shift_is_common_only_if_every_sky_is_known_and_moved_alike() -> None:
    assert common_shift({"a": 1.5, "b": 3.5}, {"a": 1.0, "b": 3.0}) == 0.5
    assert common_shift({"a": 1.5, "b": 3.5 + 1e-6}, {"a": 1.0, "b": 3.0}) is None
    assert common_shift({"a": 1.5}, {"a": 1.0, "b": 3.0}) is None
    assert common_shift({"a": 1.5}, {"a": None}) is None
    assert common_shift({}, {}) is None


def test_parts_keep_their_level_while_what_connects_them_is_away() -> None:
    solved, kept = {"a": 0.0, "b": 1.0, "c": 0.0, "d": 0.5}, {"a": 3.0, "b": 4.0}
    assert keep_levels(solved, kept, [("a", "b"), ("c", "d")]) == {"a": 3.0, "b": 4.0}
    assert keep_levels(solved, kept, CHAIN) == {"a": 3.0, "b": 4.0, "c": 3.0, "d": 3.5}
