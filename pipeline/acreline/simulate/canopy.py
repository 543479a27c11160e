# SPDX-License-Identifier: Apache-2.0
"""How ground looks from above: a leaf canopy over soil by PROSPECT-D and 4SAIL, emulated by a small network.

`data/build_canopy.py` fits the network once; nothing of the models is needed to run it. The network answers three
numbers per band, and the ground's reflectance g enters by the models' own law (multiple reflection between canopy and
ground, Verhoef et al. 2007, eq. for rsot): reflectance = own + through * g / (1 - bounce * g). So any ground can lie
under a canopy, and bare ground is exactly itself.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS
from acreline.simulate.covers import SHADE, add_structure, lay_covers, tree_state
from acreline.simulate.values import STATE, Overpass

Floats = npt.NDArray[np.float32]

COEFFICIENTS = Path(__file__).parent / "canopy.npz"
CHUNK = 4096
"""Canopies worked on at once: small enough for a core's cache, and for memory whatever the county's size."""

RANGES = {
    "lai": (0.0, 8.0),
    "ala": (25.0, 75.0),
    "n_leaf": (1.2, 2.2),
    "cab": (3.0, 85.0),
    "car_ratio": (0.75, 1.6),  # carotenoids over a 4.5th of the chlorophyll
    "cw": (0.003, 0.04),
    "cm": (0.002, 0.014),
    "cbrown": (0.0, 1.0),
    "hot_spot": (0.05, 0.3),
    "sun_zenith_deg": (15.0, 75.0),
    "view_zenith_deg": (0.0, 10.3),
    "relative_azimuth_deg": (0.0, 180.0),
    "soil_bright": (0.4, 1.6),
    "soil_wet": (0.0, 1.0),
}
"""What the network was fitted on; values beyond are set to the nearest end, for a network knows nothing out there."""

# Both in the order of BANDS: B02 B03 B04 B08, B05 B06 B07 B8A B11 B12.
BARE_SOIL = np.array([0.107, 0.150, 0.197, 0.290, 0.228, 0.256, 0.277, 0.300, 0.385, 0.328])
"""Dry ground at brightness 1: medians of 503 bare looks (NDVI < 0.25) at fields of the WorldCereal sample of France
2023 (MIT), the dry months; B8A by its neighbours."""
WET_SHARE = np.array([0.50, 0.50, 0.52, 0.56, 0.53, 0.54, 0.55, 0.56, 0.45, 0.38])
"""What soaked ground keeps of that: the same fields in December to February; about half, less in the short-wave
infrared where water absorbs, as in Lobell and Asner 2002."""


RESPONSES = {"sentinel-2a": 0, "sentinel-2b": 1, "sentinel-2c": 0}
"""Whose spectral responses a platform has; those of 2C are not in hand and are taken as 2A's."""
HOT_SPOT = 0.1
"""Leaf size over canopy height: of field crops 0.05 to 0.3; the land's state does not tell it."""
YELLOWING = 0.5
"""Carotenoids fade later than chlorophyll: this much more of them, relative, in a brown canopy. Order of magnitude."""


@dataclass(frozen=True)
class Emulator:
    """The fitted network."""

    weights: tuple[Floats, ...]
    """Three of (out, in)."""
    biases: tuple[Floats, ...]
    """Three of (out,)."""
    soil: Floats
    """(dry or wet, satellite, band): reflectance of the ground at brightness 1."""


def read_emulator(path: Path) -> Emulator:
    """Read the coefficients.

    Raises:
        ConfigError: the file is missing or is not one that `data/build_canopy.py` wrote.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            weights = tuple(stored[f"weight{k}"] for k in range(3))
            biases = tuple(stored[f"bias{k}"] for k in range(3))
            return Emulator(weights, biases, stored["soil"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as trouble:
        raise ConfigError(
            f"The canopy coefficients in {path} cannot be read: {type(trouble).__name__}: {trouble}",
            hint="Install acreline again, or make the file with `python data/build_canopy.py` (extra `canopy`).",
        ) from trouble


@cache
def packaged_emulator() -> Emulator:
    """The network that comes with the package."""
    return read_emulator(COEFFICIENTS)


def canopy_reflectance(state: Mapping[str, Floats], overpass: Overpass) -> Floats:
    """Reflectance at the ground of every piece of it: (10, pair), in the order of `layers.BANDS`, 0 to 1.

    Args:
        state: every name of `values.STATE` -> (pair,).
        overpass: the sun's and the satellite's place, the day and the platform. Azimuths are those of sun and satellite
            as seen from the ground: the same azimuth is the bright side, with the sun behind the sensor.

    Raises:
        InputError: a name of the state is missing or of another length, or the platform is not known.
    """
    satellite = find_responses(overpass.platform)
    _check_state(state)
    emulator = packaged_emulator()
    angles = {
        "sun_zenith_deg": overpass.sun_zenith_deg,
        "view_zenith_deg": overpass.view_zenith_deg,
        "relative_azimuth_deg": relative_azimuth(overpass),
        "hot_spot": HOT_SPOT,
    }
    names = ("lai", "ala", "n_leaf", "cab", "cw", "cm", "cbrown", "soil_bright", "soil_wet")
    yellow = 1 + YELLOWING * np.clip(state["cbrown"], 0, 1)
    field = emulate(emulator, {**{name: state[name] for name in names}, "car_ratio": yellow, **angles}, satellite)
    tree = {**tree_state(overpass.time.date()), "car_ratio": 1.0, **angles}
    trees = emulate(emulator, tree, satellite)  # (band, 1)
    add_structure(field, state["lai"], state["cbrown"])
    add_structure(trees, np.array([tree["lai"]], np.float32), np.zeros(1, np.float32))
    lay_covers(field, trees[:, 0] * SHADE, state)
    return np.clip(field, 0, 1, out=field)


def relative_azimuth(overpass: Overpass) -> float:
    """Angle between the azimuths of sun and satellite: 0 (sun behind the sensor) to 180."""
    return abs((overpass.view_azimuth_deg - overpass.sun_azimuth_deg + 180) % 360 - 180)


def find_responses(platform: str) -> int:
    """The row of the emulator's answers that a platform reads.

    Raises:
        InputError: the platform is not known.
    """
    if platform not in RESPONSES:
        raise InputError(
            f"Overpass of platform {platform!r}: its spectral responses are not known.",
            hint=f"Name one of {', '.join(RESPONSES)}.",
        )
    return RESPONSES[platform]


def _check_state(state: Mapping[str, Floats]) -> None:
    """Refuse a state with a name missing or with columns of several lengths."""
    missing = [name for name in STATE if name not in state]
    if missing:
        raise InputError(
            f"The land's state lacks {', '.join(missing)}.",
            hint="Give every name of acreline.simulate.values.STATE, one number per piece of ground.",
        )
    shapes = {name: np.shape(state[name]) for name in STATE}
    if len(set(shapes.values())) > 1 or len(shapes["lai"]) != 1:
        odd = next(name for name in STATE if shapes[name] != shapes["lai"] or len(shapes[name]) != 1)
        raise InputError(
            f"The land's state has {odd} of shape {shapes[odd]} beside lai of shape {shapes['lai']}.",
            hint="Give each name as a plain column with one number per piece of ground.",
        )


def features(given: Mapping[str, Floats]) -> Floats:
    """What the network reads: (input, canopy), each input bent so that the reflectance is nearly straight in it.

    Args:
        given: the names of `RANGES` but the soil's -> (canopy,) or (), inside their ranges; `lai` is (canopy,).
    """
    lai, cbrown, lean = given["lai"], given["cbrown"], np.cos(np.deg2rad(given["ala"]))
    sun, view = np.cos(np.deg2rad(given["sun_zenith_deg"])), np.deg2rad(given["view_zenith_deg"])
    thin = np.exp(-lai / 6)
    half = np.square(thin) * thin
    columns = (
        half,  # exp(-lai / 2), about what a canopy lets through
        thin,
        np.square(half) * np.sqrt(thin),
        lean,
        np.square(lean),
        given["n_leaf"],
        np.sqrt(given["cab"]),
        np.log(given["cab"]),
        given["car_ratio"],
        np.log(given["cw"]),
        np.sqrt(given["cw"]),
        np.log(given["cm"]),
        np.sqrt(cbrown + np.float32(0.01)),
        cbrown,
        np.log(given["hot_spot"]),
        sun,
        np.square(sun),
        view * np.cos(np.deg2rad(given["relative_azimuth_deg"])),
        np.square(view),
    )
    out = np.empty((len(columns), lai.size), np.float32)
    for row, column in zip(out, columns, strict=True):
        row[:] = column
    return out


def emulate(emulator: Emulator, given: Mapping[str, Floats | float], satellite: int) -> Floats:
    """Reflectance of canopies over soil: (band, canopy), in the order of `layers.BANDS`.

    Args:
        emulator: the fitted network.
        given: every name of `RANGES` -> (canopy,), or one number for all (for `lai`, one canopy).
        satellite: 0 for Sentinel-2A's responses, 1 for 2B's.
    """
    inside = {name: np.clip(np.asarray(given[name], np.float32), *RANGES[name]) for name in RANGES}
    inside["lai"] = np.atleast_1d(inside["lai"])
    count = inside["lai"].size
    out = np.empty((len(BANDS), count), np.float32)
    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        part = {name: value[rows] if value.ndim else value for name, value in inside.items()}
        out[:, rows] = _emulate_chunk(emulator, part, satellite)
    return out


def _emulate_chunk(emulator: Emulator, part: Mapping[str, Floats], satellite: int) -> Floats:
    """One chunk: (band, canopy)."""
    bands = len(BANDS)
    mine = slice(3 * bands * satellite, 3 * bands * (satellite + 1))
    hidden = features(part)  # (input, canopy)
    for weight, bias in zip(emulator.weights[:2], emulator.biases[:2], strict=True):
        hidden = weight @ hidden
        hidden += bias[:, None]
        _squash(hidden)
    answer = emulator.weights[2][mine] @ hidden  # (3 x band, canopy)
    answer += emulator.biases[2][mine, None]
    closed = 1 - np.exp(-part["lai"])  # no leaves, no effect: bare ground stays itself
    own, through, bounce = answer.reshape(3, bands, -1)
    _squash(bounce)
    bounce += 1
    bounce *= 0.5 * closed
    through -= 1
    through *= closed
    through += 1
    own *= closed
    dry, wet = emulator.soil[:, satellite]
    ground = part["soil_bright"] * (dry[:, None] + (wet - dry)[:, None] * part["soil_wet"])
    bounce *= -ground
    bounce += 1
    through *= ground
    through /= bounce
    own += through
    return own


def _squash(values: Floats) -> None:
    """A smooth step from -1 to 1, in place: plain arithmetic, faster than tanh and the same on any processor."""
    scale = np.square(values)
    scale += 1
    np.sqrt(scale, out=scale)
    values /= scale
