"""What memberships do not depend on, and what the prefilter guarantees, for fields of every regime."""

from __future__ import annotations

import numpy as np
import pytest
from exactness.compare import N_CELLS, find, pairs_of
from exactness.fields import REGIMES, draw_field
from exactness.planes import CELLS, N_BAND, judge
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.sky.footprints import Footprints, iterate_blocks
from mvmdb.sky.membership import _propose

ANY_FIELD = st.builds(draw_field, st.sampled_from(list(REGIMES)), st.integers(1, 30), st.integers(0, 2**32 - 1))
SEEDS = st.integers(0, 2**32 - 1)
RING_CELL = np.cumsum(N_BAND) - N_BAND
NOT_AIMED = [name for name in REGIMES if name != "touching a border to 1e-6 pixel"]


def pairs(field):
    return pairs_of(find(field)).tolist()


@pytest.mark.parametrize("few", [False, True], ids=["table", "all cells"])
@settings(max_examples=50, deadline=None)
@given(field=ANY_FIELD)
def test_candidates_contain_the_projection_cell_of_every_exact_member(few, field):
    start = np.arange(0, field.ra.size + 1, field.ra.shape[1])
    proposed = set()
    for block in iterate_blocks(Footprints(field.ra.ravel(), field.dec.ravel(), start, field.owner, field.n)):
        polygon, p = _propose(block, few)
        proposed |= set(zip(block.owner[polygon].tolist(), p.tolist(), strict=True))
    exact = judge(field).pairs
    assert len(exact) >= field.n // 2
    assert set(zip((exact // N_CELLS).tolist(), (exact % N_CELLS // CELLS).tolist(), strict=True)) <= proposed


@settings(max_examples=60, deadline=None)
@given(ANY_FIELD, SEEDS)
def test_order_of_exposures_and_of_their_chips_is_irrelevant(field, seed):
    rng = np.random.default_rng(seed)
    new_number = rng.permutation(field.n)  # of exposure i in the new order
    order = np.lexsort((rng.random(len(field.owner)), new_number[field.owner]))
    moved = field._replace(ra=field.ra[order], dec=field.dec[order], owner=new_number[field.owner][order])
    back = np.argsort(new_number)
    moved_pairs = np.array(pairs(moved), dtype=int)
    assert sorted((back[moved_pairs // N_CELLS] * N_CELLS + moved_pairs % N_CELLS).tolist()) == pairs(field)


@settings(max_examples=60, deadline=None)
@given(ANY_FIELD, SEEDS, st.booleans())
def test_whole_turns_of_ra_are_irrelevant_even_when_vertices_differ_in_them(field, seed, alike):
    shape = (len(field.ra), 1 if alike else field.ra.shape[1])
    turned = field._replace(ra=field.ra + 360.0 * np.random.default_rng(seed).integers(-2, 3, shape))
    assert pairs(turned) == pairs(field)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NOT_AIMED), st.integers(1, 200), SEEDS, st.integers(1, 44), st.integers(1, 100))
def test_footprints_turned_by_one_cell_of_a_ring_are_in_that_rings_next_cells(regime, n, seed, ring, steps):
    field = draw_field(regime, n, seed)
    first, count = RING_CELL[ring], N_BAND[ring]

    def in_ring(drawn):
        members = np.array(pairs(drawn), dtype=int)
        exposure, p, cell = members // N_CELLS, members % N_CELLS // CELLS, members % CELLS
        inside = (p >= first) & (p < first + count)
        return exposure[inside], (p[inside] - first), cell[inside]

    turned = field._replace(ra=field.ra + steps * 360.0 / count)
    exposure, index, cell = in_ring(field)
    expected = sorted(zip(exposure, (index + steps) % count, cell, strict=True))
    assert sorted(zip(*in_ring(turned), strict=True)) == expected
