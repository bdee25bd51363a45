"""Skies of counts, as WFPC2's files hold them, in the catalog: those measured in electrons are not taken for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, CENTER, Archive, call
from databases import Databases
from wfpc2files import SCALES, write_wfpc2

from mvmdb.layers import recipes
from mvmdb.recipe import Recipe

LAYER = f"hst_{CELL}_wfpc2_pc_f814w_all"
SIDE = 50
SETTINGS = "1032/5/4/-100"


def forget_recipes() -> None:
    recipes.recipe_texts.cache_clear()
    recipes._recipes_at_depth.cache_clear()


@pytest.fixture
def archive(databases: Databases, tmp_path: Path) -> Archive:
    archive = Archive(tmp_path, databases.empty())
    archive.use_hap()
    for number, sky in ((1, 3.0), (2, 2.0)):
        rates = {chip: np.full((SIDE, SIDE), sky * scale**2) for chip, scale in SCALES.items()}
        write_wfpc2(archive.inbox, rootname=f"u2eq020{number}t", side=SIDE, ra=CENTER[0], dec=CENTER[1], rates=rates)
    return archive


def measures(archive: Archive) -> list[str]:
    return [measure for (measure,) in archive.rows("SELECT measure FROM sky_pair ORDER BY 1")]


def recipe_of_product(archive: Archive) -> dict[str, object]:
    ((text,),) = archive.rows(f"SELECT recipe FROM product WHERE layer = '{LAYER}'")
    return json.loads(text)


def test_mosaics_made_with_skies_of_electrons_are_made_anew_from_skies_of_counts(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_before(recipe: Recipe, instrument: str) -> Recipe:
        return recipe

    with monkeypatch.context() as earlier:
        earlier.setattr(recipes, "with_sky_units", as_before)
        forget_recipes()
        archive.night()
        assert archive.reasons() == {}
    forget_recipes()
    assert "sky_units" not in recipe_of_product(archive)
    assert measures(archive) == [SETTINGS]

    assert "layer-wrong" in call(archive, "verify").stdout, "the catalog expects what an earlier version did"
    assert call(archive, "verify", "--repair").exit_code == 0
    assert archive.reasons()[LAYER] == [("recipe-changed", None)]
    (line,) = (line for line in archive.look().plan.layers if line.name == LAYER)
    assert line.reasons[0].detail == 'sky_units is "stored", was "electrons"'
    assert archive.reconcile().failed == 0
    assert archive.reasons() == {}
    assert recipe_of_product(archive)["sky_units"] == "stored"
    assert measures(archive) == [SETTINGS, f"{SETTINGS}/stored"]
    assert call(archive, "verify", "--deep").exit_code == 0


def test_the_catalogs_other_method_matches_electrons(archive: Archive) -> None:
    archive.night()
    assert measures(archive) == [f"{SETTINGS}/stored"]
    assert call(archive, "init", "--method", "mvmdb").exit_code == 0
    assert archive.reconcile().failed == 0
    assert "sky_units" not in recipe_of_product(archive)
    assert measures(archive) == [f"{SETTINGS}/stored", f"differences/{SETTINGS}"]
