"""What the catalog's views and their columns mean. Tables say it themselves, in the comments of tables.py."""

from __future__ import annotations

from mvmdb.schema.tables import APART_PIXELS, event, layer, run, shift_pair, sky_pair


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
    "misaligned": (
        f"One row per layer and pair of its members that lie {APART_PIXELS} pixels apart or more, as layers use them.",
        {
            **_NAMED,
            "first": "ipppssoo of the exposure with the lower identity",
            "second": "ipppssoo of the exposure that overlaps it",
            "first_frame": "what the positions of the first are tied to: gaia, gsc240-apriori, none, ...",
            "second_frame": "what the positions of the second are tied to",
            "dx": str(shift_pair.c.left_dx.comment).partition(";")[0],
            "dy": str(shift_pair.c.left_dy.comment).partition(";")[0],
            "apart_pixels": "length of both in pixels of the exposures",
            "error": "error of dx and of dy, 1 sigma, arcsec",
            **{name: str(shift_pair.c[name].comment) for name in ("n_sources", "overlap_arcmin2")},
        },
    ),
    "photometry": (
        "One row per layer whose members have different PHOTFLAM.",
        {
            **_NAMED,
            **_of_layer("n_exposures"),
            "n_without": "number of these without PHOTFLAM: they are taken as the others' reference",
            "photflam_min": "least PHOTFLAM of its members, erg/cm2/Angstrom/electron",
            "photflam_max": "greatest PHOTFLAM of its members, erg/cm2/Angstrom/electron",
            "difference_percent": "how much greater the greatest is than the least, percent",
            "photscale_min": "least factor of a member's electrons in its product; 1 to 1: members were not scaled to "
            "each other; null without a product",
            "photscale_max": "greatest factor of a member's electrons in its product",
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
    "obscore": (
        "One row per eligible exposure and per intact mosaic, as the IVOA's ObsCore 1.1 describes observations.",
        {
            "dataproduct_type": "image",
            "calib_level": "2 for an exposure, 3 for a mosaic",
            "obs_collection": "HST for an exposure, HAP-MVM for a mosaic",
            "obs_id": "ROOTNAME of the exposure, or name of the layer",
            "obs_publisher_did": "identifier of the dataset; a publisher replaces its authority, mvmdb.local",
            "access_url": "URL of the file; null without one",
            "access_format": "its media type; null without a file",
            "access_estsize": "its size, kilobytes",
            "target_name": "TARGNAME of the exposure, or sky cell of the mosaic",
            "s_ra": "centre of the exposure's footprint or of the mosaic's sky cell, degrees",
            "s_dec": "centre of the exposure's footprint or of the mosaic's sky cell, degrees",
            "s_fov": "diagonal of the detector's field or of the sky cell, degrees",
            "s_region": "footprint of the exposure, or circle around the mosaic's sky cell, STC-S",
            "s_resolution": "width of the diffraction pattern or two pixels, whichever is more, arcsec",
            "s_xel1": "columns of the mosaic; null for an exposure",
            "s_xel2": "rows of the mosaic; null for an exposure",
            "t_min": "start of the exposure or of the mosaic's first, MJD",
            "t_max": "end of the exposure or of the mosaic's last, MJD",
            "t_exptime": "exposure time, summed over a mosaic's members, seconds",
            "t_resolution": "exposure time of the exposure; null for a mosaic, seconds",
            "t_xel": "1: one image in time",
            "em_min": "shortest wavelength of the filter's band, metres",
            "em_max": "longest wavelength of the filter's band, metres",
            "em_res_power": "pivot wavelength of the filter over the width of its band",
            "em_xel": "1: one band",
            "o_ucd": "UCD of the pixels: counts",
            "pol_states": "null: no Stokes parameter was measured",
            "pol_xel": "1 behind a polariser, else 0",
            "facility_name": "HST",
            "instrument_name": "instrument and detector, joined by /",
        },
    ),
    "seam": (
        "One row per mosaic and measured pair of its members: what its skies leave of their difference.",
        {
            **_NAMED,
            "first_exposure": "ipppssoo of the exposure with the lower identity",
            "second_exposure": "ipppssoo of the exposure that overlaps it",
            "difference": "measured sky of the first minus that of the second, electrons/s/arcsec^2",
            "residual": "what is left of it when the skies of the mosaic are subtracted, electrons/s/arcsec^2",
            "error": "standard deviation of difference; null where it is not known, electrons/s/arcsec^2",
            "sigma": "size of residual in standard deviations; null where these are not known",
            "pixels": "pixels of the first exposure that it was measured from",
            "overlap_arcmin2": "area of these pixels; null where it is not known, square arcmin",
            **_of_layer("mean_exposures"),
            "gradient": "change of difference between halves of the overlap; null if unknown, electrons/s/arcsec^2",
            "gradient_sigma": "gradient in standard deviations; null if unknown",
            "looks_like_gradient": "whether these are 5 or more; gradients that both exposures share leave none",
            "measure": str(sky_pair.c.measure.comment),
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
