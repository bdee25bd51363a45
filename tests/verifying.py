"""An archive to verify, damage to its rows, and what a look finds of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from archive import CELL, COARSE, FINE, Archive

from mvmdb.catalog.open import Connection, Engine
from mvmdb.records import Policy
from mvmdb.verify.look import Inspected as Verified
from mvmdb.verify.look import look
from mvmdb.workers.processes import IN_THIS_PROCESS

SMALL: dict[str, Any] = {"shape": (32, 32)}
EXPOSURE = "WHERE ipppssoo = 'ib6o04tu'"
LAYER = f"WHERE name = '{FINE}'"
PRODUCT = f"WHERE layer = '{FINE}'"
OF_PRODUCT = f"WHERE product_id = (SELECT id FROM product {PRODUCT}) AND ipppssoo = 'ib6o04tu'"
OF_EXPOSURE = f"WHERE exposure_id = (SELECT id FROM exposure {EXPOSURE})"
NOBODY = 987654321


def fill(archive: Archive) -> None:
    """Have a night make layers of three exposures in one sky cell, and of one in another."""
    archive.expose(**SMALL)
    archive.expose("ib6o04twq", east=2, **SMALL)
    archive.expose("j8oz04kpq", detector="WFC", kind="flc", chips=2, shape=(24, 48))
    archive.expose("ib6o04tzq", ra=139.088, dec=-13.997, **SMALL)
    assert archive.night().reconcile.failed == 0


def damage(engine: Engine, *statements: str) -> None:
    """Have somebody run some SQL without the database's watch over references."""
    with changed(engine, *statements) as connection:
        connection.commit()


@contextmanager
def changed(engine: Engine, *statements: str) -> Iterator[Connection]:
    """A connection on which `damage` was done; it is rolled back."""
    with engine.connect() as connection:
        _watch_references(connection, "OFF")
        with connection.begin() as transaction:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for statement in statements:
                assert connection.execute(sa.text(statement)).rowcount, statement
            yield connection
            if transaction.is_active:
                transaction.rollback()
        _watch_references(connection, "ON")


def _watch_references(connection: Connection, state: str) -> None:
    if connection.dialect.name == "sqlite":  # it does not listen within a transaction
        connection.connection.driver_connection.execute(f"PRAGMA foreign_keys = {state}")  # type: ignore[union-attr]


class Within:
    """Transactions that all see one that is open: that of a connection."""

    def __init__(self, connection: Connection) -> None:
        self.engine, self._connection = connection.engine, connection

    def __call__(self) -> AbstractContextManager[Connection]:
        @contextmanager
        def one() -> Iterator[Connection]:
            yield self._connection

        return one()


def find(connection: Connection, products: Path | None = None, *, deep: bool = False) -> set[tuple[str, str]]:
    """(code, subject) of each finding."""
    workers = IN_THIS_PROCESS if deep else None
    looked = look(Verified(Within(connection), Policy(), products, workers))
    return {(str(finding.kind), finding.subject) for finding in looked.findings}


ROWS: dict[str, tuple[str, set[str]]] = {
    "setting": ("UPDATE archive SET value = 'maybe' WHERE key = 'pollers_since'", {"setting-wrong"}),
    "member digest": (f"UPDATE exposure SET member_digest = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "pixels": (f"UPDATE exposure SET pixels = 'd:abc' {EXPOSURE}", {"exposure-wrong"}),
    "wcs digest": (f"UPDATE exposure SET wcs_digest = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "wcs of members": (f"UPDATE exposure SET member_wcs = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "alternate": (f"UPDATE exposure SET alternate = 'x 1 2 3 4 5 1' {EXPOSURE}", {"exposure-wrong"}),
    "kind": (  # one FLC evicts the FLT
        f"UPDATE exposure SET kind = 'flc' {EXPOSURE}",
        {"exposure-wrong", "dataset-wrong", "layer-wrong", "digest-wrong", "member-wrong", "canvas-wrong"},
    ),
    "no such camera": (
        f"UPDATE exposure SET instrument = 'wfc4' {EXPOSURE}",
        {"exposure-wrong", "layer-wrong", "digest-wrong", "member-wrong", "canvas-wrong", "sky-wrong"},
    ),
    "eligible": (f"UPDATE exposure SET eligible = false {EXPOSURE}", {"exposure-wrong"}),
    "filename": (f"UPDATE exposure SET filename = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "program": (f"UPDATE exposure SET program = 'ABC' {EXPOSURE}", {"exposure-wrong"}),
    "position": (f"UPDATE exposure SET ra = ra + 0.001 {EXPOSURE}", {"exposure-wrong"}),
    "no region": (
        f"UPDATE exposure SET s_region = 'POLYGON ICRS 1 2 3' {EXPOSURE}", {"exposure-wrong", "membership-wrong"},
    ),
    "catalog of solution": (f"UPDATE exposure SET astrometric_catalog = 'GSC' {EXPOSURE}", {"exposure-wrong"}),
    "inactive": (f"UPDATE dataset SET active = false {OF_EXPOSURE}", {"dataset-wrong"}),
    "no row of a file": (f"DELETE FROM dataset {OF_EXPOSURE}", {"dataset-wrong"}),
    "path of a file": (f"UPDATE dataset SET path = '/zzz', active = false {OF_EXPOSURE}", {"dataset-wrong"}),
    "no path": (f"UPDATE exposure SET path = '' {EXPOSURE}", {"dataset-wrong", "layer-wrong"}),
    "path": (
        f"UPDATE exposure SET path = '/zzz' {EXPOSURE}", {"dataset-wrong", "exposure-wrong", "exposure-missing"},
    ),
    "pruned": (f"UPDATE exposure SET pruned = true {EXPOSURE}", {"exposure-wrong"}),
    "why it is not withdrawn": (f"UPDATE exposure SET withdrawn_why = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "why it is eligible": (f"UPDATE exposure SET ineligible_reason = 'abc' {EXPOSURE}", {"exposure-wrong"}),
    "products folder": ("DELETE FROM archive WHERE key = 'products'", {"setting-wrong"}),
    "rank": (f"UPDATE dataset SET wcs_rank = 0 {OF_EXPOSURE}", {"dataset-wrong"}),
    "box": (f"UPDATE membership SET x_min = x_min - 100 {OF_EXPOSURE}", {"membership-wrong"}),
    "area": (f"UPDATE membership SET area_arcmin2 = 1.01 * area_arcmin2 {OF_EXPOSURE}", {"membership-wrong"}),
    "no membership": (f"DELETE FROM membership {OF_EXPOSURE}", {"membership-wrong"}),
    "membership elsewhere": (
        "INSERT INTO membership SELECT id, (SELECT max(id) FROM skycell), 1, 9, 1, 9, 1.0 FROM exposure " + EXPOSURE,
        {"membership-wrong"},
    ),
    "cell's name": (f"UPDATE skycell SET x = 3 WHERE name = '{CELL}'", {"cell-wrong"}),
    "cell's center": (f"UPDATE skycell SET dec = dec + 1 WHERE name = '{CELL}'", {"cell-wrong"}),
    "canvas": (f"UPDATE skycell SET y_max = y_max + 1 WHERE name = '{CELL}'", {"canvas-wrong"}),
    "no canvas": (f"UPDATE skycell SET y_max = NULL WHERE name = '{CELL}'", {"canvas-wrong"}),
    "members digest": (f"UPDATE layer SET members_digest = 'abc' {LAYER}", {"digest-wrong"}),
    "recipe digest": (f"UPDATE layer SET recipe_digest = 'abc' {LAYER}", {"digest-wrong"}),
    "made digest": (f"UPDATE layer SET made_digest = 'abc' {LAYER}", {"digest-wrong"}),
    "no made digest": (f"UPDATE layer SET made_digest = NULL {LAYER}", {"digest-wrong"}),
    "count": (f"UPDATE layer SET n_exposures = 7 {LAYER}", {"layer-wrong"}),
    "depth": (f"UPDATE layer SET mean_exposures = 1.0001 * mean_exposures {LAYER}", {"layer-wrong"}),
    "layer's box": (f"UPDATE layer SET x_min = x_min + 1 {LAYER}", {"layer-wrong"}),
    "layer's start": (f"UPDATE layer SET expstart = expstart + 0.001 {LAYER}", {"layer-wrong"}),
    "no start": (f"UPDATE layer SET expstart = NULL {LAYER}", {"layer-wrong"}),
    "layer's filter": (f"UPDATE layer SET filter = 'f140w' {LAYER}", {"layer-wrong"}),
    "recipe": (f"UPDATE layer SET recipe_id = (SELECT recipe_id FROM layer WHERE name = '{COARSE}') {LAYER}",
               {"layer-wrong"}),
    "no layer": (f"DELETE FROM layer {LAYER}", {"layer-missing", "member-dangling", "row-dangling"}),
    "layer's name": (f"UPDATE layer SET name = '{FINE}x' {LAYER}",
                     {"layer-missing", "layer-unexpected", "product-unlinked", "digest-wrong"}),
    "withdrawn": (
        f"UPDATE exposure SET withdrawn_at = changed_at {EXPOSURE}",
        {"layer-wrong", "digest-wrong", "member-wrong", "canvas-wrong"},
    ),
    "no member": (f"DELETE FROM layer_member {OF_EXPOSURE}", {"member-wrong"}),
    "a member more": (
        f"INSERT INTO layer_member SELECT layer.id, exposure.id FROM layer, exposure {LAYER} AND ipppssoo = 'ib6o04tz'",
        {"member-wrong"},
    ),
    "dangling member": (
        f"INSERT INTO layer_member SELECT id, {NOBODY} FROM layer {LAYER}", {"member-dangling", "member-wrong"},
    ),
    "unlinked product": (f"UPDATE product SET layer_id = NULL {PRODUCT}", {"product-unlinked"}),
    "product of another": (
        f"UPDATE product SET layer_id = (SELECT id FROM layer WHERE name = '{COARSE}') {PRODUCT}",
        {"product-unlinked"},
    ),
    "product's count": (f"UPDATE product SET n_members = 7 {PRODUCT}", {"product-wrong"}),
    "product's canvas": (f"UPDATE product SET x_min = x_min + 1 {PRODUCT}", {"product-wrong"}),
    "product's recipe": (f"UPDATE product SET recipe = '{{}}' {PRODUCT}", {"product-wrong"}),
    "product's digest": (f"UPDATE product SET recipe_digest = 'abc' {PRODUCT}", {"product-wrong", "digest-wrong"}),
    "product's cell": (f"UPDATE product SET skycell = 'skycell-p1000x11y11' {PRODUCT}", {"product-wrong"}),
    "product's file": (f"UPDATE product SET filename = 'a.fits' {PRODUCT}", {"product-wrong"}),
    "product's layer": (
        f"UPDATE product SET layer = 'zzz' {PRODUCT}", {"product-wrong", "product-unlinked", "digest-wrong"},
    ),
    "product's proof": (f"UPDATE product SET proof = 'trusted' {PRODUCT}", {"product-wrong"}),
    "product's folder": (f"UPDATE product SET skycell = '..' {PRODUCT}", {"product-wrong"}),
    "product's state": (f"UPDATE product SET state = 'good' {PRODUCT}", {"value-wrong"}),
    "product's pixels": (f"UPDATE product_member SET pixels = 'd:abc' {OF_PRODUCT}", {"product-wrong"}),
    "no product member": (f"DELETE FROM product_member {OF_PRODUCT}", {"product-wrong"}),
}  # fmt: skip
"""SQL that somebody may run, and the codes of what is wrong then."""
