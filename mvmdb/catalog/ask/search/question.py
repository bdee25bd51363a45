"""What is searched for, as users say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mvmdb.errors import UsageError

Kind = Literal["exposures", "layers", "products"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def filter_names(text: str) -> list[str]:
    """A filter as layers name it; one of two elements, joined by `-` or `;`, in both orders: headers do not agree."""
    elements = text.lower().replace(";", "-").split("-")
    return ["-".join(elements)] if len(elements) != 2 else ["-".join(elements), "-".join(reversed(elements))]


@dataclass(frozen=True, slots=True)
class Question:
    """Which exposures, layers or products are wanted: those that meet every condition that is given.

    A condition with several values is met by any of them. `filters`: as in layer names, two elements joined by `-` in
    either order. `cameras`: `WFC3/IR`, `WFC3` or `IR`. `dates`: (first, last) MJD of the start, None for open; the last
    is excluded. `programs`: proposal numbers, or the three characters in root names. `targets` and `exposures`: parts
    of TARGNAME, and of ROOTNAME or the file name. `skycells`: names. `cones`: positions (ra, dec) in degrees, with
    `radius` in degrees: a footprint comes so near. `astrometry`: parts of the catalog or of the kind of fit of WCSNAME,
    such as `GAIA` or `FIT_REL`; `none` for no catalog. `stale`: layers that are stale; `waiting`: layers that wait for
    files of their members; `mixed`: layers in which members of different frames overlap; `apart`: layers whose members
    do not lie together.

    A layer meets a condition on exposures if one of its members does, a product if an exposure that it holds does; an
    exposure meets a condition on layers if it is a member of one that does. `columns` are those wanted (none: the usual
    ones); `sort` names columns, with `-` before one that descends; `limit` is the most rows.
    """

    kind: Kind
    filters: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    dates: tuple[float | None, float | None] = (None, None)
    programs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    skycells: tuple[str, ...] = ()
    exposures: tuple[str, ...] = ()
    cones: tuple[tuple[float, float], ...] = ()
    radius: float = 0.0
    astrometry: tuple[str, ...] = ()
    stale: bool = False
    waiting: bool = False
    mixed: bool = False
    apart: bool = False
    columns: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"{self.kind!r} cannot be searched for; expected one of {', '.join(KINDS)}")
        if self.limit is not None and self.limit < 0:
            raise UsageError(f"the limit is {self.limit}; expected 0 or more rows")
        if self.radius and not self.cones:
            raise UsageError("a radius is given without a position; expected both")
