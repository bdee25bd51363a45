"""What a worker needs to make a product, and what it says of what it made."""

from __future__ import annotations

from dataclasses import dataclass, field

from mvmdb.names import Kind
from mvmdb.recipe import Recipe
from mvmdb.records.layers import Canvas, Proof
from mvmdb.records.plans import Action


@dataclass(frozen=True, slots=True)
class MemberInput:
    """One member as a mosaic job needs it: its file, and the pixels and WCS that the file must still have.

    `sky` is the value kept from an earlier product (electrons/s/arcsec^2 of the exposure's own, whatever PHOTFLAM it
    was scaled to there), None where it has to be solved for; `drizzled` says that the present product already contains
    the member (only for an `add`). `alternate` is the text of a solution (`format_alternate`) that takes the place of
    the file's, and is in the `wcs_digest`; empty for none.
    `photometry` is what the file's headers must still say, empty where that is not known.
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
    photometry: str = ""


@dataclass(frozen=True, slots=True)
class SkyPair:
    """Two overlapping exposures: the sky of each in the overlap (electrons/s/arcsec^2), and its number of pixels.

    Where members are scaled to each other, both are in electrons of the first one's PHOTFLAM, whichever layer measured
    them; else each is in its own.
    A pair in which either exposure has no good pixels there says nothing about their skies.

    Where the skies were measured by differences of pixels, `difference` is the first's brightness minus the second's,
    and `error` its standard deviation; `gradient` is how much it changes between opposite halves of the overlap, None
    where a quarter of the overlap has too few pixels to tell (all three in electrons/s/arcsec^2); `area` is that of the
    pixels compared (arcsec^2). All are None where each exposure's sky was measured by itself.
    """

    first: str
    second: str
    first_sky: float
    second_sky: float
    first_pixels: int
    second_pixels: int
    difference: float | None = None
    error: float | None = None
    gradient: float | None = None
    area: float | None = None

    @property
    def speaks(self) -> bool:
        """Whether the pair says anything about the skies of its exposures."""
        return self.first_pixels > 0 and self.second_pixels > 0

    @property
    def offset(self) -> float:
        """The sky of the first minus that of the second (electrons/s/arcsec^2)."""
        return self.first_sky - self.second_sky if self.difference is None else self.difference

    @property
    def weight(self) -> float:
        """The weight of the pair's equation: the inverse of its error where it is known.

        Else the mean of both numbers of pixels, as in `match` of stsci.skypac.
        """
        return 0.5 * (self.first_pixels + self.second_pixels) if self.error is None else 1.0 / self.error


@dataclass(frozen=True, slots=True)
class SkyJob:
    """What a worker needs to measure skies of pairs of overlapping exposures, without a catalog; it can be pickled.

    `cell` is the sky cell in whose plane overlaps are drawn, and `recipe` has the settings. `pairs` are pairs of the
    `members` (ipppssoo), the first the lower. `noise_of` are the members of which the noise of a pixel is measured too.
    Chips are compared in electrons of the PHOTFLAM `photflam`, None for their own.
    """

    cell: str
    recipe: Recipe
    members: tuple[MemberInput, ...]
    pairs: tuple[tuple[str, str], ...]
    noise_of: tuple[str, ...] = ()
    photflam: float | None = None


@dataclass(frozen=True, slots=True)
class MeasuredSkies:
    """What came of a SkyJob: the pairs, in electrons of the first of each, and by ipppssoo the noise of a pixel
    (electrons/s/arcsec^2, in its own electrons).

    `unread` maps members whose files could not be read, which may pass, to the reason; `refused` those that cannot be
    used, to the rule that they fail and the reason. No pair of either is measured.
    """

    pairs: tuple[SkyPair, ...] = ()
    noise: tuple[tuple[str, float], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str, str], ...] = ()


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

    `sky` is None if it is not known. `photflam` is that of its reference chip per electron (None where it has none),
    `photscale` the factor by which that chip's electrons were scaled, and `photometry` the text of all chips; they are
    None where an earlier version made the product.
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
    photflam: float | None = None
    photscale: float | None = None
    photometry: str | None = None


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
