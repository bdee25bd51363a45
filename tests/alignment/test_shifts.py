"""Shifts of pairs are recovered to 0.05 pixel, in real exposures and in simulated ones; too few sources are said."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from skyfield import Shot, SkyField, misplace

from mvmdb.alignment import partners
from mvmdb.alignment.shifts.measure import PARTNERS, choose_overlaps, measure_overlaps
from mvmdb.alignment.shifts.places import Pairs, solve_places
from mvmdb.alignment.shifts.votes import FEWEST, find_shift
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.agreement import TOGETHER
from mvmdb.records import ShiftExposure, ShiftPair
from mvmdb.schema import tables as t
from mvmdb.workers.processes import IN_THIS_PROCESS

PIXELS = {"ib6o04tu": (0.0, 0.0), "ib6o04tw": (0.1, 0.0), "ib6o04u7": (0.3, -0.4), "ib6o04ua": (-2.2, 2.0)}
"""Shifts to the east and north, in pixels, that are injected into the headers of real exposures."""
SHALLOW = {"ib6o09h7": (0.0, 0.0), "ib6o09h9": (0.7, -0.7), "ib6o09i3": (-0.2, -0.1)}


def as_input(path: Path) -> ShiftExposure:
    exposure = read_exposure(path).exposure
    return ShiftExposure(1, exposure.ipppssoo, str(path), exposure.pixels, exposure.wcs_digest or "", exposure.s_region)


def measure(paths: Sequence[Path]) -> list[ShiftPair]:
    overlaps = choose_overlaps([as_input(path) for path in paths])
    return sorted(measure_overlaps(overlaps, IN_THIS_PROCESS), key=lambda pair: (pair.first, pair.second))


@pytest.mark.shared
@pytest.mark.parametrize(("pixels", "tolerance"), [(PIXELS, 0.05), (SHALLOW, 0.1)], ids=["deep", "short"])
def test_shifts_injected_into_real_exposures_are_recovered(
    ers_folder: Path, tmp_path: Path, pixels: dict[str, tuple[float, float]], tolerance: float
) -> None:
    """The short ones, of 10 to 30 common sources, are recovered within their errors: to a tenth of a pixel."""
    pixel, paths = 0.12825, []
    for name, (east, north) in pixels.items():
        (source,) = ers_folder.glob(f"{name}*_flt.fits")
        paths.append(Path(shutil.copy(source, tmp_path)))
        misplace(paths[-1], east * pixel, north * pixel, 0.0)
    pairs = measure(paths)
    assert len(pairs) == len(pixels) * (len(pixels) - 1) / 2
    for pair in pairs:
        assert pair.dx is not None
        assert pair.dy is not None
        assert pair.error is not None
        first, second = np.array(pixels[pair.first]), np.array(pixels[pair.second])
        off = np.array([pair.dx, pair.dy]) / pixel - (second - first)
        assert np.hypot(*off) < tolerance
        assert np.hypot(*off) < 4 * pair.error / pixel
        assert pair.n_sources >= 2 * pair.n_needed


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="ir"),
        pytest.param(
            {"detector": "WFC", "chips": 2, "shape": (300, 600), "kind": "flc", "cosmic_rays": 600},
            id="wfc-cosmic-rays",
        ),
        pytest.param({"detector": "UVIS", "shape": (512, 512), "cosmic_rays": 600}, id="uvis-cosmic-rays"),
    ],
)
def test_cosmic_rays_do_not_vote(tmp_path: Path, options: dict[str, object]) -> None:
    shots = (Shot("aa", 0, 0, 0.31, -0.12), Shot("bb", 4, 3, -0.02, 0.5), Shot("cc", -6, 5, -0.21, -0.33))
    pairs = measure([SkyField().expose(tmp_path, shot, **options)[0] for shot in shots])  # type: ignore[arg-type]
    wrong = {shot.name: np.array([shot.wrong_east, shot.wrong_north]) for shot in shots}
    assert len(pairs) == 3
    for pair in pairs:
        truth = wrong[pair.second[-2:]] - wrong[pair.first[-2:]]
        assert pair.dx == pytest.approx(truth[0], abs=0.05 * pair.pixel)
        assert pair.dy == pytest.approx(truth[1], abs=0.05 * pair.pixel)


def test_too_few_sources_are_said_and_not_guessed(tmp_path: Path) -> None:
    field = SkyField(n=3)
    shots = (Shot("aa"), Shot("bb", 2, 1, 0.3, 0.1))
    (pair,) = measure([field.expose(tmp_path, shot, detector="UVIS", cosmic_rays=300)[0] for shot in shots])
    assert pair.n_needed >= FEWEST > 3 >= pair.n_sources
    assert (pair.dx, pair.dy, pair.error) == (None, None, None)


def test_what_cannot_be_read_is_left_out_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    inputs = [as_input(SkyField().expose(tmp_path, shot)[0]) for shot in (Shot("aa"), Shot("bb"), Shot("cc"))]
    Path(inputs[1].path).unlink()
    inputs[2] = replace(inputs[2], wcs_digest="another")
    assert list(measure_overlaps(choose_overlaps(inputs), IN_THIS_PROCESS)) == []
    assert "shifts of ib6o04bb are not measured: " in caplog.text
    assert "shifts of ib6o04cc are not measured: " in caplog.text
    assert "ingest it again" in caplog.text


def test_unrelated_lists_have_no_shift() -> None:
    rng = np.random.default_rng(3)
    for n in (10, 100, 1000, 4000):
        for _ in range(5):
            lists = [np.column_stack([rng.uniform(-80, 80, (n, 2)), rng.uniform(5, 50, n)]) for _ in range(2)]
            assert not find_shift(*lists, 0.05).measured


def test_an_error_is_that_of_the_shift() -> None:
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(200):
        true = np.column_stack([rng.uniform(-60, 60, (30, 2)), rng.uniform(6, 80, 30)])
        lists = []
        for offset in (0.0, 0.1):
            sigma = 0.128 * np.hypot(0.03, 1.7 / true[:, 2:]) / np.sqrt(2)
            lists.append(np.column_stack([true[:, :2] + offset + sigma * rng.standard_normal((30, 2)), true[:, 2]]))
        found = find_shift(*lists, 0.128)
        ratios += [(found.dx - 0.1) / found.error, (found.dy - 0.1) / found.error]
    assert np.std(ratios) == pytest.approx(1.0, abs=0.15)


def test_pairs_are_a_sparse_connected_graph_that_can_be_repeated(tmp_path: Path) -> None:
    base = as_input(SkyField(n=1).expose(tmp_path, Shot("aa"))[0])
    rng = np.random.default_rng(5)
    exposures = []
    for number in range(60):
        east, north = rng.uniform(0, 40, 2) / 3600
        corners = [(53 + a + east, -27 + b + north) for a, b in ((0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02))]
        region = "POLYGON ICRS " + " ".join(f"{value:.8f}" for corner in corners for value in corner)
        exposures.append(replace(base, ipppssoo=f"ib6o{number:04d}", s_region=region))
    chosen = choose_overlaps(exposures)
    assert 60 * PARTNERS / 2 <= len(chosen) <= 60 * PARTNERS
    assert [one.names for one in choose_overlaps(exposures[::-1])] == [one.names for one in chosen]
    known = {one.names for one in chosen}
    assert choose_overlaps(exposures, known) == []
    new = choose_overlaps([*exposures, replace(exposures[0], ipppssoo="ib6oz000")], known)
    assert [one.names[1] for one in new] == ["ib6oz000"] * PARTNERS


def fields_of(n: int, tmp_path: Path, *, fields: int, seed: int) -> list[ShiftExposure]:
    """Exposures that all overlap in each of some fields, of which each touches the next by a corner of a few."""
    base = as_input(SkyField(n=1).expose(tmp_path, Shot("aa"))[0])
    rng = np.random.default_rng(seed)
    exposures = []
    for number in range(n):
        east, north = rng.uniform(0, 0.004, 2) + (number % fields) * np.array([0.0225, 0.0205])
        corners = [(53 + a + east, -27 + b + north) for a, b in ((0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02))]
        region = "POLYGON ICRS " + " ".join(f"{value:.8f}" for corner in corners for value in corner)
        exposures.append(replace(base, ipppssoo=f"ib6o{number:04d}", s_region=region))
    return exposures


def test_of_many_exposures_few_overlaps_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    intersection = shapely.intersection

    def count(first: np.ndarray, second: np.ndarray) -> object:
        computed.append(len(first))
        return intersection(first, second)

    monkeypatch.setattr(shapely, "intersection", count)
    n = 200
    exposures = fields_of(n, tmp_path, fields=1, seed=6)
    chosen = choose_overlaps(exposures)
    assert sum(computed) <= n * partners.LIKELY * PARTNERS < n * (n - 1) / 4
    # The largest overlaps of each are the same as by all pairs.
    monkeypatch.setattr(partners, "LIKELY", n)
    assert [one.names for one in choose_overlaps(exposures)] == [one.names for one in chosen]


def test_groups_are_joined_where_only_small_overlaps_do(tmp_path: Path) -> None:
    exposures = fields_of(120, tmp_path, fields=3, seed=7)
    pairs = [one.names for one in choose_overlaps(exposures)]
    place = {one.ipppssoo: n for n, one in enumerate(exposures)}
    label = list(range(len(exposures)))
    for first, second in pairs:
        old, new = label[place[first]], label[place[second]]
        label = [new if one == old else one for one in label]
    assert len(set(label)) == 1
    between = [pair for pair in pairs if place[pair[0]] % 3 != place[pair[1]] % 3]
    assert len(between) == 2, "one pair joins a field to the next"


def place(n: int, *, ra: float, dec: float, seed: int, worst: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(true, solved), (n,) east + i north, of exposures of which 20% lie elsewhere, and 3% of the pairs are false."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(-0.05, 0.05, (2, n)) * np.sqrt(n / 12)
    dec_of = dec + north
    ra_of = ra + east / np.cos(np.radians(dec_of))
    distance = np.hypot(east[:, None] - east, north[:, None] - north)
    near = np.argsort(distance, axis=1)[:, 1:7]
    pairs = np.array(sorted({(min(i, j), max(i, j)) for i in range(n) for j in near[i].tolist()}))
    true = 0.002 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    elsewhere = rng.permutation(n)[: n // 5]
    true[elsewhere] += 0.3 * np.exp(2j * np.pi * rng.random(len(elsewhere)))
    first, second = pairs.T
    middle_ra, middle_dec = ra + (ra_of[pairs] - ra).mean(axis=1), dec_of[pairs].mean(axis=1)
    shift = (
        true[second] - true[first] + 0.002 * (rng.standard_normal(len(first)) + 1j * rng.standard_normal(len(first)))
    )
    false = rng.random(len(first)) < 0.03
    shift[false] += 0.7 * np.exp(2j * np.pi * rng.random(int(false.sum())))
    solved = solve_places(
        ra_of, dec_of, np.full(n, 0.1), np.zeros(n, dtype=np.int64), worst,
        Pairs(first, second, middle_ra, middle_dec, shift.real, shift.imag, np.full(len(first), 0.002)),
    )  # fmt: skip
    assert set(solved.group.tolist()) == {0}
    return true, solved.dx + 1j * solved.dy


@pytest.mark.parametrize("n", [12, 400])
def test_places_are_solved_despite_false_pairs(n: int) -> None:
    true, solved = place(n, ra=150.0, dec=2.0, seed=n)
    assert np.abs(solved - true).max() < 0.01  # a tenth of a pixel


def test_east_turns_around_the_pole() -> None:
    """A shift of one exposure to its own east is to the north of another one, a quarter of the way around."""
    ra, dec = np.array([0.0, 90.0]), np.array([89.9999, 89.9999])
    pixel, rank, index = np.full(2, 0.1), np.array([1, 0]), np.arange(2)
    pairs = Pairs(
        index[:1], index[1:], np.zeros(1), np.full(1, 89.9999), np.full(1, 0.3), np.zeros(1), np.full(1, 0.001)
    )
    solved = solve_places(ra, dec, pixel, rank, 5, pairs)
    # The second is right, so the first lies to the west by its own directions.
    assert solved.dx[0] == pytest.approx(-0.3, abs=1e-3)
    assert np.abs([solved.dy[0], solved.dx[1], solved.dy[1]]).max() < 1e-3


def test_a_group_is_tied_to_its_best_exposures_and_else_to_most() -> None:
    """Three exposures lie 0.5 arcsec apart from two others, one of which is of a better frame."""
    places = np.array([0.0, 0.001, 0.5, 0.501, 0.502])
    first, second = np.triu_indices(5, 1)
    middle, error = np.full(len(first), 2.0), np.full(len(first), 0.001)
    pairs = Pairs(first, second, 150 + 0 * middle, middle, places[second] - places[first], 0 * middle, error)
    for rank, expected in (([4, 4, 4, 4, 4], places - 0.501), ([4, 0, 4, 4, 4], places - 0.001)):
        solved = solve_places(np.full(5, 150.0), np.full(5, 2.0), np.full(5, 0.1), np.array(rank), 4, pairs)
        assert solved.dx == pytest.approx(expected, abs=1e-4)
        assert set(solved.rank.tolist()) == {min(rank)}


def test_sql_and_the_solution_mean_the_same_by_apart() -> None:
    assert t.APART_PIXELS == TOGETHER
