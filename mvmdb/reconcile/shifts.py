"""Measures the shifts of overlapping exposures before their layers are made, and has layers follow what they say.

A pair is measured by the WCS of both files, whatever layers use, so what follows from a shift does not change it: the
members and positions that are decided here hold until other exposures come.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mvmdb.alignment.shifts.measure import Overlap, choose_overlaps, measure_overlaps
from mvmdb.alignment.shifts.places import Pairs, solve_places
from mvmdb.catalog.narrow import EVERYTHING
from mvmdb.catalog.open import Engine
from mvmdb.catalog.shifts.due import keys_not_looked_at, keys_of_layers, load_fields
from mvmdb.catalog.shifts.pairs import load_known, record_pairs
from mvmdb.catalog.shifts.places import WORST_RANK, Place, TiedField, load_tied, record_places
from mvmdb.layers.members import LayerKey
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.records import Action, PlannedLayer, Policy, ShiftExposure
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)

_KEYS_AT_ONCE = 500


class ShiftSurvey:
    """The shifts of one run: which fields it has looked at, and which pairs it could not measure."""

    def __init__(self, engine: Engine, policy: Policy, workers: Workers, options: Options) -> None:
        self.engine, self.policy, self.workers, self.options = engine, policy, workers, options
        self._looked_at: set[LayerKey] = set()
        self._tried: set[tuple[str, str]] = set()

    def settle(self, lines: Iterable[PlannedLayer]) -> bool:
        """Measure and solve what the layers of a plan need; return whether other layers are expected now.

        Where members or positions depend on shifts, what nobody has looked at is looked at, planned or not. A field is
        looked at once in a run: what it says does not depend on what follows from it.
        """
        names = [line.name for line in lines if line.action is not Action.REMOVE and not line.n_waiting]
        with self.engine.begin() as connection:
            keys = keys_of_layers(connection, names)
            if self.policy.frames in ("agree", "align") and self.options.narrowing == EVERYTHING:
                keys |= keys_not_looked_at(connection, self.options.cells)
        changed = False
        due = sorted(keys - self._looked_at)
        for start in range(0, len(due), _KEYS_AT_ONCE):
            changed |= self._settle(due[start : start + _KEYS_AT_ONCE])
        self._looked_at |= keys
        return changed

    def _settle(self, keys: Sequence[LayerKey]) -> bool:
        exposures: dict[str, ShiftExposure] = {}
        overlaps: dict[tuple[str, str], Overlap] = {}
        with self.engine.begin() as connection:
            fields = list(load_fields(connection, keys))
            known = load_known(connection, (one.key for field in fields for one in field)) | self._tried
        for field in fields:
            exposures.update((one.ipppssoo, one) for one in field)
            overlaps.update((one.names, one) for one in choose_overlaps(field, known | overlaps.keys()))
        self._tried |= overlaps.keys()
        pairs = []
        if overlaps:
            log.info("measuring the shifts of %d pairs of exposures", len(overlaps))
            pairs = list(measure_overlaps(list(overlaps.values()), self.workers))
        with self.engine.begin() as connection:
            record_pairs(connection, pairs, exposures)
            tied = load_tied(connection, (one.key for one in exposures.values()))
        places = list(_solve(tied))
        with self.engine.begin() as connection:
            return record_places(connection, tied, places, self.policy)


def _solve(field: TiedField) -> Iterator[Place]:
    """Where the exposures of a field lie."""
    columns = [(p.first, p.second, p.ra, p.dec, p.dx, p.dy, p.error) for p in field.pairs]
    first, second, *values = np.array(columns, dtype=np.float64).reshape(-1, 7).T
    pairs = Pairs(first.astype(np.int64), second.astype(np.int64), *values)
    places = solve_places(
        np.array([one.ra for one in field.exposures], dtype=np.float64),
        np.array([one.dec for one in field.exposures], dtype=np.float64),
        np.array(field.pixel, dtype=np.float64),
        np.array([one.rank for one in field.exposures], dtype=np.int64),
        WORST_RANK,
        pairs,
    )
    columns_of = (places.dx, places.dy, places.error, places.group, places.rank)
    for values_of in zip(*(column.tolist() for column in columns_of), strict=True):
        yield Place(*values_of)
