"""Makes drizzlepac's mosaics of one poller in the current folder; runs in drizzlepac's environment, without mvmdb.

    python run_peer.py POLLER [--static off] [--step 1] [--outlines true] [--parameters FILE]

drizzlepac chooses its own parameters, except for those given here. The installed package is not changed. The exposures
must lie in the current folder: drizzlepac writes to them.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import time
from importlib.metadata import version

# Read when drizzlepac is imported: it shall align no exposure anew and query no archive.
os.environ["ASTROMETRY_STEP_CONTROL"] = "off"

SIDE = 6  # vertices along a side of a corrected outline: spherical_geometry takes minutes for many


def override_parameters(product, changes):
    """Make drizzlepac call AstroDrizzle with these parameters changed, and all others as in its parameter set."""
    original = product.astrodrizzle.AstroDrizzle

    def with_changes(*args, **pars):
        if missing := changes.keys() - pars.keys():
            raise KeyError(f"the parameter set has no {', '.join(sorted(missing))}")
        return original(*args, **{**pars, **changes})

    product.astrodrizzle.AstroDrizzle = with_changes


def correct_outlines():
    """Give sky matching the true outlines of chips.

    `SphericalPolygon.from_wcs` of spherical_geometry 1.3.5 mistakes the rows of an array for its columns, so that a
    chip of 2051 x 4096 pixels gets the outline of one of 4096 x 2051.
    """
    import numpy as np
    from spherical_geometry.polygon import SphericalPolygon

    def trace(wcs, steps=1):
        rows, columns = wcs.array_shape
        t = np.linspace(0, 1, SIDE, endpoint=False)
        x, y = np.concatenate([t, t * 0 + 1, 1 - t, t * 0]), np.concatenate([t * 0, t, t * 0 + 1, 1 - t])
        ra, dec = wcs.all_pix2world(x * columns - 0.5, y * rows - 0.5, 0)
        return SphericalPolygon.from_lonlat(ra, dec)

    SphericalPolygon.from_wcs = staticmethod(trace)


def main():
    """Run drizzlepac on the poller and return its code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("poller")
    parser.add_argument("--static", choices=("on", "off"), default="on", help="the static mask")
    parser.add_argument("--step", type=int, default=10, help="pixels between the knots of the coordinate grid")
    parser.add_argument("--outlines", choices=("own", "true"), default="own", help="of chips, in sky matching")
    parser.add_argument("--parameters", help="a file to write drizzlepac's parameters to, in JSON")
    arguments = parser.parse_args()
    if not version("spherical_geometry").startswith("1.3."):  # with 1.4 sky matching falls back, silently
        raise SystemExit(f"spherical_geometry is {version('spherical_geometry')}; expected 1.3; install it here")
    from drizzlepac import hapmultisequencer
    from drizzlepac.haputils import product

    changes = {"stepsize": arguments.step}
    if arguments.static == "off":
        changes["static"] = False
    override_parameters(product, changes)
    if arguments.outlines == "true":
        correct_outlines()
    started = time.monotonic()
    code = hapmultisequencer.run_mvm_processing(
        arguments.poller, log_level=logging.INFO, output_custom_pars_file=arguments.parameters
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"drizzlepac: code {code}, {time.monotonic() - started:.1f} s, {peak:.2f} GB at most", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
