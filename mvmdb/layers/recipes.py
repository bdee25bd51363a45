"""Which drizzle parameters a layer gets, by detector and depth.

The numbers are the MVM parameter sets of drizzlepac 3.11 (`pars/hap_pars/mvm_parameters`); see docs/mosaics.md.
"""

from __future__ import annotations

from functools import cache

from mvmdb.names import LayerName, ObsMode, Scale
from mvmdb.recipe import PIXEL_SCALE, Recipe


def layer_name(skycell: str, obsmode: ObsMode, scale: Scale, label: str = "all") -> LayerName:
    """The name of a cell's layer of an obsmode at a scale; `label` is that of the fine scale."""
    return LayerName(skycell, *obsmode, label=label if scale == "fine" else f"coarse-{label}")


@cache
def recipe_texts(obsmode: ObsMode, depth: int, errors: bool) -> tuple[tuple[Scale, str], ...]:
    """(scale, recipe as JSON) of a cell's layers of one obsmode, for each scale that they are made at.

    `depth` is the rounded mean number of exposures, 1 or more; `errors` as in the policy.
    """
    return tuple((recipe.scale, recipe.to_json()) for recipe in _recipes_at_depth(*obsmode, depth, errors))


@cache
def _recipes_at_depth(instrument: str, detector: str, filter_name: str, depth: int, errors: bool) -> tuple[Recipe, ...]:
    scales = layer_scales(instrument, detector)
    return tuple(choose_recipe(instrument, detector, filter_name, scale, depth, errors) for scale in scales)


ALL_BITS = 65535


_GOOD_BITS = {"acs/wfc": 80, "acs/hrc": 80, "wfc3/uvis": 80, "wfc3/ir": 528, "acs/sbc": 0, "wfpc2/pc": 1034}


_SKY_GOOD_BITS = {"wfc3/ir": 16, "wfpc2/pc": 1032}


_SHRUNKEN = ("f115lp", "f122m")  # ACS/SBC filters whose deep layers use a smaller pixfrac


_COARSE_TOO = ("wfc3/ir", "wfpc2/pc")


def choose_recipe(
    instrument: str, detector: str, filter_name: str, scale: Scale, mean_exposures: float, errors: bool = False
) -> Recipe:
    """The recipe of a layer whose exposed pixels hold `mean_exposures` exposures on average.

    Means are rounded half to even: 1.5 is 2. One exposure takes every pixel as good and has no sky matching. `errors`
    is the archive's policy.
    """
    key = f"{instrument}/{detector}"
    depth = max(1, round(mean_exposures))
    if depth == 1:
        return Recipe(scale, PIXEL_SCALE[scale], False, good_bits=ALL_BITS, sky_good_bits=0, errors=errors)
    shrunken = key == "acs/sbc" and filter_name in _SHRUNKEN and depth >= 6
    return Recipe(
        scale,
        PIXEL_SCALE[scale],
        sky_match=key != "acs/sbc",
        good_bits=_GOOD_BITS[key],
        sky_good_bits=_SKY_GOOD_BITS.get(key, 80),
        pixfrac=0.8 if shrunken else 1.0,
        errors=errors,
    )


def layer_scales(instrument: str, detector: str) -> tuple[Scale, ...]:
    """The scales at which a detector's layers are made: fine, and coarse too for WFC3/IR and WFPC2/PC."""
    return ("fine", "coarse") if f"{instrument}/{detector}" in _COARSE_TOO else ("fine",)
