"""Recipes by detector and depth, against the table of domain facts; canvases at both scales."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvmdb.layers.recipes import choose_recipe, documented_recipe, layer_scales
from mvmdb.names import Scale
from mvmdb.recipe import Making, Method, Recipe
from mvmdb.records import Canvas


@pytest.mark.parametrize(
    ("instrument", "detector", "good", "sky_good"),
    [("acs", "wfc", 80, 80), ("acs", "hrc", 80, 80), ("wfc3", "uvis", 80, 80), ("wfc3", "ir", 528, 16),
     ("wfpc2", "pc", 1034, 1032)],
)  # fmt: skip
def test_deep_layers_reject_bad_pixels_and_match_skies(
    instrument: str, detector: str, good: int, sky_good: int
) -> None:
    recipe = choose_recipe(instrument, detector, "f606w", "fine", 2.0)
    assert (recipe.good_bits, recipe.sky_good_bits, recipe.sky_match, recipe.pixfrac) == (good, sky_good, True, 1.0)


@pytest.mark.parametrize("mean", [1.0, 4.0])
@pytest.mark.parametrize("method", ["hap", "mvmdb"])
@pytest.mark.parametrize("camera", [("acs", "wfc"), ("wfc3", "uvis"), ("wfc3", "ir"), ("wfpc2", "pc")])
def test_only_hap_matches_counts_and_only_where_files_have_them_and_skies_are_matched(
    camera: tuple[str, str], method: Method, mean: float
) -> None:
    recipe = choose_recipe(*camera, "f814w", "fine", mean, Making(method=method))
    of_counts = camera[0] == "wfpc2" and method == "hap" and mean > 1
    assert recipe.sky_units == ("stored" if of_counts else "electrons")
    assert ("sky_units" in recipe.to_json()) is of_counts, "recipes of others are the same text as ever"
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert documented_recipe(recipe, camera[0]) == choose_recipe(*camera, "f814w", "fine", mean, Making())


def test_sbc_has_no_sky_and_a_smaller_pixfrac_where_it_is_deep() -> None:
    assert not choose_recipe("acs", "sbc", "f115lp", "fine", 6).sky_match
    assert choose_recipe("acs", "sbc", "f115lp", "fine", 6).pixfrac == 0.8
    assert choose_recipe("acs", "sbc", "f115lp", "fine", 5.4).pixfrac == 1.0
    assert choose_recipe("acs", "sbc", "f150lp", "fine", 6).pixfrac == 1.0


@pytest.mark.parametrize(("mean", "match"), [(1.0, False), (1.49, False), (1.5, True), (1.51, True), (7.0, True)])
def test_mean_exposures_are_rounded_half_to_even(mean: float, match: bool) -> None:
    recipe = choose_recipe("wfc3", "ir", "f160w", "coarse", mean)
    assert recipe.sky_match is match
    assert recipe.good_bits == (528 if match else 65535)
    assert recipe.pixel_scale == 0.12


def test_only_ir_and_pc_are_coarse_too() -> None:
    assert layer_scales("wfc3", "ir") == ("fine", "coarse")
    assert layer_scales("wfpc2", "pc") == ("fine", "coarse")
    assert layer_scales("acs", "wfc") == ("fine",)
    assert layer_scales("wfc3", "uvis") == ("fine",)


@given(st.integers(1, 21954), st.integers(0, 21953), st.integers(1, 21954), st.integers(0, 21953))
def test_coarse_canvas_covers_the_fine_one_with_the_fewest_pixels(x: int, width: int, y: int, height: int) -> None:
    fine = Canvas(x, min(21954, x + width), y, min(21954, y + height))
    coarse = fine.at_scale("coarse")
    for low, high, first, last in (
        (fine.x_min, fine.x_max, coarse.x_min, coarse.x_max),
        (fine.y_min, fine.y_max, coarse.y_min, coarse.y_max),
    ):
        assert 1 <= first <= last <= 7318
        assert 3 * first - 1 <= max(low, 2)  # fine pixel 1 is outside the cell's coarse grid
        assert 3 * last + 1 >= high or high == 1
        assert 3 * (first + 1) - 1 > low
        assert 3 * (last - 1) + 1 < max(high, 2)


@given(st.booleans(), st.integers(1, 9), st.sampled_from(["fine", "coarse"]))
def test_recipes_read_back_and_name_errors_only_where_they_have_them(errors: bool, mean: int, scale: Scale) -> None:
    recipe = choose_recipe("wfc3", "ir", "f160w", scale, mean, Making(errors))
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert ("errors" in recipe.to_json()) is errors
    assert recipe.errors is errors


def test_a_recipe_without_errors_is_written_as_it_always_was() -> None:
    assert choose_recipe("acs", "wfc", "f814w", "fine", 1).to_json() == (
        '{"algorithm": 1, "good_bits": 65535, "kernel": "square", "pixel_scale": 0.04, "pixfrac": 1.0, '
        '"scale": "fine", "sky_clips": 5, "sky_good_bits": 0, "sky_lower": -100.0, "sky_match": false, '
        '"sky_sigma": 4.0}'
    )
