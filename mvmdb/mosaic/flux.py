"""The PHOTFLAM that a layer's members are scaled to, and what becomes of a product whose PHOTFLAM changes.

Members are scaled to each other where the recipe's method says so. mvmdb/photometry.py chooses the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mvmdb.errors import ProductError
from mvmdb.mosaic.inputs import InspectedMember, with_photometry
from mvmdb.mosaic.product.provenance import ChipRow
from mvmdb.photometry import choose_reference, common_factor, find_photflam, parse_photometry
from mvmdb.recipe import Recipe
from mvmdb.records import SkyPair


@dataclass(frozen=True, slots=True)
class Flux:
    """What the pixels of a layer are to be scaled to.

    `member` (ipppssoo) is the one whose photometry the product's headers have. `photflam` is its PHOTFLAM, to which all
    others are scaled; None where members are not scaled. `scales` has the factor of each member's reference chip, which
    is that of its sky.
    """

    member: str
    photflam: float | None
    scales: Mapping[str, float]

    @classmethod
    def of(cls, recipe: Recipe, photometries: Mapping[str, str]) -> Flux:
        """The flux of a layer whose members (ipppssoo) have these photometries."""
        first = min(photometries)
        if recipe.method == "hap":
            return cls(first, None, dict.fromkeys(photometries, 1.0))
        return cls.to(find_photflam(photometries), photometries, choose_reference(photometries) or first)

    @classmethod
    def to(cls, photflam: float | None, photometries: Mapping[str, str], member: str = "") -> Flux:
        """The flux of exposures (ipppssoo) with these photometries that are scaled to a PHOTFLAM."""
        return cls(member, photflam, {name: _scale(text, photflam) for name, text in photometries.items()})

    def pairs_here(self, pairs: Sequence[SkyPair]) -> list[SkyPair]:
        """Pairs in the layer's electrons; those of the catalog are in electrons of the first of each."""
        return [_times(pair, self.scales[pair.first]) for pair in pairs]

    def pairs_anywhere(self, pairs: Sequence[SkyPair]) -> tuple[SkyPair, ...]:
        """The inverse of `pairs_here`: pairs that hold in every layer."""
        return tuple(_times(pair, 1 / self.scales[pair.first]) for pair in pairs)


def _scale(photometry: str, photflam: float | None) -> float:
    parsed = parse_photometry(photometry)
    return 1.0 if parsed is None else parsed.scales(photflam)[parsed.reference]


def _times(pair: SkyPair, factor: float) -> SkyPair:
    names = ("first_sky", "second_sky", "difference", "error", "gradient")
    values = {name: value * factor for name in names if (value := getattr(pair, name)) is not None}
    return replace(pair, **values)


def sky_scales(rows: Sequence[ChipRow]) -> dict[str, float]:
    """By what a product with these rows multiplied the electrons of each member (ipppssoo), and so its sky."""
    scales = {}
    for name, chips in group_rows(rows).items():
        parsed = parse_photometry(chips[0].photometry)
        scales[name] = chips[0 if parsed is None else parsed.reference].photscale
    return scales


def group_rows(rows: Sequence[ChipRow]) -> dict[str, list[ChipRow]]:
    """The rows of each member (ipppssoo)."""
    grouped: dict[str, list[ChipRow]] = {}
    for row in rows:
        grouped.setdefault(row.ipppssoo, []).append(row)
    return grouped


def recalibrate_rows(rows: Sequence[ChipRow], inspected: Mapping[str, InspectedMember]) -> list[ChipRow]:
    """The rows of a product with the photometry that the headers of its `inspected` members have now."""
    return [
        row
        for name, chips in group_rows(rows).items()
        for row in (with_photometry(chips, inspected[name].dataset.exposure.photometry) if name in inspected else chips)
    ]


def find_rescaling(rows: Sequence[ChipRow], flux: Flux, path: str) -> float:
    """The factor that brings the pixels of a product with these rows to another flux.

    Raises ProductError where no one factor does.
    """
    if flux.photflam is None:
        return 1.0
    factors = []
    for chips in group_rows(rows).values():
        parsed = parse_photometry(chips[0].photometry)
        scales = (1.0,) * len(chips) if parsed is None else parsed.scales(flux.photflam)
        factors += [scale / row.photscale for row, scale in zip(chips, scales, strict=True)]
    factor = common_factor(factors)
    if factor is None:
        raise ProductError(f"{path} has members whose PHOTFLAM changed unlike; drizzle it from all members")
    return factor


def rescale_rows(rows: Sequence[ChipRow], factor: float) -> list[ChipRow]:
    """The rows of a product whose pixels are multiplied by a factor."""
    if factor == 1.0:
        return list(rows)
    return [
        replace(row, photscale=row.photscale * factor, factor=row.factor * factor, sky=row.sky * factor) for row in rows
    ]
