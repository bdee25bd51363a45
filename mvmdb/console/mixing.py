"""Words about layers that mix astrometric frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def mixing_words(mixing: Mapping[str, Any], whose: str = "") -> Iterator[str]:
    """One warning: how many layers mix frames, the worst of them, and how they are listed; nothing if none does.

    `mixing`: as `Mixing.as_values`. `whose` says which layers are counted.
    """
    n = mixing["mixed_layers"]
    if n:
        worst = "; ".join(mixed_words(layer) for layer in mixing["worst"])
        which = f"{n} layer{'' if n == 1 else 's'}{whose}"
        yield (
            f"warning: {which}: members of different astrometric frames overlap, which can smear sources; "
            f"worst: {worst}; list: mvmdb astrometry"
        )


def mixed_words(layer: Mapping[str, Any]) -> str:
    """A layer that mixes frames, with its area and its frames."""
    return f"{layer['layer']} ({layer['mixed_arcmin2']:.2f} square arcmin; {layer['frames']})"
