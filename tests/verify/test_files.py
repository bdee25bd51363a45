"""Files that are gone, changed, swapped or foreign are found, each with its code, and nothing else is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from archive import CELL, COARSE, FINE, Archive
from astropy.io import fits
from verifying import changed, fill, find

from mvmdb.catalog.open import Engine, open_catalog

OTHER = "skycell-p1000x11y11"
FAR = f"hst_{OTHER}_wfc3_ir_f125w_all"
WFC = f"hst_{CELL}_acs_wfc_f814w_all"
SETTLED = "UPDATE archive SET value = '2100-01-01' WHERE key = 'pollers_since'"
"""Poller files are not behind; they would be where exposures came in the second in which they were written."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("files")
    archive = Archive(folder, str(folder / "mvm.db"))
    fill(archive)
    with fits.open(archive.inbox / "ib6o04twq_flt.fits", mode="update") as hdus:
        for hdu in hdus:
            hdu.add_checksum()
    archive.night()
    with sqlite3.connect(archive.address) as connection:
        connection.execute(SETTLED)
    return archive


@pytest.fixture(scope="module")
def engine(archive: Archive) -> Iterator[Engine]:
    with open_catalog(archive.address, read_only=True) as engine:
        yield engine


def product(archive: Archive, layer: str) -> Path:
    (path,) = archive.products.glob(f"*/{layer}_dr[cz].fits")
    return path


def text(archive: Archive, ending: str) -> Path:
    return archive.products / CELL / f"{CELL}{ending}"


def flip(path: Path, offset: int) -> None:
    """Flip a bit, and keep the file's size and time."""
    status, data = path.stat(), bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def place(path: Path, extension: object, part: str = "datLoc") -> int:
    with fits.open(path) as hdus:
        return int(hdus.fileinfo(extension)[part])


def swap(first: Path, second: Path, *, times: bool = False) -> None:
    statuses = [path.stat() for path in (first, second)]
    first.rename(first.with_name("third"))
    second.rename(first)
    first.with_name("third").rename(second)
    if times:
        for path, status in zip((first, second), statuses, strict=True):
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 2880)


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def forge(archive: Archive) -> None:
    """Put a mosaic of exposures that this catalog does not know into the place of a layer."""
    other = Archive(archive.folder / "other", str(archive.folder / "other.db"))
    other.expose("ib6o04uuq", filters="F160W", shape=(32, 32))
    other.night()
    name = FINE.replace("f125w", "f160w") + "_drz.fits"
    shutil.copy2(other.products / CELL / name, archive.products / CELL / name)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def inbox(archive: Archive, name: str) -> Path:
    return archive.inbox / name


FIRST, SECOND = "ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"
Plant = Callable[[Archive], object]

FILES: dict[str, tuple[Plant, set[tuple[str, str]]]] = {
    "no product": (lambda a: product(a, FINE).unlink(), {("product-missing", FINE)}),
    "touched product": (lambda a: product(a, FINE).touch(), {("product-changed", FINE)}),
    "cut product": (lambda a: cut(product(a, FINE)), {("product-damaged", FINE)}),
    "empty product": (lambda a: product(a, FINE).write_bytes(b""), {("product-damaged", FINE)}),
    "swapped products": (
        lambda a: swap(product(a, FINE), product(a, WFC)), {("product-swapped", FINE), ("product-swapped", WFC)},
    ),
    "a product elsewhere": (
        lambda a: product(a, FAR).rename(a.products / CELL / product(a, FAR).name),
        {("product-missing", FAR), ("product-foreign", FAR)},
    ),
    "text for a product": (
        lambda a: (a.products / CELL / f"{FINE}_drc.fits").write_text("hello"), {("product-foreign", FINE)},
    ),
    "a foreign product": (forge, {("product-foreign", FINE.replace("f125w", "f160w"))}),
    "a folder of no cell": (
        lambda a: shutil.copytree(a.products / CELL, a.products / "skycell-p0001x01y01"),
        {("product-foreign", layer) for layer in (FINE, COARSE, WFC)},
    ),
    "no exposure": (lambda a: inbox(a, FIRST).unlink(), {("exposure-missing", "ib6o04tu")}),
    "touched exposure": (lambda a: inbox(a, FIRST).touch(), {("exposure-changed", "ib6o04tu")}),
    "cut exposure": (lambda a: cut(inbox(a, FIRST)), {("exposure-changed", "ib6o04tu")}),
    "leftover": (
        lambda a: (a.products / CELL / f".{FINE}_drz.fits.17.tmp").write_text(""),
        {("leftover", f"{CELL}/.{FINE}_drz.fits.17.tmp")},
    ),
    "no manifest": (lambda a: text(a, "_manifest.txt").unlink(), {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")}),
    "manifest": (
        lambda a: edit(text(a, "_manifest.txt"), "f125w", "f140w"),
        {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")},
    ),
    "no log": (
        lambda a: (a.products / CELL / f"{FINE}_trl.txt").unlink(), {("trailer-wrong", FINE)},
    ),
    "a pipe for a manifest": (
        lambda a: pipe(text(a, "_manifest.txt")), {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")},
    ),
    "a device for a manifest": (
        lambda a: link(text(a, "_manifest.txt"), "/dev/zero"), {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")},
    ),
    "a terabyte for a manifest": (
        lambda a: os.truncate(text(a, "_manifest.txt"), 1 << 40), {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")},
    ),
    "a folder for a manifest": (
        lambda a: folder(text(a, "_manifest.txt")), {("manifest-wrong", f"{CELL}/{CELL}_manifest.txt")},
    ),
    "a pipe for a product": (lambda a: pipe(product(a, FINE)), {("product-damaged", FINE)}),
    "a pipe for a log": (lambda a: pipe(a.products / CELL / f"{FINE}_trl.txt"), {("trailer-wrong", FINE)}),
    "a pipe for a poller": (
        lambda a: pipe(text(a, "_input.out")), {("poller-wrong", f"{CELL}/{CELL}_input.out")},
    ),
    "a pipe for an exposure": (lambda a: pipe(inbox(a, FIRST)), {("exposure-changed", "ib6o04tu")}),
    "a folder for a product": (lambda a: folder(product(a, FINE)), {("product-damaged", FINE)}),
    "a link that leads nowhere for a leftover": (
        lambda a: link(a.products / CELL / f".{FINE}_drz.fits.17.tmp", "/nowhere"),
        {("leftover", f"{CELL}/.{FINE}_drz.fits.17.tmp")},
    ),
    "a folder that is no leftover": (
        lambda a: (a.products / CELL / f".{FINE}_drz.fits.17.tmp").mkdir(), set(),
    ),
    "planned work": (
        lambda a: text(a, "_input.planned").write_text("a,b"), {("plan-wrong", f"{CELL}/{CELL}_input.planned")},
    ),
    "planned work elsewhere": (
        lambda a: shutil.copy(a.products / OTHER / f"{OTHER}_input.planned", text(a, "_input.planned")),
        {("plan-wrong", f"{CELL}/{CELL}_input.planned")},
    ),
    "a pipe for planned work": (
        lambda a: pipe(text(a, "_input.planned")), {("plan-wrong", f"{CELL}/{CELL}_input.planned")},
    ),
    "decisions": (
        lambda a: (a.products / "mvmdb-decisions.json").write_text("{}"),
        {("decisions-wrong", "mvmdb-decisions.json")},
    ),
    "a pipe for decisions": (
        lambda a: os.mkfifo(a.products / "mvmdb-decisions.json"), {("decisions-wrong", "mvmdb-decisions.json")},
    ),
    "poller flag": (
        lambda a: edit(text(a, "_input.out"), "OLD", "NEW"), {("poller-wrong", f"{CELL}/{CELL}_input.out")},
    ),
    "poller path": (
        lambda a: edit(text(a, "_input.out"), "/inbox/", "/outbox/"), {("poller-wrong", f"{CELL}/{CELL}_input.out")},
    ),
    "poller text": (
        lambda a: text(a, "_input.out").write_bytes(b"\xff"), {("poller-wrong", f"{CELL}/{CELL}_input.out")},
    ),
}  # fmt: skip

DEEP: dict[str, tuple[Plant, set[tuple[str, str]]]] = {
    "a bit of a product": (
        lambda a: flip(product(a, FINE), place(product(a, FINE), "WHT") + 50), {("product-damaged", FINE)},
    ),
    "a bit of a product's header": (
        lambda a: flip(product(a, FINE), place(product(a, FINE), "SCI", "hdrLoc") + 500), {("product-damaged", FINE)},
    ),
    "another log": (
        lambda a: (a.products / CELL / f"{FINE}_trl.txt").write_text("mine"), {("trailer-wrong", FINE)},
    ),
    "swapped with their times": (
        lambda a: swap(product(a, FINE), product(a, WFC), times=True),
        {("product-swapped", FINE), ("product-swapped", WFC)},
    ),
    "a bit of SCI": (
        lambda a: flip(inbox(a, FIRST), place(inbox(a, FIRST), "SCI") + 50), {("exposure-damaged", "ib6o04tu")},
    ),
    "a bit of DQ": (
        lambda a: flip(inbox(a, FIRST), place(inbox(a, FIRST), "DQ") + 51), {("exposure-damaged", "ib6o04tu")},
    ),
    "a bit of ERR with a checksum": (
        lambda a: flip(inbox(a, SECOND), place(inbox(a, SECOND), "ERR") + 50), {("exposure-damaged", "ib6o04tw")},
    ),
    "a bit of the target": (
        lambda a: flip(inbox(a, FIRST), inbox(a, FIRST).read_bytes().index(b"TARGNAME=") + 12),
        {("exposure-differs", "ib6o04tu")},
    ),
    "a bit of the WCS": (
        lambda a: flip(inbox(a, FIRST), inbox(a, FIRST).read_bytes().index(b"CRVAL1  =") + 28),
        {("exposure-differs", "ib6o04tu")},
    ),
}  # fmt: skip


@contextmanager
def planted(archive: Archive, plant: Plant) -> Iterator[None]:
    """Files with damage, which are put back as they were."""
    kept = archive.folder / "kept"
    folders = [archive.inbox, archive.products]
    for folder in folders:
        shutil.copytree(folder, kept / folder.name)
    try:
        plant(archive)
        yield
    finally:
        for folder in folders:
            shutil.rmtree(folder)
            shutil.copytree(kept / folder.name, folder)
        shutil.rmtree(kept)


def found(archive: Archive, engine: Engine, *, deep: bool = False) -> set[tuple[str, str]]:
    with changed(engine) as connection:
        return {
            (kind, subject.removeprefix(f"{archive.products}/"))
            for kind, subject in find(connection, archive.products, deep=deep)
        }


@pytest.mark.parametrize("deep", [False, True])
def test_nothing_is_found_where_nothing_was_changed(archive: Archive, engine: Engine, deep: bool) -> None:
    assert found(archive, engine, deep=deep) == set()


@pytest.mark.parametrize("damage", FILES)
def test_a_damaged_file_is_found_without_reading_pixels(archive: Archive, engine: Engine, damage: str) -> None:
    plant, expected = FILES[damage]
    with planted(archive, plant):
        assert found(archive, engine) == expected


@pytest.mark.parametrize("damage", DEEP)
def test_what_size_and_time_hide_is_found_by_reading(archive: Archive, engine: Engine, damage: str) -> None:
    plant, expected = DEEP[damage]
    with planted(archive, plant):
        assert found(archive, engine) == set()
        assert found(archive, engine, deep=True) == expected


def test_bits_that_flip_anywhere_in_an_archive_of_products_are_found(archive: Archive, engine: Engine) -> None:
    rng = np.random.default_rng(20260302)
    for path in sorted(archive.products.glob("*/*.fits")):
        whole, status = path.read_bytes(), path.stat()
        for offset in rng.integers(0, len(whole), 1).tolist():
            flip(path, offset)
            assert {kind for kind, _ in found(archive, engine, deep=True)} == {"product-damaged"}, (path, offset)
            path.write_bytes(whole)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
