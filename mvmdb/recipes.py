"""Which drizzle parameters a layer gets, by detector and depth; how they are applied is the mosaic room's business.

The numbers are the MVM parameter sets of drizzlepac 3.11 (`pars/hap_pars/mvm_parameters`); see docs/mosaics.md.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache

from mvmdb.names import Scale

ALGORITHM = 1
"""Version of the mosaic algorithm. Raise it when the same members and recipe give other pixels: all is then stale."""

PIXEL_SCALE = {"fine": 0.04, "coarse": 0.12}
"""Output pixel size in arcsec."""

ALL_BITS = 65535
_GOOD_BITS = {"acs/wfc": 80, "acs/hrc": 80, "wfc3/uvis": 80, "wfc3/ir": 528, "acs/sbc": 0, "wfpc2/pc": 1034}
_SKY_GOOD_BITS = {"wfc3/ir": 16, "wfpc2/pc": 1032}
_SHRUNKEN = ("f115lp", "f122m")  # ACS/SBC filters whose deep layers use a smaller pixfrac
_COARSE_TOO = ("wfc3/ir", "wfpc2/pc")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parameters of one layer's drizzle.

    `good_bits` and `sky_good_bits` are the DQ bits that do *not* make a pixel bad; `pixel_scale` is in arcsec. With
    `errors` the product has an ERR plane.
    """

    scale: Scale
    pixel_scale: float
    sky_match: bool
    good_bits: int
    sky_good_bits: int
    sky_clips: int = 5
    sky_sigma: float = 4.0
    sky_lower: float = -100.0
    kernel: str = "square"
    pixfrac: float = 1.0
    algorithm: int = ALGORITHM
    errors: bool = False

    def to_json(self) -> str:
        """The parameters as JSON text, sorted by name: what catalog, products and digests carry."""
        return _write(self)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote."""
        return cls(**json.loads(text))


@cache
def _write(recipe: Recipe) -> str:
    parameters = asdict(recipe)
    if not recipe.errors:  # not named, so that products without errors are what they were before there were any
        del parameters["errors"]
    return json.dumps(parameters, sort_keys=True)


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
