"""Columns are found by ObsCore's names, MAST's, the archive's search and the user's, in any case."""

from __future__ import annotations

import pytest

from mvmdb.errors import InputError, UsageError
from mvmdb.tables.columns import KNOWN, find_columns

OBSCORE = (
    "dataproduct_type", "calib_level", "obs_collection", "obs_id", "obs_publisher_did", "access_url", "target_name",
    "s_ra", "s_dec", "s_fov", "s_region", "t_min", "t_max", "t_exptime", "em_min", "em_max", "facility_name",
    "instrument_name", "filters",
)  # fmt: skip
CAOM = (
    "intentType", "obs_collection", "provenance_name", "instrument_name", "project", "filters", "wavelength_region",
    "target_name", "target_classification", "obs_id", "s_ra", "s_dec", "dataproduct_type", "proposal_pi",
    "calib_level", "t_min", "t_max", "t_exptime", "em_min", "em_max", "obs_title", "t_obs_release", "proposal_id",
    "proposal_type", "sequence_number", "s_region", "jpegURL", "dataURL", "dataRights", "mtFlag", "srcDen", "obsid",
)  # fmt: skip
SEARCH = (
    "Dataset", "Target Name", "RA (J2000)", "Dec (J2000)", "Ref", "Start Time", "Stop Time", "Exp Time", "Instrument",
    "Apertures", "Filters/Gratings", "Proposal ID", "Release Date", "PI Last Name", "V3 Pos Angle", "Broad Category",
)  # fmt: skip


@pytest.mark.parametrize("names", [OBSCORE, CAOM, SEARCH])
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_the_names_of_obscore_mast_and_the_search_are_known(names: tuple[str, ...], change: type[str]) -> None:
    positions = find_columns([change(name) for name in names], {}, "t")
    chosen = {field: names[position].lower() for field, position in positions.items()}
    assert {"name", "instrument", "filters", "exptime", "expstart", "expend", "ra", "dec", "target"} <= chosen.keys()
    assert all(name in KNOWN[field] for field, name in chosen.items())
    assert chosen["name"] in ("obs_id", "dataset")


def test_a_mapping_takes_precedence_over_known_names() -> None:
    positions = find_columns((*OBSCORE, "My_Filter"), {"filters": "my_filter", "target": "OBS_ID"}, "t")
    assert positions["filters"] == len(OBSCORE)
    assert positions["target"] == positions["name"] == OBSCORE.index("obs_id")


def test_a_missing_column_is_named_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"no column for filters: .*--map filters=COLUMN"):
        find_columns([name for name in OBSCORE if name != "filters"], {}, "t")
    with pytest.raises(InputError, match=r"no column for region, and none for pa_v3, aperture"):
        find_columns([name for name in OBSCORE if name != "s_region"], {}, "t")


def test_a_mapping_of_an_unknown_field_or_column_is_refused() -> None:
    with pytest.raises(UsageError, match=r"there is no field 'filtre'; expected one of name,"):
        find_columns(OBSCORE, {"filtre": "filters"}, "t")
    with pytest.raises(UsageError, match=r"t has no such column; it has dataproduct_type"):
        find_columns(OBSCORE, {"filters": "wheel"}, "t")
