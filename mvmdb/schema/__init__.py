"""The catalog's tables, views, engines and migrations."""

from mvmdb.schema.engine import open_engine, upsert
from mvmdb.schema.tables import metadata
from mvmdb.schema.versions import REVISION, create_schema, require_schema, upgrade_schema

__all__ = ["REVISION", "create_schema", "metadata", "open_engine", "require_schema", "upgrade_schema", "upsert"]
