"""Whether a catalog's file is whole. PostgreSQL watches over its own files; SQLite says what it finds when asked."""

from __future__ import annotations

import sqlalchemy as sa

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import DAMAGED


def require_whole(connection: sa.Connection, *, thorough: bool = False) -> None:
    """Raise CatalogError, with the remedy, where SQLite finds the file damaged.

    Pages and rows are checked, in 2 to 3 s per GB that the system has in memory; `thorough` compares indexes with
    their tables too, in 7.
    """
    if connection.dialect.name != "sqlite":
        return
    check = "integrity_check" if thorough else "quick_check"
    findings = connection.exec_driver_sql(f"PRAGMA {check}(1)").scalars().all()  # one finding is enough
    if findings != ["ok"]:
        words = " ".join("; ".join(map(str, findings)).split())
        files = connection.exec_driver_sql("PRAGMA database_list").all()
        path = next(file for _, name, file in files if name == "main")
        raise CatalogError(f"database {path} is damaged ({words}); {DAMAGED}")
