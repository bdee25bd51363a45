"""Draws the Mermaid diagrams of the pages as SVG, so that the site needs no script that draws them.

    python tools/diagrams.py

`make diagrams` runs it after a diagram has changed. It needs npm and Chromium (MVMDB_CHROMIUM names another one): npm
brings Mermaid into a temporary folder, and Chromium draws. Each picture is named after the text of its diagram, so that
a picture can never show another text; a diagram without its picture is an error when the site is built.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURES = REPOSITORY / "docs" / "figures" / "diagrams"
MERMAID = "mermaid@11"
FENCE = re.compile(r"^```mermaid\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_TITLES = {"flowchart": "how values flow between rooms", "erDiagram": "tables and their links"}


class Picture(NamedTuple):
    """The picture of a diagram: its file, and what it shows."""

    path: Path
    title: str


def picture_of(diagram: str) -> Picture:
    """The picture of a diagram. Raises FileNotFoundError, with the remedy, if it was not drawn."""
    picture = _name(diagram)
    if not picture.path.exists():
        raise FileNotFoundError(f"a diagram ({picture.title}) has no picture {picture.path.name}; run: make diagrams")
    return picture


def _name(diagram: str) -> Picture:
    kind = diagram.split(maxsplit=1)[0]
    digest = hashlib.sha256(diagram.encode()).hexdigest()[:12]
    return Picture(PICTURES / f"{kind.lower()}-{digest}.svg", _TITLES.get(kind, kind))


def main() -> int:
    """Draw what has no picture, and remove pictures of diagrams that are gone."""
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    diagrams = {_name(text): text for page in pages for text in FENCE.findall(page.read_text(encoding="utf-8"))}
    PICTURES.mkdir(parents=True, exist_ok=True)
    wanted = {picture.path for picture in diagrams}
    for old in set(PICTURES.glob("*.svg")) - wanted:
        old.unlink()
    missing = {picture: text for picture, text in diagrams.items() if not picture.path.exists()}
    if missing:
        _draw(missing)
    return 0


def _draw(diagrams: dict[Picture, str]) -> None:
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("MVMDB_CHROMIUM") or shutil.which("chromium")
    if chromium is None or shutil.which("npm") is None:
        raise SystemExit("diagrams are drawn by Chromium and Mermaid; expected chromium and npm, install them")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", folder, MERMAID], check=True)
        script = Path(folder, "node_modules/mermaid/dist/mermaid.min.js")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content("<body></body>")
        page.add_script_tag(path=script)
        settings = {"startOnLoad": False, "theme": "neutral", "htmlLabels": False, "deterministicIds": True}
        page.evaluate("settings => mermaid.initialize({...settings, flowchart: {htmlLabels: false}})", settings)
        for picture, text in diagrams.items():
            svg = page.evaluate("async text => (await mermaid.render('diagram', text)).svg", text)
            picture.path.write_text(svg + "\n", encoding="utf-8")
            print(f"drew {picture.path.relative_to(REPOSITORY)}")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
