"""Facts about drizzlepac 3.11.0's MVM code: parameters with their defaults, and attributes of its cells.

`python -m conformance.api.compare` compares them with the real package.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

REQUIRED = inspect.Parameter.empty

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "get_sky_cells": {
        "visit_input": REQUIRED, "input_path": None, "scale": None, "cell_size": None, "diagnostic_mode": False,
    },
    "interpret_scells": {"sky_cells": REQUIRED},
    "SkyCell": {"projection_cell": None, "x": None, "y": None, "scale": "fine"},
    "SkyCell.from_name": {"name": REQUIRED, "scale": "fine"},
    "SkyCell.rescale": {"self": REQUIRED, "scale": REQUIRED},
    "SkyCell.build_mask": {"self": REQUIRED},
    "SkyCell.build_polygon": {"self": REQUIRED},
    "ProjectionCell": {"index": None, "band": None, "scale": None, "nxy": None, "overlap": None},
    "ProjectionCell.build_mask": {"self": REQUIRED},
    "ProjectionCell.build_polygon": {"self": REQUIRED},
    "generate_poller_file": {
        "input_list": REQUIRED, "poller_file_type": "svm", "output_poller_filename": "poller_file.out",
        "skycell_name": None,
    },
    "run_mvm_processing": {
        "input_filename": REQUIRED, "skip_gaia_alignment": True, "diagnostic_mode": False,
        "use_defaults_configs": True, "input_custom_pars_file": None, "output_custom_pars_file": None,
        "phot_mode": "both", "custom_limits": None, "output_file_prefix": None, "log_level": logging.INFO,
    },
}  # fmt: skip

MODULES: Mapping[str, str] = {
    "get_sky_cells": "drizzlepac.haputils.cell_utils",
    "interpret_scells": "drizzlepac.haputils.cell_utils",
    "SkyCell": "drizzlepac.haputils.cell_utils",
    "ProjectionCell": "drizzlepac.haputils.cell_utils",
    "generate_poller_file": "drizzlepac.haputils.make_poller_files",
    "run_mvm_processing": "drizzlepac.hapmultisequencer",
}
"""Where drizzlepac has each name; methods are where their class is."""

DIFFERENT: Mapping[str, Mapping[str, Any]] = {"generate_poller_file": {"poller_file_type": "mvm"}}
"""mvmdb's defaults that differ on purpose: it writes MVM pollers alone."""

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "SkyCell": (
        "scale", "x_index", "y_index", "sky_cell_id", "projection_cell", "members", "overlap", "nxy", "wcs", "corners",
        "mask", "polygon",
    ),
    "ProjectionCell": (
        "scale", "band", "band_index", "cell_id", "sc_overlap", "sc_nxy", "polygon", "mask", "wcs", "footprint",
        "corners", "diagnostic_mode",
    ),
}  # fmt: skip
"""What a cell made by its name or number has right after it was made."""
