"""The command query."""

from __future__ import annotations

import click

from mvmdb.console import options
from mvmdb.console.options import Session
from mvmdb.console.streams import end_process
from mvmdb.errors import MvmdbError


@click.command(short_help="Ask the catalog an SQL question.")
@click.argument("sql")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
@click.option("--nl", "form", flag_value="nl", help="One JSON object per line.")
@click.option("--json", "form", flag_value="json", help="One JSON list of objects.")
@click.option(
    "--timeout", type=options.Duration(), default=300, show_default=True, metavar="SECONDS",
    help="Stop a query that takes longer, with exit code 2; 0: no limit.",
)  # fmt: skip
@click.pass_obj
def query(session: Session, sql: str, form: str | None, timeout: float) -> None:
    """Run one SQL query on the catalog. SQL that could do more than find rows is refused.

    docs/catalog.md and `mvmdb schema` list tables and views. SQL may call the functions sky_separation(ra1, dec1, ra2,
    dec2) and in_cone(ra, dec, ra0, dec0, radius), all in degrees, and skycell_name(projection_cell, x, y). A cone
    search uses the index of declinations if the query also has `dec BETWEEN dec0 - radius AND dec0 + radius`; on
    PostgreSQL it always does.

    All rows are found before the first is printed; many are kept in a file in TMPDIR meanwhile. Of several columns of
    one name the second is named `id_2`, and so on. Ctrl-C stops a query at once.

    Example: mvmdb query "SELECT skycell, filter, exptime FROM coverage ORDER BY exptime DESC LIMIT 5"
    """
    from mvmdb.console.rows import print_csv, print_json, print_json_lines, print_table

    forms = {"csv": print_csv, "nl": print_json_lines, "json": print_json}
    with session.archive().rows(sql, timeout=timeout, end_stuck=_end_stuck) as (names, rows):
        forms.get(form or "", print_table)(names, rows)


def _end_stuck(reason: BaseException) -> None:
    words = str(reason) if isinstance(reason, MvmdbError) else "the query was stopped"
    end_process(f"{words} (SQLite did not hear of it, so the process ended)")
