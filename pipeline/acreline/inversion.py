# SPDX-License-Identifier: Apache-2.0
"""Leaf area, light caught and chlorophyll of a canopy, read back from its reflectance by a small network.

The network was fitted once by `data/build_inversion.py` to canopies of PROSPECT-D and 4SAIL, the models behind the
biophysical products of Sentinel-2 (Weiss and Baret 2016, S2ToolBox level 2 products, version 1.1). It reads eight
bands, without B02 (haze) and B08, and knows no crop: what it says of one field is comparable over the season.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError, InputError

Floats = npt.NDArray[np.float32]

COEFFICIENTS = Path(__file__).parent / "inversion.npz"
INPUT_BANDS = ("B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12")
STAND_IN = {"B8A": "B08"}
"""Where a source lacks a band, its neighbour is read: over a canopy the two differ by a few hundredths."""
FAPAR_MOST = 0.94
"""What a closed canopy absorbs of the light that plants can use (science 4.1)."""
PART = 65536
"""Rows worked on at once."""


@dataclass(frozen=True)
class Canopy:
    """What stands on the ground, (...,) each; NaN where a band is missing."""

    lai: Floats
    """Green leaf area over ground area, 0 to 8."""
    fapar: Floats
    """Share of the usable light that green leaves absorb, 0 to 0.94."""
    chlorophyll_g_per_m2: Floats
    """Chlorophyll a and b of all leaves over a square metre of ground."""


def invert_canopy(values: npt.NDArray[np.floating], bands: Sequence[str]) -> Canopy:
    """Read leaf area, light caught and chlorophyll from reflectance at the ground.

    Args:
        values: (..., band) reflectance 0 to 1, NaN where not measured.
        bands: names in their order, with at least `INPUT_BANDS`; B08 stands in where B8A is not there.

    Returns:
        the canopy; NaN where one of the bands read is NaN.

    Raises:
        InputError: bands are missing.
    """
    places = band_places(bands)
    flat = np.asarray(values, np.float32).reshape(-1, len(bands))[:, places]
    out = np.empty((len(flat), 3), np.float32)
    network = packaged_network()
    for start in range(0, len(flat), PART):
        rows = slice(start, start + PART)
        out[rows] = answers(network, flat[rows])
    shape = np.shape(values)[:-1]
    lai, fapar, chlorophyll = (out[:, k].reshape(shape) for k in range(3))
    return Canopy(lai, fapar, chlorophyll)


def band_places(bands: Sequence[str]) -> list[int]:
    """Places of the bands that are read.

    Raises:
        InputError: one is missing and nothing stands in for it.
    """
    chosen = [band if band in bands else STAND_IN.get(band, band) for band in INPUT_BANDS]
    missing = [band for band in chosen if band not in bands]
    if missing:
        raise InputError(
            f"leaf area: bands {', '.join(missing)} are missing; found {', '.join(bands)}",
            hint=f"give reflectance at the ground in {', '.join(INPUT_BANDS)} (B08 may stand in for B8A)",
        )
    return [list(bands).index(band) for band in chosen]


def lai_interval(lai: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Where nine tenths of the true leaf areas lie that are read as these, on drawn canopies; a field is no better."""
    read, low, high = packaged_network().lai_bounds
    return np.interp(lai, read, low).astype(np.float32), np.interp(lai, read, high).astype(np.float32)


@dataclass(frozen=True)
class Network:
    """The fitted network: three layers, and the middle and spread of what it reads."""

    weights: tuple[Floats, ...]
    """Three of (out, in)."""
    biases: tuple[Floats, ...]
    middle: Floats
    spread: Floats
    lai_bounds: Floats
    """(3, step): leaf area as it is read, and the 5th and 95th percentile of what it truly is."""


@cache
def packaged_network() -> Network:
    """The network that comes with the package."""
    return read_network(COEFFICIENTS)


def read_network(path: Path) -> Network:
    """Read the coefficients.

    Raises:
        ConfigError: the file is missing or is not one that `data/build_inversion.py` wrote.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            layers = range(3)
            return Network(
                tuple(stored[f"weight{k}"] for k in layers), tuple(stored[f"bias{k}"] for k in layers),
                stored["middle"], stored["spread"], stored["lai_bounds"],
            )  # fmt: skip
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as trouble:
        raise ConfigError(
            f"leaf area: the coefficients in {path.name} cannot be read: {type(trouble).__name__}: {trouble}",
            hint="install acreline again, or make the file with `python data/build_inversion.py`",
        ) from trouble


def features(values: Floats) -> Floats:
    """What the network reads of (n, band) in the order of `INPUT_BANDS`: (n, input)."""
    green, red, edge5, edge6, edge7, infrared, short11, short12 = values.clip(1e-4, 1.2).T
    ratios = [
        (infrared - red) / (infrared + red),
        (infrared - edge5) / (infrared + edge5),
        (infrared - short11) / (infrared + short11),
        (green - red) / (green + red),
        (short11 - short12) / (short11 + short12),
        edge7 / (edge7 + edge5),
        edge6 / (edge6 + edge5),
    ]
    return np.stack([*np.sqrt(values.clip(1e-4, 1.2)).T, *ratios], axis=1).astype(np.float32)


def answers(network: Network, values: Floats) -> Floats:
    """(n, band) -> (n, 3): leaf area, light caught, chlorophyll; NaN rows stay NaN."""
    hidden = (features(values) - network.middle) / network.spread
    for weight, bias in zip(network.weights[:2], network.biases[:2], strict=True):
        hidden = hidden @ weight.T + bias
        hidden /= np.sqrt(1 + np.square(hidden))  # plain arithmetic, the same on any processor
    told = hidden @ network.weights[2].T + network.biases[2]
    root_lai, fapar, root_chlorophyll = told.T
    out = np.stack([
        np.square(root_lai.clip(0, 8**0.5)), fapar.clip(0, FAPAR_MOST), np.square(root_chlorophyll.clip(0, 2.5)),
    ], axis=1)  # fmt: skip
    out[~np.isfinite(values).all(axis=1)] = np.nan
    return np.asarray(out, np.float32)
