"""What was measured of exposures for a solution, and the skies that it gave them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.clock import time_in, utc_text
from mvmdb.catalog.products.made_digest import update_layers_of
from mvmdb.catalog.skies.participants import Participant
from mvmdb.recipe import MATCHED_ACROSS
from mvmdb.records import ProductState, Proof
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, upsert
from mvmdb.schema.views import own_sky


class KnownSky(NamedTuple):
    """What is known of an exposure as it is now: the noise of a pixel and its sky, in its own electrons/s/arcsec^2.

    `component` is the one that it was last solved in. All are None where they are not known.
    """

    noise: float | None
    value: float | None
    component: str | None


def save_noise(connection: sa.Connection, participants: Mapping[str, Participant], noise: Mapping[str, float]) -> None:
    """Record the noise of exposures (by ipppssoo). A sky that was of other pixels or another WCS is forgotten."""
    rows = [
        {"exposure_id": participants[name].id, "member_digest": participants[name].member_digest, "noise": value}
        for name, value in noise.items()
    ]
    s = t.sky.c
    digests = {row["exposure_id"]: row["member_digest"] for row in rows}
    query = sa.select(s.exposure_id, s.member_digest).where(among(connection, s.exposure_id, list(digests)))
    old = [id_ for id_, digest in connection.execute(query) if digest != digests[id_]]
    nothing = {"value": None, "component": None, "solved_at": None}
    connection.execute(sa.update(t.sky).where(among(connection, s.exposure_id, old)).values(nothing))
    upsert(connection, t.sky, ("exposure_id",), rows)


def load_known(connection: sa.Connection, participants: Collection[Participant]) -> dict[str, KnownSky]:
    """What is known of these exposures, by ipppssoo.

    Where no solution is recorded, as after the loss of a catalog, the sky is the one that the latest product subtracted
    which took its skies from a solution.
    """
    e, s = t.exposure.c, t.sky.c
    ids = [participant.id for participant in participants]
    query = sa.select(e.ipppssoo, s.noise, s.value, s.component).select_from(t.sky.join(t.exposure))
    query = query.where(among(connection, e.id, ids), s.member_digest == e.member_digest)
    known = {name: KnownSky(*values) for name, *values in connection.execute(query)}
    unsolved = [p.id for name, p in _by_name(participants).items() if name not in known or known[name].value is None]
    for name, value in _load_subtracted(connection, unsolved).items():
        known[name] = known.get(name, KnownSky(None, None, None))._replace(value=value)
    nothing = KnownSky(None, None, None)
    return {name: known.get(name, nothing) for name in _by_name(participants)}


def load_solved(connection: sa.Connection, names: Sequence[str]) -> dict[str, float]:
    """The solved skies of exposures (ipppssoo) as they are now, electrons/s/arcsec^2; others are left out."""
    e, s = t.exposure.c, t.sky.c
    query = sa.select(e.ipppssoo, s.value).select_from(t.sky.join(t.exposure)).where(s.value.is_not(None))
    rows = connection.execute(
        query.where(s.member_digest == e.member_digest, among(connection, e.ipppssoo, list(names)))
    )
    return {name: float(value) for name, value in rows}


def describe_sky(connection: sa.Connection, exposure: int) -> list[str]:
    """What the archive's solution says of an exposure (key), in a sentence; nothing where it has not been solved."""
    s = t.sky.c
    query = sa.select(s.value, s.noise, s.component, s.solved_at).where(s.exposure_id == exposure, s.value.is_not(None))
    return [
        f"Sky: mosaics subtract {row.value:.6g} electrons/s/arcsec^2 (noise of a pixel {row.noise:.3g}), as solved on "
        f"{utc_text(row.solved_at)} in the component of {row.component}."
        for row in connection.execute(query)
    ]


def _by_name(participants: Collection[Participant]) -> dict[str, Participant]:
    return {participant.member.ipppssoo: participant for participant in participants}


def _load_subtracted(connection: sa.Connection, exposures: Sequence[int]) -> dict[str, float]:
    """The sky that the latest product with an exposure (key) as it is now subtracted, by ipppssoo."""
    e, m, p = t.exposure.c, t.product_member.c, t.product.c
    query = (
        sa.select(m.ipppssoo, own_sky())
        .select_from(t.product_member.join(t.product).join(t.exposure, e.ipppssoo == m.ipppssoo))
        .where(
            among(connection, e.id, exposures),
            m.sky.is_not(None),
            sa.or_(m.pixels == e.pixels, m.pixel_digest == e.pixel_digest),  # another photometry moves no sky
            m.wcs_digest == e.member_wcs,
            p.state == ProductState.INTACT.value,
            p.proof == Proof.PROVEN.value,
            p.recipe.contains(MATCHED_ACROSS, autoescape=True),
        )
        .order_by(p.made_at, p.layer)
    )
    return {name: sky for name, sky in connection.execute(query)}


def store_skies(
    connection: sa.Connection,
    participants: Mapping[str, Participant],
    skies: Mapping[str, float],
    component: str,
) -> list[str]:
    """Record the skies of a component's exposures (by ipppssoo); return those whose sky is another than recorded.

    Their noise must be recorded. Layers whose products subtracted other skies are stale after it.
    """
    e, s = t.exposure.c, t.sky.c
    ids = [participants[name].id for name in skies]
    query = sa.select(e.ipppssoo, s.value, s.component).select_from(t.sky.join(t.exposure))
    before = {name: values for name, *values in connection.execute(query.where(among(connection, e.id, ids)))}
    moved = [name for name, value in skies.items() if before[name][0] != value]
    change = sa.update(t.sky).where(s.exposure_id == sa.bindparam("key"))
    if moved:
        rows = [{"key": participants[name].id, "new": skies[name]} for name in moved]
        connection.execute(change.values(value=sa.bindparam("new"), solved_at=time_in(connection)), rows)
    joined = [participants[name].id for name in skies if before[name][1] != component]
    connection.execute(sa.update(t.sky).where(among(connection, s.exposure_id, joined)).values(component=component))
    update_layers_of(connection, moved)
    return moved
