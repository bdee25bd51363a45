"""Exposures with known errors of pointing are aligned to 5 milliarcsec, all over their chips."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from skyfield import Shot, SkyField, misplace

from mvmdb.alignment.align import align_exposures
from mvmdb.alignment.reference import read_reference
from mvmdb.alignment.values import AlignInput, AlignmentResult, Fit
from mvmdb.errors import UsageError
from mvmdb.exposures.read import read_exposure

SHOTS = (
    Shot("aa", 0, 0, 0.31, -0.12, 0.011),
    Shot("bb", 4, 3, -0.02, 0.5, -0.02),
    Shot("cc", -6, 5, -0.21, -0.33, 0.001),
)
Made = list[tuple[Path, list[WCS]]]


def expose(folder: Path, field: SkyField, shots: Sequence[Shot] = SHOTS, **options: object) -> Made:
    return [field.expose(folder, shot, **options) for shot in shots]  # type: ignore[arg-type]


def to_align(path: Path, rank: int | None = None) -> AlignInput:
    exposure = read_exposure(path).exposure
    middle = (exposure.expstart + exposure.expend) / 2  # type: ignore[operator]
    return AlignInput(
        exposure.ipppssoo, str(path), exposure.wcs_digest or "", exposure.s_region, middle,
        exposure.wcs_rank if rank is None else rank,
    )  # fmt: skip


def position_errors(made: Made, result: AlignmentResult) -> list[np.ndarray]:
    """(n, 2) for each exposure: how far east and north of their true places pixels are put, milliarcsec."""
    errors = []
    for (path, true), aligned in zip(made, result.aligned, strict=True):
        parts = []
        with fits.open(path) as hdus:
            for chip, wcs in enumerate(true, start=1):
                rows, columns = hdus["SCI", chip].shape
                x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, columns, 5), np.linspace(0, rows, 5)))
                ra, dec = aligned.correction.move(*WCS(hdus["SCI", chip].header, hdus).all_pix2world(x, y, 0))
                true_ra, true_dec = wcs.all_pix2world(x, y, 0)
                parts.append(np.stack([(ra - true_ra) * np.cos(np.radians(dec)), dec - true_dec], axis=1) * 3.6e6)
        errors.append(np.concatenate(parts))
    return errors


def worst(errors: Sequence[np.ndarray]) -> float:
    return max(float(np.hypot(*one.T).max()) for one in errors)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="ir"),
        pytest.param(
            {"detector": "WFC", "chips": 2, "shape": (300, 600), "kind": "flc", "cosmic_rays": 150},
            id="wfc-cosmic-rays",
        ),
        pytest.param({"detector": "UVIS", "shape": (512, 512), "cosmic_rays": 150}, id="uvis-cosmic-rays"),
    ],
)
def test_known_errors_are_recovered_from_a_reference(tmp_path: Path, options: dict[str, object]) -> None:
    field = SkyField()
    made = expose(tmp_path, field, **options)
    reference = read_reference(field.write_reference(tmp_path / "stars.csv"))
    before = [path.read_bytes() for path, _ in made]
    result = align_exposures([to_align(path) for path, _ in made], reference)
    assert not result.refused
    assert worst(position_errors(made, result)) < 5
    assert [path.read_bytes() for path, _ in made] == before


def test_exposures_are_aligned_to_each_other(tmp_path: Path) -> None:
    made = expose(tmp_path, SkyField(), cosmic_rays=60)
    result = align_exposures([to_align(path) for path, _ in made])
    errors = np.array(position_errors(made, result))
    assert worst(errors - errors.mean(axis=0)) < 5
    corrections = [one.correction for one in result.aligned]
    assert abs(np.mean([(one.dx, one.dy) for one in corrections], axis=0)).max() < 1e-4  # arcsec: the group stays
    assert abs(np.mean([one.roll for one in corrections])) < 1e-9


def test_the_best_solution_of_a_group_stays_where_it_is(tmp_path: Path) -> None:
    shots = (Shot("aa", 0, 0), *SHOTS[1:])
    made = expose(tmp_path, SkyField(), shots)
    result = align_exposures([to_align(path, rank=9 if n == 0 else 1) for n, (path, _) in enumerate(made)])
    still = result.aligned[0].correction
    assert max(map(abs, (still.dx, still.dy, still.roll))) < 1e-6
    assert worst(position_errors(made, result)) < 5


def test_stars_are_moved_to_the_date_of_each_exposure(tmp_path: Path) -> None:
    field = SkyField(motion=12.0)  # mas/yr: 84 mas until 2009, 36 until 2019
    shots = [Shot(one.name, one.east, one.north, one.wrong_east, one.wrong_north, one.wrong_roll,
                  {"expstart": 55093.0 + 3650 * n}) for n, one in enumerate(SHOTS[:2])]  # fmt: skip
    made = expose(tmp_path, field, shots)
    reference = read_reference(field.write_reference(tmp_path / "stars.csv"))
    inputs = [to_align(path) for path, _ in made]
    # Each alone: in the overlap, the stars themselves have moved in the ten years between.
    for one, exposure in zip(inputs, made, strict=True):
        result = align_exposures([one], reference)
        assert worst(position_errors([exposure], result)) < 5
        unmoved = replace(reference, pmra=np.zeros(len(reference)), pmdec=np.zeros(len(reference)))
        assert worst(position_errors([exposure], align_exposures([one], unmoved))) > 25


def test_an_exposure_without_stars_of_the_reference_follows_its_neighbours(tmp_path: Path) -> None:
    field = SkyField(n=120)
    made = expose(tmp_path, field)
    reference = read_reference(field.write_reference(tmp_path / "stars.csv"))
    west = reference.ra < np.median(reference.ra)
    half = replace(
        reference, **{name: getattr(reference, name)[west] for name in ("ra", "dec", "pmra", "pmdec", "epoch")}
    )
    result = align_exposures([to_align(path) for path, _ in made], half)
    assert worst(position_errors(made, result)) < 8


def test_too_few_matches_are_refused_with_their_numbers(tmp_path: Path) -> None:
    field = SkyField()
    made = expose(tmp_path, field)
    lonely = SkyField(n=3, side=20).expose(tmp_path, Shot("dd", 200, 200))
    inputs = [to_align(path) for path, _ in (*made, lonely)]
    result = align_exposures(inputs, read_reference(field.write_reference(tmp_path / "stars.csv")))
    assert len(result.aligned) == 3
    (why,) = result.refused.values()
    assert re.match(r"0 of its \d+ sources match with stars.csv; expected 6 or more; give", why)
    result = align_exposures(inputs[:3], read_reference(field.write_reference(tmp_path / "few.csv", every=30)))
    assert not result.aligned
    assert all(re.match(r"[0-2] of its \d+ sources match with few.csv .*; expected 6 or more", why)
               for why in result.refused.values())  # fmt: skip
    result = align_exposures(inputs[3:])
    assert "it overlaps no other exposure" in result.refused["ib6o04dd"]


def test_unrelated_stars_do_not_match(tmp_path: Path) -> None:
    made = expose(tmp_path, SkyField(), SHOTS[:1])
    crowded = SkyField(n=3000, seed=99)
    result = align_exposures([to_align(made[0][0])], read_reference(crowded.write_reference(tmp_path / "other.csv")))
    assert not result.aligned
    assert "expected" in result.refused["ib6o04aa"]


def test_a_file_that_changed_since_is_refused(tmp_path: Path) -> None:
    made = expose(tmp_path, SkyField())
    inputs = [to_align(path) for path, _ in made]
    misplace(made[0][0], 1.0, 0.0, 0.0)
    result = align_exposures(inputs)
    assert [one.ipppssoo for one in result.aligned] == ["ib6o04bb", "ib6o04cc"]
    assert "has another WCS than in the catalog" in result.refused["ib6o04aa"]


@pytest.mark.parametrize("fit", ["shift", "rscale"])
def test_other_fits_have_fewer_and_more_parameters(tmp_path: Path, fit: Fit) -> None:
    shots = [replace(shot, wrong_roll=0.0) for shot in SHOTS]
    made = expose(tmp_path, SkyField(), shots)
    reference = read_reference(SkyField().write_reference(tmp_path / "stars.csv"))
    result = align_exposures([to_align(path) for path, _ in made], reference, fit=fit)
    assert worst(position_errors(made, result)) < 5
    corrections = [one.correction for one in result.aligned]
    if fit == "shift":
        assert {(one.roll, one.scale) for one in corrections} == {(0.0, 1.0)}
    else:
        assert all(0 < abs(one.scale - 1) < 2e-4 for one in corrections)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.alignment.align.find_spec", lambda name: None if name == "tweakwcs" else object())
    with pytest.raises(UsageError, match=r"aligning needs tweakwcs, which is not installed; run: pip install"):
        align_exposures([])
