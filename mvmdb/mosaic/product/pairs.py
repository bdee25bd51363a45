"""The pairs of skies that were measured for a product, kept beside it until they are recorded with it.

A run that is killed after it has put the product in its place, and before it has recorded it, would lose them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

from mvmdb.mosaic.product.write import write_atomically
from mvmdb.recipe import Recipe
from mvmdb.records import ProductRecord, SkyPair


@contextmanager
def keep_pairs(target: Path, recipe_digest: str, pairs: tuple[SkyPair, ...]) -> Iterator[None]:
    """Keep the pairs beside a product that is written within the block, and that a failure leaves unwritten.

    Raises ProductError where the folder cannot be written.
    """
    if pairs:
        text = json.dumps({"recipe_digest": recipe_digest, "pairs": [astuple(pair) for pair in pairs]})
        write_atomically(_place(target), lambda file: file.write(text.encode()))
    try:
        yield
    except BaseException:
        drop_pairs(target)
        raise


def drop_pairs(target: Path) -> None:
    """Remove the pairs beside a product: they are recorded, or it was not made. So does `sweep_temporaries`."""
    _place(target).unlink(missing_ok=True)


def with_pairs(record: ProductRecord) -> ProductRecord:
    """The record of a product with the pairs that are kept beside it, where they are those of this very product."""
    try:
        kept = json.loads(_place(Path(record.path)).read_bytes())
        pairs = tuple(SkyPair(*pair) for pair in kept["pairs"])
        is_of_product = kept["recipe_digest"] == record.recipe_digest
        Recipe.from_json(record.recipe)  # which says how they were measured
    except (OSError, ValueError, LookupError, TypeError):  # there are none, or those of another version
        return record
    return replace(record, pairs=pairs) if is_of_product else record


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.pairs")
