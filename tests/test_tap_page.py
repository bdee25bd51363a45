"""docs/seeing/tap.md: its descriptor is XML that names columns of the catalog, and pgsphere makes its index."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import numpy as np
import pytest
from archive import CENTER, Archive
from pages import REPOSITORY
from postgres import OWNER, Server
from spherical_geometry.polygon import SphericalPolygon

from mvmdb.catalog.ask.relations import describe_schema
from mvmdb.sky.region import parse_region


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (REPOSITORY / "docs/seeing/tap.md").read_text(), re.DOTALL)


def test_the_descriptor_names_columns_of_the_catalog_with_their_units() -> None:
    (text,) = blocks("xml")
    known = {relation["name"]: {c["name"]: c["unit"] for c in relation["columns"]} for relation in describe_schema()}
    root = ET.fromstring(text)
    tables = root.findall("table")
    assert [table.get("id") for table in tables] == [make.get("table") for make in root.findall("data/make")]
    for table in tables:
        assert f"FROM mvm_catalog.{table.get('id')})" in str(table.findtext("viewStatement"))
        for column in table.findall("column"):
            unit = (column.get("unit") or "").replace("arcmin**2", "arcmin2") or None  # as VOUnit writes it
            assert unit == known[str(table.get("id"))][str(column.get("name"))], column.attrib


@pytest.fixture(scope="module")
def catalog(pgsphere: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a catalog with an exposure of one chip and one of two, with the page's index."""
    name = pgsphere.make_catalog()
    archive = Archive(tmp_path_factory.mktemp("tap"), pgsphere.address(name))
    archive.inbox.mkdir()
    archive.expose("ib6o04tuq")
    archive.expose("jb7q05a1q", detector="WFC", chips=2, kind="flc")
    archive.ingest()
    run_block(pgsphere, blocks("sql")[2], name)
    yield name
    pgsphere.drop_database(name)


def area_of(polygon: object) -> float:
    """Square degrees, by spherical_geometry."""
    ra, dec = np.asarray(polygon).T
    return float(np.degrees(np.degrees(SphericalPolygon.from_radec(ra, dec).area())))


def run_block(server: Server, block: str, database: str) -> None:
    for statement in block.replace("$$;\n", "$$\n").split(";\n"):
        if statement.strip():
            server.run(statement, database)


def test_the_index_of_positions_is_used_by_a_cone_search(pgsphere: Server, catalog: str) -> None:
    cone = "spoint(radians(ra), radians(dec)) <@ scircle(spoint(radians({}), radians(-26.0)), radians(0.1))"
    asked = f"SELECT ipppssoo FROM exposure WHERE {cone} ORDER BY 1"
    assert pgsphere.run(asked.format(CENTER[0]), catalog) == [("ib6o04tu",), ("jb7q05a1",)]
    assert pgsphere.run(asked.format(CENTER[0] + 1), catalog) == []
    pgsphere.run(f"ALTER DATABASE {catalog} SET enable_seqscan = off")
    plan = pgsphere.run("EXPLAIN " + asked.format(CENTER[0]), catalog)
    assert "exposure_spoint" in "\n".join(line for (line,) in plan)


def test_another_database_sees_the_catalog_and_gets_outlines_of_it(pgsphere: Server, catalog: str) -> None:
    seen = blocks("sql")[0].replace("'dbhost'", f"'{pgsphere.folder}'").replace("'mvm'", f"'{catalog}'")
    seen = seen.replace("'tap'", f"'{OWNER}'")
    gavo = pgsphere.make_database()
    pgsphere.run("CREATE ROLE gavoadmin LOGIN")
    try:
        for block in (seen, blocks("sql")[1]):
            run_block(pgsphere, block, gavo)
        for relation in ("coverage", "exposure", "astrometry", "obscore"):
            (there,) = pgsphere.run(f"SELECT count(*) FROM {relation}", catalog)
            assert pgsphere.run(f"SELECT count(*) FROM mvm_catalog.{relation}", gavo) == [there] != [(0,)]
        outlined = pgsphere.run(
            """SELECT obs_id, o ~ spoint(radians(s_ra), radians(s_dec)), npoints(o), degrees(degrees(area(o))) FROM (
            SELECT *, mvm_catalog.outline(s_region, s_ra, s_dec, s_fov) AS o FROM mvm_catalog.obscore) AS x
            ORDER BY obs_id""",
            gavo,
        )
        ((own,),) = pgsphere.run("SELECT s_region FROM exposure WHERE ipppssoo = 'ib6o04tu'", catalog)
        (polygon,) = parse_region(own)
        assert [(name, inside, n) for name, inside, n, _ in outlined] == [
            ("ib6o04tuq", True, len(polygon)),
            ("jb7q05a1q", True, 12),
        ]
        assert outlined[0][3] == pytest.approx(area_of(polygon), rel=0.01)  # tiny
        wide = pgsphere.run(
            """SELECT mvm_catalog.outline('CIRCLE', 10, 80, 2), mvm_catalog.outline('CIRCLE', 10, 80, 2) ~
            scircle(spoint(radians(10), radians(80)), radians(0.9999)), area(mvm_catalog.outline('CIRCLE', 10, 80, 2)) /
            (2 * pi() * (1 - cos(radians(1))))""",
            gavo,
        )
        assert wide[0][1] is True
        assert wide[0][2] == pytest.approx(12 * math.tan(math.pi / 12) / math.pi, rel=1e-3)
    finally:
        pgsphere.drop_database(gavo)
        pgsphere.run("DROP ROLE gavoadmin")
