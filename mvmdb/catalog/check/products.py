"""Whether the row of a product agrees with itself and with the rows of its members. Its file is not looked at here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.errors import NameFormatError
from mvmdb.layers.digests import digest_product
from mvmdb.names import parse_product_name
from mvmdb.records import Action, Canvas, ProductMember, ProductRecord, ProductState, Proof
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_BOX = ("x_min", "x_max", "y_min", "y_max")
_MADE = (Action.DRIZZLE, Action.ADD, Action.RECANVAS, Action.SHIFT, Action.RESCALE)
"""What mvmdb itself does to a product."""
_MEMBER = tuple(ProductMember.__slots__)


def check_products(connection: sa.Connection, ids: Sequence[int]) -> list[Finding]:
    """The findings in the rows of these products (keys) and of their members."""
    p, m = t.product, t.product_member
    members: dict[int, list[Any]] = {}
    query = sa.select(m).where(among(connection, m.c.product_id, ids)).order_by(m.c.product_id, m.c.ipppssoo)
    for row in connection.execute(query):
        members.setdefault(row.product_id, []).append(row)
    own, other = t.layer.alias("own"), t.layer.alias("other")
    source = p.outerjoin(own, own.c.name == p.c.layer).outerjoin(other, other.c.id == p.c.layer_id)
    query = sa.select(p, own.c.id.label("own"), other.c.id.label("linked")).select_from(source)
    rows = connection.execute(query.where(among(connection, p.c.id, ids)).order_by(p.c.layer)).all()
    findings: list[Finding] = []
    for row in rows:
        findings += _check_row(row, members.get(row.id, []))
        if row.own is None and row.linked is not None:
            found, expected = differences({"layer_id": (row.layer_id, None)})
            findings.append(_of(row, Damage.PRODUCT_UNLINKED, found, expected))
    return findings


def _of(row: Any, kind: Damage, found: str, expected: str) -> Finding:
    return Finding(kind, skycell=row.skycell, layer=row.layer, table="product", found=found, expected=expected)


def _check_row(row: Any, members: Sequence[Any]) -> Iterator[Finding]:
    wrong: dict[str, tuple[object, object]] = {}
    try:
        layer, kind = parse_product_name(row.filename)
    except NameFormatError as error:
        yield _of(row, Damage.PRODUCT_WRONG, str(error), "the name of a product")
        return
    if str(layer) != row.layer:
        wrong["filename"] = (row.filename, f"that of {row.layer}")
    if layer.skycell != row.skycell:
        wrong["skycell"] = (row.skycell, layer.skycell)
    if row.n_members != len(members):
        wrong["n_members"] = (row.n_members, len(members))
    if row.state not in set(ProductState):
        wrong["state"] = (row.state, "intact, missing or damaged")
    if row.proof not in set(Proof):
        wrong["proof"] = (row.proof, "proven, unproven or trusted")
    elif row.proof != Proof.PROVEN and row.last_action in _MADE:
        wrong["proof"] = (row.proof, f"proven, after {row.last_action}")
    if not _is_json(row.recipe):
        wrong["recipe"] = (row.recipe, "drizzle parameters, JSON")
    canvas = Canvas(*(getattr(row, name) for name in _BOX))
    digest = "" if row.proof == Proof.UNPROVEN else digest_product(members, kind, canvas, row.recipe)
    if digest != row.recipe_digest:
        wrong["recipe_digest"] = (row.recipe_digest, digest)
    if wrong:
        yield _of(row, Damage.PRODUCT_WRONG, *differences(wrong))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def compare_with_file(connection: sa.Connection, record: ProductRecord) -> list[Finding]:
    """The finding of a product whose rows do not say what its intact file says; none if it is not recorded."""
    p, m = t.product.c, t.product_member.c
    row = connection.execute(sa.select(t.product).where(p.layer == record.layer)).one_or_none()
    if row is None:
        return []
    rows = connection.execute(sa.select(t.product_member).where(m.product_id == row.id).order_by(m.ipppssoo)).all()
    values: dict[str, object] = {
        "skycell": record.skycell, "data_digest": record.data_digest, "canvas": str(record.canvas),
        "n_members": len(record.members), "recipe": record.recipe, "recipe_digest": record.recipe_digest,
        "proof": record.proof.value,
    }  # fmt: skip
    recorded = {name: getattr(row, name, None) for name in values}
    recorded["canvas"] = str(Canvas(*(getattr(row, name) for name in _BOX)))
    wrong = {name: (recorded[name], value) for name, value in values.items() if recorded[name] != value}
    then = {member.ipppssoo: tuple(getattr(member, name) for name in _MEMBER) for member in rows}
    now = {member.ipppssoo: tuple(getattr(member, name) for name in _MEMBER) for member in record.members}
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            wrong[f"member {name}"] = (then.get(name, "none"), now.get(name, "none"))
    return [_of(row, Damage.PRODUCT_WRONG, *differences(wrong))] if wrong else []
