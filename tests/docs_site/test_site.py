"""The documentation site: built as `make docs` builds it, and read and searched in a browser without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import diagrams
import docs_site
import pytest
from browsers import open_browser, open_page
from pages import REPOSITORY
from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, with a tutorial that was not executed: tests/front/test_tutorial.py does that."""
    output = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, REPOSITORY / "tools" / "docs_site.py", "--no-tutorial", "-o", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return output


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def test_each_page_of_docs_is_in_the_site(site: Path) -> None:
    pages = {page.relative_to(REPOSITORY / "docs").with_suffix(".html") for page in (REPOSITORY / "docs").rglob("*.md")}
    pages |= {Path("project", name.lower()).with_suffix(".html") for name in docs_site.PROJECT_PAGES}
    pages |= {Path("tutorial.html"), Path("command-line.html")}
    assert [page for page in sorted(pages) if not (site / page).exists()] == []


def test_nothing_in_the_site_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')
    imported = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//")
    assert [match for page in site.rglob("*.html") for match in loaded.findall(page.read_text())] == []
    assert [sheet.name for sheet in site.rglob("*.css") if imported.search(sheet.read_text())] == []


def test_the_site_is_searched_from_a_disk(site: Path, browser: Browser) -> None:
    with open_page(browser, site.as_uri()) as watched:
        page = watched.page
        page.goto((site / "index.html").as_uri())
        assert page.get_by_role("heading", name="mvmdb", exact=False).first.is_visible()
        page.locator("input[name=q]").first.fill("quarantine")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        found = page.locator("#search-results li a").all_text_contents()
    assert any("Commands" in title for title in found), found


def test_a_page_of_the_command_line_names_every_option_of_a_command(site: Path) -> None:
    text = (site / "command-line.html").read_text()
    assert 'id="mvmdb-verify"' in text
    assert "--repair" in text
    assert "--keep-history" in text


def test_every_diagram_has_its_picture() -> None:
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    texts = [text for page in pages for text in diagrams.FENCE.findall(page.read_text())]
    assert len(texts) >= 2
    drawn = {diagrams.picture_of(text).path for text in texts}
    assert drawn == set(diagrams.PICTURES.glob("*.svg")), "run: make diagrams"


def test_links_to_what_is_no_page_become_text(tmp_path: Path) -> None:
    origin = REPOSITORY / "docs" / "catalog.md"
    text = "[a](../bench/archive.py) [b](../CHANGELOG.md#x) [c](commands.md) `[d](../Makefile)` [e](https://f.org)\n"
    adapted = docs_site.adapt(text, origin, Path("catalog.md"))
    assert adapted == "a [b](project/changelog.md#x) [c](commands.md) `[d](../Makefile)` [e](https://f.org)\n"
    with pytest.raises(FileNotFoundError, match=r"catalog\.md links to nowhere\.md, which does not exist"):
        docs_site.adapt("[a](nowhere.md)", origin, Path("catalog.md"))
