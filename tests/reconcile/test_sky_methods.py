"""Skies of pairs by either method, in the catalog: they stand beside each other, and each is used by its own."""

from __future__ import annotations

import json

import pytest
from archive import COARSE, FINE, Archive, call
from databases import Databases

from mvmdb.mosaic import make
from mvmdb.mosaic.skies.solve import solve_skies
from mvmdb.records import SkyPair

NAMES = [f"ib6o0{n}tuq" for n in range(1, 4)]
PAIRS = "SELECT measure, difference, error, gradient, area, first_sky, second_sky FROM sky_pair ORDER BY measure, 1"


@pytest.fixture
def archive(databases: Databases, tmp_path) -> Archive:
    return Archive(tmp_path, databases.empty())


def pairs_of(archive: Archive) -> list[SkyPair]:
    """The pairs by differences in the catalog."""
    columns = "first_sky, second_sky, first_pixels, second_pixels, difference, error, gradient, area"
    rows = archive.rows(
        f"SELECT a.ipppssoo, b.ipppssoo, {columns} FROM sky_pair p JOIN exposure a ON a.id = p.first_id "
        "JOIN exposure b ON b.id = p.second_id WHERE p.difference IS NOT NULL ORDER BY 1, 2"
    )
    return [SkyPair(*row) for row in rows]


def test_each_method_measures_pairs_once_and_keeps_those_of_the_other(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.use_hap()
    for name, east in zip(NAMES, (0.0, 1.0, 2.0), strict=True):
        archive.expose(name, east=east)
    archive.night()
    medians = archive.rows(PAIRS)
    assert [row[0] for row in medians] == ["16/5/4/-100"] * 3
    assert {row[1:5] for row in medians} == {(None, None, None, None)}
    assert call(archive, "init", "--method", "mvmdb").exit_code == 0
    assert [code for code, _ in archive.reasons()[FINE]] == ["recipe-changed"]
    assert archive.reconcile().failed == 0
    both = archive.rows(PAIRS)
    assert both[:3] == medians
    assert [row[0] for row in both[3:]] == ["differences/16/5/4/-100"] * 3
    for _, difference, error, gradient, area, first, second in both[3:]:
        assert difference == pytest.approx(first - second)
        assert 0.0 < error < 1.0
        assert gradient >= 0.0
        assert 10.0 < area < 64 * 64 * 0.13**2

    # Skies of the other method are not kept: they follow from the new pairs alone.
    solved = solve_skies([name[:8] for name in NAMES], pairs_of(archive), {})
    skies = "SELECT m.ipppssoo, m.sky FROM product_member m JOIN product p ON p.id = m.product_id WHERE p.layer = '{}'"
    assert dict(archive.rows(skies.format(FINE))) == pytest.approx(solved, abs=1e-9)
    assert archive.rows(skies.format(FINE)) == archive.rows(skies.format(COARSE))

    def never(_sources: object, pairs: list[tuple[int, int]], *_: object) -> list[object]:
        assert list(pairs) == [], "pixels of a known pair are read again"
        return []

    monkeypatch.setattr(make, "measure_differences", never)
    monkeypatch.setattr(make, "measure_pairs", lambda sources, neighbours, *rest: never(sources, list(neighbours)))
    assert archive.reconcile(resky=True).failed == 0
    assert call(archive, "init", "--method", "hap").exit_code == 0
    assert archive.reconcile().failed == 0
    assert archive.rows(PAIRS) == both


def test_the_choice_of_shallow_layers_concerns_only_these(archive: Archive) -> None:
    archive.use_hap()
    archive.expose(NAMES[0])
    archive.expose(NAMES[1], filters="F140W")
    archive.expose(NAMES[2], filters="F140W")
    archive.night()
    assert call(archive, "init", "--shallow", "match").exit_code == 0
    assert archive.reasons() == {name: [("recipe-changed", None)] for name in (FINE, COARSE)}
    assert archive.reconcile().failed == 0
    assert archive.reasons() == {}
    assert json.loads(call(archive, "init", "--method", "hap", "--json").output)["shallow"] == "match"
    (skies,) = archive.rows(
        f"SELECT count(m.sky) FROM product_member m JOIN product p ON p.id = m.product_id WHERE p.layer = '{FINE}'"
    )
    assert skies == (1,)
    assert call(archive, "init", "--shallow", "hap").exit_code == 0
    assert [code for code, _ in archive.reasons()[FINE]] == ["recipe-changed"]
    assert call(archive, "init", "--shallow", "deep").exit_code == 2
