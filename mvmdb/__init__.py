"""mvmdb: which Hubble multi-visit mosaics are out of date, why, and how to bring them up to date.

`open` opens an archive: its methods do what the commands do. `aperture_error`, `noise_correlation`, `contributors` and
`context_image` tell what follows from a mosaic's file alone. The functions that programs written for drizzlepac call
are here by name. All are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvmdb.archive import Archive, Pruning, context_image, contributors
    from mvmdb.archive import open_archive as open
    from mvmdb.compat import ProjectionCell, SkyCell, generate_poller_file, get_sky_cells, run_mvm_processing
    from mvmdb.errors import MvmdbError
    from mvmdb.mosaic.noise.aperture import aperture_error, noise_correlation

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "MvmdbError",
    "ProjectionCell",
    "Pruning",
    "SkyCell",
    "__version__",
    "aperture_error",
    "context_image",
    "contributors",
    "generate_poller_file",
    "get_sky_cells",
    "noise_correlation",
    "open",
    "run_mvm_processing",
]

_PLACES = {
    "Archive": ("mvmdb.archive", "Archive"),
    "MvmdbError": ("mvmdb.errors", "MvmdbError"),
    "Pruning": ("mvmdb.archive", "Pruning"),
    "aperture_error": ("mvmdb.mosaic.noise.aperture", "aperture_error"),
    "noise_correlation": ("mvmdb.mosaic.noise.aperture", "noise_correlation"),
    "context_image": ("mvmdb.archive", "context_image"),
    "contributors": ("mvmdb.archive", "contributors"),
    "open": ("mvmdb.archive", "open_archive"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mvmdb' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES.get(name, ("mvmdb.compat", name))
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
