"""Coverage of a small archive, on both databases: by group, at a position, together, added, and as maps."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import CELL, CENTER, COARSE, FINE, Archive, call
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from databases import PostgresDatabases, SqliteDatabases

import mvmdb
from mvmdb.sky.area import measure_area

A, B, C = "ib6o04tuq", "ia1101aaq", "j8oz00kpq"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stocked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Three exposures at one place, of two cameras, two programs and three filters; nothing is ingested twice."""
    folder = tmp_path_factory.mktemp("coverage")
    sqlite = request.param == "sqlite"
    databases = SqliteDatabases(folder) if sqlite else PostgresDatabases(request.getfixturevalue("postgres"))
    archive = Archive(folder, databases.catalog())
    archive.expose(A)
    archive.expose(B, east=2.0, primary={"PROPOSID": 90001})
    archive.expose(C, detector="WFC", filters="F606W;POL0V")
    archive.night()
    yield archive
    databases.drop()


def rows(archive: Archive, *words: str) -> list[dict[str, Any]]:
    done = call(archive, "coverage", *words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return list(json.loads(done.stdout))


def refusal(archive: Archive, *words: str) -> str:
    done = call(archive, "coverage", *words)
    assert done.exit_code != 0
    return str(done.exception) + done.output


def area(archive: Archive, name: str) -> float:
    opened = mvmdb.open(archive.address)
    return measure_area(opened.exposures(exposures=name, columns="s_region")["s_region"][0])


def test_an_exposure_of_fine_and_coarse_layers_counts_once(stocked: Archive) -> None:
    (ir,) = rows(stocked, "--by", "filter", "--filter", "f125w")
    assert ir["n_exposures"] == 2
    assert max(area(stocked, A), area(stocked, B)) < ir["area_arcmin2"] < area(stocked, A) + area(stocked, B)
    mean = (area(stocked, A) + area(stocked, B)) / ir["area_arcmin2"]
    assert ir["mean_exposures"] == pytest.approx(mean, rel=1e-4)


def test_rows_are_those_of_the_groups_asked_for(stocked: Archive) -> None:
    both = rows(stocked, "--by", "camera,program")
    assert [(row["camera"], row["program"]) for row in both] == [
        ("acs/wfc", both[0]["program"]), ("wfc3/ir", 11359), ("wfc3/ir", 90001),
    ]  # fmt: skip
    assert both[1]["area_arcmin2"] == pytest.approx(area(stocked, A), abs=2e-6)
    assert len(rows(stocked, "--by", "all")) == 1
    (one,) = rows(stocked, "--by", "program", "--sort", "-program", "--columns", "program", "--limit", "1")
    assert one == {"program": 90001}
    assert {row["epoch"] for row in rows(stocked, "--epochs", "yearly")} == {
        row["year"] for row in rows(stocked, "--by", "year")
    }


def test_coverage_by_layer_is_the_view(stocked: Archive) -> None:
    assert {row["layer"] for row in rows(stocked)} == set(mvmdb.open(stocked.address).coverage()["layer"])
    assert set(rows(stocked)[0]) >= {"programs", "area_arcmin2", "mean_exposures", "made_at_utc"}


def test_depth_together_and_what_a_program_adds(stocked: Archive) -> None:
    (exptime,) = set(mvmdb.open(stocked.address).exposures(exposures=A)["exptime"])
    (row,) = rows(stocked, "--by", "filter", "--filter", "f125w", "--deeper-than", "0", "--deeper-than", str(exptime))
    alone = row["area_arcmin2"]
    shared = row[f"deeper_than_{exptime:g}_s"]
    assert row["deeper_than_0_s"] == pytest.approx(alone)
    assert shared == pytest.approx(area(stocked, A) + area(stocked, B) - alone, rel=1e-4)
    (together,) = rows(stocked, "--together", "--by", "program", "--program", "11359", "--program", "90001")
    assert together["area_arcmin2"] == pytest.approx(shared, rel=1e-5)
    (none,) = rows(stocked, "--together", "--filter", "f125w", "--filter", "f999w")
    assert (none["together"], none["area_arcmin2"]) == ("f125w, f999w", 0.0)
    (added,) = rows(stocked, "--adds", "90001")
    assert added["area_arcmin2"] == pytest.approx(area(stocked, B), abs=2e-6)
    assert added["new_arcmin2"] == pytest.approx(added["area_arcmin2"] - shared, abs=1e-4)
    assert added["mean_exptime_before"] == pytest.approx(exptime * shared / added["area_arcmin2"], rel=1e-4)


def test_a_region_cuts_footprints(stocked: Archive) -> None:
    circle = f"CIRCLE {CENTER[0]} {CENTER[1]} 0.0002"
    found = rows(stocked, "--by", "region", "--region", circle, "--region", "skycell-p0000x01y01")
    assert [(row["region"], row["n_exposures"]) for row in found] == [(circle, 3), ("skycell-p0000x01y01", 0)]
    assert found[0]["covered"] == pytest.approx(1.0, abs=1e-4)
    assert found[0]["area_arcmin2"] == pytest.approx(np.pi * (0.0002 * 60) ** 2, rel=3e-3)


def test_who_is_in_this_pixel(stocked: Archive) -> None:
    done = call(stocked, "coverage", "--at", str(CENTER[0]), str(CENTER[1]), "--json")
    answer = json.loads(done.stdout)
    assert {row["rootname"] for row in answer["exposures"]} == {
        row["rootname"]
        for row in json.loads(call(stocked, "search", "exposures", "--at", *map(str, CENTER), "--json").stdout)
    }
    layers = {row["layer"]: row for row in answer["layers"]}
    assert layers[FINE]["n_exposures"] == layers[COARSE]["n_exposures"] == 2
    for name in (FINE, COARSE):
        with fits.open(layers[name]["path"]) as product:
            x, y = WCS(product["SCI"].header).all_world2pix(*CENTER, 1)
        assert (layers[name]["x"], layers[name]["y"]) == pytest.approx((float(x), float(y)), abs=2e-3)
    (text, only) = (
        call(stocked, "coverage", "--at", *map(str, CENTER), *words).stdout
        for words in ((), ("--csv", "--filter", "f125w"))
    )
    assert f"{len(answer['exposures'])} exposures" in text
    pairs = list(csv.DictReader(io.StringIO(only)))
    assert {(row["layer"], row["rootname"]) for row in pairs} == {(n, e) for n in (FINE, COARSE) for e in (A, B)}
    nothing = mvmdb.open(stocked.address).coverage_at((10.0, 80.0))
    assert (len(nothing.exposures), len(nothing.layers)) == (0, 0)


def test_a_map_tells_where_a_program_adds(stocked: Archive, tmp_path: Path) -> None:
    target = tmp_path / "adds.fits"
    assert call(stocked, "coverage", "map", "--adds", "90001", "--nside", "16384", "-o", str(target)).exit_code == 0
    (row,) = rows(stocked, "--adds", "90001")
    with fits.open(target) as file:
        data, header = file[1].data, file[1].header
        pixel = 4 * np.pi / (12 * header["NSIDE"] ** 2) * (180 * 60 / np.pi) ** 2
        added, before = data["EXPTIME_ADDED"], data["EXPTIME"] - data["EXPTIME_ADDED"]
        assert added.sum() * pixel == pytest.approx(row["exptime"] * row["area_arcmin2"] / row["n_exposures"], rel=1e-4)
        assert before.min() >= -1e-9  # pixels of the border have more of the others than the area of the program
        assert before.sum() * pixel > row["mean_exptime_before"] * row["area_arcmin2"] * (1 - 1e-4)
    framed = call(stocked, "coverage", "map", "--adds", "90001", "--frame", CELL, "-o", str(target))
    assert "expected no nside, multiorder or adds" in str(framed.exception)


def test_maps_are_written(stocked: Archive, tmp_path: Path) -> None:
    opened = mvmdb.open(stocked.address)
    assert (
        call(
            stocked, "coverage", "map", "--nside", "1024", "--filter", "f125w", "-o", str(tmp_path / "a.fits")
        ).exit_code
        == 0
    )
    assert fits.getheader(tmp_path / "a.fits", 1)["NSIDE"] == 1024
    opened.coverage_map(tmp_path / "frame.fits", frame=CELL, scale="coarse", filters="f125w")
    paths = opened.exposure_maps([CELL, FINE], tmp_path / "maps")
    assert len(paths) == 2 * len(opened.layers())
    with fits.open(tmp_path / "maps" / f"{COARSE}_exptime.fits") as one, fits.open(tmp_path / "frame.fits") as two:
        assert np.array_equal(one["EXPTIME"].data, two["EXPTIME"].data)
        assert one["NEXP"].data.max() == 2
    assert Table.read(tmp_path / "maps" / f"{FINE}_exposures.ecsv")["ipppssoo"].tolist() == [B[:8], A[:8]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--by", "colour"), "not divided by"),
        (("--by", "layer", "--deeper-than", "1"), "by layer"),
        (("--by", "region"), "no region"),
        (("--region", "here"), "region"),
        (("--by", "filter", "--epochs", "yearly"), "by epoch"),
        (("--together", "--filter", "f125w"), "2 to 16"),
        (("--adds", "1"), "no exposure of 1"),
        (("--adds", "90001", "--together"), "expected one of them"),
        (("--deeper-than", "-1"), "0 or more"),
        (("--by", "filter", "--columns", "colour"), "no column"),
        (("--filter", "f125w", "map", "-o", "x"), "expected them after it"),
        (("map", "-o", "x.fits", "--nside", "3"), "power of 2"),
        (("map", "-o", "x.fits", "--filter", "f999w"), "no exposure"),
        (("map", "nothing", "-o", "x"), "not a layer"),
        (("map", FINE, "--nside", "8", "-o", "x"), "expected no conditions"),
        (("map", "-o", "x", "--scale", "fine"), "without --frame"),
        (("map", "-o", "x", "-o", "y"), "given twice"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(stocked: Archive, words: tuple[str, ...], expected: str) -> None:
    assert expected in refusal(stocked, *words)
