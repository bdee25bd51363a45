"""One active file per exposure: by FLC, then astrometry, then processing, then the file's time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mvmdb.exposures.choose import Candidate, choose_active, explain_choice

BASE = Candidate("flt", 300, 58000.0, 10, "/a/ib6o04tuq_flt.fits")


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        (replace(BASE, kind="flc"), replace(BASE, wcs_rank=663, processed=60000.0, mtime_ns=99), "an FLC"),
        (replace(BASE, wcs_rank=663), replace(BASE, processed=60000.0, mtime_ns=99), "solution is better"),
        (replace(BASE, processed=60000.0), replace(BASE, mtime_ns=99), "processed later"),
        (replace(BASE, mtime_ns=11), replace(BASE, path="/A"), "modified later"),
        (replace(BASE, path="/a/a"), replace(BASE, path="/a/b"), "path comes first"),
    ],
)
def test_better_file_is_chosen_in_either_order_and_says_why(better: Candidate, worse: Candidate, why: str) -> None:
    assert choose_active([better, worse]) is better
    assert choose_active([worse, better]) is better
    assert why in explain_choice(better, worse)


def test_choice_does_not_depend_on_order() -> None:
    candidates = [replace(BASE, path=name, mtime_ns=time) for name, time in (("b", 1), ("a", 2), ("c", 2))]
    assert {choose_active(order).path for order in itertools.permutations(candidates)} == {"a"}


def test_no_candidates_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        choose_active([])
