"""Plots look as the pictures of them in baseline/, which `python tests/plots/baselines.py` draws anew."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from matplotlib.testing.compare import compare_images
from PIL import Image

TOLERANCE = 14.0
"""Root mean square of the differences, of 255: versions of matplotlib and FreeType draw texts and thin lines apart."""


def load_baselines() -> ModuleType:
    spec = importlib.util.spec_from_file_location("baselines", Path(__file__).with_name("baselines.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BASELINES = load_baselines()


@pytest.mark.parametrize("name", sorted(BASELINES.PLOTS))
def test_a_plot_looks_as_its_picture(name: str, tmp_path: Path) -> None:
    drawn, expected = tmp_path / f"{name}.png", tmp_path / f"{name}-expected.png"
    BASELINES.draw(name, drawn)
    shutil.copy(BASELINES.FOLDER / f"{name}.png", expected)  # the comparison writes files beside it
    assert compare_images(str(expected), str(drawn), TOLERANCE) is None


@pytest.mark.parametrize("name", ["coverage", "layer", "skycell", "history", "pole"])
def test_the_tolerance_tells_a_plot_from_its_mirror_image(name: str, tmp_path: Path) -> None:
    picture, mirrored = tmp_path / "picture.png", tmp_path / "mirrored.png"
    shutil.copy(BASELINES.FOLDER / f"{name}.png", picture)
    Image.fromarray(np.asarray(Image.open(picture))[:, ::-1]).save(mirrored)
    assert compare_images(str(picture), str(mirrored), TOLERANCE) is not None
