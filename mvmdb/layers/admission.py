"""Which exposures the policy and the kind of file admit to a layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.frames import GAIA, is_absolute
from mvmdb.instruments import find_detector
from mvmdb.names import Kind
from mvmdb.records import Policy


def is_small(instrument: str, detector: str) -> bool:
    """Whether MVM_INCLUDE_SMALL=off leaves out the exposures of this detector."""
    return find_detector(instrument, detector).small


def stays(layer: NDArray[np.int64], is_flc: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether each member stays: one FLC evicts all FLTs of its layer. `layer`: (n,) the number of its layer."""
    has_flc = np.bincount(layer, weights=is_flc) > 0
    return np.asarray(is_flc == has_flc[layer])


def left_out(instrument: str, detector: str, kind: Kind, policy: Policy) -> str:
    """Why the policy leaves the exposures of a detector and kind out of all layers; empty if it does not."""
    if not policy.include_small and is_small(instrument, detector):
        return f"MVM_INCLUDE_SMALL is off, and the detector is {detector.upper()}"
    if policy.only_cte and kind == "flt" and find_detector(instrument, detector).cte_corrected:
        return "MVM_ONLY_CTE is on, and the file is an FLT"
    return ""


def frame_left_out(frame: str | None, policy: Policy) -> str:
    """Why the policy leaves the exposures of a frame out of all layers; empty if it does not.

    An exposure without a file has no frame yet (None): it is not left out, and its layers wait for what its file says.
    """
    if policy.frames == "gaia" and frame not in (GAIA, None):
        return f"frames are to be gaia, and its solution is of the frame {frame}"
    if policy.frames == "absolute" and frame is not None and not is_absolute(frame):
        return f"frames are to be absolute, and its solution is of the frame {frame}"
    return ""
