"""How all plots look, and how they are written: sizes, colours that colour-blind people can tell apart, PNG and SVG.

A plot of the same values is the same file, byte for byte, with the same matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure as Figure  # noqa: PLC0414 - exported

FORMS = (".png", ".svg")
"""The endings of the files that can be written."""
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that people with any colour vision can tell apart (Okabe & Ito 2008), without the yellow, which is faint."""
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)))
"""Styles of lines, which go on where the colours begin anew."""
INK, FAINT, LINE = "#1b1f24", "#6b737c", "#9aa7b4"
"""Colours of texts, of lesser texts, and of outlines behind other things."""
MAP = "cividis"
"""The colour map of all that is more or less: even for all kinds of colour vision (Nuñez et al. 2018)."""
DPI = 150
_RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 12,
    "figure.titlesize": 12,
    "axes.labelsize": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": DPI,
    "svg.fonttype": "none",  # texts stay texts, which can be searched
    "svg.hashsalt": "mvmdb",
}


def require_plots() -> Any:
    """The library that plots. Raises UsageError, with the remedy, where it is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError("plots need matplotlib, which is not installed; run: pip install 'mvmdb[pictures]'") from error
    return matplotlib


def require_form(path: Path) -> None:
    """Raise UsageError unless the ending of a plot's file names one of FORMS."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"{path}: found the ending {path.suffix!r}; expected one of {', '.join(FORMS)}")


@contextmanager
def styled() -> Iterator[None]:
    """Draw and write in this style within the block, whatever the user's own settings of matplotlib are."""
    require_plots()
    from matplotlib import style

    with style.context(["default", _RC]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as its path's ending says. Raises UsageError for another ending, InputError if it cannot."""
    require_form(path)
    form = path.suffix.lower().lstrip(".")
    nothing = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    try:
        with styled():
            replace_file(path.absolute(), lambda file: figure.savefig(file, format=form, metadata=nothing))
    except OSError as error:
        raise InputError(
            f"cannot write the plot {path} ({error.strerror or error}); expected a folder that can be written"
        ) from error


def line_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A colour and a style of lines for each name, in their order; they repeat after 21 names."""
    return {
        name: {
            "color": PALETTE[number % len(PALETTE)],
            "linestyle": DASHES[number // len(PALETTE) % len(DASHES)],
        }
        for number, name in enumerate(names)
    }


def format_seconds(seconds: float) -> str:
    """An exposure time for people: `812 s`, `14.2 ks`, `1.3 Ms`."""
    for limit, unit, step in ((1e4, "s", 1.0), (1e6, "ks", 1e3), (float("inf"), "Ms", 1e6)):
        if seconds < limit:
            return f"{seconds / step:,.{0 if unit == 's' else 1}f} {unit}"
    return f"{seconds} s"


def plural(number: int, noun: str) -> str:
    """`1 exposure`, `1,234 exposures`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def thin_labels(bar: Colorbar) -> None:
    """Label powers of ten on a logarithmic scale, and 2 and 5 times these where it is short.

    matplotlib would label every multiple on a scale of less than a decade, one over the other.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = bar.norm.vmin or 1.0, bar.norm.vmax or 10.0
    if high < 100 * low:
        bar.locator = LogLocator(subs=(1.0, 2.0, 5.0))
        bar.formatter = FuncFormatter(lambda value, _: f"{value:,.6g}" if value < 1e4 else f"{value / 1e3:g}k")
    bar.minorformatter = NullFormatter()
    bar.update_ticks()


def show_emptiness(axes: Axes, words: str) -> None:
    """Say why there is nothing to see."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=FAINT)
