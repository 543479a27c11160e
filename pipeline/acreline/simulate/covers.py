# SPDX-License-Identifier: Apache-2.0
"""What no canopy model knows: dead matter and shadow, then flowers, trees, roofs, straw, film, water, snow in order.

The spectra are levels of the right order of magnitude, as a Sentinel-2 pixel full of the thing shows at the ground;
the differences between the satellites' responses are far below their natural spread and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Each in the order of BANDS: B02 B03 B04 B08, B05 B06 B07 B8A B11 B12.
SEALED = np.array([0.110, 0.125, 0.135, 0.165, 0.145, 0.150, 0.155, 0.170, 0.190, 0.175], np.float32)
"""Roofs, roads and yards mixed, at soil brightness 1: a flat grey, rising slowly. Order of magnitude."""
STRAW = np.array([0.115, 0.163, 0.220, 0.320, 0.255, 0.280, 0.306, 0.330, 0.440, 0.315], np.float32)
"""Straw and stubble: 1.25 x the median of bare wheat and barley fields in July and August (WorldCereal sample of France
2023, MIT); B12 low beside B11 by the cellulose band at 2.1 um, as in Daughtry 2001."""
FILM = np.array([0.230, 0.250, 0.265, 0.320, 0.280, 0.290, 0.300, 0.325, 0.310, 0.240], np.float32)
"""Film of greenhouses and mulch with dust and ground seen through it. Order of magnitude."""
CLEAR_WATER = np.array([0.052, 0.058, 0.036, 0.017, 0.026, 0.018, 0.018, 0.014, 0.006, 0.004], np.float32)
TURBID_WATER = np.array([0.085, 0.120, 0.125, 0.050, 0.105, 0.062, 0.060, 0.042, 0.012, 0.008], np.float32)
"""Ponds and paddies: blue-green and dark when clear, brown when stirred up. Order of magnitude."""
SNOW = np.array([0.80, 0.80, 0.79, 0.75, 0.78, 0.77, 0.76, 0.73, 0.11, 0.09], np.float32)
"""Snow of some days: bright, and dark in the short-wave infrared, where ice absorbs. Order of magnitude."""
FLOWER = np.array([0.006, 0.070, 0.060, 0.030, 0.055, 0.030, 0.030, 0.030, 0.005, 0.005], np.float32)
"""What full yellow flower adds: B03 and B04 as in rapeseed at its peak, no blue; infrared by petals over leaves."""
STANDING_DEAD = np.array([0.082, 0.115, 0.160, 0.262, 0.190, 0.222, 0.246, 0.270, 0.300, 0.195], np.float32)
"""A ripe crop before the combine comes, its shadows within: median of cereals in June and July at NDVI 0.2 to 0.3 (the
same sample, n = 49), a little yellower, as there is green left in it."""
STEMS = 0.09
"""Share of stems, ears and dead leaves in what is seen of a closed green canopy. Order of magnitude."""
WHOLLY_BROWN = 0.75
"""Brown pigment at which all of a canopy looks dead: PROSPECT's pigment alone leaves the red of a ripe crop dark
and its infrared bright, and ripe crops are neither."""
OWN_SHADOW = np.array([0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.20, 0.20], np.float32)
"""What shadow between plants and rows takes from a closed canopy, more where leaf and stem water absorb; a canopy
without gaps and stems lacks it. This and the two above are set so that closed wheat, maize, soybean and ripe cereals
come near to medians of the WorldCereal sample of France 2023 (closed wheat: red 0.014 -> 0.025 for 0.031 measured,
infrared 0.52 -> 0.46 for 0.43; soybean: infrared 0.61 -> 0.53 for 0.53)."""
RIPE_COVER = 0.9
"""What a ripe crop covers more per leaf area than a green one: its ears and stalks are not in the leaf area. Set so
that ripe wheat comes to an NDVI below 0.3 before it is cut, as in the same sample."""
SHADE = np.array([0.72, 0.74, 0.74, 0.88, 0.76, 0.86, 0.88, 0.88, 0.82, 0.78], np.float32)
"""What crowns keep of a closed canopy's reflectance: they shade each other, most where leaves are dark."""

BRIGHT_RANGE = (0.4, 1.6)
"""The range of soil brightness; of open water it tells how much soil is stirred up."""


def tree_state(day: date) -> dict[str, float]:
    """The mean tree of tree rows and hills on a day: a third evergreen, leaves from April to early November.

    The northern temperate year; a canopy's inputs as `canopy.RANGES` names them, ground in its own shade.
    """
    leaf_out = _rise(day.timetuple().tm_yday, 108, 8)
    leaf_fall = _rise(day.timetuple().tm_yday, 308, 9)
    green = leaf_out * (1 - leaf_fall)
    autumn = _rise(day.timetuple().tm_yday, 290, 8) * (1 - leaf_fall)
    return {
        "lai": 0.5 + 4.0 * green,
        "ala": 50.0,
        "n_leaf": 1.7,
        "cab": 28.0 + 17.0 * green - 12.0 * autumn,
        "cw": 0.013,
        "cm": 0.009,
        "cbrown": 0.6 - 0.55 * green + 0.2 * autumn,
        "soil_bright": 0.6,
        "soil_wet": 0.4,
    }


def _rise(day_of_year: int, middle: float, width: float) -> float:
    """A logistic step from 0 to 1."""
    return float(1 / (1 + np.exp(-(day_of_year - middle) / width)))


def add_structure(field: Floats, lai: Floats, cbrown: Floats) -> None:
    """Give a canopy its stems, dead leaves and own shadow, in place; (band, pair).

    Args:
        field: reflectance of leaves over soil, (band, pair); overwritten.
        lai: leaf area, (pair,).
        cbrown: brown pigment, 0 to 1, (pair,).
    """
    brown = np.clip(cbrown / np.float32(WHOLLY_BROWN), 0, 1) ** np.float32(1.5)
    cover = 1 - np.exp(-(np.float32(0.5) + np.float32(RIPE_COVER) * brown) * np.maximum(lai, 0))
    dead = cover * (STEMS + (1 - STEMS) * brown)
    field *= 1 - dead - OWN_SHADOW[:, None] * (cover - dead)
    field += STANDING_DEAD[:, None] * dead


def lay_covers(field: Floats, trees: Floats, state: Mapping[str, Floats]) -> None:
    """Lay what is not leaf or soil over the field, in place; (band, pair).

    Args:
        field: reflectance of crop and soil, (band, pair); overwritten.
        trees: reflectance of a closed wood, (band,).
        state: names of `values.STATE` -> (pair,). Each share is of what is seen so far: the last laid hides the rest.
    """

    def lay(name: str, spectrum: Callable[[Floats], Floats]) -> None:
        """Only where there is any: most covers are on few pieces of ground."""
        here = np.flatnonzero(state[name] > 0)
        share = np.minimum(state[name][here], 1)
        bright = np.clip(state["soil_bright"][here], *BRIGHT_RANGE)
        field[:, here] += share * (spectrum(bright) - field[:, here])

    blooming = np.flatnonzero(state["flower"] > 0)
    field[:, blooming] += FLOWER[:, None] * np.minimum(state["flower"][blooming], 1)
    lay("wood", lambda _: trees[:, None])
    lay("sealed", lambda bright: SEALED[:, None] * bright)
    lay("straw", lambda bright: STRAW[:, None] * (0.3 + 0.7 * bright))
    lay("film", lambda _: FILM[:, None])
    lay("water", _water)
    lay("snow", lambda _: SNOW[:, None])


def _water(bright: Floats) -> Floats:
    """Open water over soil of a brightness, the more stirred up the brighter: (band, pair)."""
    stirred = (bright - BRIGHT_RANGE[0]) / (BRIGHT_RANGE[1] - BRIGHT_RANGE[0])
    return np.asarray(CLEAR_WATER[:, None] + stirred * (TURBID_WATER - CLEAR_WATER)[:, None], np.float32)
