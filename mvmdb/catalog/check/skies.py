"""Whether the solved skies of exposures can be what a solution stored; a wrong one is forgotten, and solved again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from mvmdb.catalog.check.finding import Damage, Finding, differences
from mvmdb.catalog.products.made_digest import update_layers_of
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_CAMERA = ("instrument", "detector", "filter")


def check_skies(connection: sa.Connection) -> Iterator[Finding]:
    """The findings in the rows of skies: noise below 0, a sky without a component, or one of another filter."""
    e, s, first = t.exposure.c, t.sky.c, t.exposure.alias("first")
    same = sa.and_(*(first.c[name] == e[name] for name in _CAMERA))
    source = t.sky.join(t.exposure).outerjoin(first, first.c.ipppssoo == s.component)
    query = sa.select(e.ipppssoo, s.noise, s.value, s.component).select_from(source)
    wrong = sa.or_(
        s.noise < 0.0,
        sa.and_(s.value.is_(None), s.component.is_not(None)),
        sa.and_(s.value.is_not(None), s.component.is_(None)),
        sa.and_(s.component.is_not(None), sa.or_(first.c.id.is_(None), sa.not_(same), s.component > e.ipppssoo)),
    )
    for name, noise, value, component in connection.execute(query.where(wrong).order_by(e.ipppssoo)).all():
        pairs: dict[str, tuple[object, object]] = {}
        if noise < 0.0:
            pairs["noise"] = (noise, "0 or more")
        if (value is None) != (component is None):
            pairs |= {"value": (value, "a number with a component, or none"), "component": (component, "as the value")}
        elif component is not None:
            pairs["component"] = (component, f"{name}, or an exposure of its filter that is before it")
        found, expected = differences(pairs)
        yield Finding(Damage.SKY_WRONG, exposure=name, table="sky", found=found, expected=expected)


def forget_skies(connection: sa.Connection, exposures: Iterable[str]) -> None:
    """Forget what is known of the skies of exposures (ipppssoo): the next solution measures and solves them again."""
    names = list(exposures)
    ids = sa.select(t.exposure.c.id).where(among(connection, t.exposure.c.ipppssoo, names))
    connection.execute(sa.delete(t.sky).where(t.sky.c.exposure_id.in_(ids)))
    update_layers_of(connection, names)
