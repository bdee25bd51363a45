"""Frames of members, in columns, against a plain reading of the rule: which stay, how many, and which layers mix."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.frames import preference
from mvmdb.layers.frames import count_frames, mix_frames, number_frames
from mvmdb.layers.members import Candidates, gather_members
from mvmdb.records import Frames, Policy

NAMES = ("gaia", "gsc242", "gsc240-apriori", "none", "tweak", None)
KEYS = [(1000, "acs", "wfc", name) for name in ("f435w", "f606w", "f814w")]
EXPOSURES = st.lists(
    st.tuples(
        st.sampled_from(range(len(KEYS))), st.sampled_from(NAMES), st.sampled_from(["flt", "flc"]),
        st.sampled_from([1.0, 60.0, 500.0]),
    ),
    max_size=30,
)  # fmt: skip
"""(key, frame, kind, exposure time) of each exposure."""


def gather(rows, policy):
    """The members (numbers of rows) of each layer, by key and label."""
    numbered = sorted(enumerate(rows), key=lambda pair: (pair[1][0], pair[0]))
    columns = [
        (key, number, kind, f"d{number}", 1, 2, 1, 2, time, None, None, 1.0, frame is not None, frame, None)
        for number, (key, frame, kind, time) in numbered
    ]
    members = gather_members(Candidates.of_rows(columns), KEYS, policy)
    return {
        (key, label): members.exposure[slice(*members.start[i : i + 2])].tolist()
        for i, (key, label) in enumerate(zip(members.key.tolist(), members.label, strict=True))
    }


def choose(rows, frames: Frames, classes: bool):
    """The same by brute force."""
    layers = defaultdict(list)
    for number, (key, frame, kind, time) in enumerate(rows):
        if frames == "gaia" and frame not in ("gaia", None):
            continue
        label = ("short" if time < 15 else "med" if time < 120 else "long") if classes else "all"
        layers[key, label].append((number, frame, kind))
    return {layer: keep(members, frames) for layer, members in layers.items()}


def keep(members, frames: Frames):
    """The numbers of the members of one layer that stay."""
    has_flc = any(kind == "flc" for _, _, kind in members)
    staying = [(number, frame) for number, frame, kind in members if not has_flc or kind == "flc"]
    votes = Counter(frame for _, frame in staying if frame is not None)
    if frames != "same" or not votes:
        return [number for number, _ in staying]
    most = max(votes.values())
    winner = min((frame for frame, n in votes.items() if n == most), key=preference)
    return [number for number, frame in staying if frame in (winner, None)]


@settings(deadline=None, max_examples=100)
@given(EXPOSURES, st.sampled_from(["any", "gaia", "same"]), st.booleans())
def test_columns_choose_the_members_that_brute_force_chooses(rows, frames, classes) -> None:
    policy = Policy(frames=frames, exptime_layers="classes" if classes else "all")
    assert gather(rows, policy) == choose(rows, frames, classes)


@settings(deadline=None, max_examples=50)
@given(st.permutations([(0, name, "flt", 1.0) for name in ("gaia", "none", "none", "tweak", "gaia", None)]))
def test_the_frame_of_a_layer_does_not_depend_on_the_order_of_exposures(rows) -> None:
    ((members,),) = [list(gather(rows, Policy(frames="same")).values())]
    assert sorted(str(rows[number][1]) for number in members) == ["None", "gaia", "gaia"]


def test_layers_of_clusters_have_each_their_own_frame() -> None:
    rows = [(0, "gaia", "flt", 1.0), (0, "none", "flt", 500.0), (0, "none", "flt", 501.0), (0, "gaia", "flt", 502.0)]
    layers = gather(rows, Policy(frames="same", exptime_layers="clusters"))
    assert layers == {(0, "short"): [0], (0, "long"): [1, 2]}


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6), max_size=8))
def test_counts_and_mixing_are_those_of_each_layer_alone(layers) -> None:
    frames, frame = number_frames([name for layer in layers for name in layer])
    start = np.cumsum([0, *map(len, layers)])
    found = zip(mix_frames(start, frame, len(frames)).tolist(), count_frames(start, frame, frames), strict=True)
    for layer, (mixed, text) in zip(layers, found, strict=True):
        counts = Counter("unknown" if name is None else name for name in layer)
        assert dict(one.rsplit(" ", 1) for one in text.split(", ")) == {name: str(n) for name, n in counts.items()}
        numbers = [int(one.rsplit(" ", 1)[1]) for one in text.split(", ")]
        assert numbers == sorted(numbers, reverse=True)
        assert mixed == (len({name for name in layer if name is not None}) > 1)
