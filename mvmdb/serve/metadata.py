"""What Datasette shows beside a catalog's rows: titles, meanings, units and canned queries, in its own format.

Units are under `column_units`. Datasette's own key `units` is not used: it shows MJD 60310.5 as 60.3105 kd, -0.0021 deg
as -2.1 mdeg, and its page fails on units that it does not know, such as electron and arcmin2.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from mvmdb.catalog.ask.canned import CANNED, CannedQuery
from mvmdb.catalog.ask.canned.values import Value
from mvmdb.catalog.ask.relations import describe_schema

EXAMPLES = """SELECT e.ra, e.dec, e.proposal_id AS program, e.ipppssoo AS exposure, l.name AS layer
FROM layer l JOIN layer_member m ON m.layer_id = l.id JOIN exposure e ON e.id = m.exposure_id
WHERE l.scale = 'fine' LIMIT 1"""
"""A position and names that a catalog has, by the names of parameters of canned queries."""
_LABELS = {"exposure": "ipppssoo", "layer": "name", "skycell": "name", "product": "layer", "run": "command"}


def describe_catalog() -> dict[str, Any]:
    """Datasette's metadata of one database that is a catalog: a new value, as Datasette writes into what it gets."""
    tables: dict[str, Any] = {}
    for relation in describe_schema():
        columns = relation["columns"]
        described: dict[str, Any] = {
            "description": relation["meaning"],
            "columns": {column["name"]: column["meaning"] for column in columns},
            "column_units": {column["name"]: column["unit"] for column in columns if column["unit"]},
        }
        if relation["name"] in _LABELS:
            described["label_column"] = _LABELS[relation["name"]]
        tables[relation["name"]] = described
    return {
        "title": "mvmdb catalog",
        "description": "Hubble exposures by sky cell, the multi-visit mosaics that they should make, and those that "
        "exist. Angles are in degrees (ICRS), dates in MJD, times in seconds; columns that end in _utc are ISO 8601. "
        "SQL may call sky_separation(ra1, dec1, ra2, dec2), in_cone(ra, dec, ra0, dec0, radius), "
        "skycell_name(skycell_id) and skycell_name(projection_cell, x, y).",
        "tables": tables,
    }


def describe_queries(values: Mapping[str, Value]) -> dict[str, Any]:
    """The canned queries for Datasette, each with a link that fills its parameters with these values."""
    return {query.name: _describe_query(query, values) for query in CANNED}


def example_of(query: CannedQuery, values: Mapping[str, Value]) -> str:
    """The query string that fills a query's parameters: with these values where they have the name, else examples."""
    return urlencode({name: values.get(name, example) for name, example in query.examples})


def _describe_query(query: CannedQuery, values: Mapping[str, Value]) -> dict[str, Any]:
    described: dict[str, Any] = {"title": query.title, "sql": query.sql}
    words = [escape(query.note)] if query.note else []
    if query.examples:
        described["params"] = [name for name, _ in query.examples]
        words.append(f'<a href="?{escape(example_of(query, values))}">An example from this catalog</a>')
    if words:
        described["description_html"] = f"<p>{' '.join(words)}</p>"
    return described
