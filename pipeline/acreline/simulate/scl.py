# SPDX-License-Identifier: Apache-2.0
"""The scene classification that comes with a simulated scene, with the errors that real ones make."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS_10M, BANDS_20M
from acreline.simulate.clouds import Clouds, power_field
from acreline.simulate.sky import PassSky
from acreline.simulate.values import Picture

Mask = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.float32]

SCL = 105
NO_DATA, SATURATED, DARK, SHADOW, VEGETATION, BARE, WATER = 0, 1, 2, 3, 4, 5, 6
UNCLASSIFIED, CLOUD, THICK_CLOUD, CIRRUS, SNOW = 7, 8, 9, 10, 11

CLOUD_DEPTH = 0.1
"""From here on there is a cloud that a perfect mask would show."""
THIN_DEPTH = 0.6
"""Below it a cloud is thin: it hides less than half of the land, and masks miss part of it."""
THICK_DEPTH = 1.5
SHADOW_DEPTH = 0.3
"""A quarter less direct light: the least that a perfect mask would show as shadow."""
BRIGHT = 0.22
"""Mean of B02, B03, B04 of plastic, concrete and the brightest soils; such land is now and then called cloud."""
DARK_SOIL = 0.13
"""B8A of wet soil; such land, as water, is now and then called shadow."""
BRIGHTEST = 1.5
"""Reflectance from which a sensor is saturated (glint on glass)."""


def true_clouds(clouds: Clouds) -> Mask:
    """Where a perfect mask would show cloud or cirrus."""
    return np.asarray((clouds.depth >= CLOUD_DEPTH * 0.999) | (clouds.cirrus >= CLOUD_DEPTH))


def true_shadow(clouds: Clouds) -> Mask:
    """Where a perfect mask would show shadow: shaded land that no cloud hides."""
    return np.asarray((clouds.shade >= SHADOW_DEPTH) & ~true_clouds(clouds))


def thin_clouds(clouds: Clouds) -> Mask:
    """The part of `true_clouds` that is thin."""
    return np.asarray(true_clouds(clouds) & (clouds.depth < THIN_DEPTH))


def shrink(mask: Mask, px: int) -> Mask:
    """A mask less a rim of some pixels; what touches the picture's border goes on beyond it."""
    for _ in range(px):
        wide = np.pad(mask, 1, mode="edge")
        mask = mask & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return mask


def classify(
    clear: Picture, seen: Picture, clouds: Clouds, state: PassSky, valid: Mask, seed: int
) -> npt.NDArray[np.uint8]:
    """The scene classes of one pass as a processor would give them.

    Args:
        clear: the land without clouds.
        seen: the picture with them.
        clouds: the true clouds.
        state: how large the errors are on this pass.
        valid: bool (height / 2, width / 2): in the swath.
        seed: the county's.

    Returns:
        uint8 (height / 2, width / 2): 0 no data, 1 saturated, 2 dark, 3 shadow, 4 vegetation, 5 bare, 6 water,
        7 unclassified, 8 cloud, 9 thick cloud, 10 cirrus, 11 snow.
    """
    draw = np.random.default_rng([seed, SCL, seen.overpass.time.toordinal(), seen.overpass.orbit])
    bands = on_20m(seen)
    scl = _surface(bands, draw)
    missed = patches(scl.shape, draw) < state.thin_omission
    missed_shadow = patches(scl.shape, draw) < state.shadow_omission
    invented = patches(scl.shape, draw) < state.bright_commission
    invented_shadow = patches(scl.shape, draw) < state.dark_commission

    ground = on_20m(clear)
    bright = (ground["B02"] + ground["B03"] + ground["B04"]) / 3 > BRIGHT
    dark = np.isin(scl, (WATER, DARK)) | (ground["B8A"] < DARK_SOIL)
    scl[invented_shadow & dark] = SHADOW
    scl[invented & bright & (scl != SNOW)] = CLOUD

    shadow = true_shadow(clouds) & ~missed_shadow
    scl[shadow] = SHADOW
    thin = thin_clouds(clouds)
    found = shrink(true_clouds(clouds), state.edge_loss_px) & ~(thin & missed)
    kind = np.where(clouds.depth >= THICK_DEPTH, THICK_CLOUD, CLOUD)
    kind = np.where((clouds.depth < CLOUD_DEPTH) | (clouds.cirrus > clouds.depth), CIRRUS, kind)
    scl[found] = kind[found]
    scl[np.max(list(bands.values()), axis=0) > BRIGHTEST] = SATURATED
    scl[~valid] = NO_DATA
    return scl


def on_20m(picture: Picture) -> dict[str, Cells]:
    """Every band on the 20 m grid, those of 10 m as the mean of four pixels."""
    count, height, width = picture.fine.shape
    mean = picture.fine.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)
    return dict(zip(BANDS_10M, mean, strict=True)) | dict(zip(BANDS_20M, picture.coarse, strict=True))


def patches(shape: tuple[int, ...], draw: np.random.Generator) -> Cells:
    """Numbers from 0 to 1, every share equally often, alike among neighbours: errors come in patches."""
    field = power_field((shape[0], shape[1]), draw, exponent=-2.0, smooth_px=1.0).ravel()
    ranks = np.empty(field.size, np.float32)
    ranks[np.argsort(field, kind="stable")] = (np.arange(field.size) + 0.5) / field.size
    return ranks.reshape(shape)


def _surface(bands: dict[str, Cells], draw: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Classes of what looks like land, from indices with noise; order of magnitude of Sen2Cor's thresholds."""
    shape = bands["B04"].shape

    def index(first: str, second: str) -> Cells:
        a, b = np.maximum(bands[first], 1e-3), np.maximum(bands[second], 1e-3)
        return np.asarray((a - b) / (a + b) + draw.normal(0, 0.03, shape), dtype=np.float32)

    ndvi, wet, snowy = index("B8A", "B04"), index("B03", "B8A"), index("B03", "B11")
    scl = np.full(shape, BARE, np.uint8)
    scl[ndvi > 0.25] = UNCLASSIFIED
    doubt = draw.random(shape)
    scl[(ndvi > 0.25) & (ndvi <= 0.35) & (doubt < 0.6)] = BARE
    scl[(ndvi > 0.35) | ((ndvi > 0.25) & (doubt > 0.8))] = VEGETATION
    scl[(bands["B8A"] < 0.08) & (ndvi < 0.4)] = DARK
    scl[(wet > 0.0) & (bands["B8A"] < 0.18) & (bands["B11"] < 0.12)] = WATER
    scl[(snowy > 0.42) & (bands["B03"] > 0.25) & (bands["B8A"] > 0.2)] = SNOW
    return scl
