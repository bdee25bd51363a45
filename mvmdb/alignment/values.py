"""The values of an alignment: which exposures, how they are fitted, and what came of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mvmdb.correction import Correction
from mvmdb.records import Dataset

Fit = Literal["shift", "rshift", "rscale"]
FITS: tuple[Fit, ...] = get_args(Fit)
FEWEST: dict[Fit, int] = {"shift": 4, "rshift": 6, "rscale": 8}
"""Matches below which an exposure is refused. A source of 10 milliarcsec, as a faint one in ACS/WFC has, leaves the
shift uncertain by 5 with 4 matches; roll and scale each ask for two more to be as certain halfway to the edge."""


@dataclass(frozen=True, slots=True)
class AlignInput:
    """An exposure to align: its file, the WCS that the file must have, and its footprint.

    `mjd`: the middle of the exposure, for proper motions (None: not known). `rank`: how good its solution is, by
    `rank_solution`.
    """

    ipppssoo: str
    path: str
    wcs_digest: str
    s_region: str
    mjd: float | None
    rank: int

    @classmethod
    def of(cls, dataset: Dataset) -> AlignInput:
        """The exposure of a dataset."""
        e = dataset.exposure
        dates = [date for date in (e.expstart, e.expend) if date is not None]
        mjd = sum(dates) / len(dates) if dates else None
        return cls(e.ipppssoo, dataset.path, e.wcs_digest or "", e.s_region, mjd, e.wcs_rank)


@dataclass(frozen=True, slots=True)
class Aligned:
    """The solution of one exposure.

    `n_reference` of its matches are with the reference catalog, `n_overlap` with other exposures' sources.
    `rms` is that of its residuals along one axis, in milliarcsec.
    """

    ipppssoo: str
    wcs_digest: str
    correction: Correction
    n_sources: int
    n_reference: int
    n_overlap: int
    rms: float

    @property
    def n_matches(self) -> int:
        """All matches."""
        return self.n_reference + self.n_overlap


@dataclass(frozen=True, slots=True)
class AlignmentResult:
    """Solutions by exposure, and the reasons why others have none, by ipppssoo.

    `reference` names the catalog, or is empty where exposures were aligned to each other; `reference_digest` is that of
    its file's bytes.
    """

    aligned: tuple[Aligned, ...]
    refused: dict[str, str]
    fit: Fit
    reference: str = ""
    reference_digest: str = ""
