"""Many exposures at once, as columns: what `tables` reads and the catalog writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mvmdb.sky.membership import Footprints

COLUMNS = (
    "ipppssoo", "rootname", "kind", "instrument", "detector", "filters", "filter", "proposal_id", "program", "visit",
    "target", "exptime", "expstart", "expend", "ra", "dec", "s_region", "s_region_given", "n_chips", "wcsname",
    "distortion", "fit", "astrometric_catalog", "wcs_digest", "pixels", "eligible", "ineligible_rule",
    "ineligible_reason", "warnings", "filename",
)  # fmt: skip
"""The columns of a batch, named and valued as those of the catalog's table `exposure`."""


@dataclass(frozen=True, slots=True)
class ExposureBatch:
    """Exposures read from a table. Each column of COLUMNS has `n` plain Python values.

    `footprints` are the polygons of `s_region`, to its 9 decimals; an exposure without a region has none.
    """

    n: int
    columns: Mapping[str, Sequence[object]]
    footprints: Footprints
