"""The archive's method that shows the catalog in a browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mvmdb.archive.access import Access
from mvmdb.errors import UsageError
from mvmdb.remote.address import require_local

PORT = 8001
"""Where `serve` listens, unless it is told otherwise: Datasette's port."""
SQL_SECONDS = 5.0
"""How long a question may take there: far less than the 60 s for which a night waits for its turn to write."""


class Serving(Access):
    """The catalog in a browser."""

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        timeout: float = SQL_SECONDS,
        page: str | os.PathLike[str] | None = None,
        ready: Callable[[str], object] | None = None,
    ) -> None:
        """Show the catalog in Datasette, read-only, until SIGINT or SIGTERM (raised as KeyboardInterrupt by Ctrl-C).

        It listens on `host` and `port` (0: any that is free), for this machine alone unless `host` is another address.
        `ready` is told the address when requests are answered. A question may take `timeout` seconds. `page`: a folder
        with a map (`index.html`), shown below /map/. SQLite takes at most 1 GB of memory in this process from then on.
        Needs the extra `serve`. Raises UsageError for a catalog on PostgreSQL, a port that is in use, a folder without
        a map, and where Datasette is not installed. The command `serve`.
        """
        from mvmdb.catalog.ask.browse import catalog_file
        from mvmdb.serve.server import run_server

        if not 0 < timeout < 60:
            raise UsageError(
                f"the time limit is {timeout}; expected more than 0 and less than 60 s: a night waits for 60"
            )
        run_server(
            catalog_file(self.address), host=host, port=port, timeout=timeout, page=_map_in(page),
            ready=ready or (lambda address: None),
        )  # fmt: skip


def _map_in(page: str | os.PathLike[str] | None) -> Path | None:
    """The folder of the map. This is the one place where `serve` gets it. Raises UsageError if no map is there."""
    if page is None:
        return None
    folder = require_local(page).absolute()
    if not (folder / "index.html").is_file():
        raise UsageError(f"there is no map in {folder}; expected a folder with index.html")
    return folder
