"""Column, views and diff agree after each of many changes in any order, failures among them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from archive import Archive
from fitsfiles import realign, set_pixels
from staleness import agreed_reasons, record_all, record_some

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures.standing import withdraw
from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.record import forget_product, note_state, record_failure
from mvmdb.catalog.settings import read_policy
from mvmdb.records import ProductState, ReasonCode

STEPS = 30
SEED = 0
SHAPE = (16, 16)
ROOTS = [f"ib6o04{letters}" for letters in ("aa", "bb", "cc", "dd")] + ["j8oz04aa", "j8oz04bb"]


class Walk:
    """An archive that changes at random, by the same changes for the same seed."""

    def __init__(self, archive: Archive, seed: int) -> None:
        self.archive, self.random = archive, random.Random(seed)
        self.told: set[str] = set()

    def step(self) -> None:
        """Make one change, and check that all places agree on what is stale after it."""
        change = self.random.choice(
            [
                self.expose, self.expose, self.recalibrate, self.realign, self.withdraw, self.configure, self.switch,
                self.fail, self.fail, self.lose, self.make, self.make, self.make_all, self.make_as_another_version,
            ]
        )  # fmt: skip
        change()
        for reasons in agreed_reasons(self.archive).values():
            self.told.update(code for code, _ in reasons)

    def expose(self) -> None:
        root = self.random.choice(ROOTS)
        where = {"east": self.random.choice([0, 0, 3, 8]), "ra": 139.088, "dec": -13.997}
        options = {"shape": SHAPE, "exptime": self.random.choice([10.0, 50.0, 500.0])} | where
        if self.random.random() < 0.7:
            del options["ra"], options["dec"]
        if root.startswith("j"):
            options |= {"detector": "WFC", "kind": self.random.choice(["flt", "flt", "flc"])}
        else:
            options |= {"filters": self.random.choice(["F125W", "F140W"])}
        self.archive.expose(f"{root}q", **options)
        self.archive.ingest()

    def recalibrate(self) -> None:
        set_pixels(self._some_file(), np.full(SHAPE, self.random.uniform(1, 2)))
        self.archive.ingest()

    def realign(self) -> None:
        realign(self._some_file(), dec_arcsec=self.random.choice([1e-4, 1.0]))
        self.archive.ingest()

    def withdraw(self) -> None:
        with open_catalog(self.archive.address) as engine, engine.begin() as connection:
            withdraw(connection, [self.random.choice(ROOTS)], "", read_policy(connection))

    def configure(self) -> None:
        name, values = self.random.choice(
            [
                ("exptime_layers", ["all", "classes", "clusters"]),
                ("epochs", ["none", "yearly"]),
                ("errors", [True, False]),
            ]
        )
        initialise(self.archive.address, **{name: self.random.choice(values)})

    def switch(self) -> None:
        self.archive.environ = {"MVM_ONLY_CTE": self.random.choice(["on", "off"])}
        self.archive.ingest()

    def fail(self) -> None:
        for name in self._some("layer", "name"):
            with open_catalog(self.archive.address) as engine, engine.begin() as connection:
                record_failure(connection, name, "no space left on device")

    def lose(self) -> None:
        for name in self._some("product", "layer"):
            with open_catalog(self.archive.address) as engine, engine.begin() as connection:
                if self.random.random() < 0.3:
                    forget_product(connection, name)
                else:
                    note_state(connection, name, self.random.choice(list(ProductState)))

    def make(self) -> None:
        record_some(self.archive, self._some("layer", "name"))

    def make_all(self) -> None:
        record_all(self.archive)
        assert agreed_reasons(self.archive) == {}

    def make_as_another_version(self) -> None:
        names = self._some("layer", "name")
        record_some(self.archive, names, recipe_digest="made as another version made digests")

    def _some_file(self) -> Path:
        return self.random.choice(sorted(self.archive.inbox.iterdir()))

    def _some(self, table: str, column: str) -> list[str]:
        names = [name for (name,) in self.archive.rows(f"SELECT {column} FROM {table} ORDER BY {column}")]
        return self.random.sample(names, min(len(names), 2))


def test_all_places_agree_after_each_of_many_changes(archive: Archive) -> None:
    walk = Walk(archive, SEED)
    walk.expose()
    for _ in range(STEPS):
        walk.step()
    # Of mosaics of another program: test_staleness_proof.py. Of solved skies: tests/skies/test_moved_skies.py.
    told_elsewhere = {ReasonCode.PIXELS_UNPROVEN, ReasonCode.SKY_MOVED}
    assert len(walk.told) >= len(set(ReasonCode) - told_elsewhere) - 1, "the walk tells of nearly all reasons"
