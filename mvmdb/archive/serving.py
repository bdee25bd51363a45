"""The archive's method that shows the catalog in a browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

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
        with_map: bool = True,
        map_folder: str | os.PathLike[str] | None = None,
        ready: Callable[[str], object] | None = None,
    ) -> None:
        """Show the catalog in Datasette, read-only, until SIGINT or SIGTERM (raised as KeyboardInterrupt by Ctrl-C).

        It listens on `host` and `port` (0: any that is free), for this machine alone unless `host` is another address.
        `ready` is told the address when requests are answered. A question may take `timeout` seconds. `with_map`: the
        map of the sky is at /map/, drawn by another process when the server starts and whenever the catalog has
        changed, in `map_folder`, as by `page` (None: a temporary folder); its links to mosaics and to the files beside
        them are answered from the products folder. SQLite takes at most 1 GB of memory in this process from then on.
        Needs the extra `serve`. Raises UsageError for a catalog on PostgreSQL, a port that is in use, a folder of
        something else, and where Datasette is not installed. The command `serve`.
        """
        from mvmdb.catalog.ask.browse import catalog_file
        from mvmdb.catalog.open import open_catalog
        from mvmdb.catalog.settings import recorded_products_folder
        from mvmdb.serve import drawing as maps
        from mvmdb.serve.server import run_server

        if not 0 < timeout < 60:
            raise UsageError(
                f"the time limit is {timeout}; expected more than 0 and less than 60 s: a night waits for 60"
            )
        file, chosen = catalog_file(self.address), None if map_folder is None else require_local(map_folder).absolute()
        run = partial(
            run_server, file, host=host, port=port, timeout=timeout, ready=ready or (lambda address: None)
        )  # fmt: skip
        if not with_map:
            run(drawing=None, products=None)
            return
        with open_catalog(self.address, read_only=True) as engine, engine.begin() as connection:
            products = recorded_products_folder(connection)
        with maps.map_folder(chosen) as folder:
            run(drawing=maps.MapDrawing(self.address, file, folder), products=products)
