"""Which exposures the catalog lets into layers: the policy's switches, by detector and kind, and FLC before FLT."""

from __future__ import annotations

import pytest
from archive import Archive

SMALL = {"acs_hrc_f606w", "acs_sbc_f150lp"}
UNCORRECTED = {"acs_wfc_f814w", "wfc3_uvis_f606w"}
OTHERS = {"acs_wfc_f555w", "wfc3_uvis_f350lp", "wfc3_ir_f125w"}


def expose_all(archive: Archive) -> None:
    """One exposure of each detector, FLT and FLC where there are both, each with a filter of its own."""
    small = {"shape": (16, 16)}
    archive.expose("j8bt06nyq", detector="HRC", **small)
    archive.expose("j9l701a1q", detector="SBC", **small)
    archive.expose("j8oz04kpq", detector="WFC", kind="flt", **small)
    archive.expose("j8oz04kqq", detector="WFC", kind="flc", filters="F555W;CLEAR2L", **small)
    archive.expose("ib4606c5q", detector="UVIS", kind="flt", **small)
    archive.expose("ib4606c6q", detector="UVIS", kind="flc", filters="F350LP", **small)
    archive.expose(**small)


def bands(archive: Archive) -> set[str]:
    """Instrument, detector and filter of every layer."""
    rows = archive.rows("SELECT DISTINCT instrument, detector, filter FROM layer")
    return {"_".join(row).lower() for row in rows}


@pytest.mark.parametrize("small", ["on", "off"])
@pytest.mark.parametrize("only_cte", ["on", "off"])
def test_switches_leave_out_small_detectors_and_flts_that_could_be_flcs(
    archive: Archive, small: str, only_cte: str
) -> None:
    expose_all(archive)
    archive.environ = {"MVM_INCLUDE_SMALL": small, "MVM_ONLY_CTE": only_cte}
    archive.ingest()
    left_out = (SMALL if small == "off" else set()) | (UNCORRECTED if only_cte == "on" else set())
    assert bands(archive) == (SMALL | UNCORRECTED | OTHERS) - left_out


def members(archive: Archive) -> dict[str, tuple[str, list[str]]]:
    """Kind and members of every layer, by filter."""
    rows = archive.rows(
        "SELECT layer.filter, layer.kind, ipppssoo FROM layer JOIN layer_member ON layer_id = layer.id"
        " JOIN exposure ON exposure.id = exposure_id ORDER BY ipppssoo"
    )
    return {
        filter_name: (kind, [ipppssoo for other, _, ipppssoo in rows if other == filter_name])
        for filter_name, kind, _ in rows
    }


def test_flcs_evict_the_flts_of_their_own_layer_alone(archive: Archive) -> None:
    for rootname, kind, filters in (
        ("j8oz04kpq", "flt", "CLEAR1L;F814W"),
        ("j8oz04kqq", "flc", "CLEAR1L;F814W"),
        ("j8oz04ksq", "flt", "CLEAR1L;F814W"),
        ("j8oz04kuq", "flc", "CLEAR1L;F814W"),
        ("j8oz04kwq", "flt", "F555W;CLEAR2L"),
        ("j8oz04kyq", "flt", "F555W;CLEAR2L"),
    ):
        archive.expose(rootname, detector="WFC", kind=kind, filters=filters, shape=(16, 16))
    archive.ingest()
    assert {name.lower(): found for name, found in members(archive).items()} == {
        "f814w": ("flc", ["j8oz04kq", "j8oz04ku"]),
        "f555w": ("flt", ["j8oz04kw", "j8oz04ky"]),
    }
