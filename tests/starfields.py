"""Star fields for tests, trailed or not, with cosmic rays or without: arrays of pixels, without a file."""

from __future__ import annotations

import numpy as np

_FINER = 4


def render_field(
    n_stars: int,
    *,
    trail: float = 0.0,
    angle: float = 0.0,
    sigma: float = 0.8,
    cosmic_rays: int = 0,
    size: int = 500,
    seed: int = 1,
) -> np.ndarray:
    """(size, size) float32 electrons: stars of `sigma` pixels, drawn out over `trail` pixels at `angle` degrees from x.

    Fluxes follow a power law. Cosmic rays are straight tracks of all directions and lengths, sharper than stars.
    """
    rng = np.random.default_rng(seed)
    flux = np.minimum(400 * (1 - rng.random(n_stars)) ** -1.1, 3e6)
    places = rng.uniform(12, size - 12, (n_stars, 2)) * _FINER
    fine = np.zeros((size * _FINER, size * _FINER))
    np.add.at(fine, tuple(places.astype(int).T), flux)
    y, x = np.fft.fftfreq(len(fine))[:, None] * _FINER, np.fft.rfftfreq(len(fine)) * _FINER  # cycles a pixel
    along = x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))
    blur = np.exp(-2 * (np.pi * sigma) ** 2 * (x**2 + y**2)) * np.sinc(along * trail)
    sharp = np.fft.irfft2(np.fft.rfft2(fine) * blur, fine.shape)
    image = sharp.reshape(size, _FINER, size, _FINER).sum(axis=(1, 3))
    image = rng.poisson(np.maximum(image, 0) + 50) + rng.normal(0, 15, image.shape)
    for _ in range(cosmic_rays):
        _add_track(image, rng)
    return image.astype(np.float32)


def _add_track(image: np.ndarray, rng: np.random.Generator) -> None:
    length, angle, electrons = rng.exponential(4), rng.uniform(0, np.pi), rng.exponential(2000) + 300
    start = rng.uniform(10, image.shape[0] - 10, 2)
    steps = max(1, int(3 * length))
    for step in np.linspace(-length / 2, length / 2, steps):
        x, y = (start + step * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.3, 2)).astype(int)
        if 2 <= x < image.shape[0] - 2 and 2 <= y < image.shape[0] - 2:
            image[y, x] += 0.8 * electrons / steps
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                image[y + dy, x + dx] += 0.05 * electrons / steps
