# SPDX-License-Identifier: Apache-2.0
"""From a cube to maps: the network runs on fixed cells of the tile, so a pixel never depends on how the land is cut."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from acreline.config import SeasonSettings
from acreline.doors import check_maps
from acreline.layers import (
    CELL_PX,
    LOGP_SCALE,
    NUMBER_SCALE,
    PIXEL_M,
    SLOTS,
    Block,
    Cube,
    Maps,
    Weather,
)
from acreline.model.card import Model
from acreline.model.forward import Surroundings, fold_norms
from acreline.model.novelty import pixel_energy
from acreline.model.threads import torch_threads
from acreline.model.windows import clear_looks
from acreline.thermal import weather_temperatures

LOGP_MIN = -32768
NUMBER_MAX = 32767


def segment_cube(
    cube: Cube, model: Model, block: Block, weather: Weather | None = None, *, season: SeasonSettings | None = None
) -> Maps:
    """Say for each pixel what grows there and how it fares, with log-probabilities.

    Cells of the tile that no parcel of the block touches are skipped and stay `valid` = false; beside a touched cell
    the network reads only as far as its spatial part looks. The same pixel gets the same bits in any block: cells and
    shapes are fixed, one thread, one order.

    Args:
        cube: pixels of `block.read_window`; what lies outside it counts as never seen.
        model: network and card.
        block: the window to paint, with its parcels; without parcels everything is painted.
        weather: as far as it is known by the as-of day; a model on a thermal axis needs it, others do not.
        season: the region's season, which names the crop year. Without it the year is taken from the first look.

    Returns:
        Maps over the block's window: see `check_maps`. `crop` of each slot is 0 (unknown) where a pixel was never seen
        clearly, or where the network gave no number.

    Raises:
        ConfigError: the model is on a thermal axis, and there is no weather.
        InputError: the weather has no day of the season, and the model needs it.
        ContractError: the maps do not keep what `check_maps` asks.
    """
    card = model.card
    year = season.end.year if season is not None else harvest_year(cube, model)
    axis = card.axis.of(year, None if weather is None else weather_temperatures(weather))
    shape = (block.height, block.width)
    layers: dict[str, npt.NDArray[np.generic]] = {}
    for name, classes in _heads(model).items():
        layers[f"{name}_logp"] = np.full((classes, *shape), _uniform(classes), np.int16)
    for name in ("crop", "crop_confidence"):
        layers[name] = np.zeros((len(SLOTS), *shape), np.uint8)
    for name, dtype in _FLAT.items():
        layers[name] = np.zeros(shape, dtype)
    with torch.inference_mode(), torch_threads():
        net = fold_norms(model.net)
        land = Surroundings(cube, net, axis)
        for row, col in _cells(block):
            land.forget_above(row)
            looks = clear_looks(cube, row, col, CELL_PX)
            if not looks.any():
                continue
            y = land.around(row, col)
            crops = net.decode(y, land.rim)
            fares = land.fares(row, col, crops)
            heads = [part[0].numpy() for part in (crops.crop_a, crops.crop_b, fares.health)]
            logits = dict(zip(_heads(model), heads, strict=True))
            energy = pixel_energy(net, y[:, :, land.inner, land.inner])[0].numpy()
            painted = _paint(logits, fares.vigour[0, 0].numpy(), energy, looks, model)
            _insert(layers, painted, row, col, block)
    return check_maps(_as_maps(layers, model, block))


_FLAT = {
    "health": np.uint8,
    "health_confidence": np.uint8,
    "vigour": np.int16,
    "energy": np.int16,
    "clear_looks": np.uint16,
    "valid": np.bool_,
}


def _heads(model: Model) -> dict[str, int]:
    """The heads that name classes, and how many."""
    card = model.card
    sizes = {f"crop_{slot.lower()}": len(card.heads[slot].classes) for slot in ("A", "B")}
    return sizes | {"health": len(card.health_classes)}


def _paint(
    logits: dict[str, npt.NDArray[np.float32]],
    vigour: npt.NDArray[np.float32],
    energy: npt.NDArray[np.float32],
    looks: npt.NDArray[np.uint16],
    model: Model,
) -> dict[str, npt.NDArray[np.generic]]:
    """Logits (class, y, x) by head, vigour and energy (y, x) of one cell -> its layers.

    Whatever is not a number becomes unknown.
    """
    card = model.card
    valid = looks > 0
    found = {name: log_probability_x1024(values) for name, values in logits.items()}
    known = valid & np.isfinite(vigour) & np.isfinite(energy)
    for _, numbers in found.values():
        known &= numbers
    logp = {
        name: np.where(known, values, _uniform(len(values))).astype(np.int16) for name, (values, _) in found.items()
    }
    crop, confidence = [], []
    for slot in ("A", "B"):
        head, values = card.heads[slot], logp[f"crop_{slot.lower()}"]
        codes = np.array([card.crop_codes[name] for name in head.classes])
        crop.append(np.where(known, codes[values.argmax(axis=0)], 0))
        confidence.append(np.where(known, confidence_percent(values, head.temperature), 0))
    health = logp["health"]
    return {
        **{f"{name}_logp": values for name, values in logp.items()},
        "crop": np.stack(crop).astype(np.uint8),
        "crop_confidence": np.stack(confidence).astype(np.uint8),
        "health": np.where(known, health.argmax(axis=0) + 1, 0).astype(np.uint8),
        "health_confidence": np.where(known, confidence_percent(health, 1.0), 0).astype(np.uint8),
        "vigour": _whole_number(vigour, known),
        "energy": _whole_number(energy, known),
        "clear_looks": looks,
        "valid": valid,
    }


def _whole_number(values: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int16]:
    """Number x 100, 0 where it is not known."""
    scaled = np.rint(np.where(known, values, 0).astype(np.float64) * NUMBER_SCALE)
    return np.clip(scaled, -NUMBER_MAX, NUMBER_MAX).astype(np.int16)


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


def _cells(block: Block) -> Iterator[tuple[int, int]]:
    """Upper-left tile pixels of the network cells that lie in the block and touch one of its parcels."""
    touched = set(zip((block.coverage.row // CELL_PX).tolist(), (block.coverage.col // CELL_PX).tolist(), strict=True))
    for row in range(block.row // CELL_PX, -(-(block.row + block.height) // CELL_PX)):
        for col in range(block.col // CELL_PX, -(-(block.col + block.width) // CELL_PX)):
            if not touched or (row, col) in touched:
                yield row * CELL_PX, col * CELL_PX


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
    dims = {"crop": "slot", "crop_confidence": "slot"} | {f"{name}_logp": f"{name}_class" for name in _heads(model)}
    x = block.origin_x + (block.col + np.arange(block.width) + 0.5) * PIXEL_M
    y = block.origin_y - (block.row + np.arange(block.height) + 0.5) * PIXEL_M
    return xr.Dataset(
        {name: ((dims[name], "y", "x") if name in dims else ("y", "x"), layer) for name, layer in layers.items()},
        coords={
            "y": y,
            "x": x,
            "slot": list(SLOTS),
            "crop_a_class": list(model.card.heads["A"].classes),
            "crop_b_class": list(model.card.heads["B"].classes),
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
