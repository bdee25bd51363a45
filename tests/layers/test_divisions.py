"""Layers divided by exposure time and by date: labels, clusters, and what a change of configuration makes stale."""

from __future__ import annotations

import numpy as np
import pytest
from archive import Archive
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.catalog.configure import initialise
from mvmdb.errors import UsageError
from mvmdb.layers.divisions import cluster_members, label_members, parse_epochs
from mvmdb.records import Policy

MJD_2010 = 55197.0  # 2010-01-01


def labels_of(policy: Policy, exptime: list[float], expstart: list[float]) -> list[str | None]:
    labels, indices = label_members(policy, np.array(exptime), np.array(expstart))
    return [labels[index] if index >= 0 else None for index in indices.tolist()]


def test_undivided_layers_are_all() -> None:
    assert labels_of(Policy(), [1.0, 1000.0], [np.nan, MJD_2010]) == ["all", "all"]


def test_classes_have_the_pipelines_limits() -> None:
    times = [0.5, 14.999, 15.0, 119.9, 120.0, 5000.0]
    names = ["short", "short", "med", "med", "long", "long"]
    assert labels_of(Policy(exptime_layers="classes"), times, [MJD_2010] * 6) == names


def test_years_are_those_of_the_first_moment() -> None:
    dates = [MJD_2010 - 1e-6, MJD_2010, MJD_2010 + 364.99, MJD_2010 + 365, np.nan]
    assert labels_of(Policy(epochs="yearly"), [1.0] * 5, dates) == ["2009", "2010", "2010", "2011", "undated"]


def test_given_ranges_include_their_first_day_and_leave_out_what_is_outside() -> None:
    policy = Policy(epochs="2010-01-01,2010-01-03,2011-01-01", exptime_layers="classes")
    dates = [MJD_2010 - 0.1, MJD_2010, MJD_2010 + 1.9, MJD_2010 + 2, MJD_2010 + 365, np.nan]
    first, second = "long-20100101-20100103", "long-20100103-20110101"
    assert labels_of(policy, [500.0] * 6, dates) == [None, first, first, second, None, None]


def test_clusters_are_divided_at_wide_gaps_of_each_layer_alone() -> None:
    layer = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    exptime = np.array([1000.0, 2.0, 60.0, 3.0, 100.0, 250.0, 500.0, 10.0, 31.0])
    assert cluster_members(layer, exptime).tolist() == [3, 1, 2, 1, 0, 0, 0, 1, 3]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 1e4)), max_size=30), st.randoms())
def test_clusters_do_not_depend_on_the_order_of_members(members: list[tuple[int, float]], random: object) -> None:
    def clusters(rows: list[tuple[int, float]]) -> dict[tuple[int, float], int]:
        layer, exptime = np.array([r[0] for r in rows], dtype=int), np.array([r[1] for r in rows], dtype=float)
        return dict(zip(rows, cluster_members(layer, exptime).tolist(), strict=True))

    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert clusters(members) == clusters(shuffled)


@pytest.mark.parametrize("text", ["monthly", "2010-01-01", "2011-01-01,2010-01-01", "2010-13-01,2011-01-01"])
def test_other_epochs_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="epochs"):
        parse_epochs(text)


def layers_of(archive: Archive) -> list[str]:
    return [name.split("_f125w_")[1] for (name,) in archive.rows("SELECT name FROM layer ORDER BY name")]


def test_a_change_of_configuration_is_a_reason(archive: Archive) -> None:
    archive.expose("ib6o04tuq", exptime=10.0, expstart=MJD_2010 + 10.0)
    archive.expose("ib6o04twq", exptime=500.0, expstart=MJD_2010 + 400.0)
    archive.night()
    assert layers_of(archive) == ["all", "coarse-all"]
    initialise(archive.address, exptime_layers="classes", epochs="yearly")
    assert layers_of(archive) == ["coarse-long-2011", "coarse-short-2010", "long-2011", "short-2010"]
    reasons = {name.split("_f125w_")[1]: codes for name, codes in archive.reasons().items()}
    assert set(reasons) == {"all", "coarse-all", "coarse-long-2011", "coarse-short-2010", "long-2011", "short-2010"}
    assert "orphaned" in str(reasons["all"])
    assert archive.night().reconcile.removed == 2
    assert archive.reasons() == {}
    members = archive.rows(
        "SELECT p.layer, m.ipppssoo FROM product p JOIN product_member m ON m.product_id = p.id ORDER BY 1, 2"
    )
    assert [(name.split("_f125w_")[1], who) for name, who in members] == [
        ("coarse-long-2011", "ib6o04tw"),
        ("coarse-short-2010", "ib6o04tu"),
        ("long-2011", "ib6o04tw"),
        ("short-2010", "ib6o04tu"),
    ]
    initialise(archive.address, exptime_layers="all", epochs="none")
    assert layers_of(archive) == ["all", "coarse-all"]
