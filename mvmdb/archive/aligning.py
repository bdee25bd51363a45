"""The archive's method that aligns exposures: to a reference catalog, or to each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mvmdb.archive.access import Access, chosen_cells
from mvmdb.archive.recording import ATTENTION, DONE, call_of
from mvmdb.errors import UsageError
from mvmdb.shown import Shown, Told

if TYPE_CHECKING:
    from mvmdb.alignment.values import Aligned, AlignInput, AlignmentResult, Fit
    from mvmdb.catalog.alternates import AlternateRow


@dataclass(frozen=True, slots=True, repr=False)
class Alignment(Shown):
    """New solutions of exposures under one name, and why others have none; `used`: whether layers use that name."""

    name: str
    result: AlignmentResult
    used: bool

    @property
    def aligned(self) -> tuple[Aligned, ...]:
        """The solutions, by exposure."""
        return self.result.aligned

    @property
    def refused(self) -> Mapping[str, str]:
        """Why exposures have no solution, by ipppssoo."""
        return self.result.refused

    @property
    def attention(self) -> bool:
        """Whether an exposure has no solution."""
        return bool(self.refused)

    def tell(self) -> Told:
        """How many, and each solution: shift in milliarcsec, roll in degrees, matches, rms in milliarcsec."""
        to = self.result.reference or "each other"
        line = f"{len(self.aligned)} exposures aligned to {to} as {self.name}, {len(self.refused)} refused"
        rows = (
            (
                one.ipppssoo, f"{1000 * one.correction.dx:+.1f}", f"{1000 * one.correction.dy:+.1f}",
                f"{one.correction.roll:+.5f}", one.n_reference, one.n_overlap, f"{one.rms:.1f}",
            )
            for one in self.aligned
        )  # fmt: skip
        return Told(line, ("exposure", "east", "north", "roll", "n_reference", "n_overlap", "rms"), rows)


class Aligning(Access):
    """How an archive's exposures get better solutions."""

    def align(
        self,
        skycells: Sequence[str],
        *,
        reference: str | os.PathLike[str] | None = None,
        name: str = "aligned",
        filters: Sequence[str] = (),
        fit: Fit = "rshift",
    ) -> Alignment:
        """Align all exposures of sky cells together, and keep the solutions in the catalog under a name.

        `reference`: a table (CSV, ECSV, VOTable, FITS, Parquet) with ra and dec in degrees, and pmra and pmdec in
        milliarcsec a year with ref_epoch if it has them; None aligns exposures to each other. `filters`: only these.
        `fit`: a `shift`, with a roll (`rshift`), or with a scale as well (`rscale`). Exposures are not changed. Layers
        use the solutions once `configure(alternate=name)` says so. An exposure with too few matches is refused, with
        the numbers. Raises UsageError for an unknown sky cell, or if the extra `align` is not installed, InputError
        for a table that cannot be used. The command `align`.
        """
        from mvmdb.alignment.align import align_exposures, require_libraries
        from mvmdb.alignment.reference import read_reference
        from mvmdb.alignment.values import FITS
        from mvmdb.catalog.alternates import check_name, load_alignable, record_alternates

        if fit not in FITS:
            raise UsageError(f"fit is {fit!r}; expected {', '.join(FITS)}")
        if not skycells:
            raise UsageError("no sky cell is given; expected at least one, whose exposures are aligned together")
        check_name(name)
        require_libraries()
        stars = None if reference is None else read_reference(reference)
        call = call_of("align", *skycells, reference=reference, name=name, filters=filters, fit=fit)
        with self._work.open() as workers, self._changing(call) as change:
            cells = chosen_cells(change.engine.begin, skycells) or []
            with change.engine.begin() as connection:
                rows = load_alignable(connection, cells, filters)
            if not rows:
                which = f" with the filters {', '.join(filters)}" if filters else ""
                raise UsageError(f"no exposures{which} in {', '.join(skycells)} can be aligned; expected one at least")
            inputs = [_to_align(row) for row in rows]
            result = align_exposures(inputs, stars, fit=fit, workers=workers, monitor=self._monitor)
            with change.engine.begin() as connection:
                used = record_alternates(connection, _to_record(name, result))
            done = Alignment(name, result, used)
            change.code = ATTENTION if done.attention else DONE
        return done


def _to_align(row: Any) -> AlignInput:
    from mvmdb.alignment.values import AlignInput
    from mvmdb.exposures.wcsname import rank_solution

    dates = [date for date in (row.expstart, row.expend) if date is not None]
    mjd = sum(dates) / len(dates) if dates else None
    return AlignInput(row.ipppssoo, row.path, row.wcs_digest, row.s_region, mjd, rank_solution(row.wcsname))


def _to_record(name: str, result: AlignmentResult) -> list[AlternateRow]:
    from mvmdb.catalog.alternates import AlternateRow

    return [
        AlternateRow(
            ipppssoo=one.ipppssoo,
            name=name,
            wcs_digest=one.wcs_digest,
            **asdict(one.correction),
            fit=result.fit,
            n_sources=one.n_sources,
            n_reference=one.n_reference,
            n_overlap=one.n_overlap,
            rms_mas=one.rms,
            reference=result.reference,
            reference_digest=result.reference_digest,
        )
        for one in result.aligned
    ]
