"""The model behind docs/scaling.md, in cases with a known answer: one bound at a time; and a cost that it is given."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pages import REPOSITORY

PLENTY = 1e18


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "bench" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


model = load("queue_model")


def run(work: float, moved: float, n: int = 1000, **limits: float) -> object:
    options = {"workers": 10, "bandwidth": PLENTY, "link": PLENTY, "record": 0.0} | limits
    return model.simulate(np.full(n, work), np.full(n, moved), **options)


def test_unlimited_storage_leaves_the_workers_as_the_bound() -> None:
    outcome = run(3.0, 0.0)
    assert outcome.seconds == pytest.approx(300.0)
    assert (outcome.computing, outcome.idle) == pytest.approx((1.0, 0.0))
    assert outcome.bound_by == "the workers"


def test_storage_gives_no_more_than_its_bandwidth() -> None:
    outcome = run(0.001, 5e9, bandwidth=1e10)
    assert outcome.seconds == pytest.approx(500.0, rel=0.01)
    assert outcome.moving > 0.99
    assert outcome.bound_by == "the storage"


def test_a_worker_moves_no_more_than_its_link_does() -> None:
    assert run(0.0, 5e9, bandwidth=1e12, link=1e9).seconds == pytest.approx(500.0)


def test_a_slow_coordinator_leaves_workers_idle() -> None:
    outcome = run(0.01, 0.0, record=0.1)
    assert outcome.seconds == pytest.approx(100.0, rel=0.01)
    assert outcome.idle > 0.98
    assert outcome.bound_by == "the coordinator"


def test_one_long_layer_at_the_end_is_waited_for() -> None:
    work = np.append(np.full(1000, 1.0), 500.0)
    outcome = model.simulate(work, np.zeros(1001), workers=10, bandwidth=PLENTY, link=PLENTY, record=0.0)
    assert outcome.seconds == pytest.approx(600.0)
    assert outcome.bound_by == "the longest layer"


def test_random_layers_take_no_less_than_any_bound_and_little_more() -> None:
    rng = np.random.default_rng(1)
    work, moved = rng.pareto(2.5, 20_000), 1e9 * rng.pareto(2.5, 20_000)
    outcome = model.simulate(work, moved, workers=50, bandwidth=2e11, link=1e10, record=0.001)
    largest = max(outcome.bounds.values())
    assert largest <= outcome.seconds <= 1.2 * largest
    assert outcome.computing + outcome.moving + outcome.idle == pytest.approx(1.0)
    assert outcome.computing * 50 * outcome.seconds == pytest.approx(work.sum())


def test_the_coordinators_share_of_a_layer_is_measured_without_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "bench"))
    assert 0 < load("costs").measure_record(str(tmp_path / "mvm.db"), tmp_path / "products", exposures=10) < 1
