"""The drizzle parameters of one layer, as a value and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Literal

from mvmdb.instruments import INSTRUMENTS
from mvmdb.names import Scale

Weight = Literal["exptime", "ivm"]
"""What members count by: their exposure time, or the inverse variance of their background."""

ALGORITHM = 1
"""Version of the mosaic algorithm. Raise it if the same members and recipe give different pixels: this makes all layers
stale."""


Method = Literal["hap", "mvmdb"]
"""How mosaics are made: as the archive's documents and drizzlepac have it, or by mvmdb's own methods, where they are
right and those are not."""


Shallow = Literal["hap", "match"]
"""How layers of a mean depth of one exposure are made: as the archive's documents have it, without sky matching and of
all pixels; or with skies matched where exposures overlap, and of flagged pixels only where there is no good one."""


SkyUnits = Literal["electrons", "stored"]
"""What skies are matched in: electrons, or the counts that files hold, of chips whose gains may differ, as drizzlepac
does. In files that hold electrons, both are the same."""


ALL_BITS = 65535
"""All bits of DQ."""


PIXEL_SCALE = {"fine": 0.04, "coarse": 0.12}
"""Output pixel size in arcsec."""


@dataclass(frozen=True, slots=True)
class Making:
    """What an archive's configuration chooses for the recipes of all its layers, whatever their detector and depth."""

    errors: bool = False
    method: Method = "hap"
    weight: Weight = "exptime"
    shallow: Shallow = "hap"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The drizzle parameters of one layer.

    `pixel_scale` is in arcsec. `good_bits` and `sky_good_bits` are the DQ bits that do *not* make a pixel bad, for the
    mosaic and for its skies. Skies are medians after `sky_clips` clips at `sky_sigma` standard deviations, without
    values below `sky_lower`, matched in `sky_units`. With `errors`, the product has an ERR plane. `method`: as the
    archive's documents say (`hap`), or mvmdb's own. `weight`: what a member's good pixels count by. `shallow` is
    `match` in layers of a mean depth of one exposure that take a flagged pixel where there is no good one; elsewhere
    it is `hap`.
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
    weight: Weight = "exptime"
    shallow: Shallow = "hap"
    sky_units: SkyUnits = "electrons"

    @property
    def used_bits(self) -> int:
        """The DQ bits with which a pixel may be used at all, if only where there is no good one."""
        return ALL_BITS if self.shallow == "match" else self.good_bits

    @property
    def reads_errors(self) -> bool:
        """Whether members are drizzled with their ERR."""
        return self.errors or self.weight == "ivm"

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

SAME_SKY = 1e-9
"""Solved skies that differ by less (electrons/s/arcsec^2) are one: they are rounded where members are scaled to one
flux."""


def is_matched_across(text: str) -> bool:
    """Whether a recipe, as JSON, takes the skies of members from one solution of the whole archive, if it matches any.

    The catalog's views ask the same of the text.
    """
    return MATCHED_ACROSS in text


def with_sky_units(recipe: Recipe, instrument: str) -> Recipe:
    """The recipe of a layer of this instrument with the units in which its method matches skies, if it matches any.

    drizzlepac 3.11 matches the values that files hold (`skymatch` of stsci.skypac, without a keyword of sensitivity):
    of WFPC2, counts.
    """
    stored = recipe.sky_match and recipe.method == "hap" and INSTRUMENTS[instrument].counts is not None
    return replace(recipe, sky_units="stored" if stored else "electrons")


LEFT_OUT: Mapping[str, object] = {**asdict(Making()), "sky_units": "electrons"}
"""Parameters that the JSON leaves out at these values, so that it is the same text as before there were any of them."""


@cache
def _write(recipe: Recipe) -> str:
    parameters = asdict(recipe)
    for name, value in LEFT_OUT.items():
        if parameters[name] == value:
            del parameters[name]
    return json.dumps(parameters, sort_keys=True)
