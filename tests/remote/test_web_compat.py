"""drizzlepac's functions with exposures on the web; and paths of this machine, which no address can be."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, FINE, Archive
from command_line import call
from webserver import WebServer

import mvmdb
from mvmdb.errors import InputError, UsageError
from mvmdb.pollers.files import read_poller

NAMES = ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"]


@pytest.fixture
def two(here: Archive, web: WebServer) -> list[str]:
    """The addresses of two exposures in a folder of the web."""
    folder = web.root / "night"
    return [web.at(here.expose(name[:9], east=east, folder=folder)) for name, east in zip(NAMES, (0, 2), strict=True)]


def test_cells_come_with_the_members_as_they_were_named(web: WebServer, two: list[str]) -> None:
    assert mvmdb.get_sky_cells(two)[CELL].members == two
    for folder in (web.at("night"), web.at("night/")):
        assert mvmdb.get_sky_cells(NAMES, input_path=folder)[CELL].members == NAMES
    assert mvmdb.get_sky_cells(two, input_path="/nowhere")[CELL].members == two


def test_pollers_name_files_elsewhere(here: Archive, web: WebServer, two: list[str]) -> None:
    poller = here.folder / "poller.out"
    (here.folder / "names.txt").write_text("\n".join([*two, ""]))
    mvmdb.generate_poller_file(str(here.folder / "names.txt"), "mvm", poller, CELL)
    rows = read_poller(poller).rows
    assert [(row.filename, row.pathname) for row in rows] == list(zip(NAMES, two, strict=True))
    assert mvmdb.get_sky_cells(poller)[CELL].members == NAMES
    poller.write_text("".join(f"/another/machine/{name}\n" for name in NAMES))
    assert len(mvmdb.get_sky_cells(poller, input_path=web.at("night/"))[CELL].members) == 2
    poller.write_text("".join(f"{name}\n" for name in NAMES))
    assert mvmdb.get_sky_cells(poller, web.at("night/"))[CELL].members == NAMES


def test_mosaics_are_made_from_a_poller_of_addresses(here: Archive, two: list[str]) -> None:
    poller = here.folder / "poller.out"
    mvmdb.generate_poller_file([two[0].replace("ib6o", "%69b6o"), two[1]], "mvm", poller, CELL)
    assert [row.pathname for row in read_poller(poller).rows] == two
    assert mvmdb.run_mvm_processing(str(poller), output=here.folder / "out", jobs=1) == 0
    assert (here.folder / "out" / CELL / f"{FINE}_drz.fits").is_file()


def test_what_is_not_there_is_said_with_its_address(here: Archive, web: WebServer) -> None:
    missing = web.at("night/ib6o04tuq_flt.fits")
    with pytest.raises(InputError, match=rf"{missing} cannot be read: its server has no such file"):
        mvmdb.get_sky_cells([missing])
    with pytest.raises(InputError, match=rf"{missing} cannot be read: its server has no such file"):
        mvmdb.generate_poller_file([missing], "mvm", here.folder / "poller.out", CELL)
    assert not (here.folder / "poller.out").exists()
    with pytest.raises(InputError, match="expected the address of an exposure, which ends in"):
        mvmdb.generate_poller_file([web.at("night/ib6o04tuq")], "mvm", here.folder / "poller.out", CELL)
    with pytest.raises(InputError, match="comes with a query"):
        mvmdb.get_sky_cells([missing + "?token=1"])


def test_paths_of_this_machine_are_no_addresses(here: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    address = "s3://user:password@bucket/mvm?X-Amz-Signature=1"
    wanted = r"^s3://bucket/mvm is an address; expected a path of this machine"
    with pytest.raises(UsageError, match=wanted):
        mvmdb.run_mvm_processing(address)
    with pytest.raises(UsageError, match=wanted):
        mvmdb.run_mvm_processing("poller.out", output=address)
    with pytest.raises(UsageError, match=wanted):
        mvmdb.get_sky_cells(address)
    with pytest.raises(UsageError, match=wanted):
        mvmdb.generate_poller_file(address, skycell_name=CELL)
    with monkeypatch.context() as context:
        context.setenv("DATA_PATH", address)
        with pytest.raises(UsageError, match=wanted):
            mvmdb.generate_poller_file(["ib6o04tuq"], skycell_name=CELL)
    archive = mvmdb.open(here.address, create=True)
    with pytest.raises(UsageError, match=wanted):
        archive.reconcile(products=address)
    with pytest.raises(UsageError, match=wanted):
        archive.poller(output=address, everything=True)
    with pytest.raises(UsageError, match=wanted):
        archive.stage(output=address)
    with pytest.raises(UsageError, match=wanted):
        archive.adopt(address)
    for words in (("nightly", ".", "-o", address), ("process", address), ("init", "--products", address)):
        code, _, told = call(here, *words)
        assert (code, "s3://bucket/mvm is an address; expected a path" in " ".join(told.split())) == (2, True), told
        assert "password" not in told
    (here.folder / "mvm.db").unlink()
    assert sorted(tmp_path.iterdir()) == before
