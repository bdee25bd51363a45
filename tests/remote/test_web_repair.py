"""Rows of exposures on the web that were changed by hand are made right from the files there."""

from __future__ import annotations

import sqlalchemy as sa
from archive import Archive
from command_line import call
from webserver import WebServer


def test_a_row_is_written_again_from_the_file_elsewhere(here: Archive, web: WebServer) -> None:
    address = web.at(here.expose(folder=web.root))
    here.night(address)
    before = here.rows("SELECT exptime, filename, path FROM exposure")
    engine = sa.create_engine(f"sqlite:///{here.address}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE exposure SET exptime = 1, filename = 'x_flt.fits'"))
    engine.dispose()
    assert call(here, "verify", "--deep", "--jobs", "1")[0] == 1
    code, out, err = call(here, "verify", "--deep", "--repair", "--jobs", "1")
    assert here.rows("SELECT exptime, filename, path FROM exposure") == before, out + err
    assert call(here, "verify", "--deep", "--jobs", "1")[0] == 0
    assert (code, here.look().stale) == (0, 0)
