"""docs/python.md: its examples run on the demonstration's archive, and its reference is that of the code."""

from __future__ import annotations

import doctest
import os
import shutil
from pathlib import Path

import pytest
from demonstration import Demo
from pages import REPOSITORY
from python_page import PAGE, fill_page

import mvmdb

pytestmark = pytest.mark.slow


def test_the_reference_is_that_of_the_code() -> None:
    text = (REPOSITORY / PAGE).read_text()
    assert fill_page(text) == text, "run: make docs"


def test_the_examples_run_as_printed(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MVM")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "mvmdb-demo"
    shutil.copytree(demo.folder, folder)
    monkeypatch.chdir(folder)
    mvmdb.open("mvm.db", jobs=1).nightly("inbox", products="products", move=True)  # files are known by their paths
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(REPOSITORY / PAGE), module_relative=False, optionflags=flags, verbose=False)
    assert (result.failed, result.attempted > 10) == (0, True)
