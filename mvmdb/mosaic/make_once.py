"""Making a product by a worker that may have died at it before: what was put in place already is not a failure."""

from __future__ import annotations

from mvmdb.errors import ProductError
from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import Action, LayerJob, ProductRecord


def make_once(job: LayerJob) -> ProductRecord:
    """As `make_product`, for a job that may be done twice because a worker died with it.

    Drizzling and recanvassing again gives the same; adding to a product that holds the new members by now cannot be
    done again. Where the product is the one that was asked for (its recipe digest, and every byte), it is returned.
    """
    try:
        return make_product(job)
    except ProductError:
        if job.action is not Action.ADD or not _is_made(job):
            raise
        return read_product(job.target, deep=True)


def _is_made(job: LayerJob) -> bool:
    try:
        return read_product(job.target).recipe_digest == job.recipe_digest
    except ProductError:
        return False
