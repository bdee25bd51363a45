"""One active file per exposure: by FLC, then astrometry, then processing, then the file's time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mvmdb.exposures.choose import Candidate, choose_active

BASE = Candidate("flt", 300, 58000.0, 10, "/a/ib6o04tuq_flt.fits")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (replace(BASE, kind="flc"), replace(BASE, wcs_rank=663, processed=60000.0, mtime_ns=99)),
        (replace(BASE, wcs_rank=663), replace(BASE, processed=60000.0, mtime_ns=99)),
        (replace(BASE, processed=60000.0), replace(BASE, mtime_ns=99)),
        (replace(BASE, mtime_ns=11), replace(BASE, path="/A")),
        (replace(BASE, path="/a/a"), replace(BASE, path="/a/b")),
    ],
)
def test_better_file_is_chosen_in_either_order(better: Candidate, worse: Candidate) -> None:
    assert choose_active([better, worse]) is better
    assert choose_active([worse, better]) is better


def test_choice_does_not_depend_on_order() -> None:
    candidates = [replace(BASE, path=name, mtime_ns=time) for name, time in (("b", 1), ("a", 2), ("c", 2))]
    assert {choose_active(order).path for order in itertools.permutations(candidates)} == {"a"}


def test_no_candidates_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        choose_active([])
