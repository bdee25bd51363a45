"""Reads from the catalog what the decisions file is to hold."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from uuid import uuid4

import sqlalchemy as sa

from mvmdb.catalog.decisions.restore import Waiting, load_waiting, write_waiting
from mvmdb.catalog.decisions.values import (
    Decisions,
    KeptAlternate,
    KeptExposure,
    KeptFile,
    KeptPlacement,
    KeptProduct,
)
from mvmdb.catalog.settings import CONFIGURATION, FRAMES, METHOD, PRODUCTS, read_settings, write_settings
from mvmdb.exposures.eligibility import PIXEL_RULES
from mvmdb.exposures.warning_texts import join_warnings, split_warnings
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

IDENTITY = "catalog"
"""The setting that holds the catalog's random identity; it is given when the first decisions file is written."""
TABLES = "imported_tables"
"""The setting that lists the imported tables, JSON."""


def load_decisions(connection: sa.Connection) -> Decisions:
    """What only this catalog knows; it has no identity yet if it never wrote a decisions file."""
    settings = read_settings(connection)
    waiting = load_waiting(connection)
    exposures = {one.ipppssoo: one for one in (*waiting.exposures, *_load_exposures(connection))}
    accepted = {one.path: one for one in (*waiting.accepted, *_load_accepted(connection))}
    adopted = {one.layer: one for one in (*waiting.adopted, *_load_adopted(connection))}
    return Decisions(
        settings.get(IDENTITY, ""),
        {key: settings[key] for key in sorted(CONFIGURATION) if key in settings and key != PRODUCTS},
        tuple(json.loads(settings.get(TABLES, "[]"))),
        tuple(exposures[name] for name in sorted(exposures)),
        tuple(accepted[path] for path in sorted(accepted)),
        tuple(adopted[layer] for layer in sorted(adopted)),
        tuple(_load_alternates(connection)),
        tuple(_load_placements(connection, settings.get(FRAMES, ""))),
    )


def give_identity(connection: sa.Connection, identity: str | None = None) -> None:
    """Give the catalog this identity, or a new one if it has none."""
    if identity is not None or IDENTITY not in read_settings(connection):
        write_settings(connection, {IDENTITY: identity or str(uuid4())})


def record_decisions(connection: sa.Connection, decisions: Decisions) -> None:
    """Make an empty catalog the one whose decisions these are; those about exposures and files wait for them.

    A decisions file without a method is of a catalog without one, which made mosaics as `hap` does.
    """
    give_identity(connection, decisions.catalog)
    tables = {TABLES: json.dumps(decisions.tables)} if decisions.tables else {}
    write_settings(connection, {METHOD: "hap", **decisions.settings, **tables})
    rows = [asdict(one) | {"made_at": dt.datetime.fromisoformat(one.made_at)} for one in decisions.alternates]
    upsert(connection, t.alternate, ("ipppssoo", "name"), rows)
    rows = [asdict(one) | {"made_at": dt.datetime.fromisoformat(one.made_at)} for one in decisions.placements]
    upsert(connection, t.placement, ("ipppssoo",), rows)
    write_waiting(connection, Waiting(decisions.exposures, decisions.accepted, decisions.adopted))


def note_table(connection: sa.Connection, words: str) -> None:
    """Remember that a table was imported with these words of the command line."""
    tables = json.loads(read_settings(connection).get(TABLES, "[]"))
    if words not in tables:
        write_settings(connection, {TABLES: json.dumps([*tables, words])})


def _load_exposures(connection: sa.Connection) -> Iterator[KeptExposure]:
    """Three queries, each by an index: exposures that are withdrawn, refused for their pixels, or doubtful for them.

    Those that were pruned have no file of which anything could be said.
    """
    e = t.exposure.c
    rules = ", ".join(f"'{rule}'" for rule in PIXEL_RULES)
    refused = sa.and_(t.INELIGIBLE, sa.literal_column(f"ineligible_rule IN ({rules})", sa.Boolean))
    doubtful = t.DOUBTFUL[connection.dialect.name]
    columns = (
        e.ipppssoo, e.kind, e.pixels, e.pixel_digest, e.wcs_digest, e.withdrawn_at, e.withdrawn_why,
        e.ineligible_rule, e.ineligible_reason, e.warnings, e.photometry,
    )  # fmt: skip
    seen: set[str] = set()
    for condition in (e.withdrawn_at.is_not(None), refused, doubtful):
        for row in connection.execute(sa.select(*columns).where(condition, sa.not_(e.pruned))):
            of_pixels, _ = split_warnings(row.warnings)
            is_refused = row.ineligible_rule in PIXEL_RULES
            if row.ipppssoo in seen or not (row.withdrawn_at or is_refused or of_pixels):
                continue
            seen.add(row.ipppssoo)
            yield KeptExposure(
                row.ipppssoo,
                row.kind,
                row.pixels,
                row.pixel_digest,
                row.wcs_digest,
                row.withdrawn_at and row.withdrawn_at.isoformat(),
                row.withdrawn_why,
                row.ineligible_rule if is_refused else "",
                row.ineligible_reason if is_refused else "",
                join_warnings(of_pixels),
                row.photometry or "",
            )


def _load_accepted(connection: sa.Connection) -> Iterator[KeptFile]:
    q = t.quarantine.c
    query = sa.select(q.path, q.kind, q.size, q.mtime_ns, q.first_seen).where(q.accepted).order_by(q.path)
    for row in connection.execute(query):
        yield KeptFile(row.path, row.kind, row.size, row.mtime_ns, row.first_seen.isoformat())


def _load_alternates(connection: sa.Connection) -> Iterator[KeptAlternate]:
    a = t.alternate.c
    query = sa.select(*(a[one.name] for one in fields(KeptAlternate))).order_by(a.ipppssoo, a.name)
    for row in connection.execute(query):
        yield KeptAlternate(**(dict(row._mapping) | {"made_at": row.made_at.isoformat()}))


def _load_placements(connection: sa.Connection, frames: str) -> Iterator[KeptPlacement]:
    """The places that layers follow: those of moved exposures, or of groups in which some lie apart.

    All others change nothing, and are measured again.
    """
    p, other = t.placement.c, t.placement.alias("other").c
    far = t.APART_PIXELS * t.APART_PIXELS * other.pixel * other.pixel
    apart = sa.select(other.shift_group).where(other.dx * other.dx + other.dy * other.dy >= far, other.n_pairs > 0)
    followed = {"align": sa.or_(p.move_dx != 0.0, p.move_dy != 0.0), "agree": p.shift_group.in_(apart)}
    query = sa.select(*(p[one.name] for one in fields(KeptPlacement))).where(followed.get(frames, sa.false()))
    for row in connection.execute(query.order_by(p.ipppssoo)):
        yield KeptPlacement(**(dict(row._mapping) | {"made_at": row.made_at.isoformat()}))


def _load_adopted(connection: sa.Connection) -> Iterator[KeptProduct]:
    p = t.product.c
    query = sa.select(p.layer, p.data_digest, p.recipe_digest, p.proof).where(t.UNPROVEN).order_by(p.layer)
    for row in connection.execute(query):
        yield KeptProduct(*row)
