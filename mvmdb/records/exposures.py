"""Exposures and their files, and the settings that decide about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvmdb.frames import frame_of_file
from mvmdb.names import Kind
from mvmdb.recipe import Making, Method, Shallow, Weight
from mvmdb.records.shifts import Placed

Rule = Literal["overlap", "nearest"]
ExptimeLayers = Literal["all", "classes", "clusters"]
Frames = Literal["any", "absolute", "agree", "align", "gaia", "same"]
MEASURED: tuple[Frames, ...] = ("agree", "align")
"""Those that depend on measured shifts, which a catalog keeps."""


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
    `photometry` is a text of mvmdb/photometry.py, empty where it is not known.
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
    photometry: str = ""

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
    its positions are tied to, with the alternate. `placed`: where it lies by measured shifts, if members are to agree.
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
    photometry: str = ""
    placed: Placed | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> CellExposure:
        """The exposure of a dataset; its pixel digest is not known yet."""
        e = dataset.exposure
        return cls(
            e.ipppssoo, dataset.path, e.kind, e.instrument, e.detector, e.filter, e.pixels, None, e.wcs_digest or "",
            e.s_region, e.exptime, e.expstart, e.expend, frame=e.frame, photometry=e.photometry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of an archive that decide what its layers are made of; the defaults are those of a new archive.

    `rule`: which sky cells an exposure is a member of. `include_small`, `only_cte`: MVM_INCLUDE_SMALL and MVM_ONLY_CTE.
    `exptime_layers`: how layers are divided by exposure time. `epochs`: how they are divided by date: empty (not at
    all), `yearly`, or the dates (YYYY-MM-DD) that bound the ranges, joined with commas. `errors`: whether mosaics have
    an ERR plane. `frames`: which exposures layers take: `any`; by the frames of their solutions those on `gaia`, those
    on any `absolute` frame, or in each layer those of the `same` frame, which most of its members have; by measured
    shifts those that `agree` with most of a layer's members. With `align` they take any, and shifts are corrected.
    `method`: how mosaics are made. `weight`: what members count by, `exptime` or the inverse variance of their
    background, `ivm`. `shallow`: how mosaics of a mean depth of one exposure are made; empty for what goes with the
    method.
    """

    rule: Rule = "overlap"
    include_small: bool = True
    only_cte: bool = False
    exptime_layers: ExptimeLayers = "all"
    epochs: str = ""
    errors: bool = False
    frames: Frames = "any"
    method: Method = "mvmdb"
    weight: Weight = "exptime"
    shallow: Shallow | Literal[""] = ""

    @property
    def making(self) -> Making:
        """What it chooses for the recipes of all layers."""
        by_method: Shallow = "hap" if self.method == "hap" else "match"
        return Making(self.errors, self.method, self.weight, self.shallow or by_method)
