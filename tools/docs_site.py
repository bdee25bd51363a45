"""The documentation site: assembles the sources and has Sphinx build them; a warning is an error.

    python tools/docs_site.py [-o build/site] [--no-tutorial]

The sources are docs/, the pages beside README (as project/), the reference of the command line from the code, and the
tutorial with what its cells print. Links to files that are no pages become plain text, and diagrams become the pictures
that `make diagrams` drew.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from command_line_page import make_page
from diagrams import FENCE, picture_of

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages beside README that the site has in its folder project/."""
TUTORIAL = Path("tutorial.ipynb")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")


def main() -> int:
    """Assemble and build; exits with what Sphinx exits with."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("-o", "--output", type=Path, default=REPOSITORY / "build" / "site")
    parser.add_argument("--no-tutorial", action="store_true", help="do not execute the tutorial: half a minute less")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mvmdb-docs-") as folder:
        source = Path(folder) / "source"
        assemble(source)
        if not options.no_tutorial:
            execute_tutorial(source / TUTORIAL, Path(folder))
        code = build(source, options.output)
    if code == 0:
        print(f"{options.output}/index.html")
    return code


def assemble(source: Path) -> None:
    """Write all pages to a new folder, with links that hold there."""
    shutil.copytree(REPOSITORY / "docs", source, ignore=shutil.ignore_patterns("_build"))
    for page in sorted(source.rglob("*.md")):
        origin = REPOSITORY / "docs" / page.relative_to(source)
        page.write_text(adapt(origin.read_text(encoding="utf-8"), origin, page.relative_to(source)), encoding="utf-8")
    (source / "project").mkdir()
    for name in PROJECT_PAGES:
        page = Path("project") / name.lower()
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        (source / page).write_text(adapt(text, REPOSITORY / name, page), encoding="utf-8")
    (source / "command-line.md").write_text(make_page(), encoding="utf-8")


def adapt(text: str, origin: Path, page: Path) -> str:
    """The text of a page whose file is `origin` as it stands at `page` in the site."""
    text = FENCE.sub(lambda match: _picture(match.group(1), page), text)
    parts = re.split(r"(^```.*?^```\n|`[^`\n]+`(?!\]))", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if n % 2 else _LINK.sub(lambda link: _adapt_link(link, origin, page), part) for n, part in enumerate(parts)
    )


def _picture(diagram: str, page: Path) -> str:
    picture = picture_of(diagram)
    return f"![{picture.title}]({_from(page, Path('figures/diagrams') / picture.path.name)})\n"


def _adapt_link(link: re.Match[str], origin: Path, page: Path) -> str:
    target, _, anchor = link["target"].partition("#")
    if not target or _ELSEWHERE.match(target):
        return link[0]
    file = Path(os.path.normpath(origin.parent / target))
    if not file.exists():
        raise FileNotFoundError(f"{origin.relative_to(REPOSITORY)} links to {target}, which does not exist")
    place = place_of(file.relative_to(REPOSITORY))
    if place is None:
        return link["text"]
    return f"[{link['text']}]({_from(page, place)}{'#' + anchor if anchor else ''})"


def place_of(file: Path) -> Path | None:
    """Where the site has a file of the repository; None if it does not have it."""
    if file.parts[0] == "docs":
        return Path(*file.parts[1:])
    if str(file) in PROJECT_PAGES:
        return Path("project") / file.name.lower()
    return Path("index.md") if str(file) == "README.md" else None


def _from(page: Path, target: Path) -> str:
    return os.path.relpath(target, page.parent)


def execute_tutorial(notebook: Path, folder: Path) -> None:
    """Run the tutorial's cells on the demonstration's exposures, and keep what they print in the notebook."""
    import nbformat
    from nbclient import NotebookClient

    demo = folder / "demo"
    subprocess.run([sys.executable, "-m", "mvmdb", "demo", demo], check=True, stdout=subprocess.DEVNULL)
    work = folder / "work"
    shutil.copytree(demo / "inbox", work / "inbox")
    cells = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    os.environ["JUPYTER_RUNTIME_DIR"] = str(folder / "runtime")
    NotebookClient(cells, timeout=300, resources={"metadata": {"path": str(work)}}).execute()
    # Folders of this machine are no part of the tutorial.
    for cell in cells.cells:
        for output in cell.get("outputs", []):
            _replace_in(output, str(work) + "/", "")
    nbformat.write(cells, notebook)  # type: ignore[no-untyped-call]


def _replace_in(value: object, old: str, new: str) -> None:
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, item in pairs:
        if isinstance(item, str):
            value[key] = item.replace(old, new)  # type: ignore[index]
        else:
            _replace_in(item, old, new)


def build(source: Path, output: Path) -> int:
    """Have Sphinx make the site anew in `output`; returns its exit code."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "auto"]
    doctrees = source.parent / "doctrees"
    return subprocess.run([*command, "-d", doctrees, source, output], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
