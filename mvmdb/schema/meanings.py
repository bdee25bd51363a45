"""What the catalog's views and their columns mean. Tables say it themselves, in the comments of tables.py."""

from __future__ import annotations

from mvmdb.schema.tables import event, layer, run


def _of_layer(*names: str) -> dict[str, str]:
    """Columns that a view passes on from the table `layer`."""
    return {name: str(layer.c[name].comment) for name in names}


_PRODUCT = {
    "path": "file of its product; null where there is none",
    "made_at_utc": "when its product was recorded, ISO 8601, UTC",
}
_OF_EVENT = ("kind", "exposure", "layer", "path", "detail", "reasons", "n_members", "seconds", "size", "memory_mb")
_NAMED = {"layer": "name of the layer", "skycell": "name of its sky cell"}

# A database keeps no comments on the columns of views, so their meanings are here; a test compares the names.
VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "coverage": (
        "One row per layer: what it covers, and how deeply.",
        {
            **_NAMED,
            "ra": "centre of the sky cell, degrees",
            "dec": "centre of the sky cell, degrees",
            **_of_layer("instrument", "detector", "filter", "scale", "n_exposures", "n_waiting"),
            **_of_layer("exptime", "expstart", "expend"),
            "programs": "HST program numbers of its members, joined with commas",
            "astrometric_catalogs": "astrometric catalogs of its members, joined with commas; null where none has one",
            **_of_layer("area_arcmin2", "mean_exposures", "frames", "mixed_arcmin2"),
            "expstart_utc": "start of its first exposure, ISO 8601, UTC",
            "expend_utc": "end of its last exposure, ISO 8601, UTC",
            **_PRODUCT,
        },
    ),
    "astrometry": (
        "One row per layer, frame, catalog and kind of fit: how many of its members have such a solution.",
        {
            **_NAMED,
            "frame": "what their positions are tied to: gaia, gsc240-apriori, none, ...; null where no file tells yet",
            "astrometric_catalog": "catalog of WCSNAME, or file of the reference catalog; null where there is none",
            "fit": "kind of fit of WCSNAME, such as FIT_REL or APRIORI, or ALIGNED by `align`; null for none",
            "n_exposures": "number of these members",
            "exptime": "their summed exposure time, seconds",
            **_of_layer("mixed_arcmin2"),
        },
    ),
    "history": (
        "One row per event: what happened, and in which run.",
        {
            "id": str(event.c.id.comment),
            "at_utc": "when, ISO 8601, UTC",
            **{name: str(event.c[name].comment) for name in _OF_EVENT},
            "run": str(event.c.run_id.comment),
            **{name: str(run.c[name].comment) for name in ("command", "username", "host")},
        },
    ),
    "stale_layer": (
        "One row per stale layer.",
        {
            **_NAMED,
            "reasons": "codes of its reasons, joined with commas",
            "n_exposures_concerned": "number of exposures that the reasons concern",
            "n_waiting": "number of its members without a file: while there are any, the layer waits for files",
            **_PRODUCT,
        },
    ),
    "stale_reason": (
        "One row per reason why a layer is stale.",
        {
            **_NAMED,
            "reason": "code of the reason, such as member-added",
            "exposure": "ipppssoo of the exposure that it concerns; null where it concerns the layer",
        },
    ),
}
"""Each view by its name: its meaning, and the meaning of each column in order."""
