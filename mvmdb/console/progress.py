"""Shows the progress of long work on standard error: as a bar for people, or as lines of JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic
from typing import Any, Literal

import click

from mvmdb.console.show import warn
from mvmdb.monitor import LayerOutcome, Monitor
from mvmdb.records import Plan

Form = Literal["bar", "json", "none"]

_FILES_EVERY = 1.0
"""Seconds between two lines about files: there may be thousands of files."""


class Progress(Monitor, ExitStack):
    """Shows how many files have been read and how many layers have been made.

    A bar is shown only if standard error is a terminal. The time left assumes that the rest takes as long per file or
    layer as what is done. `clock` returns seconds.
    """

    def __init__(self, form: Form, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._form = form
        self._clock = clock
        self._files = self._layers = self._told = 0.0
        self._files_done = self._files_total = 0
        self._layers_done = self._layers_total = 0
        self._step: Callable[[int], None] = _nothing

    def files_announced(self, total: int) -> None:
        """Open the bar of files."""
        self._files_total, self._files = total, self._clock()
        self._told = self._files
        self._step = self._open_bar("files", total)

    def files_read(self, count: int) -> None:
        """Move the bar, or write a line, at most once a second and at the end."""
        self._files_done += count
        self._step(count)
        now = self._clock()
        at_end = self._files_done == self._files_total
        if self._form == "json" and count and (at_end or now - self._told >= _FILES_EVERY):
            self._told = now
            left = _time_left(now - self._files, self._files_done, self._files_total)
            _emit(event="files", done=self._files_done, total=self._files_total, seconds_left=left)

    def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
        """Open the bar of mosaics, or write a line."""
        self._layers_total, self._layers = n_layers, self._clock()
        self._step = self._open_bar("mosaics", n_layers)
        if self._form == "json":
            _emit(event="plan", total=n_layers)

    def layer_done(self, outcome: LayerOutcome) -> None:
        """Move the bar, or write a line."""
        self._layers_done += 1
        self._layers_total = max(self._layers_total, self._layers_done)  # a layer may be made again without a member
        self._step(1)
        if self._form == "json":
            _emit(
                event="layer",
                layer=outcome.layer,
                action=str(outcome.action),
                done=self._layers_done,
                total=self._layers_total,
                seconds=outcome.seconds,
                seconds_left=_time_left(self._clock() - self._layers, self._layers_done, self._layers_total),
                error=outcome.error or None,
            )

    def _open_bar(self, label: str, total: int) -> Callable[[int], None]:
        self.close()  # one bar at a time
        if self._form != "bar" or not total or not sys.stderr.isatty():
            return _nothing
        bar = click.progressbar(length=total, label=label, show_eta=True, show_pos=True, file=sys.stderr)
        return self.enter_context(bar).update


def _time_left(elapsed: float, done: int, total: int) -> float:
    return round(elapsed / done * (total - done), 1)


def _emit(**event: Any) -> None:
    warn(json.dumps(event))


def _nothing(steps: int) -> None:
    """The step of a bar that is not shown."""
