"""Solves for the motions of all exposures at once, so that matched sources coincide; files and matching are elsewhere.

Each exposure moves as a whole in one tangent plane: a shift, and as `fit` says a roll about its own centre and a scale.
A match of two exposures says that two moved positions are equal; a match with the reference says where one is. The sum
of squares is minimized by Gauss-Newton, with outliers left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.alignment.values import Fit

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLIP = 3.5
"""Sigma of an axis: of Gaussian residuals, 1 in 450 is longer than that."""
LEAST_SPREAD = 1e-4
"""arcsec: sigma below which nothing more is left out."""
_MEDIAN = 1.1774  # of the lengths of Gaussian residuals, in units of an axis's sigma
_ROUNDS = 6
_N_PARAMETERS: dict[Fit, int] = {"shift": 2, "rshift": 3, "rscale": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """Matched positions (n, 2) in arcsec of two exposures, by their numbers; `second` is None for the reference."""

    first: int
    second: int | None
    a: Float
    b: Float


@dataclass(frozen=True, slots=True, eq=False)
class Motions:
    """For m exposures: `parameters` (m, 4) are dx, dy in arcsec, roll in radians (north to east), and ln of the scale.

    `kept` says which matches of each link were used; `rms` (m,) is that of each exposure's residuals along an axis, in
    arcsec.
    """

    parameters: Float
    kept: tuple[Mask, ...]
    rms: Float


def solve_motions(links: Sequence[Link], centres: Float, anchors: Sequence[int], fit: Fit) -> Motions:
    """The motions of m exposures about `centres` (m, 2), in arcsec, that fit links best.

    All exposures must be connected by links. Without a link to the reference, the mean motion of `anchors` is 0.
    """
    parameters = np.zeros((len(centres), 4))
    kept = [np.full(len(link.a), True) for link in links]
    held = [] if any(link.second is None for link in links) else list(anchors)
    for _ in range(_ROUNDS):
        for _ in range(2):
            parameters = parameters + _step(links, kept, centres, parameters, held, _N_PARAMETERS[fit])
        residuals = [_residual(link, centres, parameters) for link in links]
        limits = _limits(residuals, kept)
        kept = [np.hypot(*residual.T) <= limit for residual, limit in zip(residuals, limits, strict=True)]
    return Motions(parameters, tuple(kept), _rms(links, residuals, kept, len(centres)))


def _limits(residuals: Sequence[Float], kept: Sequence[Mask]) -> list[float]:
    """How long a residual of each link may be: by the link's own median, as detectors and fields differ."""
    limits = []
    for residual, used in zip(residuals, kept, strict=True):
        lengths = np.hypot(*(residual[used] if used.any() else residual).T)
        limits.append(CLIP * max(float(np.median(lengths)) / _MEDIAN, LEAST_SPREAD))
    return limits


def _move(points: Float, centre: Float, parameters: Float) -> tuple[Float, Float]:
    """Moved positions, and the places relative to the centre that derivatives are taken from."""
    dx, dy, roll, stretch = parameters
    cosine, sine = np.exp(stretch) * np.cos(roll), np.exp(stretch) * np.sin(roll)
    turned = (points - centre) @ np.array([[cosine, -sine], [sine, cosine]])
    return turned + centre + [dx, dy], turned


def _residual(link: Link, centres: Float, parameters: Float) -> Float:
    """What is missing from the first exposure's moved positions to the second's, or to the reference."""
    moved, _ = _move(link.a, centres[link.first], parameters[link.first])
    if link.second is None:
        return link.b - moved
    other, _ = _move(link.b, centres[link.second], parameters[link.second])
    return other - moved


def _derivatives(turned: Float, n: int) -> Float:
    """(points, 2, n): by dx, dy, roll and ln of the scale, the first n of them."""
    xi, eta = turned.T
    one, zero = np.ones_like(xi), np.zeros_like(xi)
    columns = [np.stack(pair, axis=1) for pair in ((one, zero), (zero, one), (eta, -xi), (xi, eta))]
    return np.stack(columns[:n], axis=2)


def _step(
    links: Sequence[Link], kept: Sequence[Mask], centres: Float, parameters: Float, held: Sequence[int], n: int
) -> Float:
    """The change of parameters (m, 4) that solves the normal equations, with the mean of the held ones brought to 0."""
    m = len(centres)
    matrix, right = np.zeros((m, n, m, n)), np.zeros((m, n))
    for link, used in zip(links, kept, strict=True):
        residual = _residual(link, centres, parameters)[used]
        i, j = link.first, link.second
        ours = _derivatives(_move(link.a[used], centres[i], parameters[i])[1], n)
        right[i] += np.einsum("pak,pa->k", ours, residual)
        matrix[i, :, i] += np.einsum("pak,pal->kl", ours, ours)
        if j is None:
            continue
        theirs = _derivatives(_move(link.b[used], centres[j], parameters[j])[1], n)
        right[j] -= np.einsum("pak,pa->k", theirs, residual)
        matrix[j, :, j] += np.einsum("pak,pal->kl", theirs, theirs)
        across = np.einsum("pak,pal->kl", ours, theirs)
        matrix[i, :, j] -= across
        matrix[j, :, i] -= across.T
    for first in held:
        weight = np.abs(np.einsum("ikik->k", matrix)) / len(held) ** 2 + 1.0
        right[first] -= weight * parameters[list(held), :n].sum(axis=0)
        for second in held:
            matrix[first, range(n), second, range(n)] += weight
    change = np.zeros((m, 4))
    change[:, :n] = np.linalg.lstsq(matrix.reshape(m * n, m * n), right.ravel(), rcond=1e-13)[0].reshape(m, n)
    return change


def _rms(links: Sequence[Link], residuals: Sequence[Float], kept: Sequence[Mask], m: int) -> Float:
    squares, counts = np.zeros(m), np.zeros(m)
    for link, residual, used in zip(links, residuals, kept, strict=True):
        for number in (link.first, link.second):
            if number is not None:
                squares[number] += float((residual[used] ** 2).sum())
                counts[number] += 2 * np.count_nonzero(used)
    rms: Float = np.sqrt(squares / np.maximum(counts, 1))
    return rms
