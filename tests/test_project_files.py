"""The files around the package: one version everywhere, and each file as the program that reads it wants it."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import REPOSITORY

from mvmdb import __version__

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob(".github/*.md")])
FORMS = sorted(path for path in (REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def read_yaml(name: str | Path) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def names_of(requirements: list[str]) -> set[str]:
    return set(re.findall(r"^[A-Za-z0-9-]+", "\n".join(requirements), re.MULTILINE))


def test_the_citation_is_of_this_version() -> None:
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # what the format's schema requires
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert str(citation["version"]) == __version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert [author["name"] for author in citation["authors"]] == [a["name"] for a in PROJECT["project"]["authors"]]


def test_codemeta_is_of_this_version() -> None:
    codemeta = json.loads((REPOSITORY / "codemeta.json").read_text(encoding="utf-8"))
    project = PROJECT["project"]
    assert codemeta["@context"] == "https://w3id.org/codemeta/3.0"
    assert codemeta["type"] == "SoftwareSourceCode"
    assert codemeta["version"] == __version__
    assert (codemeta["name"], codemeta["description"]) == (project["name"], project["description"])
    assert codemeta["keywords"] == project["keywords"]
    assert codemeta["license"].rsplit("/", 1)[1] == project["license"]


def test_the_changelog_names_this_version() -> None:
    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def make_targets() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_every_make_target_that_a_page_names_exists() -> None:
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|^ {4})make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", page.read_text(), re.MULTILINE)
    }
    assert {"test", "dist", "test-lowest"} <= named
    assert named <= make_targets()


def test_every_make_target_is_phony_and_a_user_is_told_of_those_for_users() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    assert set(phony) == make_targets()
    told = set(re.findall(r'@echo "make ([a-z-]+)', makefile))
    assert told == make_targets() - {
        "help",
        "env",
        "lint",
        "types",
        "imports",
        "unit",
        "test-wheel",
        "test-sdist",
        "clean",
    }


def test_the_workflow_runs_the_projects_own_targets_on_every_python() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")
    jobs = workflow["jobs"]
    versions = [line.rsplit(" ", 1)[1] for line in PROJECT["project"]["classifiers"] if ":: 3." in line]
    assert jobs["test"]["strategy"]["matrix"]["python"] == versions
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = {step["uses"].split("@")[0] for step in steps if "uses" in step}
    assert used == {"actions/checkout", "actions/setup-python"}
    runs = [re.fullmatch(r"bash \.ci/run ([a-z-]+)", step["run"]) for step in steps if "run" in step]
    assert {run and run[1] for run in runs} == {"test", "coverage", "test-lowest", "test-dist"}
    assert {run[1] for run in runs if run} <= make_targets()


def test_the_commit_hooks_run_programs_of_the_locked_environment() -> None:
    names = names_of(PROJECT["dependency-groups"]["dev"])
    repositories = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]  # any other is fetched from the network
    hooks = repositories[0]["hooks"]
    programs = {hook["entry"].split()[0] for hook in hooks}
    assert programs == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/codespell"}
    assert {Path(program).name for program in programs} <= names
    assert {hook["language"] for hook in hooks} == {"system"}


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_issue_forms_have_what_the_platform_requires(form: Path) -> None:
    content = read_yaml(form)
    assert {"name", "description", "body"} <= content.keys()
    asked = [field for field in content["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in asked} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(field["attributes"]["label"] for field in asked)
    assert all(field["attributes"]["options"] for field in asked if field["type"] == "dropdown")
    ids = [field["id"] for field in asked]
    assert len(set(ids)) == len(ids)
    assert any(field.get("validations", {}).get("required") for field in asked)


@pytest.mark.parametrize("lock", ["dev.txt", "lowest.txt"])
def test_locks_have_a_hash_for_each_package_and_no_address(lock: str) -> None:
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    locked = {re.split(r"[=\[ ]", entry, maxsplit=1)[0] for entry in entries}
    asked = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    assert names_of(asked) <= locked


@pytest.mark.parametrize("lock", ["dev.txt", "lowest.txt"])
def test_locks_name_every_extra_that_a_locked_package_requires(lock: str) -> None:
    """Else pip of Python 3.11 refuses the lock on the day that a newer version of the package is published."""
    lines = re.findall(r"^[^\s#].*==[^\s;]+", (REPOSITORY / "requirements" / lock).read_text(), re.MULTILINE)
    locked = {canonicalize_name(each.name): each.extras for each in map(Requirement, lines)}
    required = {
        (canonicalize_name(requirement.name), extra)
        for distribution in distributions()
        if canonicalize_name(distribution.metadata["Name"]) in locked
        for requirement in map(Requirement, distribution.requires or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        for extra in requirement.extras
    }
    assert ("coverage", "toml") in required  # of pytest-cov
    assert {(name, extra) for name, extra in required if extra not in locked[name]} == set()


def test_what_builds_the_package_is_in_the_development_environment() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["dev"])
