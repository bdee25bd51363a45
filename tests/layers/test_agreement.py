"""Members that lie together, against a plain reading of the rule; one whose place is not known stays."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.layers.agreement import TOGETHER, divide_by_place, keep_agreeing
from mvmdb.records import Placed

MEMBERS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(["a", "b", None]), st.sampled_from([0.0, 0.3, 0.6, 2.0]),
        st.sampled_from([0.0, 0.3]), st.integers(-1, 2),
    ),
    max_size=14,
)  # fmt: skip
"""(layer, group, east, north, frame) of each member, in pixels."""


def stay(rows: list[tuple[int, str | None, float, float, int]]) -> list[bool]:
    """The same by brute force: of each layer and group the most that lie around one, and what is near their mean."""
    kept = [True] * len(rows)
    for layer, group in {row[:2] for row in rows if row[1] is not None}:
        some = [number for number, row in enumerate(rows) if row[:2] == (layer, group)]
        place = {number: complex(*rows[number][2:4]) for number in some}
        near = {one: [other for other in some if abs(place[other] - place[one]) <= TOGETHER] for one in some}
        frame = {number: rows[number][4] if rows[number][4] >= 0 else 99 for number in some}
        best = min(some, key=lambda one: (-len(near[one]), frame[one], one))
        mean = sum(place[one] for one in near[best]) / len(near[best])
        for one in some:
            kept[one] = one in near[best] or abs(place[one] - mean) <= TOGETHER
    return kept


@settings(deadline=None)
@given(rows=MEMBERS)
def test_members_stay_that_most_agree_with(rows: list[tuple[int, str | None, float, float, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    placed = [None if group is None else Placed(group, east, north, 1.0) for _, group, east, north, _ in rows]
    layer, frame = (np.array([row[number] for row in rows], dtype=np.int64) for number in (0, 4))
    assert keep_agreeing(layer, placed, frame).tolist() == stay(rows)


def test_sets_are_numbered_by_how_many_they_are() -> None:
    place = np.array([5.0, 0.0, 0.1, 5.1, 0.2, 9.0], dtype=np.complex128)
    assert divide_by_place(place, np.ones(6), np.zeros(6, dtype=np.int64)).tolist() == [1, 0, 0, 1, 0, 2]


def test_larger_pixels_allow_for_more() -> None:
    place = np.array([0.0, 0.05], dtype=np.complex128)
    rank = np.zeros(2, dtype=np.int64)
    assert divide_by_place(place, np.array([0.04, 0.04]), rank).tolist() == [0, 1]
    assert divide_by_place(place, np.array([0.04, 0.13]), rank).tolist() == [0, 0]
