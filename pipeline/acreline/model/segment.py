# SPDX-License-Identifier: Apache-2.0
"""From a cube to maps: the network runs on fixed cells of the tile, so a pixel never depends on how the land is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from acreline.config import SeasonSettings
from acreline.cubes import SATURATED, bin_series
from acreline.doors import check_maps
from acreline.layers import (
    BANDS_10M,
    BANDS_20M,
    CELL_PX,
    DN_OFFSET,
    DN_SCALE,
    HALO_PX,
    LOGP_SCALE,
    PIXEL_M,
    SLOTS,
    Block,
    Cube,
    Maps,
    TimeAxis,
    Weather,
)
from acreline.model.card import Model

TILE_PX = 32
"""Embeddings are made in squares of this size: a cube's window starts and ends on whole ones."""
REACH_PX = HALO_PX - 8
"""What the spatial part sees beside a cell. The outer 8 of the halo's pixels are left out: clouds grow by 6 pixels,
so there the clear mask would depend on where the window ends."""
LOGP_MIN = -32768


def segment_cube(
    cube: Cube, model: Model, block: Block, weather: Weather | None = None, *, season: SeasonSettings | None = None
) -> Maps:
    """Say for each pixel what grows there and how it fares, with log-probabilities.

    Cells of the tile that no parcel of the block touches are skipped and stay `valid` = false. The same pixel gets the
    same bits in any block: cells and shapes are fixed, one thread, one order.

    Args:
        cube: pixels of `block.read_window`; what lies outside it counts as never seen.
        model: network and card.
        block: the window to paint, with its parcels; without parcels everything is painted.
        weather: kept for models on thermal time; a calendar axis does not need it.
        season: the region's season, which names the crop year. Without it the year is taken from the first look.

    Returns:
        Maps over the block's window: see `check_maps`. `crop` is 0 (unknown) where a pixel was never seen clearly, or
        where the network gave no number.

    Raises:
        ContractError: the maps do not keep what `check_maps` asks.
    """
    card = model.card
    axis = card.axis.of(season.end.year if season is not None else harvest_year(cube, model))
    crops, healths = len(card.crop_classes), len(card.health_classes)
    layers: dict[str, npt.NDArray[np.generic]] = {
        "crop_logp": np.full((crops, block.height, block.width), _uniform(crops), np.int16),
        "health_logp": np.full((healths, block.height, block.width), _uniform(healths), np.int16),
        "crop": np.zeros((len(SLOTS), block.height, block.width), np.uint8),
    }
    for name, dtype in _FLAT.items():
        layers[name] = np.zeros((block.height, block.width), dtype)
    embeddings: dict[tuple[int, int], torch.Tensor] = {}
    with torch.inference_mode(), _one_thread():
        for row, col in _cells(block):
            looks = _clear_looks(cube, row, col, CELL_PX)
            if not looks.any():
                continue
            y = _surroundings(cube, model, axis, row, col, embeddings)
            inner = slice(REACH_PX, REACH_PX + CELL_PX)
            logits = [part[0, :, inner, inner].numpy() for part in model.net.decode(y)]
            painted = _paint(logits[0], logits[1], looks, model)
            _insert(layers, painted, row, col, block)
    return check_maps(_as_maps(layers, model, block))


_FLAT = {
    "crop_confidence": np.uint8,
    "health": np.uint8,
    "health_confidence": np.uint8,
    "clear_looks": np.uint16,
    "valid": np.bool_,
}


def _paint(
    crop_logits: npt.NDArray[np.float32],
    health_logits: npt.NDArray[np.float32],
    looks: npt.NDArray[np.uint16],
    model: Model,
) -> dict[str, npt.NDArray[np.generic]]:
    """Logits (class, y, x) of one cell -> its layers; whatever is not a number becomes unknown."""
    card = model.card
    crop_logp, crop_known = log_probability_x1024(crop_logits)
    health_logp, health_known = log_probability_x1024(health_logits)
    valid = looks > 0
    known = valid & crop_known & health_known
    crop_logp = np.where(known, crop_logp, _uniform(len(crop_logp))).astype(np.int16)
    health_logp = np.where(known, health_logp, _uniform(len(health_logp))).astype(np.int16)
    best = crop_logp.argmax(axis=0)
    slots = np.array([[slot in card.crop_slots[name] for name in card.crop_classes] for slot in SLOTS])
    return {
        "crop_logp": crop_logp,
        "health_logp": health_logp,
        "crop": np.where(known & slots[:, best], best + 1, 0).astype(np.uint8),
        "crop_confidence": np.where(known, confidence_percent(crop_logp, card.temperature), 0).astype(np.uint8),
        "health": np.where(known, health_logp.argmax(axis=0) + 1, 0).astype(np.uint8),
        "health_confidence": np.where(known, confidence_percent(health_logp, 1.0), 0).astype(np.uint8),
        "clear_looks": looks,
        "valid": valid,
    }


def log_probability_x1024(
    logits: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Logits (class, ...) -> log-probability x 1024 as int16, and where every logit is a number."""
    known: npt.NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(logits), axis=0)
    safe = np.where(known, logits, 0).astype(np.float64)
    safe -= safe.max(axis=0)
    logp = safe - np.log(np.exp(safe).sum(axis=0))
    return np.clip(np.rint(logp * LOGP_SCALE), LOGP_MIN, 0).astype(np.int16), known


def confidence_percent(logp: npt.NDArray[np.int16], temperature: float) -> npt.NDArray[np.float64]:
    """Calibrated probability of the best class in percent, rounded half to even, from the stored integers."""
    scaled = logp.astype(np.float64) / (LOGP_SCALE * temperature)
    scaled -= scaled.max(axis=0)
    percent: npt.NDArray[np.float64] = np.rint(100 / np.exp(scaled).sum(axis=0))
    return percent


def binned_window(
    cube: Cube, bands: tuple[str, ...], axis: TimeAxis, row: int, col: int, size_px: int
) -> npt.NDArray[np.float32]:
    """Network input of a square of the tile.

    Where all bands are native 20 m bands, the grid is 20 m: the four 10 m pixels of a 20 m pixel are equal then, and a
    quarter of the work says the same. Such a pixel counts as seen when all four are clear.

    Returns:
        float32 (bin, band + 2, y, x) of size_px pixels, or half as many on the 20 m grid; never seen outside the cube.
    """
    coarse = all(band in BANDS_20M for band in bands)
    factor = 2 if coarse else 1
    times = cube["time"].values
    values = np.zeros((len(times), len(bands), size_px // factor, size_px // factor), np.uint16)
    clear = np.zeros((len(times), size_px, size_px), np.bool_)
    top, left = row - int(cube.attrs["row"]), col - int(cube.attrs["col"])
    _copy_window(cube["clear"].values, clear, top, left)
    for channel, band in enumerate(bands):
        if coarse:
            source = cube["dn20"].values[:, BANDS_20M.index(band)]
            _copy_window(source, values[:, channel], top // 2, left // 2)
        elif band in BANDS_10M:
            _copy_window(cube["dn10"].values[:, BANDS_10M.index(band)], values[:, channel], top, left)
        else:
            half = np.zeros((len(times), size_px // 2, size_px // 2), np.uint16)
            _copy_window(cube["dn20"].values[:, BANDS_20M.index(band)], half, top // 2, left // 2)
            values[:, channel] = np.repeat(np.repeat(half, 2, axis=1), 2, axis=2)
    if coarse:
        clear = np.logical_and.reduce(clear.reshape(len(times), size_px // 2, 2, size_px // 2, 2), axis=(2, 4))
    measured = np.logical_and.reduce((values != 0) & (values != SATURATED), axis=1)
    return bin_series(as_reflectance(values), clear & measured, times, axis)


def as_reflectance(dn: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """A cube's numbers -> reflectance clipped to 0 ... 1, as the network was taught."""
    share: npt.NDArray[np.float32] = (dn.astype(np.float32) - np.float32(DN_OFFSET)) * np.float32(DN_SCALE)
    return share.clip(0, 1)


def _surroundings(
    cube: Cube, model: Model, axis: TimeAxis, row: int, col: int, made: dict[tuple[int, int], torch.Tensor]
) -> torch.Tensor:
    """Embeddings of a cell and its reach, (1, d, h, w), put together from fixed squares that are made once each."""
    size = CELL_PX + 2 * HALO_PX
    rows = []
    for top in range(row - HALO_PX, row - HALO_PX + size, TILE_PX):
        line = []
        for left in range(col - HALO_PX, col - HALO_PX + size, TILE_PX):
            if (top, left) not in made:
                x = torch.from_numpy(binned_window(cube, model.card.bands, axis, top, left, TILE_PX))[None]
                made[top, left] = model.net.embed(x)
            line.append(made[top, left])
        rows.append(torch.cat(line, dim=3))
    y = torch.cat(rows, dim=2)
    if y.shape[-1] != size:  # bands of 20 m: the embedding of a 20 m pixel is that of its four 10 m pixels
        y = y.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    margin = HALO_PX - REACH_PX
    return y[:, :, margin : size - margin, margin : size - margin].contiguous()


def _cells(block: Block) -> Iterator[tuple[int, int]]:
    """Upper-left tile pixels of the network cells that lie in the block and touch one of its parcels."""
    touched = set(zip((block.coverage.row // CELL_PX).tolist(), (block.coverage.col // CELL_PX).tolist(), strict=True))
    for row in range(block.row // CELL_PX, -(-(block.row + block.height) // CELL_PX)):
        for col in range(block.col // CELL_PX, -(-(block.col + block.width) // CELL_PX)):
            if not touched or (row, col) in touched:
                yield row * CELL_PX, col * CELL_PX


def _clear_looks(cube: Cube, row: int, col: int, size_px: int) -> npt.NDArray[np.uint16]:
    clear = np.zeros((cube.sizes["time"], size_px, size_px), np.bool_)
    _copy_window(cube["clear"].values, clear, row - int(cube.attrs["row"]), col - int(cube.attrs["col"]))
    looks: npt.NDArray[np.uint16] = np.add.reduce(clear, axis=0, dtype=np.uint16)
    return looks


def _copy_window(source: npt.NDArray[np.generic], target: npt.NDArray[np.generic], top: int, left: int) -> None:
    """Copy the window of `source` that starts at (top, left) into `target`; what lies outside is left as it is."""
    height, width = target.shape[-2:]
    rows = slice(max(top, 0), min(top + height, source.shape[-2]))
    cols = slice(max(left, 0), min(left + width, source.shape[-1]))
    if rows.start < rows.stop and cols.start < cols.stop:
        target[..., rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = source[..., rows, cols]


def _insert(
    layers: dict[str, npt.NDArray[np.generic]],
    painted: dict[str, npt.NDArray[np.generic]],
    row: int,
    col: int,
    block: Block,
) -> None:
    """Put a cell's layers where they belong in the block's window."""
    top, left = max(row, block.row), max(col, block.col)
    bottom = min(row + CELL_PX, block.row + block.height)
    right = min(col + CELL_PX, block.col + block.width)
    for name, layer in layers.items():
        part = painted[name][..., top - row : bottom - row, left - col : right - col]
        layer[..., top - block.row : bottom - block.row, left - block.col : right - block.col] = part


def _as_maps(layers: dict[str, npt.NDArray[np.generic]], model: Model, block: Block) -> xr.Dataset:
    dims = {"crop": "slot", "crop_logp": "crop_class", "health_logp": "health_class"}
    x = block.origin_x + (block.col + np.arange(block.width) + 0.5) * PIXEL_M
    y = block.origin_y - (block.row + np.arange(block.height) + 0.5) * PIXEL_M
    return xr.Dataset(
        {name: ((dims[name], "y", "x") if name in dims else ("y", "x"), layer) for name, layer in layers.items()},
        coords={
            "y": y,
            "x": x,
            "slot": list(SLOTS),
            "crop_class": list(model.card.crop_classes),
            "health_class": list(model.card.health_classes),
        },
        attrs={
            "crs": block.crs,
            "tile": block.tile,
            "row": block.row,
            "col": block.col,
            "origin_x": block.origin_x,
            "origin_y": block.origin_y,
            "crop_codes": model.card.crop_codes,
            "health_codes": model.card.health_codes,
            "model": model.card.name,
            "model_digest": model.digest,
        },
    )


def harvest_year(cube: Cube, model: Model) -> int:
    """The crop year that holds the first look."""
    first = cube["time"].values[0].astype("datetime64[D]").astype(date) if cube.sizes["time"] else date(2000, 1, 1)
    month, day = (int(part) for part in model.card.axis.start.split("-"))
    return int(first.year) + ((first.month, first.day) >= (month, day))


def _uniform(classes: int) -> int:
    """Log-probability x 1024 of a class when nothing is known."""
    return int(np.rint(-np.log(classes) * LOGP_SCALE))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums inside the network have one order only on one thread; blocks run side by side in processes instead."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
