"""Which drizzle parameters a layer gets, by detector and depth.

The rules are those of the MVM parameter sets of drizzlepac 3.11 (`pars/hap_pars/mvm_parameters`). instruments.py holds
the numbers of each detector. See docs/mosaics.md.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache

from mvmdb.instruments import Detector, find_detector
from mvmdb.names import LayerName, ObsMode, Scale
from mvmdb.recipe import ALL_BITS, PIXEL_SCALE, Making, Recipe, with_sky_units


def layer_name(skycell: str, obsmode: ObsMode, scale: Scale, label: str = "all") -> LayerName:
    """The name of a cell's layer of an obsmode at a scale; `label` is without the prefix `coarse-`."""
    return LayerName(skycell, *obsmode, label=label if scale == "fine" else f"coarse-{label}")


@cache
def recipe_texts(obsmode: ObsMode, depth: int, making: Making) -> tuple[tuple[Scale, str], ...]:
    """(scale, recipe as JSON) for each scale at which layers of this obsmode are made.

    `depth` is the rounded mean number of exposures, at least 1.
    """
    return tuple((recipe.scale, recipe.to_json()) for recipe in _recipes_at_depth(*obsmode, depth, making))


@cache
def _recipes_at_depth(
    instrument: str, detector: str, filter_name: str, depth: int, making: Making
) -> tuple[Recipe, ...]:
    scales = layer_scales(instrument, detector)
    return tuple(choose_recipe(instrument, detector, filter_name, scale, depth, making) for scale in scales)


_DEFAULT = Making()


def choose_recipe(
    instrument: str,
    detector: str,
    filter_name: str,
    scale: Scale,
    mean_exposures: float,
    making: Making = _DEFAULT,
) -> Recipe:
    """The recipe of a layer in which `mean_exposures` exposures on average cover an exposed pixel.

    Means are rounded half to even: 1.5 is 2. At depth 1, all pixels are good and skies are not matched, unless
    `making.shallow` says otherwise; above, it says nothing.
    """
    depth = max(1, round(mean_exposures))
    if depth > 1:
        making = replace(making, shallow="hap")
    elif making.shallow == "hap":
        return _of_all_pixels(scale, making)
    facts = find_detector(instrument, detector)
    recipe = Recipe(
        scale,
        PIXEL_SCALE[scale],
        sky_match=facts.sky_match,
        good_bits=facts.good_bits,
        sky_good_bits=facts.sky_good_bits,
        pixfrac=_choose_pixfrac(facts, filter_name, depth),
        **asdict(making),
    )
    return with_sky_units(recipe, instrument)


def documented_recipe(recipe: Recipe, instrument: str) -> Recipe:
    """The recipe of the same layer at the same depth as the archive's documents have it, and drizzlepac follows it."""
    if recipe.shallow == "match":  # of a mean depth of one exposure
        return _of_all_pixels(recipe.scale, _DEFAULT)
    return with_sky_units(replace(recipe, **asdict(_DEFAULT)), instrument)


def _of_all_pixels(scale: Scale, making: Making) -> Recipe:
    """The recipe of a mean depth of one exposure, without sky matching and of all pixels."""
    return Recipe(scale, PIXEL_SCALE[scale], False, good_bits=ALL_BITS, sky_good_bits=0, **asdict(making))


def _choose_pixfrac(detector: Detector, filter_name: str, depth: int) -> float:
    deep = detector.deep
    return deep.pixfrac if deep is not None and filter_name in deep.filters and depth >= deep.depth else 1.0


def layer_scales(instrument: str, detector: str) -> tuple[Scale, ...]:
    """The scales at which a detector's layers are made: fine, and also coarse if its pixels are large."""
    return find_detector(instrument, detector).scales
