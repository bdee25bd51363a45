"""The drizzle parameters of one layer, as a value and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from mvmdb.names import Scale

ALGORITHM = 1
"""Version of the mosaic algorithm. Raise it if the same members and recipe give different pixels: this makes all layers
stale."""


Method = Literal["hap", "mvmdb"]
"""How mosaics are made: as the archive's documents and drizzlepac have it, or by mvmdb's own methods, where they are
right and those are not."""


PIXEL_SCALE = {"fine": 0.04, "coarse": 0.12}
"""Output pixel size in arcsec."""


@dataclass(frozen=True, slots=True)
class Making:
    """What an archive's configuration chooses for the recipes of all its layers, whatever their detector and depth."""

    errors: bool = False
    method: Method = "hap"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The drizzle parameters of one layer.

    `pixel_scale` is in arcsec. `good_bits` and `sky_good_bits` are the DQ bits that do *not* make a pixel bad, for the
    mosaic and for its skies. Skies are medians after `sky_clips` clips at `sky_sigma` standard deviations, without
    values below `sky_lower`. With `errors`, the product has an ERR plane. `method`: as the archive's documents say
    (`hap`), or mvmdb's own.
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
    method: Method = "hap"

    @property
    def takes_solved_skies(self) -> bool:
        """Whether members get the skies of one solution of the whole archive, and not of the layer alone."""
        return self.sky_match and self.method == "mvmdb"

    def to_json(self) -> str:
        """The parameters as JSON text, sorted by name, as in the catalog, in products and in digests."""
        return _write(self)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote as this text."""
        return cls(**json.loads(text))


MATCHED_ACROSS = '"method": "mvmdb"'
"""What the JSON of a recipe contains if its layers take the skies of members from one solution of the whole archive."""


def is_matched_across(text: str) -> bool:
    """Whether a recipe, as JSON, takes the skies of members from one solution of the whole archive, if it matches any.

    The catalog's views ask the same of the text.
    """
    return MATCHED_ACROSS in text


_ADDED = asdict(Making())
"""Parameters that recipes have had since a later version, with the values that earlier products have."""


@cache
def _write(recipe: Recipe) -> str:
    parameters = asdict(recipe)
    for name, value in _ADDED.items():
        if parameters[name] == value:  # left out, so that text and digest are the same as before the parameter existed
            del parameters[name]
    return json.dumps(parameters, sort_keys=True)
