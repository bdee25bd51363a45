"""The archive's method that writes the sky map for browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvmdb.archive.access import Access
from mvmdb.remote.address import require_local

if TYPE_CHECKING:
    from mvmdb.archive.working import PathLike
    from mvmdb.page.values import PageReport


class Paging(Access):
    """The sky map of an archive."""

    def page(
        self,
        folder: PathLike,
        *,
        title: str | None = None,
        products_url: str | None = None,
        sql_url: str | None = None,
        pictures: bool = False,
        products: PathLike | None = None,
    ) -> PageReport:
        """Write the sky map of the archive to a folder as static files, or bring it up to date there.

        `folder/index.html` shows it in a browser, from a web server or from the folder itself. `title`: its heading.
        `products_url`: the address under which a web server shows the products folder (None: links to the files of this
        machine). `sql_url`: the page of an SQL browser, such as Datasette's `https://host/mvm`, that takes `?sql=`
        (None: the SQL is shown with a button that copies it). `pictures`: make small pictures of mosaics, with the
        extra `pictures`; without it, JPEGs beside the mosaics are shown. `products`: their folder, if not the recorded
        one. The catalog is not changed. Raises UsageError for an address that is none, and for a folder with files of
        something else; BusyError if another run writes the page. The command `page`.
        """
        from mvmdb.catalog.open import open_catalog
        from mvmdb.page.values import PageOptions
        from mvmdb.page.write import write_page

        given = {} if title is None else {"title": title}
        options = PageOptions(products_url=products_url, sql_url=sql_url, pictures=pictures, **given)
        source = None if products is None else require_local(products).absolute()
        with open_catalog(self.address, read_only=True) as engine:
            return write_page(
                engine.begin, require_local(folder).absolute(), options, products=source, monitor=self._monitor
            )
