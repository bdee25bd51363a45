"""`run_mvm_processing` with drizzlepac's arguments and codes; process.py makes the mosaics."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mvmdb.errors import ExposureError, MvmdbError, NothingViableError, UsageError
from mvmdb.exposures.eligibility import apply_switches
from mvmdb.jobs.report import ReconcileReport, failures
from mvmdb.mosaic.product.read import read_product
from mvmdb.parameters.read import Section, read_parameters, write_parameters
from mvmdb.process import Align, process_poller
from mvmdb.recipe import Method, Recipe, Shallow
from mvmdb.records import Frames, Policy
from mvmdb.remote.address import require_local
from mvmdb.sky.tessellation import PROJECTION_SIZE
from mvmdb.workers.choice import open_workers

log = logging.getLogger(__name__)

DONE = 0
FAILED = 1
KEYWORD_PROBLEM = 15
ONLY_SMALL = 55
NOTHING_VIABLE = 65
REFERENCE = "MVMDB_REFERENCE"
"""The variable of the environment that names the file of a reference catalog."""
PHOT_MODES = ("aperture", "segment", "both")


def run_mvm_processing(
    input_filename: str | os.PathLike[str],
    skip_gaia_alignment: bool = True,
    diagnostic_mode: bool = False,
    use_defaults_configs: bool = True,
    input_custom_pars_file: str | os.PathLike[str] | None = None,
    output_custom_pars_file: str | os.PathLike[str] | None = None,
    phot_mode: str = "both",
    custom_limits: Sequence[float] | None = None,
    output_file_prefix: str | None = None,
    log_level: int = logging.INFO,
    *,
    output: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    frames: Frames = "any",
    method: Method = "hap",
    shallow: Shallow | None = None,
) -> int:
    """Make the mosaics of one poller file, and return drizzlepac's code of the result.

    0: done. 1: something cannot be read, written or made, as the log says. 15: the keywords of an exposure cannot be
    used. 55: there are only ACS/HRC and ACS/SBC data, and MVM_INCLUDE_SMALL is off. 65: no exposure is viable.

    `skip_gaia_alignment`: False aligns all exposures together first, to the catalog in the file that MVMDB_REFERENCE
    names (as for `mvmdb align`), or without it to each other; nothing is fetched, and exposures are not changed. One
    with too few matches keeps its own solution, with a warning in the log. `diagnostic_mode`: log as with `log_level`
    DEBUG. `input_custom_pars_file`: drizzle parameters, in TOML or drizzlepac's JSON, of which the section
    `default_values` is read, or `parameters` if `use_defaults_configs` is False. `output_custom_pars_file`: a file of
    JSON that gets the parameters that were used. `phot_mode`: without effect, as in drizzlepac's MVM code.
    `custom_limits`: X0, X1, Y0, Y1 of a rectangle in 0-based fine pixels of the projection cell, which is made instead.
    `output_file_prefix`: None. `log_level`: the level of the logger `mvmdb` during the call.

    The poller may name addresses, `https://` or `s3://`; pixels are fetched into the cache of MVMDB_CACHE.

    mvmdb's own: the products go to `<output>/<skycell>/` (None: below the current folder). `jobs`: the number of worker
    processes (None: one per core). `frames`: layers are made of exposures of `any` astrometric frame, on `gaia` alone,
    or of the `same` frame, that of most of each layer's. `method`: mosaics as drizzlepac's (`hap`), or by mvmdb's own
    methods (`mvmdb`). `shallow`: those of a mean depth of one exposure without sky matching (`hap`), or with it
    (`match`); None: as the method has it.

    Raises UsageError for arguments that mvmdb cannot follow.
    """
    _check_arguments(
        skip_gaia_alignment, phot_mode, output_file_prefix, input_custom_pars_file, output_custom_pars_file
    )
    poller, folder = require_local(input_filename), require_local(output or ".")
    limits = _read_limits(custom_limits)
    section: Section = "default_values" if use_defaults_configs else "parameters"
    with _logging_at(logging.DEBUG if diagnostic_mode else log_level):
        try:
            given = None if input_custom_pars_file is None else read_parameters(input_custom_pars_file, section)
            policy = apply_switches(Policy(frames=frames, method=method, shallow=shallow or ""), os.environ)
            with open_workers(jobs=jobs) as workers:
                report = process_poller(
                    poller, folder, policy,
                    workers=workers, limits=limits, parameters=given,
                    align_first=None if skip_gaia_alignment else Align(os.environ.get(REFERENCE) or None),
                )  # fmt: skip
            if output_custom_pars_file is not None:
                write_parameters(output_custom_pars_file, _used_recipes(report))
        except UsageError:
            raise
        except NothingViableError as error:
            log.error("%s", error)
            return ONLY_SMALL if error.only_small else NOTHING_VIABLE
        except ExposureError as error:
            log.error("%s", error)
            return KEYWORD_PROBLEM
        except MvmdbError as error:
            log.error("%s", error)
            return FAILED
        for failure in failures(report.layers):
            log.error("%s", failure)
        return FAILED if report.failed else DONE


def _check_arguments(
    skip_gaia_alignment: object,
    phot_mode: str,
    output_file_prefix: str | None,
    pars: str | os.PathLike[str] | None,
    pars_out: str | os.PathLike[str] | None,
) -> None:
    if isinstance(skip_gaia_alignment, (str, os.PathLike)):
        raise UsageError(
            f"skip_gaia_alignment is {str(skip_gaia_alignment)!r}; expected True or False; "
            "the folder of products is output=..."
        )
    if phot_mode not in PHOT_MODES:
        raise UsageError(f"phot_mode is {phot_mode!r}; expected {', '.join(PHOT_MODES)}; none makes a source list")
    if output_file_prefix is not None:
        raise UsageError(
            f"output_file_prefix is {output_file_prefix!r}; expected None: mosaics without the name of their layer "
            "could not be found again; rename copies of them"
        )
    if pars is not None and pars_out is not None and os.path.abspath(pars) == os.path.abspath(pars_out):
        raise UsageError(f"the input and output parameters are both {pars}; expected two files; give another name")


def _read_limits(limits: Sequence[float] | None) -> tuple[int, int, int, int] | None:
    """First and last columns and rows, 1-based, from drizzlepac's 0-based limits.

    drizzlepac clips the upper limits to the number of pixels, which is one more than the last pixel.
    """
    if limits is None:
        return None
    try:
        x_min, x_max, y_min, y_max = (round(float(limit)) + 1 for limit in limits)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"custom_limits is {limits!r}; expected four numbers, X0, X1, Y0, Y1: 0-based pixels of the projection cell"
        ) from error
    return x_min, min(x_max, PROJECTION_SIZE), y_min, min(y_max, PROJECTION_SIZE)


@contextmanager
def _logging_at(level: int) -> Iterator[None]:
    logger = logging.getLogger("mvmdb")
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def _used_recipes(report: ReconcileReport) -> dict[str, Recipe]:
    """The recipes of the layers that were made, by name, as their mosaics say."""
    made = [outcome for outcome in report.layers if not outcome.error]
    return {outcome.layer: Recipe.from_json(read_product(outcome.product).recipe) for outcome in made}
