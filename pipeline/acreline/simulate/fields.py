# SPDX-License-Identifier: Apache-2.0
"""Chance with a name: each room draws from a stream of its own, so that changing one never reshuffles another."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def chance(seed: int, *names: str | int) -> np.random.Generator:
    """A stream of random numbers that depends on the county's seed and these names alone.

    The names are hashed with SHA-256, so that the stream is the same on every machine and in every process.
    """
    digest = hashlib.sha256("/".join(str(part) for part in (seed, *names)).encode("utf-8")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def smooth_field(
    x: npt.NDArray[Any], y: npt.NDArray[Any], range_m: float, rng: np.random.Generator, waves: int = 48
) -> Floats:
    """A Gaussian random field of mean 0 and standard deviation 1 at any points.

    A sum of cosines with wave vectors drawn from the spectrum of the covariance exp(-d^2 / (2 range^2)) (random Fourier
    features, Rahimi and Recht 2007). More waves make it more nearly Gaussian and cost time in proportion.

    Args:
        x: metres east, any shape.
        y: metres north or south, shape of `x`.
        range_m: distance at which the correlation has fallen to 0.61, metres.
        rng: where the waves come from.
        waves: how many.

    Returns:
        float32 of the shape of `x`.
    """
    vectors = rng.normal(0.0, 1.0 / range_m, (waves, 2)).astype(np.float32)
    phases = rng.uniform(0.0, 2 * np.pi, waves).astype(np.float32)
    east, north = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)
    total = np.zeros(east.shape, np.float32)
    for (kx, ky), phase in zip(vectors, phases, strict=True):
        total += np.cos(kx * east + ky * north + phase)
    return total * np.float32(np.sqrt(2.0 / waves))


def step(x: npt.NDArray[Any] | float) -> Floats:
    """The logistic function 1 / (1 + exp(-x)) in single precision, quiet for any x."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))), dtype=np.float32)
