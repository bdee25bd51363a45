"""What verify --repair leaves of damaged rows, compared with what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from archive import Archive
from verifying import damage, fill

from mvmdb.catalog.open import Engine, open_catalog
from mvmdb.records import Policy
from mvmdb.verify.look import Inspected as Verified
from mvmdb.verify.run import verify

CONTENT = {
    "exposure": "SELECT * FROM exposure ORDER BY ipppssoo",
    "dataset": "SELECT d.*, NULL AS id FROM dataset d ORDER BY path",
    "membership": "SELECT * FROM membership ORDER BY exposure_id, skycell_id",
    "skycell": "SELECT * FROM skycell ORDER BY id",
    "product": "SELECT p.*, NULL AS layer_id, l.name FROM product p JOIN layer l ON l.id = p.layer_id ORDER BY layer",
    "product_member": "SELECT * FROM product_member ORDER BY product_id, ipppssoo",
    "layer": "SELECT l.*, NULL AS id, NULL AS recipe_id, parameters FROM layer l JOIN recipe r ON r.id = recipe_id "
    "ORDER BY name",
    "layer_member": "SELECT name, exposure_id FROM layer_member JOIN layer ON id = layer_id ORDER BY name, exposure_id",
}


def content(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """All rows that describe exposures, layers and products, whatever the keys of layers."""
    with engine.begin() as connection:
        return {
            table: [dict(row) for row in connection.execute(sa.text(query)).mappings()]
            for table, query in CONTENT.items()
        }


def mend_rows(archive: Archive, groups: Iterable[Sequence[str]], *, times: bool = True) -> None:
    """Do the damage of each group of SQL statements at the same time: each must be undone to the last column.

    Without `times`, the time of an exposure's last change may differ: that is when it was mended.
    """
    fill(archive)
    with open_catalog(archive.address) as engine:
        before = _without_times(content(engine), times)
        verified = Verified(engine.begin, Policy(), archive.products)
        for group in groups:
            damage(engine, *group)
            report = verify(verified, mend=engine)
            assert (len(report.findings) >= min(4, len(group)), report.left) == (True, 0), report.findings
            after = _without_times(content(engine), times)
            assert {table: rows for table, rows in after.items() if rows != before[table]} == {}
            assert verify(verified).findings == ()


def _without_times(tables: dict[str, list[dict[str, Any]]], times: bool) -> dict[str, list[dict[str, Any]]]:
    for row in () if times else tables["exposure"]:
        del row["changed_at"]
    return tables
