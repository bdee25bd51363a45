"""What another program's product is taken to hold, and which of these products a catalog has adopted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.names import Kind
from mvmdb.records import ProductMember
from mvmdb.schema import tables as t


class Claimed(NamedTuple):
    """One exposure as a product claims to hold it: `exptime` in seconds, `sky` in electrons/s/arcsec^2 if known.

    `wcsname` is None where the product does not say: it is taken to be the catalog's.
    """

    ipppssoo: str
    rootname: str
    wcsname: str | None
    exptime: float
    sky: float | None


def list_claimed(connection: sa.Connection, claimed: Sequence[Claimed], kind: Kind) -> tuple[ProductMember, ...]:
    """The members of a product (sorted), if it holds what the catalog has; the catalog must have all of them.

    An exposure of another kind has other pixels, and one with another WCSNAME another WCS: these are left empty, which
    no exposure has.
    """
    e = t.exposure.c
    known: dict[str, Any] = {}
    for chunk in chunks(one.ipppssoo for one in claimed):
        query = sa.select(e.ipppssoo, e.kind, e.pixels, e.wcsname, e.wcs_digest).where(e.ipppssoo.in_(chunk))
        known.update((row.ipppssoo, row) for row in connection.execute(query))
    members = []
    for one in claimed:
        row = known[one.ipppssoo]
        wcsname = row.wcsname or ""
        said = wcsname if one.wcsname is None else one.wcsname
        members.append(
            ProductMember(
                ipppssoo=one.ipppssoo,
                rootname=one.rootname,
                pixels=row.pixels if row.kind == kind else "",
                pixel_digest="",
                wcs_digest=(row.wcs_digest or "") if said == wcsname else "",
                wcsname=said,
                sky_group="",
                exptime=one.exptime,
                sky=one.sky,
            )
        )
    return tuple(members)


def load_unknown(connection: sa.Connection, names: Iterable[str]) -> list[str]:
    """Those of these exposures (ipppssoo) that the catalog does not have, sorted."""
    wanted, e = set(names), t.exposure.c
    for chunk in chunks(set(wanted)):
        wanted -= set(connection.scalars(sa.select(e.ipppssoo).where(e.ipppssoo.in_(chunk))))
    return sorted(wanted)
