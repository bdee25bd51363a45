"""Makes the jobs of layers that are made without a catalog: all members are drizzled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvmdb.names import format_product_name
from mvmdb.records import Action, CellExposure, ExpectedLayer, LayerJob, MemberInput


def drizzle_job(
    layer: ExpectedLayer,
    exposures: Mapping[str, CellExposure],
    folder: Path,
    skies: Mapping[str, float] | None = None,
) -> LayerJob:
    """The job that drizzles a layer from all its members; its product goes into `folder`.

    `exposures` maps ipppssoo to exposures, among them all members of the layer. `skies` maps ipppssoo to the skies
    (electrons/s/arcsec^2) to keep if the recipe matches skies; the skies of other members are solved for.
    """
    kept = (skies or {}) if layer.recipe.sky_match else {}
    inputs = tuple(
        MemberInput(
            member.ipppssoo,
            exposures[member.ipppssoo].path,
            member.pixels,
            exposures[member.ipppssoo].pixel_digest,
            member.wcs_digest,
            member.sky_group,
            sky=kept.get(member.ipppssoo),
            alternate=exposures[member.ipppssoo].alternate,
        )
        for member in layer.members
    )
    target = folder / format_product_name(layer.name, layer.kind)
    return LayerJob(
        layer.name, Action.DRIZZLE, layer.kind, layer.canvas, layer.recipe, layer.recipe_digest, inputs, str(target)
    )
