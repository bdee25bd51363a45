"""Digests of members, of sets of members, and of all that a product's pixels depend on: BLAKE2b, 32 hex digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from mvmdb.names import Kind
from mvmdb.records import Canvas


class HasPixels(Protocol):
    """An exposure with the identity of its pixels and the digest of its WCS."""

    @property
    def ipppssoo(self) -> str:
        """Its identity."""

    @property
    def pixels(self) -> str:
        """The identity of its pixels."""

    @property
    def wcs_digest(self) -> str:
        """The digest of its WCS."""


def digest_member(ipppssoo: str, kind: Kind, pixels: str, wcs_digest: str) -> str:
    """Digest of an exposure as a member of any layer: its ipppssoo, kind, pixel identity and WCS digest."""
    return _digest(f"{ipppssoo}|{kind}|{pixels}|{wcs_digest}")


def digest_members(digests: Iterable[str]) -> str:
    """Digest of a layer's members, from the member digests in the order of ipppssoo."""
    return _digest("|".join(digests))


def digest_recipe(members_digest: str, canvas: Canvas | str, recipe: str) -> str:
    """Digest of all that a product's pixels depend on; canvas and recipe are texts as in products (recipe: JSON).

    The policy enters only through the members that it admits, so that the layers of other detectors stay fresh when
    MVM_INCLUDE_SMALL changes.
    """
    return _digest(f"{members_digest}|{canvas}|{recipe}")


def digest_product(members: Iterable[HasPixels], kind: Kind, canvas: Canvas, recipe: str) -> str:
    """The `digest_recipe` of a product that holds these members, in the order of ipppssoo."""
    digests = (digest_member(m.ipppssoo, kind, m.pixels, m.wcs_digest) for m in members)
    return digest_recipe(digest_members(digests), canvas, recipe)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
