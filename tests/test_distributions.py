"""The source distribution and the wheel, built here: what they hold, and what a package index shows of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from pages import REPOSITORY
from readme_renderer import markdown

from mvmdb import __version__

RELATIVE_LINK = r"\]\((?!https?://)"


@dataclass(frozen=True, slots=True)
class Distributions:
    """Names of the files in both, without the folder of the source distribution, and the metadata of the wheel."""

    source: frozenset[str]
    wheel: frozenset[str]
    metadata: Message

    @property
    def description(self) -> str:
        text = self.metadata.get_payload()
        assert isinstance(text, str)
        return text


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build(REPOSITORY, "sdist", folder)
    name = f"mvmdb-{__version__}"
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
        source = {entry.name.removeprefix(f"{name}/") for entry in archive if entry.isfile()}
    build(folder / name, "wheel", folder)
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl") as archive:
        wheel = frozenset(archive.namelist())
        metadata = Parser().parsestr(archive.read(f"{name}.dist-info/METADATA").decode())
    return Distributions(frozenset(source), wheel, metadata)


def build(repository: Path, target: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)


def test_the_source_distribution_holds_every_file_of_the_repository(distributions: Distributions) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git checkout, so which files belong to the repository is not known")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    tracked = {name for name in listed if name and (REPOSITORY / name).exists()}
    assert distributions.source - {"PKG-INFO"} == tracked


def test_the_wheel_holds_the_package_and_nothing_else(distributions: Distributions) -> None:
    package = {name for name in distributions.source if name.startswith("mvmdb/")}
    others = {name.split("/", 1)[1] for name in distributions.wheel - package}
    assert others == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert package <= distributions.wheel
    assert {"mvmdb/py.typed", "mvmdb/sky/ps1_rings.csv", "mvmdb/schema/migrations/env.py"} <= package


def test_the_wheel_has_no_tools_for_developers(distributions: Distributions) -> None:
    tools = {path.name for path in (REPOSITORY / "tools").glob("*.py")}
    assert tools
    assert tools.isdisjoint(Path(name).name for name in distributions.wheel)


def test_the_description_is_readme_without_links_that_lead_nowhere(distributions: Distributions) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.search(RELATIVE_LINK, readme)
    assert not re.search(RELATIVE_LINK, distributions.description)
    plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", readme)
    assert distributions.description.startswith(plain)


def test_the_description_can_be_shown_by_a_package_index(distributions: Distributions) -> None:
    assert distributions.metadata["Description-Content-Type"] == "text/markdown"
    page = markdown.render(distributions.description)
    assert page is not None
    assert page.count("<h2") == distributions.description.count("\n## ")
    assert "<table>" in page
    assert re.findall(r'href="(?!https?://|#)[^"]*"', page) == []  # links to headings of the page itself are sound


def test_the_metadata_are_those_of_the_project(distributions: Distributions) -> None:
    metadata = distributions.metadata
    assert (metadata["Name"], metadata["Version"]) == ("mvmdb", __version__)
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert "example" not in " ".join(metadata.get_all("Project-URL", []))
