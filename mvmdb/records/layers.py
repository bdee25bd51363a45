"""Layers as they should be, and products as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mvmdb.names import Kind, Scale
from mvmdb.recipe import Recipe, is_matched_across


@dataclass(frozen=True, slots=True)
class Canvas:
    """A rectangle of fine pixels of a sky cell (or of a projection cell), 1-based and inclusive."""

    x_min: int
    x_max: int
    y_min: int
    y_max: int

    def at_scale(self, scale: Scale) -> Canvas:
        """The pixels of `scale` that cover this rectangle, within the sky cell.

        Coarse pixel c covers fine pixels 3c-1 to 3c+1, so fine pixel f lies in coarse pixel (f+1)//3; fine pixel 1
        lies in none, as the cell's coarse grid starts at fine pixel 2.
        """
        if scale == "fine":
            return self
        return Canvas(
            max(1, (self.x_min + 1) // 3),
            max(1, (self.x_max + 1) // 3),
            max(1, (self.y_min + 1) // 3),
            max(1, (self.y_max + 1) // 3),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.y_max - self.y_min + 1, self.x_max - self.x_min + 1

    def __str__(self) -> str:
        return f"{self.x_min}:{self.x_max},{self.y_min}:{self.y_max}"

    @classmethod
    def parse(cls, text: str) -> Canvas:
        """The canvas that `str` wrote. Raises ValueError for any other text."""
        columns, rows = text.split(",")
        return cls(*(int(edge) for span in (columns, rows) for edge in span.split(":")))


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One exposure of a layer. `sky_group` names the set of connected (overlapping) members that it belongs to.

    `pixels` identifies its pixels and photometry. Which of the two another identity is due to, `pixel_digest` and
    `photometry` (a text of mvmdb/photometry.py) tell; they are empty where they are not known.
    `sky` is in electrons/s/arcsec^2, as the exposure itself has electrons: what the archive's solution says, or what a
    product subtracted; None where neither is known. `photscale` is what a product multiplied its electrons by.
    """

    ipppssoo: str
    pixels: str
    wcs_digest: str
    sky_group: str = ""
    pixel_digest: str = ""
    photometry: str = ""
    sky: float | None = field(default=None, compare=False)
    photscale: float = field(default=1.0, compare=False)


@dataclass(frozen=True, slots=True)
class ExpectedLayer:
    """What a layer should be made of; `members` are sorted. `waits_for` names those without a file."""

    name: str
    skycell: str
    kind: Kind
    members: tuple[Member, ...]
    canvas: Canvas
    recipe: Recipe
    recipe_digest: str
    failure: str = ""
    waits_for: tuple[str, ...] = ()


class UnmadeLayer(NamedTuple):
    """An expected layer without a product; `failure` says why the last attempt failed.

    `n_waiting` of its members have no file.
    """

    name: str
    skycell: str
    failure: str = ""
    n_waiting: int = 0


class ProductState(StrEnum):
    """The state of a product's file when it was last looked at."""

    INTACT = "intact"
    MISSING = "missing"
    DAMAGED = "damaged"


class Proof(StrEnum):
    """Whether it is known which pixels a product holds: another program's product does not say so.

    A `TRUSTED` product is one of these, and the user takes it as fresh.
    """

    PROVEN = "proven"
    UNPROVEN = "unproven"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class ObservedProduct:
    """What a mosaic says that it was made of; `recipe` is the text of `Recipe.to_json`."""

    name: str
    skycell: str
    filename: str
    members: tuple[Member, ...]
    canvas: Canvas
    recipe: str
    recipe_digest: str
    state: ProductState = ProductState.INTACT
    proof: Proof = Proof.PROVEN

    @property
    def takes_solved_skies(self) -> bool:
        """Whether it took the skies of its members from the solution of the archive, if it matched any."""
        return is_matched_across(self.recipe)
