"""The recorded configuration: the environment's switches, the membership rule, the products folder, withdrawals."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, COARSE, FINE, Archive
from astropy.io import fits
from fitsfiles import realign, write_exposure

from mvmdb.catalog.ask.cells import resolve_cells
from mvmdb.catalog.configure import follow_environment, initialise
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.settings import products_folder, read_policy, require_no_file, set_products_folder
from mvmdb.errors import UsageError
from mvmdb.sky.tessellation import load_rings


def layers_of(archive: Archive) -> list[str]:
    return [name.split("_", 2)[2] for (name,) in archive.rows("SELECT name FROM layer ORDER BY name")]


def test_include_small_off_takes_hrc_layers_away_and_back_on_brings_them(archive: Archive) -> None:
    archive.expose("j8bt06nyq", detector="HRC")
    archive.expose()
    archive.ingest()
    assert layers_of(archive) == ["acs_hrc_f606w_all", "wfc3_ir_f125w_all", "wfc3_ir_f125w_coarse-all"]
    archive.environ = {"MVM_INCLUDE_SMALL": "Off"}
    archive.look()
    assert layers_of(archive) == ["wfc3_ir_f125w_all", "wfc3_ir_f125w_coarse-all"]
    archive.environ = {}
    archive.look()
    assert len(layers_of(archive)) == 2, "a shell without the variable changes nothing"
    archive.environ = {"MVM_INCLUDE_SMALL": "yes"}
    archive.look()
    assert len(layers_of(archive)) == 3


def test_only_cte_on_takes_uncorrected_files_out(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flt")
    archive.expose("j8oz04kqq", detector="WFC", kind="flc", filters="F606W;CLEAR2L")
    archive.environ = {"MVM_ONLY_CTE": "TRUE"}
    archive.ingest()
    assert layers_of(archive) == ["acs_wfc_f606w_all"]


def test_a_switch_leaves_layers_fresh_that_it_does_not_concern(archive: Archive) -> None:
    archive.expose()
    archive.night()
    archive.environ = {"MVM_ONLY_CTE": "on"}
    assert archive.reasons() == {}


@pytest.mark.parametrize("variable", ["MVM_INCLUDE_SMALL", "MVM_ONLY_CTE"])
def test_a_switch_with_another_value_is_an_error_that_names_it(archive: Archive, variable: str) -> None:
    with (
        open_catalog(archive.address, create=True) as engine,
        engine.begin() as connection,
        pytest.raises(UsageError, match=variable),
    ):
        follow_environment(connection, {variable: "maybe"})


def test_the_rule_nearest_recomputes_membership_and_comes_back(archive: Archive) -> None:
    rings = load_rings()
    half = 180 / float(rings.nband[20])  # half-way between two projection cells of a ring: in the cells of both
    for number in range(4):
        write_exposure(
            archive.inbox, rootname=f"ib6o0{number}tuq", ra=half * (2 * number + 1), dec=float(rings.dec[20])
        )
    archive.ingest()
    overlap = archive.rows("SELECT exposure_id, skycell_id FROM membership ORDER BY 1, 2")
    initialise(archive.address, rule="nearest", products=None)
    nearest = archive.rows("SELECT exposure_id, skycell_id FROM membership ORDER BY 1, 2")
    assert set(nearest) < set(overlap)
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        assert read_policy(connection).rule == "nearest"
    expected = {
        name for (name,) in archive.rows("SELECT DISTINCT s.name FROM layer l JOIN skycell s ON s.id = l.skycell_id")
    }
    cells = {
        name
        for (name,) in archive.rows("SELECT DISTINCT s.name FROM membership m JOIN skycell s ON s.id = m.skycell_id")
    }
    assert expected == cells
    initialise(archive.address, rule="overlap", products=None)
    assert archive.rows("SELECT exposure_id, skycell_id FROM membership ORDER BY 1, 2") == overlap


def test_a_new_file_after_the_rule_changed_follows_the_rule(archive: Archive) -> None:
    initialise(archive.address, rule="nearest", products=None)
    edge = float(load_rings().dec_max[20])
    write_exposure(archive.inbox, ra=5.0, dec=edge)
    archive.ingest()
    one = archive.rows("SELECT count(*) FROM membership")
    initialise(archive.address, rule="overlap", products=None)
    initialise(archive.address, rule="nearest", products=None)
    assert archive.rows("SELECT count(*) FROM membership") == one


def test_products_folder_is_asked_for_until_it_is_recorded(archive: Archive, tmp_path: Path) -> None:
    with open_catalog(archive.address, create=True) as engine, engine.begin() as connection:
        with pytest.raises(UsageError, match="give -o DIR"):
            products_folder(connection, None)
        assert products_folder(connection, tmp_path / "here") == tmp_path / "here"
        set_products_folder(connection, tmp_path / "there")
        assert products_folder(connection, None) == tmp_path / "there"
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="is a file"):
            require_no_file(tmp_path / "file")


def test_withdrawn_exposures_leave_their_layers_and_another_version_brings_them_back(archive: Archive) -> None:
    path = archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tu"], "guide star lost", read_policy(connection))
    assert archive.exposure("ib6o04tu").withdrawn_why == "guide star lost"
    assert archive.rows("SELECT DISTINCT n_exposures FROM layer") == [(1,)]
    archive.ingest()
    path.touch()
    archive.ingest()
    assert archive.rows("SELECT DISTINCT n_exposures FROM layer") == [(1,)], "the same file does not bring it back"
    realign(path, dec_arcsec=0.1)
    archive.ingest()
    assert archive.rows("SELECT DISTINCT n_exposures FROM layer") == [(2,)]
    assert archive.exposure("ib6o04tu").withdrawn_at is None


def test_cells_are_resolved_by_name_and_unknown_ones_refused(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        assert len(resolve_cells(connection, [CELL.upper(), CELL.removeprefix("skycell-")])) == 2
        with pytest.raises(UsageError, match="holds no exposure"):
            resolve_cells(connection, ["skycell-p0001x01y01"])


def product_planes(archive: Archive) -> dict[str, dict[str, bytes]]:
    """The arrays of every product, by file and extension."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(archive.products.glob("skycell-*/*_drz.fits")):
        with fits.open(path) as hdus:
            found[path.name] = {hdu.name: hdu.data.tobytes() for hdu in hdus if hdu.name in ("SCI", "WHT", "ERR")}
    return found


def test_errors_switched_on_make_layers_stale_and_then_have_a_plane_and_off_again(archive: Archive) -> None:
    archive.use_hap()
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    plain = product_planes(archive)
    digests = archive.rows("SELECT name, recipe_digest FROM layer ORDER BY name")
    assert {tuple(planes) for planes in plain.values()} == {("SCI", "WHT")}
    initialise(archive.address, errors=True)
    assert archive.reasons() == {FINE: [("recipe-changed", None)], COARSE: [("recipe-changed", None)]}
    assert set(archive.actions().values()) == {"drizzle"}
    initialise(archive.address, epochs="none")
    assert len(archive.reasons()) == 2, "what is not said stays"
    assert archive.reconcile().drizzled == 2
    assert archive.reasons() == {}
    full = product_planes(archive)
    for name, planes in full.items():
        assert tuple(planes) == ("SCI", "WHT", "ERR")
        assert {key: planes[key] for key in ("SCI", "WHT")} == plain[name]
    archive.expose("ib6o04txq", east=1, north=0.5)
    assert archive.night().reconcile.added == 2
    assert {tuple(planes) for planes in product_planes(archive).values()} == {("SCI", "WHT", "ERR")}
    assert archive.reasons(deep=True) == {}
    (archive.inbox / "ib6o04txq_flt.fits").unlink()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tx"], "a test", read_policy(connection))
    initialise(archive.address, errors=False)
    assert archive.rows("SELECT name, recipe_digest FROM layer ORDER BY name") == digests
    assert archive.reconcile().drizzled == 2
    assert product_planes(archive) == plain


def test_a_catalog_made_anew_finds_products_with_errors_fresh(archive: Archive) -> None:
    archive.expose()
    initialise(archive.address, errors=True)
    archive.night()
    archive.lose_catalog()
    initialise(archive.address, errors=True)
    archive.ingest()
    assert archive.reasons() == {}


def test_an_exposure_without_errors_is_left_out_until_mosaics_have_none(archive: Archive) -> None:
    initialise(archive.address, errors=True)
    archive.expose(errors=False)
    archive.expose("ib6o04twq", filters="F160W")
    report = archive.night().reconcile
    assert (report.drizzled, report.failed) == (2, 0)
    (message,) = report.refused.values()
    assert "found no ERR extension" in message
    assert "mvmdb init --no-errors" in message
    query = "SELECT ipppssoo, eligible, ineligible_rule FROM exposure ORDER BY ipppssoo"
    assert archive.rows(query) == [("ib6o04tu", False, "errors"), ("ib6o04tw", True, "")]
    assert archive.reasons() == {}
    initialise(archive.address, errors=False)
    assert archive.rows(query) == [("ib6o04tu", True, ""), ("ib6o04tw", True, "")]
    assert archive.reconcile().drizzled == 4
    assert archive.reasons() == {}


def test_another_weight_makes_layers_stale_and_is_kept_when_members_are_added(archive: Archive) -> None:
    archive.use_hap()
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    plain = product_planes(archive)
    digests = archive.rows("SELECT name, recipe_digest FROM layer ORDER BY name")
    initialise(archive.address, weight="ivm")
    assert archive.reasons() == {FINE: [("recipe-changed", None)], COARSE: [("recipe-changed", None)]}
    assert set(archive.actions().values()) == {"drizzle"}
    initialise(archive.address, epochs="none")
    assert len(archive.reasons()) == 2, "what is not said stays"
    assert archive.reconcile().drizzled == 2
    assert archive.reasons(deep=True) == {}
    weighted = product_planes(archive)
    assert {tuple(planes) for planes in weighted.values()} == {("SCI", "WHT")}
    assert all(weighted[name]["WHT"] != plain[name]["WHT"] for name in plain)
    archive.expose("ib6o04txq", east=1, north=0.5)
    assert archive.night().reconcile.added == 2
    with fits.open(next(archive.products.rglob("*_drz.fits"))) as hdus:
        assert len(hdus["HDRTAB"].data["WEIGHT"]) == 3
        assert hdus["WHT"].header["BUNIT"] == "s2/electron2"
    (archive.inbox / "ib6o04txq_flt.fits").unlink()
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        withdraw(connection, ["ib6o04tx"], "a test", read_policy(connection))
    initialise(archive.address, weight="exptime")
    assert archive.rows("SELECT name, recipe_digest FROM layer ORDER BY name") == digests
    assert archive.reconcile().drizzled == 2
    assert product_planes(archive) == plain


def test_a_catalog_made_anew_finds_weighted_products_fresh(archive: Archive) -> None:
    archive.expose()
    initialise(archive.address, weight="ivm")
    archive.night()
    archive.lose_catalog()
    initialise(archive.address, weight="ivm")
    archive.ingest()
    assert archive.reasons() == {}


def test_an_exposure_without_errors_is_left_out_until_neither_errors_nor_weights_need_them(archive: Archive) -> None:
    initialise(archive.address, errors=True, weight="ivm")
    archive.expose(errors=False)
    archive.expose("ib6o04twq", filters="F160W")
    (message,) = archive.night().reconcile.refused.values()
    assert "--weight exptime" in message
    query = "SELECT ipppssoo, eligible FROM exposure ORDER BY ipppssoo"
    initialise(archive.address, errors=False)
    assert archive.rows(query) == [("ib6o04tu", False), ("ib6o04tw", True)]
    initialise(archive.address, weight="exptime")
    assert archive.rows(query) == [("ib6o04tu", True), ("ib6o04tw", True)]
    assert archive.reconcile().drizzled == 4
    assert archive.reasons() == {}
