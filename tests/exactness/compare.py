"""Memberships of mvmdb against the judges over a whole field: what is missed and what is extra; `fields` draws them.

`make exactness` runs every regime and prints a table; it exits with 1 on any difference.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from exactness.fields import REGIMES, K, draw_field
from exactness.planes import CELLS, RA0, Judged, judge
from exactness.sphere_judge import judge_on_sphere

from mvmdb.sky.membership import Footprints, Memberships, find_members

N_CELLS = len(RA0) * CELLS


class Outcome(NamedTuple):
    """The numbers of one regime; `missed` and `extra` are pairs (exposure, sky cell)."""

    exposures: int
    memberships: int
    missed: np.ndarray
    extra: np.ndarray
    doubtful: int
    off_target: int
    area_error: float
    seconds: tuple[float, float]
    judged: Judged
    members: Memberships


def find(field) -> Memberships:
    """mvmdb's memberships of a field."""
    start = np.arange(0, K * len(field.owner) + 1, K)
    return find_members(Footprints(field.ra.ravel(), field.dec.ravel(), start, field.owner, field.n))


def pairs_of(members: Memberships) -> np.ndarray:
    """The numbers of the pairs, as in `planes.Judged`."""
    return members.exposure * N_CELLS + members.cell_index


def compare(field) -> Outcome:
    """Both verdicts on a field; `off_target` counts exposures that mvmdb finds on the wrong side of the border."""
    began = time.perf_counter()
    members = find(field)
    middle = time.perf_counter()
    judged = judge(field)
    seconds = middle - began, time.perf_counter() - middle
    pairs = pairs_of(members)
    assert len(np.unique(pairs)) == len(pairs), "a membership is listed twice"
    missed = np.setdiff1d(judged.pairs, pairs)
    extra = np.setdiff1d(pairs, np.concatenate([judged.pairs, judged.doubtful]))
    _, ours, theirs = np.intersect1d(pairs, judged.pairs, return_indices=True)
    area_error = float(np.abs(members.area[ours] - judged.area[theirs]).max(initial=0.0))
    return Outcome(
        field.n, len(pairs), missed, extra, len(judged.doubtful), count_off_target(field, pairs), area_error, seconds,
        judged, members,
    )  # fmt: skip


def count_off_target(field, pairs: np.ndarray) -> int:
    """The number of exposures drawn to just reach a cell, or just not, for which mvmdb says otherwise."""
    if field.cell is None:
        return 0
    p, x, y = field.cell.T
    key = np.arange(field.n) * N_CELLS + p * CELLS + (y - 1) * 21 + x - 1
    return int((np.isin(key, pairs) != field.expected).sum())


def main() -> int:
    """Run every regime, print a line for each, and return how many of them differ."""
    parser = argparse.ArgumentParser(description="membership against brute force, regime by regime")
    parser.add_argument("--footprints", type=int, default=20_000, help="exposures in each regime")
    parser.add_argument("--sphere", type=int, default=200, help="how many of them spherical_geometry judges too")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(f"{'regime':48} {'exposures':>9} {'memberships':>11} {'missed':>6} {'extra':>6} {'doubt':>6} {'aimed':>6}"
          f" {'area':>8} {'sphere':>14} {'mvmdb':>7} {'judge':>7}")  # fmt: skip
    n_bad = 0
    for regime in REGIMES:
        field = draw_field(regime, chosen.footprints, chosen.seed)
        outcome = compare(field)
        checked, wrong = judge_on_sphere(field, outcome.members, chosen.sphere)
        n_bad += bool(len(outcome.missed) + len(outcome.extra) + outcome.off_target + wrong)
        ours, theirs = outcome.seconds
        print(f"{regime:48} {outcome.exposures:9,} {outcome.memberships:11,} {len(outcome.missed):6}"
              f" {len(outcome.extra):6} {outcome.doubtful:6} {outcome.off_target:6} {outcome.area_error:8.1g}"
              f" {wrong:4} of {checked:6,}"
              f" {ours:5.2f} s {theirs:5.1f} s", flush=True)  # fmt: skip
    return n_bad


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
