"""The catalog's SQL functions for other programs that open SQLite files: sqlite-utils and Datasette find this plugin.

Both programs call `prepare_connection` for each connection that they open. Datasette need not be installed.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import hookimpl

from mvmdb.schema.sqlite import register_functions

_datasette_hookimpl = type(hookimpl)("datasette")  # pluggy's marker, under Datasette's project name


@hookimpl
@_datasette_hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Register sky_separation, in_cone and skycell_name (two forms) on a connection."""
    register_functions(conn)
