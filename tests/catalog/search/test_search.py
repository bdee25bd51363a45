"""What a search finds, on both databases: each condition, and all of them together, against a list made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from archive import CELL, CENTER, FINE, Archive, call
from astropy.io.votable import parse_single_table
from astropy.table import Table
from databases import PostgresDatabases, SqliteDatabases

A, B, C, D = "ib6o04tuq", "ia1101aaq", "j8oz00kpq", "ib6o04twq"
FAR = "skycell-p0726x11y13"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stocked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The archive of `fill`, which tests do not change."""
    folder = tmp_path_factory.mktemp("search")
    sqlite = request.param == "sqlite"
    databases = SqliteDatabases(folder) if sqlite else PostgresDatabases(request.getfixturevalue("postgres"))
    yield fill(Archive(folder, databases.catalog()))
    databases.drop()


def fill(archive: Archive) -> Archive:
    """A, B and C in one sky cell: two cameras, three filters, two programs; D alone, far north."""
    archive.expose(A, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3", primary={"TARGNAME": "GOODS-S_ERS"})
    archive.expose(B, filters="F160W", primary={"PROPOSID": 90001, "TARGNAME": "NGC%100", "EXPSTART": 56000.5})
    archive.expose(C, detector="WFC", filters="F606W;POL0V", primary={"TARGNAME": "GOODS-N"})
    archive.expose(D, north=1400, wcsname="IDC_w3m18525i-GSC240")
    archive.night()
    return archive


def found(archive: Archive, kind: str, *words: str) -> list[dict[str, Any]]:
    done = call(archive, "search", kind, *words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return list(json.loads(done.stdout))


def names(archive: Archive, *words: str) -> set[str]:
    return {row["rootname"] for row in found(archive, "exposures", *words)}


EXPOSURES: dict[tuple[str, ...], set[str]] = {
    (): {A, B, C, D},
    ("--filter", "f160w"): {B},
    ("--filter", "F160W", "--filter", "f125w"): {A, B, D},
    ("--filter", "f606w-pol0v"): {C},
    ("--filter", "POL0V-F606W"): {C},
    ("--filter", "f606w"): set(),
    ("--camera", "WFC3/IR"): {A, B, D},
    ("--camera", "acs"): {C},
    ("--camera", "wfc"): {C},
    ("--camera", "acs-wfc", "--camera", "ir"): {A, B, C, D},
    ("--date", "2012-03-14", "2012-03-14"): {B},
    ("--date", "2012-03-14T12:00:01", "2013-01-01"): set(),
    ("--program", "90001"): {B},
    ("--program", "b6o"): {A, D},
    ("--target", "goods"): {A, C},
    ("--target", "%"): {B},
    ("--target", "_"): {A},
    ("--skycell", FAR): {D},
    ("--skycell", CELL, "--camera", "ir"): {A, B},
    ("--exposure", "04T"): {A, D},
    ("--exposure", "_flt"): {A, B, C, D},
    ("--astrometry", "gaia"): {A},
    ("--astrometry", "GSC"): {D},
    ("--astrometry", "fit_rel"): {A},
    ("--astrometry", "none"): {B, C},
    ("--at", str(CENTER[0]), str(CENTER[1])): {A, B, C},
    ("--at", "3:30:43.2", "-26:00:00"): {A, B, C},
    ("--at", "3h30m43.2s", "-25d36m40s"): {D},
    ("--at", "52.68", "-25.8"): set(),
    ("--at", "52.68", "-25.8", "--radius", "0.19"): {D},
    ("--at", "52.68", "-25.8", "--radius", "0.21"): {A, B, C, D},
    ("--at", "10", "80", "--radius", "30"): set(),
    ("--stale",): set(),
    ("--filter", "f125w", "--program", "11359", "--target", "goods", "--date", "2009-01-01", "2010-01-01"): {A},
}


@pytest.mark.parametrize("words", EXPOSURES, ids=" ".join)
def test_exposures_are_found_by_what_is_known_of_them(stocked: Archive, words: tuple[str, ...]) -> None:
    assert names(stocked, *words) == EXPOSURES[words]


def test_layers_and_products_are_found_by_their_members(stocked: Archive) -> None:
    for kind in ("layers", "products"):

        def layers(*words: str, kind: str = kind) -> set[str]:
            rows = found(stocked, kind, *words)
            return {row["layer"] for row in rows if "coarse" not in row["layer"]}

        far = FINE.replace(CELL, FAR)
        other = FINE.replace("f125w", "f160w")
        polarized = f"hst_{CELL}_acs_wfc_f606w-pol0v_all"
        assert layers() == {FINE, other, far, polarized}
        assert layers("--filter", "pol0v-f606w") == layers("--camera", "ACS") == {polarized}
        assert layers("--filter", "F160W") == {other}
        assert layers("--camera", "WFC3/IR", "--skycell", FAR) == {far}
        assert layers("--target", "s_ers") == {FINE}
        assert layers("--astrometry", "GSC") == {far}
        assert layers("--at", str(CENTER[0]), str(CENTER[1]), "--program", "90001") == {other}
        assert layers("--stale") == layers("--waiting") == set()
        assert layers("--date", "2012-01-01", "2013-01-01") == {other}


def test_what_is_stale_waits_or_has_left_is_found(archive: Archive) -> None:
    stocked = fill(archive)
    stocked.expose("ib6o04tyq", east=1.0)
    stocked.ingest()
    stale = set(stocked.reasons())
    assert FINE in stale
    assert {row["layer"] for row in found(stocked, "layers", "--stale")} == stale
    assert {row["layer"] for row in found(stocked, "products", "--stale")} == stale
    assert names(stocked, "--stale", "--filter", "f125w") == {A, "ib6o04tyq"}
    assert call(stocked, "withdraw", B).exit_code == 0
    standing = {row["rootname"]: row["standing"] for row in found(stocked, "exposures")}
    assert standing == {A: "member", B: "withdrawn", C: "member", D: "member", "ib6o04tyq": "member"}
    table = stocked.folder / "table.csv"
    region = "POLYGON ICRS 52.68 -26.0 52.69 -26.0 52.69 -25.99 52.68 -25.99"
    table.write_text(
        "obs_id,instrument_name,filters,t_exptime,t_min,t_max,target_name,proposal_id,s_region,dataproduct_type\n"
        f"ib6o05abq,WFC3/IR,F125W,100.5,55000.25,55000.5,FIELD,11359,{region},image\n"
    )
    assert call(stocked, "import", str(table)).exit_code == 0
    assert names(stocked, "--waiting") == {"ib6o05abq"}
    assert {row["layer"] for row in found(stocked, "layers", "--waiting")} == {
        FINE, FINE.replace("_all", "_coarse-all")
    }  # fmt: skip


def test_columns_order_and_number_are_chosen(stocked: Archive) -> None:
    rows = found(stocked, "exposures", "--columns", "rootname, proposal_id", "--sort", "-proposal_id,rootname")
    assert [tuple(row.values()) for row in rows] == [(B, 90001), (A, 11359), (D, 11359), (C, 11359)]
    rows = found(stocked, "exposures", "--sort", "astrometric_catalog", "--columns", "rootname", "--limit", "3")
    assert [row["rootname"] for row in rows] == [A, D, B], "what has no value comes last"
    assert found(stocked, "exposures", "--limit", "0") == []
    every = found(stocked, "layers", "--columns", "programs,ra,path", "--limit", "1")
    assert list(every[0]) == ["programs", "ra", "path"]


def test_each_form_holds_the_same(stocked: Archive) -> None:
    words = ("search", "exposures", "--columns", "rootname,exptime,astrometric_catalog")
    expected = [(row["rootname"], row["exptime"]) for row in found(stocked, *words[1:])]
    lines = call(stocked, *words, "--nl").stdout.splitlines()
    assert [(row["rootname"], row["exptime"]) for row in map(json.loads, lines)] == expected
    csv = call(stocked, *words, "--csv").stdout.splitlines()
    assert csv[0] == "rootname,exptime,astrometric_catalog"
    assert [(line.split(",")[0], float(line.split(",")[1])) for line in csv[1:]] == expected
    ecsv = Table.read(call(stocked, *words, "--ecsv").stdout, format="ascii.ecsv")
    votable = parse_single_table(BytesIO(call(stocked, *words, "--votable").stdout_bytes)).to_table()
    for table in (ecsv, votable):
        assert list(zip(map(str, table["rootname"]), table["exptime"].tolist(), strict=True)) == expected
        assert str(table["exptime"].unit) == "s"
        assert table["exptime"].description == "exposure time, seconds"
        catalogs = [str(one).startswith(("GAIA", "GSC")) for one in table["astrometric_catalog"]]
        assert catalogs == [False, True, True, False]
    head = call(stocked, *words).stdout.splitlines()[0].split()
    assert head == ["rootname", "exptime", "astrometric_catalog"]


def test_a_file_names_positions(stocked: Archive) -> None:
    targets = stocked.folder / "targets.txt"
    targets.write_text("# ra dec\n\n10.0, 20.0\n3:30:43.2 -25:36:40\n")
    assert names(stocked, "--target-file", str(targets)) == {D}
    targets.write_text("10.0 20.0 30.0\n")
    refused = call(stocked, "search", "exposures", "--target-file", str(targets))
    assert "line 1: found 3 words; expected ra and dec" in str(refused.exception)


REFUSED = {
    ("--columns", "colour"): "there is no column 'colour' here; expected one of ipppssoo",
    ("--columns", "rootname,rootname"): "expected each once",
    ("--sort", "-colour"): "there is no column 'colour'",
    ("--camera", "STIS"): "'STIS' is no camera; expected one of ACS/HRC",
    ("--skycell", "skycell-p0001x01y01"): "holds no exposure of this catalog",
    ("--at", "here", "there"): "is no position; expected degrees",
    ("--at", "10", "95"): "expected finite ra, and dec from -90 to 90",
    ("--radius", "1"): "a radius is given without a position",
    ("--date", "then", "now"): "is no time; expected a date",
    ("--at", "1", "2", "--target-file", "x"): "expected one of them",
    ("--target-file", "nowhere.txt"): "cannot be read",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_cannot_be_asked_is_refused(stocked: Archive, words: tuple[str, ...]) -> None:
    done = call(stocked, "search", "exposures", *words)
    assert REFUSED[words] in str(done.exception)
