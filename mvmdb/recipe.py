"""The drizzle parameters of one layer, as a value and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Literal

from mvmdb.names import Scale

Weight = Literal["exptime", "ivm"]
"""What members count by: their exposure time, or the inverse variance of their background."""

ALGORITHM = 1
"""Version of the mosaic algorithm. Raise it if the same members and recipe give different pixels: this makes all layers
stale."""


PIXEL_SCALE = {"fine": 0.04, "coarse": 0.12}
"""Output pixel size in arcsec."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The drizzle parameters of one layer.

    `pixel_scale` is in arcsec. `good_bits` and `sky_good_bits` are the DQ bits that do *not* make a pixel bad, for the
    mosaic and for its skies. Skies are medians after `sky_clips` clips at `sky_sigma` standard deviations, without
    values below `sky_lower`. With `errors`, the product has an ERR plane. `weight`: what a member's good pixels
    count by.
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
    weight: Weight = "exptime"

    @property
    def reads_errors(self) -> bool:
        """Whether members are drizzled with their ERR."""
        return self.errors or self.weight == "ivm"

    def to_json(self) -> str:
        """The parameters as JSON text, sorted by name, as in the catalog, in products and in digests."""
        return _write(self)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote as this text."""
        return cls(**json.loads(text))


LEFT_OUT: Mapping[str, object] = {"errors": False, "weight": "exptime"}
"""Parameters that the JSON leaves out at these values, so that it is the same text as before there were any of them."""


@cache
def _write(recipe: Recipe) -> str:
    parameters = asdict(recipe)
    for name, value in LEFT_OUT.items():
        if parameters[name] == value:
            del parameters[name]
    return json.dumps(parameters, sort_keys=True)
