"""Whatever bytes a product's file has, each reader ends in a finding or in a ProductError, and in limited time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive import CELL, FINE, Archive
from drizzlepacproducts import write_product
from fitsfiles import set_raw_value
from hypothesis import given, settings
from hypothesis import strategies as st

from mvmdb.errors import ProductError
from mvmdb.mosaic.product.foreign import is_own, read_foreign
from mvmdb.mosaic.product.read import holds_nothing, read_product
from mvmdb.records import Canvas

READERS: dict[str, Callable[[Path], Any]] = {
    "headers": read_product,
    "deep": lambda path: read_product(path, deep=True),
    "own": is_own,
    "foreign": read_foreign,
    "nothing": holds_nothing,
}
KEYWORDS = (
    "SIMPLE XTENSION BITPIX NAXIS NAXIS1 NAXIS2 PCOUNT GCOUNT TFIELDS TFORM1 TFORM8 TDIM1 TTYPE1 TNULL4 TSCAL5 EXTNAME "
    "EXTVER CRPIX1 CRVAL2 CTYPE1 MVMLAYER MVMCANVS MVMDATA MVMSEAL MVMRCPJS SCELLID ZIMAGE BSCALE THEAP"
)
TEXTS = "NaN 1e300 T '' 'x' '9999999999A' '1PA(1000000000)' '(9,9,9)' '0X' 'Q'"
CARDS = st.tuples(
    st.sampled_from(KEYWORDS.split()),
    st.one_of(
        st.integers(-(10**20), 10**20).map(str),
        st.sampled_from(TEXTS.split()),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    ),
    st.integers(0, 4),
)
PATCHES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=200)), max_size=5)


def read_each_way(path: Path) -> dict[str, object]:
    """What each reader finds, or the error; any other error fails the test."""
    found: dict[str, object] = {}
    for name, read in READERS.items():
        try:
            found[name] = read(path)
        except ProductError as error:
            found[name] = error
    assert all(path.name in str(value) for value in found.values() if isinstance(value, ProductError))
    return found


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A product of mvmdb's, and one of drizzlepac's, under names that are right."""
    folder = tmp_path_factory.mktemp("products")
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.night()
    foreign = write_product(folder / "foreign", f"{FINE}_drz.fits", Canvas(101, 120, 201, 230), {"ib6o04tuq": "IDC_x"})
    assert len(read_foreign(foreign).members) == 1
    return archive.products / CELL / f"{FINE}_drz.fits", foreign


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mutated products are written, under a name that is right."""
    return tmp_path_factory.mktemp("mutants") / f"{FINE}_drz.fits"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=6000), st.sampled_from([b"", b"SIMPLE  =                    T" + b" " * 50]))
def test_any_bytes_end_in_an_error_that_names_the_file(target: Path, content: bytes, start: bytes) -> None:
    target.write_bytes(start + content)
    found = read_each_way(target)
    assert all(isinstance(found[name], ProductError) for name in ("headers", "deep", "foreign"))
    assert found["nothing"] is (not (start + content).strip(b"\0"))


@settings(max_examples=60, deadline=None)
@given(PATCHES, st.floats(0, 1))
def test_patched_and_cut_products_are_found_out(
    products: tuple[Path, Path], target: Path, patches: list[tuple[float, bytes]], kept: float
) -> None:
    for source in products:
        whole = source.read_bytes()
        content = bytearray(whole)
        for place, patch in patches:
            start = int(place * len(content))
            content[start : start + len(patch)] = patch[: len(content) - start]
        content = content[: max(int(kept * len(content)), 1)] if kept < 0.5 else content
        target.write_bytes(content)
        found = read_each_way(target)
        if source == products[0]:
            assert isinstance(found["deep"], ProductError) == (content != whole)


@settings(max_examples=150, deadline=None)
@given(CARDS)
def test_absurd_cards_end_in_a_refusal_or_a_reading(
    products: tuple[Path, Path], target: Path, card: tuple[str, str, int]
) -> None:
    keyword, text, occurrence = card
    for source in products:
        target.write_bytes(source.read_bytes())
        try:
            set_raw_value(target, keyword, text[:70], occurrence)
        except IndexError:  # it has not so many of them
            continue
        read_each_way(target)


@pytest.mark.parametrize("side", [1_000, 1_000_000, 1 << 40])
def test_a_hole_of_a_terabyte_is_not_read(products: tuple[Path, Path], target: Path, side: int) -> None:
    for source in products:
        target.write_bytes(source.read_bytes())
        set_raw_value(target, "NAXIS1", str(side), 0)
        os.truncate(target, 1 << 40)
        found = read_each_way(target)
        assert isinstance(found["deep"], ProductError)
        assert isinstance(found["foreign"], ProductError)
    target.write_bytes(b"")
    os.truncate(target, 1 << 40)
    assert holds_nothing(target)
    with target.open("r+b") as file:
        file.seek(1 << 39)
        file.write(b"x")
    assert not holds_nothing(target)


def test_headers_of_megabytes_are_refused_before_they_are_parsed(products: tuple[Path, Path], target: Path) -> None:
    for source in products:
        content = source.read_bytes()
        end = content.index(b"END".ljust(80))
        target.write_bytes(content[:end] + b"HISTORY again".ljust(80) * 36 * 2000 + content[end:])
        found = read_each_way(target)
        for name in ("deep", "own", "foreign"):
            assert "expected 4194304 at most" in str(found[name]), name


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / f"{FINE}_drz.fits"
    os.mkfifo(path)
    found = read_each_way(path)
    assert "not a plain file" in str(found["deep"])
    assert found["nothing"] is False


@pytest.mark.parametrize("part", ["padding", "NaN"])
def test_zeros_that_became_ones_are_found_out(products: tuple[Path, Path], target: Path, part: str) -> None:
    """No checksum of ones' complement sees them."""
    content = bytearray(products[0].read_bytes())
    place = len(content) - 4 if part == "padding" else content.rindex(b"\x7f\xf8" + bytes(6)) + 4
    assert not any(content[place : place + 4])
    content[place : place + 4] = b"\xff" * 4
    target.write_bytes(content)
    found = read_each_way(target)
    assert all("HDRTAB are not those of its rows" in str(found[name]) for name in ("headers", "deep"))
