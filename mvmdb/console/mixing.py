"""Words about layers that mix astrometric frames, or whose members do not lie together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_NAMED = 5


def mixing_words(astrometry: Mapping[str, Any], whose: str = "") -> Iterator[str]:
    """A warning each: how many layers mix frames, and how many have members that lie apart, with the worst of them.

    `astrometry`: as `Mixing.as_values` and `Misalignment.as_values`. `whose` says which layers are counted.
    """
    n = astrometry["mixed_layers"]
    if n:
        worst = "; ".join(mixed_words(layer) for layer in astrometry["worst"])
        yield (
            f"warning: {_layers(n)}{whose}: members of different astrometric frames overlap, which can smear sources; "
            f"worst: {worst}; list: mvmdb astrometry"
        )
    n = astrometry.get("misaligned_layers", 0)
    if n:
        worst = "; ".join(misaligned_words(layer) for layer in astrometry["farthest"])
        yield (
            f"warning: {_layers(n)}{whose}: members do not lie together, which smears sources; worst: {worst}; "
            "list: mvmdb astrometry --apart"
        )


def mixed_words(layer: Mapping[str, Any]) -> str:
    """A layer that mixes frames, with its area and its frames."""
    return f"{layer['layer']} ({layer['mixed_arcmin2']:.2f} square arcmin; {layer['frames']})"


def misaligned_words(layer: Mapping[str, Any]) -> str:
    """A layer whose members do not lie together: which lie apart from most, how far, of which frame, on what area."""
    apart = [
        f"{one['exposure']} by {one['mas']:.0f} mas or {one['pixels']:.2f} pixels, frame {one['frame'] or 'unknown'}"
        for one in layer["apart"]
    ]
    more = [f"{len(apart) - _MOST_NAMED} more"] if len(apart) > _MOST_NAMED else []
    listed = ", ".join(apart[:_MOST_NAMED] + more) or f"two by {layer['apart_pixels']:.2f} pixels"
    return f"{layer['layer']} ({listed}; {layer['apart_arcmin2']:.2f} square arcmin; {layer['frames']})"


def _layers(n: int) -> str:
    return f"{n} layer{'' if n == 1 else 's'}"
