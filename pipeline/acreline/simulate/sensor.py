# SPDX-License-Identifier: Apache-2.0
"""What the satellite makes of the ground on one pass: blur, shift, haze, gain and noise, at each band's own 10 or 20 m.

Levels are those of science on observation: a Gaussian point spread of modulation 0.25 at the Nyquist frequency, the
registration that ESA states for refined products, and what atmospheric correction commonly leaves behind. No clouds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS, BANDS_10M, PIXEL_M
from acreline.simulate.canopy import canopy_reflectance, relative_azimuth
from acreline.simulate.values import SUB, County, Overpass, Picture

Floats = npt.NDArray[np.float32]

CELL_M = PIXEL_M / SUB
PSF_SIGMA_PX = math.sqrt(-2 * math.log(0.25)) / math.pi
"""Of a pixel of the band's own size: a Gaussian's modulation at Nyquist, exp(-(pi sigma)^2 / 2), is 0.25 at 0.53."""
PSF_REACH = 3.5
"""Sigmas after which the point spread is cut: what is beyond weighs 5 in 10,000."""
WITHIN_ORBIT_M = 2.0
"""Registration from pass to pass, standard deviation per axis: 5 m at 95 % circular error (ESA notice, March 2021)."""
BETWEEN_ORBITS_M = math.sqrt(3.0**2 - WITHIN_ORBIT_M**2)
"""What an orbit adds to all its passes, so that passes of different orbits scatter by 3 m."""
HAZE_SIGMA, HAZE_DAYS, HAZE_MORE = 0.006, 0.15, 0.012
"""Reflectance at 550 nm left by the correction: its spread, the share of hazy passes, and their mean surplus."""
HAZE_EXPONENT = -1.3
BAND_NM = np.array([492.4, 559.8, 664.6, 832.8, 704.1, 740.5, 782.8, 864.7, 1613.7, 2202.4])
"""Centres of Sentinel-2A's bands, in the order of `layers.BANDS`."""
GAIN_PASS, GAIN_BAND = 0.02, 0.01
SIDE = np.array([0.015, 0.015, 0.015, 0.025, 0.015, 0.025, 0.025, 0.025, 0.02, 0.02])
"""How much brighter the side with the sun behind is at the swath's edge, beyond what the canopy model gives by itself
(red about 5 %, infrared 2 to 3 % in closed crops): half of the 3 % of B04 and 5 % of B08 that are seen in all."""
SWATH_EDGE_DEG = 10.3
NOISE = (0.002, 0.003)
STRIP_PX = 64
"""Rows sensed at once, even: bounds the painted land to some megabytes whatever the county's size."""


@dataclass(frozen=True)
class Air:
    """What one pass does to every pixel alike."""

    shift_m: tuple[float, float]
    """South and east: how far the pixel of this name lies from where the grid says."""
    haze: Floats
    """(band,): added reflectance."""
    gain: Floats
    """(band,): factor, the swath's side included."""
    noise: float
    """Standard deviation of white noise, reflectance."""


def sense(county: County, overpass: Overpass) -> Picture:
    """The county as the sensor sees it through clear air; the same county and pass give the same picture, always.

    Values may lie a little below 0 over dark water, as in products since baseline 04.00. Land beyond the window is
    taken as the land at its edge.
    """
    height, width = county.window.height, county.window.width
    ground = canopy_reflectance(county.states.on(overpass.time.date()), overpass)
    rng = np.random.default_rng(pass_seed(county.year_seed, overpass))
    air = draw_air(rng, county.year_seed, overpass)
    fine = sample_ground(ground[: len(BANDS_10M)], county.pairs.cell, SUB, air.shift_m)
    coarse = sample_ground(ground[len(BANDS_10M) :], county.pairs.cell, 2 * SUB, air.shift_m)
    assert fine.shape[1:] == (height, width), "Pairs.cell is not of the window's size"
    for values, bands in ((fine, slice(0, len(BANDS_10M))), (coarse, slice(len(BANDS_10M), len(BANDS)))):
        values *= air.gain[bands, None, None]
        values += air.haze[bands, None, None]
        values += np.float32(air.noise) * rng.standard_normal(values.shape, dtype=np.float32)
    return Picture(overpass, fine, coarse)


def pass_seed(seed: int, overpass: Overpass) -> list[int]:
    """What the pass's own random numbers start from: no pass depends on which others were sensed."""
    return [seed, int(overpass.time.timestamp()), *overpass.platform.encode()]


def draw_air(rng: np.random.Generator, seed: int, overpass: Overpass) -> Air:
    """Draw what this pass does to all pixels: registration, haze, gain and noise."""
    orbit = np.random.default_rng([seed, overpass.orbit]).normal(0, BETWEEN_ORBITS_M, 2)
    south, east = orbit + rng.normal(0, WITHIN_ORBIT_M, 2)
    amount = rng.normal(0, HAZE_SIGMA) + (rng.exponential(HAZE_MORE) if rng.random() < HAZE_DAYS else 0.0)
    gain = rng.normal(1, GAIN_PASS) * rng.normal(1, GAIN_BAND, len(BANDS))
    haze = amount * (BAND_NM / 550) ** HAZE_EXPONENT
    return Air(
        shift_m=(float(south), float(east)),
        haze=haze.astype(np.float32),
        gain=(gain * side_factor(overpass)).astype(np.float32),
        noise=float(rng.uniform(*NOISE)),
    )


def side_factor(overpass: Overpass) -> npt.NDArray[np.float64]:
    """Brighter with the sun behind the sensor, darker against it, growing towards the swath's edge: (band,)."""
    lean = min(overpass.view_zenith_deg / SWATH_EDGE_DEG, 1.0) * math.cos(math.radians(relative_azimuth(overpass)))
    return np.asarray(1 + SIDE * lean, np.float64)


def sample_ground(reflectance: Floats, cell: npt.NDArray[np.int32], step: int, shift_m: tuple[float, float]) -> Floats:
    """Paint the pieces on the fine grid, blur by the sensor's point spread and sample at the pixels' centres.

    Args:
        reflectance: (band, pair).
        cell: (SUB * height, SUB * width): the pair each sub-cell belongs to; sides divisible by `step`.
        step: sub-cells along a pixel of these bands: SUB at 10 m, 2 SUB at 20 m.
        shift_m: how far south and east of its place on the grid each pixel really looks.

    Returns:
        (band, rows / step, columns / step).
    """
    rows, columns = cell.shape[0] // step, cell.shape[1] // step
    out = np.empty((len(reflectance), rows, columns), np.float32)
    (first_y, weight_y), (first_x, weight_x) = (point_spread(step, shift / CELL_M) for shift in shift_m)
    around = np.clip(np.arange(first_x, first_x + (columns - 1) * step + len(weight_x)), 0, cell.shape[1] - 1)
    strip = max(1, STRIP_PX * SUB // step)
    for top in range(0, rows, strip):
        count = min(strip, rows - top)
        start = top * step + first_y
        below = np.clip(np.arange(start, start + (count - 1) * step + len(weight_y)), 0, cell.shape[0] - 1)
        land = cell[below][:, around]
        for band, values in enumerate(reflectance):
            painted = values[land]
            stacked = _weigh(painted, weight_y, step, count)  # (count, sub-columns)
            out[band, top : top + count] = _weigh(stacked.T, weight_x, step, columns).T
    return out


def point_spread(step: int, shift_cells: float) -> tuple[int, Floats]:
    """Weights of the sub-cells along one axis for the pixel at the start: (first sub-cell, (cell,) that sum to 1).

    The Gaussian is integrated over each sub-cell, so that a shift by a part of a cell is exact.
    """
    sigma = PSF_SIGMA_PX * step
    centre = step / 2 + shift_cells
    first = math.floor(centre - PSF_REACH * sigma)
    edges = np.arange(first, math.ceil(centre + PSF_REACH * sigma) + 1)
    below = np.array([math.erf((edge - centre) / (sigma * math.sqrt(2))) for edge in edges])
    weights = np.diff(below)
    return first, (weights / weights.sum()).astype(np.float32)


def _weigh(values: Floats, weights: Floats, step: int, count: int) -> Floats:
    """Weighted sums along the first axis, one for every `step` rows: (rows, n) -> (count, n)."""
    out = weights[0] * values[: (count - 1) * step + 1 : step]
    for k in range(1, len(weights)):
        out += weights[k] * values[k : k + (count - 1) * step + 1 : step]
    return np.asarray(out, np.float32)
