"""Input files are plain files: nothing waits for a writer, and nothing is read without an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fitsfiles import write_exposure

from mvmdb.inputs import open_plain, read_text

WORDS = {
    "process": ("process", "PIPE", "-o", "products"),
    "import": ("import", "PIPE"),
    "ingest of a list": ("ingest", "@PIPE"),
    "cells of a list": ("cells", "@PIPE"),
    "aperture file": ("import", "table.csv", "--siaf", "PIPE"),
}


@pytest.mark.parametrize("words", WORDS.values(), ids=list(WORDS))
def test_no_command_waits_for_a_named_pipe(words: tuple[str, ...], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "PIPE")
    (tmp_path / "table.csv").write_text(
        "obs_id,instrument_name,filters,exptime,ra,dec,pa_v3,aperture\nib6o04tuq,WFC3/IR,F125W,1,10,20,30,IR\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "PIPE" in done.stderr
    assert "a named pipe, not a plain file" in done.stderr


def test_a_named_pipe_among_exposures_is_quarantined(tmp_path: Path) -> None:
    write_exposure(tmp_path / "inbox", rootname="ib6o04tuq")
    os.mkfifo(tmp_path / "inbox" / "ib6o04twq_flt.fits")
    done = subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "ingest", "inbox/ib6o04tuq_flt.fits", "inbox/ib6o04twq_flt.fits"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, "1 new" in done.stdout, "1 quarantined" in done.stdout) == (1, True, True)


def test_what_is_no_plain_file_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(OSError, match=f"it is {what}, not a plain file"):
            open_plain(path)


def test_a_text_is_read_to_its_end_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"12345")
    os.symlink(path, tmp_path / "link")
    assert read_text(tmp_path / "link", most=5) == "12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read_text(path, most=4)
    path.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_text(path)
