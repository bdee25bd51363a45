"""What every place that tells of stale layers says, held together; and products recorded without drizzling them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import sqlalchemy as sa
from archive import Archive

from mvmdb.catalog.open import open_catalog
from mvmdb.catalog.products.load import load_candidates, load_layer, load_member_inputs
from mvmdb.catalog.products.record import forget_product, record_failure, record_product
from mvmdb.catalog.settings import read_policy
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.layers.diff import diff_layers, is_fresh
from mvmdb.names import format_product_name
from mvmdb.records import ExpectedLayer, Plan, ProductMember, ProductRecord

Reasons = list[tuple[str, str | None]]
"""Reason codes, each with the exposure that it concerns."""
FAILED: tuple[str, None] = ("last-run-failed", None)
MISSING: tuple[str, None] = ("product-missing", None)


def fail(archive: Archive, *names: str) -> None:
    """Record that layers could not be made."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        for name in names:
            record_failure(connection, name, "no space left on device")


def agreed_reasons(archive: Archive) -> dict[str, Reasons]:
    """Why each layer is stale, after a check that all places agree: which layers are stale, and for which reasons.

    The places: column `layer.stale`, views `stale_layer` and `stale_reason`, and `is_fresh` on every layer. The plan is
    checked too: what is loaded as possibly stale gives the same plan as all layers.
    """
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        policy = read_policy(connection)
        layers = connection.execute(sa.text("SELECT name, stale FROM layer")).all()
        by_reason = connection.execute(sa.text("SELECT layer, reason, exposure, skycell FROM stale_reason")).all()
        by_layer = connection.execute(sa.text("SELECT * FROM stale_layer")).mappings().all()
        possible = load_candidates(connection, None)
        plan = diff_layers(possible.expected, possible.observed, possible.unmade, policy)
        loaded = load_candidates(connection, None, everything=True)
        unmade = list(loaded.unmade)
    products = {product.name: product for product in loaded.observed}
    expected = {layer.name for layer in loaded.expected}
    assert len(layers) == len(loaded.expected) + len(unmade)
    assert {row.name for row in layers} == expected | {layer.name for layer in unmade}
    orphaned = products.keys() - {row.name for row in layers}
    fresh = {layer.name for layer in loaded.expected if is_fresh(layer, products[layer.name])}
    stale = {row.name for row in layers} - fresh

    assert {row.name for row in layers if row.stale} == stale, "layer.stale and is_fresh"
    assert {row["layer"] for row in by_layer} == stale | orphaned, "stale_layer and is_fresh"
    assert {row.layer for row in by_reason} == stale | orphaned, "stale_reason and is_fresh"
    assert plan.layers == diff_layers(loaded.expected, loaded.observed, unmade, policy).layers
    reasons = _planned_reasons(plan)
    told: dict[str, Reasons] = defaultdict(list)
    for row in by_reason:
        told[row.layer].append((row.reason, row.exposure))
    assert _in_one_order(told) == _in_one_order(reasons), "stale_reason and the plan"
    for row in by_layer:
        codes, exposures = map(set, zip(*reasons[row["layer"]], strict=True))
        assert set(row["reasons"].split(",")) == codes
        assert row["n_exposures_concerned"] == len(exposures - {None})
    skycells = {line.name: line.skycell for line in plan.layers}
    assert {row["layer"]: row["skycell"] for row in by_layer} == skycells
    assert {row.layer: row.skycell for row in by_reason} == skycells
    return reasons


def _planned_reasons(plan: Plan) -> dict[str, Reasons]:
    return {line.name: [(str(reason.code), reason.exposure) for reason in line.reasons] for line in plan.layers}


def _in_one_order(reasons: Mapping[str, Reasons]) -> dict[str, Reasons]:
    return {name: sorted(pairs, key=str) for name, pairs in reasons.items()}


def record_all(archive: Archive, **changes: str) -> None:
    """Record the product of every stale layer as a night would that makes them all, and forget orphaned products.

    Nothing is drizzled and no file is written. `changes` are to fields of the records: products of another version.
    """
    record_some(archive, agreed_reasons(archive), **changes)


def record_some(archive: Archive, names: Iterable[str], **changes: str) -> None:
    """As `record_all`, for layers of these names, fresh or stale; products of layers that are not expected go."""
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        for name in names:
            layer, _ = load_layer(connection, name)
            if layer is None:
                forget_product(connection, name)
                continue
            digests = {
                member.ipppssoo: member.pixel_digest or digest_pixels(member.path)
                for member in load_member_inputs(connection, layer)
            }
            record = replace(_product_of(layer, digests), **changes)  # type: ignore[arg-type]
            record_product(connection, record, action="drizzle", seconds=1.0)


def _product_of(layer: ExpectedLayer, pixel_digests: dict[str, str]) -> ProductRecord:
    return ProductRecord(
        layer=layer.name,
        skycell=layer.skycell,
        path=f"products/{layer.skycell}/{format_product_name(layer.name, layer.kind)}",
        size=1,
        mtime_ns=1,
        data_digest="0" * 32,
        canvas=layer.canvas,
        recipe=layer.recipe.to_json(),
        recipe_digest=layer.recipe_digest,
        members=tuple(
            ProductMember(
                ipppssoo=member.ipppssoo,
                rootname=f"{member.ipppssoo}q",
                pixels=member.pixels,
                pixel_digest=pixel_digests[member.ipppssoo],
                wcs_digest=member.wcs_digest,
                wcsname="",
                sky_group=member.sky_group,
                exptime=1.0,
                sky=member.sky,
                photometry=member.photometry or None,
            )
            for member in layer.members
        ),
    )
