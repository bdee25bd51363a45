"""Idempotent retry: making a product when an earlier attempt may have finished, so that doing a job twice is safe."""

from __future__ import annotations

from mvmdb.errors import ProductError
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.findings import with_findings
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import Action, LayerJob, ProductRecord


def make_idempotently(job: LayerJob) -> ProductRecord:
    """As `make_product`, but safe to run again for a job whose worker died before it could report.

    Drizzling, recanvassing, shifting or rescaling again gives the same product. An `add` cannot be repeated, because
    the product already contains the new members. Where it fails and the product is the one that the job makes (same
    recipe digest), the record of that product is returned after all its bytes were checked. Raises as `make_product`.
    """
    try:
        return make_product(job)
    except ProductError:
        if job.action is not Action.ADD or not _is_done(job):
            raise
        return with_findings(read_product(job.target, deep=True))


def _is_done(job: LayerJob) -> bool:
    """Whether the target is the product that the job makes."""
    try:
        return read_product(job.target).recipe_digest == job.recipe_digest
    except ProductError:
        return False
