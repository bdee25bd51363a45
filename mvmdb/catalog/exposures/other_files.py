"""Other files of the same exposures, which may replace an active file that is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.exposures.read_first import write_with_files
from mvmdb.catalog.exposures.register import register
from mvmdb.catalog.open import Engine
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy
from mvmdb.errors import ExposureError
from mvmdb.exposures.reading import ReadDataset
from mvmdb.records import Policy
from mvmdb.remote.files import are_gone
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


class OtherFile(NamedTuple):
    """A member of some layer: the path of its active file, and the path of another file of the same exposure."""

    ipppssoo: str
    active: str
    other: str


def load_other_files(
    connection: sa.Connection, *, cells: Sequence[int] | None = None, everything: bool = False
) -> list[OtherFile]:
    """The other files of members of stale layers, in these sky cells (keys) or in all, sorted by ipppssoo and path.

    With `everything`, members of fresh layers are included.
    """
    e, d = t.exposure.c, t.dataset.c
    source = t.layer.join(t.layer_member).join(t.exposure).join(t.dataset)
    query = sa.select(e.ipppssoo, e.path, d.path).select_from(source).where(d.path != e.path).distinct()
    if not everything:
        query = query.where(t.layer.c.stale)
    if cells is not None:
        query = query.where(t.layer.c.skycell_id.in_(cells))
    return [OtherFile(*row) for row in connection.execute(query.order_by(e.ipppssoo, d.path))]


def load_others_of(connection: sa.Connection, names: Iterable[str]) -> list[OtherFile]:
    """The other files of these exposures (ipppssoo), sorted by ipppssoo and path."""
    e, d = t.exposure.c, t.dataset.c
    others: list[OtherFile] = []
    for chunk in chunks(names):
        query = sa.select(e.ipppssoo, e.path, d.path).select_from(t.dataset.join(t.exposure))
        query = query.where(e.ipppssoo.in_(chunk), d.path != e.path).order_by(e.ipppssoo, d.path)
        others += [OtherFile(*row) for row in connection.execute(query)]
    return others


def replace_gone(engine: Engine, candidates: Sequence[OtherFile], policy: Policy) -> dict[str, str]:
    """Register the other file of each of these exposures whose active file is gone.

    Returns the paths that became active, by ipppssoo. Files that cannot be read are logged and left out.
    """
    from mvmdb.exposures.fits.digest import digest_pixels
    from mvmdb.exposures.read import read_exposure  # which loads astropy

    datasets = []
    gone = are_gone({candidate.active for candidate in candidates})
    for ipppssoo, active, other in candidates:
        if active not in gone:
            continue
        try:
            datasets.append(ReadDataset(read_exposure(other), digest_pixels(other)))
        except ExposureError as error:
            log.warning("%s: %s", ipppssoo, error)
    if not datasets:
        return {}
    write_with_files(engine, lambda connection, others: register(connection, datasets, policy, others))
    read = {item.dataset.path for item in datasets}
    with engine.begin() as connection:
        rows = {
            (name, path)
            for chunk in chunks(read)
            for name, path in connection.execute(
                sa.select(t.exposure.c.ipppssoo, t.exposure.c.path).where(t.exposure.c.path.in_(chunk))
            )
        }
    return dict(sorted(rows))


def register_others(engine: Engine, names: Iterable[str]) -> dict[str, str]:
    """As `replace_gone`, for these exposures (ipppssoo), eligible or not; other files that are gone are passed over."""
    with engine.begin() as connection:
        candidates, policy = load_others_of(connection, names), read_policy(connection)
    gone = are_gone({one.other for one in candidates})
    return replace_gone(engine, [one for one in candidates if one.other not in gone], policy)
