"""Layers of a mean depth of one exposure: with `match`, skies meet, and flagged pixels shine only alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_pixels
from mosaic_field import Field, depth_of

from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle.members import FLAGGED
from mvmdb.mosaic.make import make_product
from mvmdb.recipe import Making, Recipe
from mvmdb.records import Action, LayerJob, Policy

SHAPE = (96, 96)
NOISE, STEP = 0.05, 0.19  # electrons/s per pixel: skies that differ by 3.7 sigma
RAY = 4000.0  # electrons/s


def recipe_of(shallow: str, errors: bool = False) -> Recipe:
    return choose_recipe("wfc3", "ir", "f125w", "fine", 1, Making(errors=errors, shallow=shallow))  # type: ignore[arg-type]


@pytest.fixture
def paths(field: Field) -> list[Path]:
    """Two exposures that overlap by a third; a cosmic ray on each inside the overlap, and one on the first outside."""
    made = []
    for name, east, sky, places in (("aa", 0.0, 1.0, ((48, 10), (48, 80))), ("bb", -8.0, 1.0 + STEP, ((30, 84),))):
        dq = np.zeros(SHAPE, int)
        for row, column in places:
            dq[row, column] = 8192
        path = field.expose(name, east=east, sky=sky, noise=NOISE, shape=SHAPE, orientat=0.0, dq=dq)
        with fits.open(path) as hdus:
            picture, seconds = hdus["SCI", 1].data.copy(), hdus[0].header["EXPTIME"]
            picture[dq > 0] = RAY * (1.0 if hdus["SCI", 1].header["BUNIT"].endswith("/S") else seconds)
        set_pixels(path, picture)
        made.append(path)
    return made


def made(job: LayerJob) -> tuple[np.ndarray, np.ndarray, WCS]:
    with fits.open(make_product(job).path) as hdus:
        return hdus["SCI"].data.astype(float), hdus["WHT"].data.astype(float), WCS(hdus["SCI"].header)


def test_steps_of_the_sky_vanish_and_rays_shine_only_where_nothing_else_is(field: Field, paths: list[Path]) -> None:
    shining, steps = {}, {}
    for shallow in ("hap", "match"):
        science, weight, wcs = made(field.job(paths, recipe=recipe_of(shallow)))
        depth = depth_of(paths, wcs, science.shape)
        assert 0.2 < (depth == 2).sum() / (depth > 0).sum() < 0.4
        shining[shallow] = (
            np.count_nonzero((depth == 2) & (science > 10.0)),
            np.count_nonzero((depth == 1) & (science > 10.0)),
        )
        # Left of the overlap there is only one exposure, right of it only the other.
        columns = np.flatnonzero((depth == 2).any(axis=0))
        sides = science[:, : columns[0] - 3], science[:, columns[-1] + 3 :]
        scale = (0.1282500028610229 / 0.04) ** 2
        left, right = (np.nanmedian(side) * scale for side in sides)
        steps[shallow] = abs(left - right)
        assert (weight > 0).sum() == np.isfinite(science).sum()
        if shallow == "match":
            faint = (weight > 0) & (weight < weight.max() * 1e-3)
            assert 1 <= np.count_nonzero(faint & (depth == 1)) < 40
            assert weight[faint & (science > 10.0)].max() == pytest.approx(weight.max() * FLAGGED, rel=0.6)
            assert science[depth == 2].max() < 1.0
    assert steps["hap"] == pytest.approx(STEP, rel=0.1)
    assert steps["match"] < 0.05 * STEP
    assert shining["hap"][0] > 10
    assert shining["match"][0] == 0
    assert shining["match"][1] > 3


@pytest.mark.parametrize("errors", [False, True])
def test_adding_and_other_canvases_give_the_same_pixels(field: Field, paths: list[Path], errors: bool) -> None:
    job = field.job(paths, recipe=recipe_of("match", errors))
    first = replace(job.members[0], sky=0.0)
    make_product(replace(job, members=(first,)))
    added = replace(job, action=Action.ADD, members=(replace(first, drizzled=True), job.members[1]))
    record = make_product(added)
    skies = {member.ipppssoo: member.sky for member in record.members}
    assert skies["ib6o04bb"] == pytest.approx(STEP / 0.1282500028610229**2, rel=0.05)
    grown = arrays(record.path)
    whole = replace(job, members=tuple(replace(member, sky=skies[member.ipppssoo]) for member in job.members))
    drizzled = arrays(make_product(whole).path)
    assert all(np.array_equal(grown[name], drizzled[name], equal_nan=True) for name in ("SCI", "WHT"))
    c = job.canvas
    wider = replace(c, x_min=c.x_min - 7, y_max=c.y_max + 5)
    recanvased = arrays(make_product(replace(whole, action=Action.RECANVAS, canvas=wider)).path)
    wide = arrays(make_product(replace(whole, canvas=wider)).path)
    assert ("ERR" in wide) is errors
    for name, plane in wide.items():
        assert np.array_equal(recanvased[name], plane, equal_nan=True)
        assert np.array_equal(plane[: drizzled[name].shape[0], 7:], drizzled[name], equal_nan=True)
    if errors:
        known = drizzled["WHT"] > 0
        assert (drizzled["ERR"][known] > 0).all()
        np.testing.assert_allclose(grown["ERR"][known], drizzled["ERR"][known], rtol=1e-6)


def arrays(path: str) -> dict[str, np.ndarray]:
    with fits.open(path, memmap=False) as hdus:
        return {hdu.name: hdu.data.copy() for hdu in hdus if hdu.name in ("SCI", "WHT", "ERR")}


def test_a_flagged_pixel_changes_a_good_one_by_no_more_than_rounding(field: Field) -> None:
    dq = np.zeros((40, 40), int)
    dq[20, 20] = 8192
    for order in (("aa", "bb"), ("bb", "aa")):
        hit, clean = order
        first = field.expose(hit, shape=(40, 40), sky=0.5, dq=dq)
        picture = np.full((40, 40), 0.5 * 802.934753, "f4")
        with fits.open(first) as hdus:
            if hdus["SCI", 1].header["BUNIT"].endswith("/S"):
                picture = np.full((40, 40), 0.5, "f4")
        picture[20, 20] *= 1e4
        set_pixels(first, picture)
        second = field.expose(clean, shape=(40, 40), sky=0.5)
        recipe = replace(recipe_of("match"), sky_match=False)
        science, _, _ = made(field.job([first, second], recipe=recipe))
        level = 0.5 * (0.04 / 0.1282500028610229) ** 2
        middle = np.s_[30:-30, 30:-30]
        assert np.abs(science[middle] - level).max() < 1e-3 * level


def test_an_exposure_whose_pixels_are_all_flagged_is_used_where_nothing_else_is(field: Field) -> None:
    flagged = field.expose("aa", sky=2.0, dq=np.full((64, 64), 4))
    science, weight, _ = made(field.job([flagged], recipe=recipe_of("match")))
    assert np.nanmedian(science) == pytest.approx(2.0 * (0.04 / 0.1282500028610229) ** 2, rel=0.02)
    assert 0 < weight.max() < 1e-3


def test_only_recipes_of_a_depth_of_one_know_the_choice() -> None:
    shallow, deep = (choose_recipe("wfc3", "ir", "f125w", "fine", depth, Making(shallow="match")) for depth in (1, 2))
    assert (shallow.shallow, shallow.sky_match, shallow.good_bits, shallow.used_bits) == ("match", True, 528, 65535)
    assert deep == choose_recipe("wfc3", "ir", "f125w", "fine", 2)
    assert "shallow" not in choose_recipe("wfc3", "ir", "f125w", "fine", 1).to_json()
    assert Recipe.from_json(shallow.to_json()) == shallow
    assert Policy(method="hap").making == Making()
    assert Policy(method="mvmdb").making == Making(method="mvmdb", shallow="match")
    assert Policy(method="mvmdb", shallow="hap").making == Making(method="mvmdb")
    assert Policy(method="hap", shallow="match").making == Making(shallow="match")
