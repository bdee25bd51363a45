"""The figures of README and docs, in docs/figures: plots of the tessellation, and of the demonstration's archive.

Run by `make figures`, with the demonstration in the folder that is named (default: mvmdb-demo). The commands that make
the same figures stand beside them in docs/seeing/pictures.md.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import mvmdb
from mvmdb.archive.plotting import Kind

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER = Path("docs/figures")
SKYCELL = "skycell-p0647x10y11"
LAYER = f"hst_{SKYCELL}_wfc3_ir_f125w_all"
PAGE_SIZE: ViewportSize = {"width": 1200, "height": 720}
WIDTH, COLORS = 900, 160
"""How wide figures are in pixels, and how many colours they have: they are to be small files."""


def make_figures(demo: Path, folder: Path) -> list[Path]:
    """Draw every figure into a folder, of the archive in the folder `demo`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = mvmdb.open(demo / "mvm.db")
    with tempfile.TemporaryDirectory() as scratch:
        large = Path(scratch) / "plot.png"
        made = []
        plots: tuple[tuple[Kind, str | int | None], ...] = (
            ("sky", None), ("pole", None), ("cell", 647), ("skycell", SKYCELL), ("layer", LAYER), ("coverage", None),
        )  # fmt: skip
        for kind, name in plots:
            archive.plot(kind, name, output=large, coverage=False if kind in ("sky", "pole") else None)
            made.append(_shrink(large, folder / f"{kind}.png"))
    archive.companions("color", skycells=[SKYCELL])
    (color,) = demo.glob(f"products/{SKYCELL}/*_color.jpg")
    with Image.open(color) as image:
        image.thumbnail((WIDTH, WIDTH // 2))
        image.save(folder / "color.jpg", quality=85)
    return [*made, folder / "color.jpg", _photograph_page(archive, folder / "page.png")]


def _photograph_page(archive: mvmdb.Archive, target: Path) -> Path:
    """The sky map in Chromium (MVMDB_CHROMIUM names another one), with a sky cell and one of its layers opened."""
    from playwright.sync_api import sync_playwright

    program = shutil.which(os.environ.get("MVMDB_CHROMIUM") or "chromium")
    if program is None:
        sys.exit("the figure of the sky map needs Chromium: install it, or name one in MVMDB_CHROMIUM")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        large = Path(scratch) / "page.png"
        index = Path(archive.page(Path(scratch) / "map", pictures=True).index)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=PAGE_SIZE, device_scale_factor=1.5)
        page.goto(f"{index.as_uri()}#c=54.81,-30&fov=0.16&cell={SKYCELL.removeprefix('skycell-')}")
        page.click(f'[data-layer="{LAYER}"] summary')
        page.locator("#map[data-complete=true]").wait_for()
        page.wait_for_function("document.querySelector('.picture img').complete")
        page.locator(f'[data-layer="{LAYER}"]').evaluate(
            "box => { box.scrollIntoView(); box.parentElement.scrollBy(0, -52); }"
        )
        page.screenshot(path=large)
        browser.close()
        return _shrink(large, target)


def _shrink(source: Path, target: Path) -> Path:
    with Image.open(source) as image:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)
    return target


if __name__ == "__main__":
    demo = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("mvmdb-demo")
    if not (demo / "mvm.db").exists():
        sys.exit(f"there is no archive in {demo}; expected the demonstration's: run make demo")
    for path in make_figures(demo, REPOSITORY / FOLDER):
        print(path.relative_to(REPOSITORY))
