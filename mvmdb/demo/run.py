"""The demonstration: two simulated nights through the nightly run that an archive uses, reported in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from mvmdb.catalog.ask.refused import load_refused
from mvmdb.catalog.open import Engine, open_catalog
from mvmdb.catalog.settings import read_policy
from mvmdb.demo.measure import measure_stars
from mvmdb.demo.simulate import NIGHTS, Shot, simulate_night, stars
from mvmdb.errors import UsageError
from mvmdb.monitor import Monitor
from mvmdb.nightly import NightReport, run_night
from mvmdb.records import Action, Plan, PlannedLayer, ReasonCode
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

Report = Callable[[str], None]

_DOING = {
    Action.DRIZZLE: "drizzle every member",
    Action.ADD: "add the new members to the existing mosaic",
    Action.RECANVAS: "pad the existing mosaic, without drizzling",
    Action.SHIFT: "shift the sky of the existing mosaic, without drizzling",
    Action.RESCALE: "write the new photometry into the existing mosaic's header, without drizzling",
    Action.REMOVE: "remove the mosaic",
}


def run_demo(folder: Path, report: Report, *, jobs: int | None = None) -> int:
    """Simulate a small archive in `folder` and run two nights on it; `report` is called with each line of the story.

    Returns the exit code: 0, or 1 when a layer failed. Afterwards the folder holds `inbox`, `products` and the catalog
    `mvm.db`. Raises UsageError if the folder exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty; expected a new or empty folder: name another one")
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    with open_catalog(str(folder / "mvm.db"), create=True) as engine, open_workers(jobs=jobs) as workers:
        for night in sorted(NIGHTS):
            failed += _run_one(engine, folder, night, report, workers)
    _tell_truth(folder / "products", report)
    _tell_more(folder, report)
    return 1 if failed else 0


def _run_one(engine: Engine, folder: Path, night: int, report: Report, workers: Workers) -> int:
    """One night: simulate, run, tell. Returns how many layers failed."""
    report(f"NIGHT {night}: these exposures arrive in {folder / 'inbox' / f'night{night}'}")
    paths = simulate_night(folder / "inbox" / f"night{night}", night)
    for line in describe_shots(NIGHTS[night]):
        report(f"  {line}")
    with engine.begin() as connection:
        policy = read_policy(connection)
    absolute = [str(path.absolute()) for path in paths]
    storyteller = _Storyteller(engine, paths, report)
    done = run_night(engine, absolute, folder / "products", policy, workers=workers, monitor=storyteller)
    for line in describe_night(done):
        report(f"  {line}")
    report("")
    return done.reconcile.failed


class _Storyteller(Monitor):
    """Tells, once the plan is known, what was registered and what is about to be done."""

    def __init__(self, engine: Engine, paths: Sequence[Path], report: Report) -> None:
        self._engine, self._paths, self._report = engine, paths, report

    def plan_known(self, n_layers: int, plan: Plan | None = None) -> None:
        """Tell the plan."""
        assert plan is not None  # a night has one
        _tell_refusals(self._engine, self._paths, self._report)
        self._report("What is stale now, and why:")
        for line in plan.layers:
            self._report(f"  {line.name}: {explain_line(line)}")
            self._report(f"    so: {_DOING[line.action]}")
        self._report(f"  {plan.fresh} layers are fresh and stay as they are. Making mosaics ...")


def describe_shots(shots: Sequence[Shot]) -> list[str]:
    """One line for each detector, filter and exposure time, with the number of exposures."""
    counts = Counter((s.optics.instrument, s.optics.detector, s.filter, s.exptime, s.optics.kind) for s in shots)
    return [
        f"{count} x {instrument.upper()}/{detector.upper()} {name}, {exptime:.1f} s ({kind.upper()})"
        for (instrument, detector, name, exptime, kind), count in counts.items()
    ]


def explain_line(line: PlannedLayer) -> str:
    """The reasons of one planned layer in words, with the exposures of one reason together."""
    exposures: dict[ReasonCode, list[str]] = {}
    details: dict[ReasonCode, str] = {}
    for reason in line.reasons:
        exposures.setdefault(reason.code, []).extend([reason.exposure] if reason.exposure else [])
        details[reason.code] = reason.detail
    phrases = []
    for code, names in exposures.items():
        about = ", ".join(names) or details[code]
        phrases.append(f"{code} ({about})" if about else str(code))
    return "; ".join(phrases)


def describe_night(done: NightReport) -> list[str]:
    """What a night did, in a few lines."""
    work = done.reconcile
    lines = [
        f"Done in {work.seconds:.0f} s: {work.drizzled} drizzled, {work.added} added to, {work.recanvased} padded, "
        f"{work.removed} removed, {work.failed} failed; {len(done.pollers)} poller files written."
    ]
    lines += [f"FAILED {outcome.layer}: {outcome.error}" for outcome in work.layers if outcome.error]
    return lines


def _tell_refusals(engine: Engine, paths: Sequence[Path], report: Report) -> None:
    with engine.begin() as connection:
        refused = load_refused(connection, [path.name[:8] for path in paths])
    report(f"Registered {len(paths)}, of which {len(refused)} cannot enter any layer.")
    for exposure in refused:
        report(f"  {exposure.ipppssoo} stays out: {exposure.rule} ({exposure.reason})")


def _tell_truth(products: Path, report: Report) -> None:
    report("The simulated stars are known. Measured in the mosaics:")
    catalog = stars()
    for product in sorted(products.glob("*/*_dr[cz].fits")):
        report(f"  {product.name}: {measure_stars(product, catalog)}")


def _tell_more(folder: Path, report: Report) -> None:
    cell = min(path.name for path in (folder / "products").iterdir() if path.is_dir())
    report("")
    report(f"Look further in {folder}:")
    report(f"  mvmdb --db {folder / 'mvm.db'} status")
    report(f"  mvmdb --db {folder / 'mvm.db'} explain {cell}")
    report(f"  mvmdb --db {folder / 'mvm.db'} nightly {folder / 'inbox'} -o {folder / 'products'}")
    report(f"  {folder / 'products' / cell}")
