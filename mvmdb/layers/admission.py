"""Which exposures the policy and the kind of file let into a layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import Kind
from mvmdb.records import Policy

SMALL = frozenset({("acs", "hrc"), ("acs", "sbc")})
"""(instrument, detector) of the detectors that leave with MVM_INCLUDE_SMALL off."""


_CTE_CORRECTED = frozenset({("acs", "wfc"), ("wfc3", "uvis")})


def stays(layer: NDArray[np.int64], is_flc: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which members stay in their layer: one FLC evicts every FLT of its layer. `layer` numbers each member's layer."""
    has_flc = np.bincount(layer, weights=is_flc) > 0
    return np.asarray(is_flc == has_flc[layer])


def left_out(instrument: str, detector: str, kind: Kind, policy: Policy) -> str:
    """Why the policy leaves an exposure out, or an empty text where it does not."""
    if not policy.include_small and (instrument, detector) in SMALL:
        return f"MVM_INCLUDE_SMALL is off, and the detector is {detector.upper()}"
    if policy.only_cte and kind == "flt" and (instrument, detector) in _CTE_CORRECTED:
        return "MVM_ONLY_CTE is on, and the file is an FLT"
    return ""
