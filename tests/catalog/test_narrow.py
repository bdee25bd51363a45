"""--program, --filter and --skycell narrow ingest, reconcile and nightly alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from archive import CELL, FINE, Archive, call

FIRST, SECOND, THIRD = "ib6o04tu", "ia1101aa", "ib6o04tw"
OTHER_FILTER = f"hst_{CELL}_wfc3_ir_f160w_all"
FAR_CELL = "skycell-p0726x11y13"


def answer(archive: Archive, *words: str) -> dict[str, Any]:
    done = call(archive, *words, "--json", "--jobs", "1")
    assert done.exit_code == 0, (done.output, done.exception)
    return dict(json.loads(done.stdout))


def made(archive: Archive) -> set[str]:
    return {name for (name,) in archive.rows("SELECT layer FROM product") if "coarse" not in name}


@pytest.fixture
def mixed(archive: Archive) -> Archive:
    """Three exposures: of program 11359 in F125W, of 90001 in F160W at the same place, of 11359 in F125W far north."""
    archive.expose("ib6o04tuq")
    archive.expose("ia1101aaq", filters="F160W", primary={"PROPOSID": 90001})
    archive.expose("ib6o04twq", north=1400)
    return archive


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--program", "11359"), {FIRST, THIRD}),
        (("--program", "b6o"), {FIRST, THIRD}),
        (("--program", "90001", "--program", "B6O"), {FIRST, SECOND, THIRD}),
        (("--filter", "F160W"), {SECOND}),
        (("--skycell", CELL), {FIRST, SECOND}),
        (("--skycell", CELL, "--filter", "f125w"), {FIRST}),
        (("--program", "99999"), set()),
    ],
)
def test_ingest_registers_what_meets_every_option_and_leaves_the_rest_for_later(
    mixed: Archive, words: tuple[str, ...], expected: set[str]
) -> None:
    report = answer(mixed, "ingest", str(mixed.inbox), *words)
    assert {name for (name,) in mixed.rows("SELECT ipppssoo FROM exposure")} == expected
    assert (report["new"], report["left_out"]) == (len(expected), 3 - len(expected))
    assert answer(mixed, "ingest", str(mixed.inbox))["new"] == 3 - len(expected)


def test_reconcile_makes_what_it_is_narrowed_to_and_leaves_the_rest_stale(mixed: Archive) -> None:
    mixed.ingest()
    words = ("reconcile", "-o", str(mixed.products))
    assert answer(mixed, *words, "--filter", "F160W", "--dry-run")["layers"] == 2
    answer(mixed, *words, "--filter", "F160W")
    assert made(mixed) == {OTHER_FILTER}
    assert answer(mixed, *words, "--filter", "F160W", "--dry-run")["stale"] == 0
    answer(mixed, *words, "--program", "11359", "--skycell", CELL)
    assert made(mixed) == {OTHER_FILTER, FINE}
    assert answer(mixed, *words)["drizzled"] == len(made(mixed)) * 2 - 4
    assert call(mixed, "status").exit_code == 0


def test_an_orphan_is_removed_by_its_filter_and_by_the_program_of_its_members(mixed: Archive) -> None:
    words = ("nightly", str(mixed.inbox), "-o", str(mixed.products))
    answer(mixed, *words)
    call(mixed, "withdraw", SECOND)
    assert answer(mixed, "reconcile", "--program", "11359")["removed"] == 0
    assert answer(mixed, "reconcile", "--program", "90001", "--filter", "f160w")["removed"] == 2


def test_a_night_is_narrowed_as_a_whole(mixed: Archive) -> None:
    words = ("nightly", str(mixed.inbox), "-o", str(mixed.products))
    report = answer(mixed, *words, "--program", "11359", "--skycell", CELL)
    assert (report["ingest"]["new"], report["ingest"]["left_out"]) == (1, 2)
    assert made(mixed) == {FINE}
    assert answer(mixed, *words, "--program", "99999")["ingest"]["new"] == 0, "it may come in a later night"
    answer(mixed, *words)
    assert {FINE, OTHER_FILTER} < made(mixed)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--filter", "F126W"), "near it are: f160w, f125w"),
        (("--program", "11358"), "near it are: 11359"),
        (("--skycell", "nowhere"), "nowhere"),
    ],
)
def test_what_the_catalog_lacks_is_refused_with_what_is_near(mixed: Archive, words: tuple[str, ...], text: str) -> None:
    mixed.ingest()
    done = call(mixed, "reconcile", "-o", str(mixed.products), *words)
    assert text in str(done.exception)
    assert not list(mixed.products.glob("*/*.fits"))
