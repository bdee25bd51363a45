"""The plain values that flow between rooms: exposures, canvases, expected layers, observed products, reasons, plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from mvmdb.frames import frame_of_file
from mvmdb.names import Kind, Scale
from mvmdb.recipe import Recipe

Rule = Literal["overlap", "nearest"]
Mark = Literal["layer", "exposure"]
ExptimeLayers = Literal["all", "classes", "clusters"]
Frames = Literal["any", "gaia", "same"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an exposure cannot be in any layer: the `rule` that it breaks, and what its headers say (`finding`)."""

    rule: str
    finding: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the headers of one FLT or FLC say. Angles in degrees (ICRS), `exptime` in seconds, dates in MJD.

    `s_region` holds one normalised `POLYGON ICRS ...` per chip (counter-clockwise as seen on the sky, open), or is
    empty if no WCS could be evaluated. `pixels` is the identity of the SCI and DQ arrays: a token made of headers
    and size until their digest is known. `wcs_digest` covers the WCS of every chip, including its lookup tables.
    """

    ipppssoo: str
    rootname: str
    kind: Kind
    instrument: str
    detector: str
    filters: str
    filter: str
    proposal_id: int
    program: str
    visit: str
    target: str
    exptime: float
    expstart: float | None
    expend: float | None
    ra: float | None
    dec: float | None
    s_region: str
    n_chips: int
    wcsname: str | None
    distortion: str | None
    fit: str | None
    astrometric_catalog: str | None
    wcs_rank: int
    wcs_digest: str | None
    pixels: str
    processed: float
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def eligible(self) -> bool:
        """Whether the exposure may enter layers."""
        return not self.refusals

    @property
    def frame(self) -> str | None:
        """What its positions are tied to (`frame_of_file`)."""
        return frame_of_file(self.wcsname, self.distortion, self.fit, self.astrometric_catalog)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One file of an exposure: its path, its size and time when its headers were read, and what they say."""

    path: str
    size: int
    mtime_ns: int
    exposure: Exposure


@dataclass(frozen=True, slots=True)
class CellExposure:
    """An eligible exposure as a mosaic needs it: its file, the pixels and WCS that file must have, and its footprint.

    `exptime` in seconds, `expstart` and `expend` in MJD. `alternate`, `wcs_digest`: as in MemberInput. `frame`: what
    its positions are tied to, with the alternate.
    """

    ipppssoo: str
    path: str
    kind: Kind
    instrument: str
    detector: str
    filter: str
    pixels: str
    pixel_digest: str | None
    wcs_digest: str
    s_region: str
    exptime: float
    expstart: float | None
    expend: float | None
    alternate: str = ""
    frame: str | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> CellExposure:
        """The exposure of a dataset; its pixel digest is not known yet."""
        e = dataset.exposure
        return cls(
            e.ipppssoo, dataset.path, e.kind, e.instrument, e.detector, e.filter, e.pixels, None, e.wcs_digest or "",
            e.s_region, e.exptime, e.expstart, e.expend, frame=e.frame,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of an archive that decide what its layers are made of.

    `rule`: which sky cells an exposure is a member of. `include_small`, `only_cte`: MVM_INCLUDE_SMALL and MVM_ONLY_CTE.
    `exptime_layers`: how layers are divided by exposure time. `epochs`: how they are divided by date: empty (not at
    all), `yearly`, or the dates (YYYY-MM-DD) that bound the ranges, joined with commas. `errors`: whether mosaics have
    an ERR plane. `frames`: which exposures layers take by the frames of their solutions: `any`, those on `gaia`, or in
    each layer those of the `same` frame, which most of its members have.
    """

    rule: Rule = "overlap"
    include_small: bool = True
    only_cte: bool = False
    exptime_layers: ExptimeLayers = "all"
    epochs: str = ""
    errors: bool = False
    frames: Frames = "any"


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
    """One exposure of a layer. `sky_group` names the set of connected (overlapping) members that it belongs to."""

    ipppssoo: str
    pixels: str
    wcs_digest: str
    sky_group: str = ""


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


class ReasonCode(StrEnum):
    """Why a layer is not fresh."""

    MEMBER_ADDED = "member-added"
    MEMBER_REMOVED = "member-removed"
    MEMBER_RECALIBRATED = "member-recalibrated"
    MEMBER_REALIGNED = "member-realigned"
    CANVAS_CHANGED = "canvas-changed"
    RECIPE_CHANGED = "recipe-changed"
    PRODUCT_MISSING = "product-missing"
    PRODUCT_DAMAGED = "product-damaged"
    PIXELS_UNPROVEN = "pixels-unproven"
    LAST_RUN_FAILED = "last-run-failed"
    ORPHANED = "orphaned"


class Action(StrEnum):
    """The cheapest step that makes a layer fresh."""

    DRIZZLE = "drizzle"
    ADD = "add"
    RECANVAS = "recanvas"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of staleness; `exposure` is the ipppssoo that it concerns, `detail` says it in words."""

    code: ReasonCode
    exposure: str | None = None
    detail: str = ""


class PlannedLayer(NamedTuple):
    """One line of a plan: what to do for a layer, and why.

    `drizzle_because` says why nothing cheaper than a full drizzle will do. `n_waiting` is the number of members without
    a file; the layer waits for these, and nothing is done until it is 0.
    """

    name: str
    skycell: str
    action: Action
    reasons: tuple[Reason, ...]
    drizzle_because: str = ""
    n_waiting: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Every layer that needs work, sorted by name, and how many need none."""

    layers: tuple[PlannedLayer, ...]
    fresh: int


@dataclass(frozen=True, slots=True)
class MemberInput:
    """One member as a mosaic job needs it: its file, and the pixels and WCS that the file must still have.

    `sky` is the value kept from an earlier product (electrons/s/arcsec^2), None where it has to be solved for;
    `drizzled` says that the present product already contains the member (only for an `add`). `alternate` is the text of
    a solution (`format_alternate`) that takes the place of the file's, and is in the `wcs_digest`; empty for none.
    """

    ipppssoo: str
    path: str
    pixels: str
    pixel_digest: str | None
    wcs_digest: str
    sky_group: str
    sky: float | None = None
    drizzled: bool = False
    alternate: str = ""


@dataclass(frozen=True, slots=True)
class SkyPair:
    """Two overlapping exposures: the sky of each in the overlap (electrons/s/arcsec^2), and its number of pixels.

    A pair in which either exposure has no good pixels there says nothing about their skies.
    """

    first: str
    second: str
    first_sky: float
    second_sky: float
    first_pixels: int
    second_pixels: int

    @property
    def weight(self) -> float:
        """The weight of the pair's equation: the mean of both numbers of pixels, as in `match` of stsci.skypac."""
        return 0.5 * (self.first_pixels + self.second_pixels)


@dataclass(frozen=True, slots=True)
class LayerJob:
    """Everything a worker needs to make one product, without a catalog; it can be pickled.

    `pairs` are the pairs of its members that were measured earlier with the recipe's settings, with `first` < `second`.
    `memory_mb` limits the memory of the worker's process (None: no limit). `helpers` is the number of extra processes
    that the worker may start, one per idle processor, and `timeout` is for how long (s) one of them may give no sign of
    progress (0: for ever). The product depends on none of them.
    """

    layer: str
    action: Action
    kind: Kind
    canvas: Canvas
    recipe: Recipe
    recipe_digest: str
    members: tuple[MemberInput, ...]
    target: str
    pairs: tuple[SkyPair, ...] = ()
    memory_mb: int | None = None
    helpers: int = 0
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class ProductMember:
    """One member as a finished product records it in HDRTAB: `exptime` in seconds, `sky` in electrons/s/arcsec^2.

    `sky` is None if it is not known.
    """

    ipppssoo: str
    rootname: str
    pixels: str
    pixel_digest: str
    wcs_digest: str
    wcsname: str
    sky_group: str
    exptime: float
    sky: float | None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product file as it was read or written: its provenance, size (bytes), time (ns since 1970) and data digest.

    Found while it was made: the `pairs` that were measured, and `warnings` of members, by ipppssoo.
    """

    layer: str
    skycell: str
    path: str
    size: int
    mtime_ns: int
    data_digest: str
    canvas: Canvas
    recipe: str
    recipe_digest: str
    members: tuple[ProductMember, ...]
    pairs: tuple[SkyPair, ...] = field(default=(), compare=False)
    warnings: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    proof: Proof = Proof.PROVEN
