"""docs/tutorial.ipynb is executed as it stands, on the demonstration's exposures."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from demonstration import Demo
from matplotlib import image
from nbclient import NotebookClient
from pages import REPOSITORY

pytestmark = pytest.mark.slow


def test_the_tutorial_runs_from_a_folder_of_exposures_to_a_plot(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MVM")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    shutil.copytree(demo.folder / "inbox", tmp_path / "inbox")
    notebook = nbformat.read(REPOSITORY / "docs" / "tutorial.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = {n: str(cell.outputs) for n, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    texts = "\n".join(printed.values())
    for expected in (
        "<strong>Ingested</strong>: 11 files: 11 new", "10 layers, 10 fresh, 0 stale", "<table", "drizzled",
        "member-removed", "exposure-readmitted", "ineligible",
    ):  # fmt: skip
        assert expected in texts, expected
    picture = image.imread(tmp_path / "tutorial.png")
    assert picture.shape[:2] == (700, 800)
    blue = (picture[..., 2] > picture[..., 0] + 0.3).mean()
    grey = np.unique(picture[200:500, 200:500, 0]).size
    assert blue > 0.001, "outlines of members"
    assert grey > 50, "a picture, not a plain area"
    assert len(list((tmp_path / "tutorial-cutouts").glob("*/*_drz.fits"))) >= 1
