"""The exposures whose coverage is asked for, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CoveringExposures:
    """n exposures that are members of layers, one value per column and exposure.

    `id`: keys of the table `exposure`. `exptime`: seconds. `expstart`, `expend`: MJD, NaN where unknown. `s_region`:
    footprints as the catalog holds them (one POLYGON ICRS per chip, counter-clockwise, open), for `Footprints`.
    `fit`, `astrometric_catalog`: parts of WCSNAME, None where it has none.
    """

    id: NDArray[np.int64]
    ipppssoo: NDArray[np.object_]
    instrument: NDArray[np.object_]
    detector: NDArray[np.object_]
    filter: NDArray[np.object_]
    proposal_id: NDArray[np.int64]
    target: NDArray[np.object_]
    exptime: NDArray[np.float64]
    expstart: NDArray[np.float64]
    expend: NDArray[np.float64]
    fit: NDArray[np.object_]
    astrometric_catalog: NDArray[np.object_]
    s_region: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.id)

    def select(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> CoveringExposures:
        """Some of the exposures, by their places or by a mask."""
        return CoveringExposures(*(getattr(self, field.name)[chosen] for field in fields(self)))


COLUMNS = tuple(field.name for field in fields(CoveringExposures))
"""The columns, which are columns of the table `exposure`."""

_NUMBERS = {
    "id": np.int64,
    "proposal_id": np.int64,
    "exptime": np.float64,
    "expstart": np.float64,
    "expend": np.float64,
}


def columns_of(rows: Sequence[Sequence[object]]) -> CoveringExposures:
    """Exposures from rows with the values of COLUMNS."""
    listed = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays: list[NDArray[Any]] = []
    for name, values in zip(COLUMNS, listed, strict=True):
        column = np.empty(len(values), dtype=_NUMBERS.get(name, object))
        column[:] = values
        arrays.append(column)
    return CoveringExposures(*arrays)
