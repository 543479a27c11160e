# SPDX-License-Identifier: Apache-2.0
"""Clouds, their shadows, cirrus and haze, laid over a clear picture."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS_10M, BANDS_20M
from acreline.simulate.sky import PassSky
from acreline.simulate.values import Overpass, Picture

Field = npt.NDArray[np.float32]

CLOUDS = 104
EXPONENT = -2.7
"""Of the two-dimensional power spectrum; a cut through it falls off with -1.7, as turbulence has it (-5/3)."""
CELL_M = 20
DOMAIN_PX = 512
"""Cover is a share of about ten kilometres of sky, so that a small county may lie in a gap or under a cloud."""
SMOOTH_PX = 1.5
EDGE_SIGMA = 0.7
"""Standard deviations of the field from a cloud's edge to its middle."""
CIRRUS_DEPTH = (0.05, 0.5)
DIFFUSE = 0.2
"""Share of the sun's light that comes through, or round, even a thick cloud; order of magnitude."""

# Per band: (reflectance of thick cloud, of cirrus; share of skylight in the light on the ground; wavelength, um).
# Water clouds are flat up to 1 um and darken in the two short-wave windows, ice more so (Gao and others 1998, orders of
# magnitude); skylight falls off from a third in blue to a twentieth at 2.2 um, so shadows are darkest there.
OPTICS: dict[str, tuple[float, float, float, float]] = {
    "B02": (0.64, 0.46, 0.33, 0.490),
    "B03": (0.62, 0.45, 0.27, 0.560),
    "B04": (0.62, 0.45, 0.21, 0.665),
    "B08": (0.64, 0.42, 0.13, 0.842),
    "B05": (0.62, 0.44, 0.19, 0.705),
    "B06": (0.63, 0.43, 0.17, 0.740),
    "B07": (0.64, 0.43, 0.15, 0.783),
    "B8A": (0.64, 0.42, 0.12, 0.865),
    "B11": (0.44, 0.20, 0.06, 1.610),
    "B12": (0.34, 0.16, 0.05, 2.190),
}
HAZE_REFLECTANCE = 0.22
HAZE_ANGSTROM = 1.3


@dataclass(frozen=True)
class Clouds:
    """What stands between the land and the satellite, on the 20 m grid: optical depths, (height / 2, width / 2)."""

    depth: Field
    """Low cloud above each cell, 0 where there is none."""
    cirrus: Field
    shade: Field
    """Low cloud between the cell and the sun."""


def power_field(
    shape: tuple[int, int],
    draw: np.random.Generator,
    *,
    exponent: float = EXPONENT,
    smooth_px: float = SMOOTH_PX,
    stretch: float = 1.0,
    along_deg: float = 0.0,
) -> Field:
    """A random field whose power falls off with wave number to an exponent; mean 0, standard deviation 1.

    Args:
        shape: (rows, columns); the field closes on itself.
        draw: random numbers.
        exponent: below 0: the lower, the larger the patches.
        smooth_px: blur (Gaussian, standard deviation), so that edges are not frayed pixel by pixel.
        stretch: how much longer patches are along `along_deg` (from the row's direction).
        along_deg: see there.
    """
    fr, fc = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    turn = math.radians(along_deg)
    along, across = math.cos(turn) * fc + math.sin(turn) * fr, math.cos(turn) * fr - math.sin(turn) * fc
    k2 = (along * stretch) ** 2 + across**2
    k2[0, 0] = np.inf
    weight = k2 ** (exponent / 4) * np.exp(-2 * (math.pi * smooth_px) ** 2 * np.minimum(k2, 1.0))
    field = np.fft.irfft2(np.fft.rfft2(draw.standard_normal(shape)) * weight, s=shape)
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def shadow_shift(overpass: Overpass, height_m: float) -> tuple[int, int]:
    """How far a cloud's shadow lies from it, away from the sun: (rows down, columns right) of 20 m."""
    far = height_m * math.tan(math.radians(overpass.sun_zenith_deg)) / CELL_M
    azimuth = math.radians(overpass.sun_azimuth_deg)
    return round(far * math.cos(azimuth)), round(-far * math.sin(azimuth))


def draw_clouds(state: PassSky, overpass: Overpass, shape: tuple[int, int], seed: int) -> Clouds:
    """The clouds of one pass and their shadows.

    Args:
        state: how cloudy it is.
        overpass: the sun decides where shadows fall.
        shape: (height / 2, width / 2) of the land.
        seed: the county's.
    """
    draw = np.random.default_rng([seed, CLOUDS, overpass.time.toordinal(), overpass.orbit])
    rows, cols = shape
    down, right = shadow_shift(overpass, state.height_m) if state.cover > 0 else (0, 0)
    side = _quick_length(max(rows + abs(down), cols + abs(right), DOMAIN_PX))
    top, left = max(down, 0), max(right, 0)
    depth = np.zeros((side, side), np.float32)
    if state.cover > 0:
        field = power_field((side, side), draw)
        edge, middle = state.depth
        start = np.quantile(field, 1 - state.cover) if state.cover < 1 else field.min()
        rise = np.clip((field - start) / EDGE_SIGMA, 0, 1)
        depth = np.where(field >= start, edge * (middle / edge) ** rise, 0).astype(np.float32)
    cirrus = np.zeros(shape, np.float32)
    if state.cirrus_cover > 0:
        wisps = power_field((side, side), draw, exponent=-3.2, stretch=4.0, along_deg=float(draw.uniform(0, 180)))
        start = np.quantile(wisps, 1 - state.cirrus_cover)
        thin, thick = CIRRUS_DEPTH
        rise = np.clip((wisps - start) / 1.5, 0, 1)
        cirrus = np.where(wisps >= start, thin + (thick - thin) * rise, 0).astype(np.float32)[:rows, :cols]
    shade = depth[top - down : top - down + rows, left - right : left - right + cols]
    return Clouds(depth[top : top + rows, left : left + cols], cirrus, shade)


def put_clouds(picture: Picture, clouds: Clouds, state: PassSky) -> Picture:
    """The picture with shadows on the land, then haze, clouds and cirrus over it.

    Each layer lets exp(-depth) of the light through and adds its own reflectance for the rest.
    """
    slant = 1 / max(math.cos(math.radians(picture.overpass.sun_zenith_deg)), 0.1)
    fine = dataclasses.replace(
        clouds, depth=double(clouds.depth), cirrus=double(clouds.cirrus), shade=double(clouds.shade)
    )
    return dataclasses.replace(
        picture,
        fine=_cover(picture.fine, BANDS_10M, fine, state, slant),
        coarse=_cover(picture.coarse, BANDS_20M, clouds, state, slant),
    )


def _cover(values: Field, bands: tuple[str, ...], clouds: Clouds, state: PassSky, slant: float) -> Field:
    sunlit = DIFFUSE + (1 - DIFFUSE) * np.exp(-clouds.shade * slant)
    through, veil = np.exp(-clouds.depth), np.exp(-clouds.cirrus)
    thickness = 0.75 + 0.25 * np.minimum(clouds.depth / state.depth[1], 1)  # thin cloud is greyer
    out = np.empty_like(values)
    for k, band in enumerate(bands):
        cloud, ice, skylight, micron = OPTICS[band]
        clear = math.exp(-state.haze_depth * (micron / 0.55) ** -HAZE_ANGSTROM)
        ground = values[k] * (skylight + (1 - skylight) * sunlit) * clear + HAZE_REFLECTANCE * (1 - clear)
        covered = ground * through + cloud * thickness * (1 - through)
        out[k] = covered * veil + ice * (1 - veil)
    return out


def double(values: Field) -> Field:
    """A 20 m field on the 10 m grid, between cells in straight lines: (y, x) -> (2 y, 2 x)."""
    for axis in (0, 1):
        ends = [(1, 1) if k == axis else (0, 0) for k in (0, 1)]
        wide = np.pad(values, ends, mode="edge")
        here = np.take(wide, np.arange(1, wide.shape[axis] - 1), axis)
        before = np.take(wide, np.arange(wide.shape[axis] - 2), axis)
        after = np.take(wide, np.arange(2, wide.shape[axis]), axis)
        pair = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis + 1)
        shape = list(values.shape)
        shape[axis] *= 2
        values = pair.reshape(shape).astype(np.float32)
    return values


def _quick_length(least: int) -> int:
    """The next length with no factor above 5, which Fourier transforms do fast."""
    length = least
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
