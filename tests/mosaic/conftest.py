"""The field that mosaic tests expose; see tests/mosaic_field.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from mosaic_field import Field


@pytest.fixture
def field(tmp_path: Path) -> Field:
    """An empty folder that exposures can be written to."""
    return Field(tmp_path)
