"""What was found while a product was made, kept beside it until it is recorded with it.

That is pairs of skies, and warnings of members. A run that is killed after it has put the product in its place, and
before it has recorded it, would lose them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, replace
from pathlib import Path

from mvmdb.mosaic.product.write import write_atomically
from mvmdb.recipe import Recipe
from mvmdb.records import ProductRecord, SkyPair


@contextmanager
def keep_findings(
    target: Path, recipe_digest: str, pairs: tuple[SkyPair, ...], warnings: tuple[tuple[str, str], ...]
) -> Iterator[None]:
    """Keep findings beside a product that is written within the block, and that a failure leaves unwritten.

    Raises ProductError if the folder cannot be written.
    """
    if pairs or warnings:
        findings = {"recipe_digest": recipe_digest, "pairs": [astuple(pair) for pair in pairs], "warnings": warnings}
        write_atomically(_place(target), lambda file: file.write(json.dumps(findings).encode()))
    try:
        yield
    except BaseException:
        drop_findings(target)
        raise


def drop_findings(target: Path) -> None:
    """Remove the findings beside a product: they are recorded, or it was not made.

    If that fails, `sweep_temporaries` does it in a later run.
    """
    with suppress(OSError):
        _place(target).unlink()


def with_findings(record: ProductRecord) -> ProductRecord:
    """The record of a product with the findings that are kept beside it, if they are those of this very product."""
    try:
        kept = json.loads(_place(Path(record.path)).read_bytes())
        pairs = tuple(SkyPair(*pair) for pair in kept["pairs"])
        warnings = tuple((str(name), str(words)) for name, words in kept["warnings"])
        is_of_product = kept["recipe_digest"] == record.recipe_digest
        Recipe.from_json(record.recipe)  # which says how pairs were measured
    except (OSError, ValueError, LookupError, TypeError):  # there are none, or those of another version
        return record
    return replace(record, pairs=pairs, warnings=warnings) if is_of_product else record


def _place(target: Path) -> Path:
    return target.with_name(f".{target.name}.findings")
