"""Plots over time, and by filter: exposures as they were taken, layers as they were made, and what is covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mvmdb.plots.style import FAINT, PALETTE, plural, show_emptiness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mvmdb.catalog.ask.plotted import Positions
    from mvmdb.catalog.ask.standing import Standing

_MJD_0 = np.datetime64("1858-11-17T00:00:00", "us")
_MOST_STEPS = 2000
"""The most steps of a line: more than there are pixels would only make files large."""
_MOST_FILTERS = 40


def draw_history(figure: Figure, positions: Positions, standing: Standing) -> None:
    """Exposures and exposure time by date of observation, and layers that were fresh and stale by date of the history.

    All sums grow with time.
    """
    above, below = figure.subplots(2, 1)
    _draw_exposures(above, positions)
    _draw_layers(below, standing)


def _draw_exposures(axes: Any, positions: Positions) -> None:
    dated = np.isfinite(positions.expstart)
    order = np.argsort(positions.expstart[dated], kind="stable")
    start, seconds = positions.expstart[dated][order], positions.exptime[dated][order]
    axes.set_title(f"Observed: {plural(len(positions.ra), 'exposure')} in layers", loc="left")
    axes.set_xlabel("date of observation")
    axes.set_ylabel("exposures", color=PALETTE[0])
    if not len(start):
        show_emptiness(axes, "no exposure with a date is a member of a layer")
        return
    times = _MJD_0 + (start * 86400e6).astype("timedelta64[us]")
    number, total = np.arange(1, len(start) + 1), np.cumsum(seconds) / 3600.0
    kept = np.unique(np.linspace(0, len(start) - 1, _MOST_STEPS).astype(np.int64))
    axes.step(times[kept], number[kept], where="post", color=PALETTE[0], linewidth=1.8)
    axes.set_ylim(0, None)
    other = axes.twinx()
    other.step(times[kept], total[kept], where="post", color=PALETTE[1], linewidth=1.8, linestyle=(0, (4, 1.5)))
    other.set_ylim(0, None)
    other.set_ylabel("exposure time (hours, dashed)", color=PALETTE[1])
    _date_axis(axes)


def _draw_layers(axes: Any, standing: Standing) -> None:
    fresh, stale = int(standing.fresh[-1]), int(standing.stale[-1])
    waiting = f", {standing.waiting:,} waiting for files" if standing.waiting else ""
    axes.set_title(f"Layers: {fresh:,} fresh, {stale - standing.waiting:,} stale{waiting}", loc="left")
    axes.set_xlabel("date of the history (UTC)")
    axes.set_ylabel("layers")
    if not fresh + stale:
        show_emptiness(axes, "there are no layers")
        return
    kept = np.unique(
        np.append(np.linspace(0, len(standing.at) - 1, _MOST_STEPS).astype(np.int64), len(standing.at) - 1)
    )
    at, low, high = standing.at[kept], standing.fresh[kept], standing.stale[kept]
    axes.fill_between(at, 0, low, step="post", color=PALETTE[0], alpha=0.85, linewidth=0, label="fresh")
    axes.fill_between(
        at, low, low + high, step="post", facecolor=PALETTE[4], edgecolor="white", hatch="////", linewidth=0,
        label="stale or waiting" if standing.waiting else "stale",
    )  # fmt: skip
    axes.set_ylim(0, None)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.1)
    _date_axis(axes)


def _date_axis(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.5)


def draw_coverage(figure: Figure, rows: Sequence[tuple[str, str, int, float, float]]) -> None:
    """Exposure time and area of each filter of a camera: rows of camera, filter, exposures, seconds, square arcmin.

    The 40 filters with the longest time are shown, by camera.
    """
    left, right = figure.subplots(1, 2, sharey=True)
    longest = sorted(rows, key=lambda row: (-row[3], row[0], row[1]))[:_MOST_FILTERS]
    shown = sorted(longest, key=lambda row: (row[0], -row[3], row[1]), reverse=True)
    if not shown:
        show_emptiness(left, "no exposure is a member of a layer")
        return
    cameras = sorted({row[0] for row in rows})
    colors = [PALETTE[cameras.index(row[0]) % len(PALETTE)] for row in shown]
    places = np.arange(len(shown))
    for axes, column, factor, words in (
        (left, 3, 3600.0, "exposure time (hours)"),
        (right, 4, 1.0, "area (square arcmin), overlaps counted once"),
    ):
        values = [float(row[column]) / factor for row in shown]
        axes.barh(places, values, color=colors, height=0.72)
        is_wide = max(values) > 100 * max(min(values), 1e-9)
        if is_wide:
            axes.set_xscale("log")
        axes.margins(x=0.18)
        axes.set_xlabel(words)
        axes.grid(axis="x", color=FAINT, alpha=0.3, linewidth=0.5)
        axes.set_axisbelow(True)
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f" {value:,.3g}" if value < 1000 else f" {value:,.0f}", (value, place), va="center", fontsize=8
            )
    left.set_yticks(places, [f"{row[0].upper()} {row[1].upper()}  ({row[2]:,})" for row in shown])
    left.set_ylim(-0.6, len(shown) - 0.4)
    left.set_ylabel("camera and filter (exposures)")
    more = f", the {len(shown)} of {len(rows)} filters with the longest time" if len(rows) > len(shown) else ""
    figure.suptitle(f"What is covered, by camera and filter{more}", fontsize=12)
