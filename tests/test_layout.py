"""The layout that CONTRIBUTING.md asks for: files are short."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import REPOSITORY

MOST_LINES = 400
MIGRATIONS = REPOSITORY / "mvmdb/schema/migrations/versions"


def list_sources(folder: str) -> list[Path]:
    """The Python files of a folder, without those below hidden folders such as environments."""
    paths = sorted((REPOSITORY / folder).rglob("*.py"))
    return [path for path in paths if not any(part.startswith(".") for part in path.relative_to(REPOSITORY).parts)]


@pytest.mark.parametrize("folder", ["mvmdb", "tests", "tools", "bench", "conformance"])
def test_no_file_has_more_than_400_lines_but_migrations(folder: str) -> None:
    sources = [path for path in list_sources(folder) if path.parent != MIGRATIONS]
    assert sources
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text("utf-8").splitlines()) for path in sources}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}, "split at the second idea"
