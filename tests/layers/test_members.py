"""Which exposures each layer is made of, and what follows from them: grouping, eviction, policy, canvas and digests.

The tests call the functions that decide every night.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.layers.admission import left_out
from mvmdb.layers.build import LayerColumns, LayersToBuild, NamedCanvas, build_layers
from mvmdb.layers.canvas import bound_canvases
from mvmdb.layers.digests import digest_member
from mvmdb.layers.expect import expect_cell_layers
from mvmdb.layers.members import Candidates, LayerMembers, gather_members
from mvmdb.names import CellId, Kind
from mvmdb.recipe import Making
from mvmdb.records import Canvas, CellExposure, Policy
from mvmdb.sky.tessellation import cell_centers

CELL = CellId(1000, 11, 11)
BOX = Canvas(1, 10, 1, 10)


@dataclass(frozen=True)
class Candidate:
    """One exposure as a row of the catalog, which may be a member of a layer of CELL."""

    ipppssoo: str = "j0000001"
    instrument: str = "acs"
    detector: str = "wfc"
    filter: str = "f814w"
    kind: Kind = "flt"
    pixels: str = "t:1"
    wcs_digest: str = "w1"
    box: Canvas = BOX
    exptime: float = 100.0
    area: float = 1.0
    frame: str | None = "gaia"


def gather(rows: list[Candidate], policy: Policy) -> tuple[list[tuple[int, str, str, str]], LayerMembers]:
    """The layer keys of these rows, and the members of their layers; exposures are numbered by their row."""
    keys = sorted({(CELL.index, row.instrument, row.detector, row.filter) for row in rows})
    numbered = sorted(
        enumerate(rows), key=lambda pair: ((CELL.index, *_camera(pair[1])), pair[1].ipppssoo)
    )  # as SQL orders them
    columns = [
        (
            keys.index((CELL.index, *_camera(row))), number, row.kind,
            digest_member(row.ipppssoo, row.kind, row.pixels, row.wcs_digest),
            row.box.x_min, row.box.x_max, row.box.y_min, row.box.y_max, row.exptime, None, None, row.area, True,
            row.frame, None,
        )
        for number, row in numbered
    ]  # fmt: skip
    return keys, gather_members(Candidates.of_rows(columns), keys, policy)


def _camera(row: Candidate) -> tuple[str, str, str]:
    return row.instrument, row.detector, row.filter


def group(rows: list[Candidate], policy: Policy | None = None) -> dict[tuple[str, str, str], list[str]]:
    """The members of each layer, by identity."""
    keys, members = gather(rows, policy or Policy())
    bounds = zip(members.key.tolist(), members.start[:-1].tolist(), members.start[1:].tolist(), strict=True)
    return {
        keys[key][1:]: [rows[number].ipppssoo for number in members.exposure[begin:end].tolist()]
        for key, begin, end in bounds
    }


def build(rows: list[Candidate], *, canvas: Canvas = BOX, union: float = 1.0, errors: bool = False) -> LayerColumns:
    """The layers that these rows imply, where the members of each cover `union` square arcmin together."""
    keys, members = gather(rows, Policy(errors=errors))
    n = len(members.key)
    layers = LayersToBuild(
        making=Making(errors),
        members=members,
        cell=np.full(n, CELL.index),
        obsmode=[keys[number][1:] for number in members.key.tolist()],
        canvases={CELL.index: NamedCanvas(str(CELL), str(canvas))},
        area=np.full(n, union),
        region_of=np.empty(0, dtype=np.int64),
        regions=[],
    )
    return build_layers(layers).columns


def test_members_are_grouped_by_instrument_detector_and_filter() -> None:
    rows = [Candidate(), Candidate("j0000002", filter="f606w"), Candidate("j0000003")]
    assert group(rows) == {
        ("acs", "wfc", "f606w"): ["j0000002"],
        ("acs", "wfc", "f814w"): ["j0000001", "j0000003"],
    }


def test_one_flc_evicts_every_flt_of_its_layer_and_of_no_other() -> None:
    groups = group([Candidate(), Candidate("j0000002", kind="flc"), Candidate("j0000003", filter="f606w")])
    assert groups["acs", "wfc", "f814w"] == ["j0000002"]
    assert groups["acs", "wfc", "f606w"] == ["j0000003"]


def canvas_of(rows: list[Candidate], policy: Policy) -> Canvas | None:
    _, members = gather(rows, policy)
    return bound_canvases(np.full(len(members.key), CELL.index), members.box).get(CELL.index)


def test_canvas_is_the_bounding_box_of_every_layer_together_but_not_of_what_is_left_out() -> None:
    rows = [
        Candidate(box=Canvas(5, 20, 5, 20)),
        Candidate("i0000002", instrument="wfc3", detector="ir", box=Canvas(10, 40, 1, 8)),
        Candidate("j0000003", detector="hrc", box=Canvas(1, 100, 1, 100)),
    ]
    assert canvas_of(rows, Policy(include_small=False)) == Canvas(5, 40, 1, 20)
    assert canvas_of(rows, Policy()) == Canvas(1, 100, 1, 100)
    assert canvas_of([], Policy()) is None


def test_each_sky_cell_has_a_canvas_of_its_own() -> None:
    boxes = np.array([[5, 20, 5, 20], [1, 2, 3, 4], [10, 40, 1, 8]])
    assert bound_canvases(np.array([7, 3, 7]), boxes) == {3: Canvas(1, 2, 3, 4), 7: Canvas(5, 40, 1, 20)}


def test_switches_leave_out_small_detectors_and_uncorrected_files() -> None:
    small, cte = Policy(include_small=False), Policy(only_cte=True)
    assert left_out("acs", "hrc", "flt", small)
    assert left_out("acs", "sbc", "flt", small)
    assert not left_out("acs", "wfc", "flt", small)
    assert left_out("acs", "wfc", "flt", cte)
    assert left_out("wfc3", "uvis", "flt", cte)
    assert not left_out("wfc3", "ir", "flt", cte)
    assert not left_out("acs", "wfc", "flc", cte)


def exposure(name: str = "j0000001", filter_name: str = "f814w", kind: Kind = "flt", east: float = 0.0) -> CellExposure:
    """A square of 0.01 degrees in the middle of CELL, shifted by degrees."""
    ra, dec = (float(angle[0]) for angle in cell_centers([CELL]))
    corners = [(0, 0), (0.01, 0), (0.01, 0.01), (0, 0.01)]
    region = "POLYGON ICRS " + " ".join(f"{ra + east + dx} {dec + dy}" for dx, dy in corners)
    return CellExposure(
        name, f"{name}_{kind}.fits", kind, "acs", "wfc", filter_name, "t:1", None, "w1", region, 100.0, 55000.0, 55000.1
    )


@settings(deadline=None, max_examples=20)  # the first call loads the tessellation
@given(st.permutations([exposure(f"j000000{n}", f"f{n % 2}w", east=n * 0.002) for n in range(6)]))
def test_order_of_input_is_irrelevant(exposures: list[CellExposure]) -> None:
    layers = expect_cell_layers(CELL, exposures, Policy())
    assert [[member.ipppssoo for member in layer.members] for layer in layers] == [
        ["j0000000", "j0000002", "j0000004"],
        ["j0000001", "j0000003", "j0000005"],
    ]
    assert layers == expect_cell_layers(CELL, sorted(exposures, key=lambda e: e.ipppssoo), Policy())


def test_a_sky_cell_expects_nothing_of_exposures_elsewhere() -> None:
    here, elsewhere = exposure(), exposure("j0000002", east=3.0)
    assert expect_cell_layers(CELL, [elsewhere], Policy()) == []
    assert expect_cell_layers(CELL, [here, elsewhere], Policy()) == expect_cell_layers(CELL, [here], Policy())


def test_ir_layers_come_at_both_scales_with_one_canvas_and_different_digests() -> None:
    columns = build([Candidate("i0000001", instrument="wfc3", detector="ir", filter="f160w")])
    assert columns.name == (f"hst_{CELL}_wfc3_ir_f160w_all", f"hst_{CELL}_wfc3_ir_f160w_coarse-all")
    boxes = list(zip(columns.x_min, columns.x_max, columns.y_min, columns.y_max, strict=True))
    assert boxes == [(1, 10, 1, 10)] * 2
    assert columns.recipe_digest[0] != columns.recipe_digest[1]


def test_recipe_digest_changes_with_each_thing_that_pixels_depend_on_and_nothing_else() -> None:
    one, two = Candidate("j1"), [Candidate("j1"), Candidate("j2")]

    def digest(rows: list[Candidate], **changes: object) -> str:
        return build(rows, **changes).recipe_digest[0]  # type: ignore[arg-type]

    assert digest(two, union=1.0) == digest(two, union=2 / 2.4), "a mean of 2.4 exposures is a depth of 2"
    assert digest([one]) == digest([replace(one, exptime=1.0, area=3.0)])
    changed = [
        digest([replace(one, pixels="t:2")]),
        digest([replace(one, wcs_digest="w2")]),
        digest([replace(one, ipppssoo="j2")]),
        digest(two),
        digest(two, union=2.0),
        digest([replace(one, kind="flc")]),
        digest([one], canvas=Canvas(1, 11, 1, 10)),
        digest([one], errors=True),
    ]
    assert len({digest([one]), *changed}) == 9
