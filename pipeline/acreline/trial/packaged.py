# SPDX-License-Identifier: Apache-2.0
"""The labels that come with acreline: what the baselines are fitted on, and what a report must not call new."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import packaged_configs
from acreline.cubes import clear_from_scl
from acreline.errors import InputError
from acreline.layers import BANDS_20M, DN_OFFSET, DN_SCALE
from acreline.model.labels import read_square
from acreline.model.series import LabelledSeries
from acreline.thermal import pack_temperatures, unpack_temperatures
from acreline.trial.tasks import look_up

NO_DATA = 65535
SCALE = 10_000
TASKS = {"bavaria-2018": "A", "france-2023": "B", "flanders-2019": "D"}
SQUARE_CODES = "worldcereal-legacy"
SAME_NUMBERS = 20
"""A sample is a packaged one if at least so many of its numbers are the same."""


def labels_folder() -> Path:
    """`data/labels/` of the source tree or of the installed package."""
    return packaged_configs().parent / "data" / "labels"


def pack_series(series: LabelledSeries, path: Path, label_map: str) -> None:
    """Write a series as `data/labels/<name>.npz`: uint16 (n, time, band) of reflectance x 10000, 65535 = no data."""
    scaled = np.rint(series.values.astype(np.float64) * SCALE)
    stored = np.where(np.isfinite(scaled), np.clip(scaled, 0, NO_DATA - 1), NO_DATA).astype(np.uint16)
    more: dict[str, Any] = {} if series.size_m2 is None else {"area_m2": np.rint(series.size_m2).astype(np.int64)}
    if series.temperatures:
        zone = np.zeros(len(series.ids), np.int64) if series.zone is None else series.zone
        more |= pack_temperatures(series.temperatures) | {"zone": zone.astype(np.uint8)}
    np.savez_compressed(
        path, level=series.level, harvest_year=series.harvest_year, label_map=label_map, bands=np.array(series.bands),
        times=series.times.astype("datetime64[s]"), values=stored, id=series.ids, code=series.code, name=series.label,
        group=series.group, cell=series.cell, **more,
    )  # fmt: skip


@cache
def read_packaged(name: str) -> LabelledSeries:
    """Packaged labels as a series.

    Args:
        name: bavaria-2018 (parcels, top of atmosphere), france-2023 (points), flanders-2019 (20 m pixels of a square).

    Raises:
        InputError: the file is missing or damaged.
    """
    if name == "flanders-2019":
        return _packed_square(packaged_configs().parent / "data" / "training" / f"{name}.npz")
    path = labels_folder() / f"{name}.npz"
    keys = ("level", "harvest_year", "label_map", "bands", "times", "values", "id", "code", "name", "group", "cell")
    try:
        with np.load(path, allow_pickle=False) as stored:
            raw: dict[str, Any] = {key: stored[key] for key in keys}
            size = stored["area_m2"].astype(np.float64) if "area_m2" in stored else None
            temperatures = unpack_temperatures(stored)
            zone = stored["zone"].astype(np.int64) if "zone" in stored else None
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path.name}: not packaged labels of acreline: {error}", hint="run data/build_labels.py again"
        ) from error
    values = np.where(raw["values"] == NO_DATA, np.float32("nan"), raw["values"].astype(np.float32) / np.float32(SCALE))
    slug = look_up(str(raw["label_map"]), raw["code"])[1]
    return LabelledSeries(
        TASKS[name], name, "L1C" if str(raw["level"]) == "L1C" else "L2A", int(raw["harvest_year"]),
        tuple(raw["bands"].tolist()), raw["times"], values.astype(np.float32), raw["id"], raw["code"], raw["name"],
        slug, raw["group"], raw["cell"], size, temperatures=temperatures, zone=zone,
    )  # fmt: skip


@cache
def read_folds() -> Mapping[tuple[str, str], int]:
    """`data/labels/folds.csv`: (source, cell) -> fold from 0; no place is in two folds."""
    path = labels_folder() / "folds.csv"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {(row["source"], row["cell"]): int(row["fold"]) for row in csv.DictReader(stream)}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path.name}: not a list of folds: {error}", hint="run data/build_labels.py again") from error


def seen_before(series: LabelledSeries, packaged: LabelledSeries) -> npt.NDArray[np.int64]:
    """Which packaged sample each sample is, -1 = none.

    It is one whose numbers are the same wherever both were seen, in at least `SAME_NUMBERS` of them, whatever it is
    called: no two fields send back the same light all through a season.
    """
    out = np.full(len(series.ids), -1, np.int64)
    bands = [band for band in packaged.bands if band in series.bands]
    _, mine, theirs = np.intersect1d(series.times, packaged.times, return_indices=True)
    if not bands or not len(mine):
        return out
    a = series.values[:, mine][:, :, [series.bands.index(band) for band in bands]].reshape(len(series.ids), -1)
    b = packaged.values[:, theirs][:, :, [packaged.bands.index(band) for band in bands]].reshape(len(packaged.ids), -1)
    for k, sample in enumerate(a):
        far = np.abs(b - sample)  # NaN where one of the two was not seen
        known = np.isfinite(far).sum(axis=1)
        alike = (known >= SAME_NUMBERS) & (np.nan_to_num(far).max(axis=1) <= 1.01 / SCALE)
        if alike.any():
            out[k] = int(np.argmax(np.where(alike, known, 0)))
    return out


def square_name(name: str) -> str:
    """The source's own name of a packaged square."""
    path = packaged_configs().parent / "data" / "training" / f"{name}.npz"
    with np.load(path, allow_pickle=False) as stored:
        return str(stored["square"])


def _packed_square(path: Path) -> LabelledSeries:
    """20 m pixels of a packed training square whose four 10 m pixels lie in one field."""
    square = read_square(path)
    with np.load(path, allow_pickle=False) as stored:
        codes = stored["code"]
    fields = square.field.reshape(square.field.shape[0] // 2, 2, -1, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    inside = np.flatnonzero((fields == fields[:, :1]).all(axis=1) & (fields[:, 0] > 0))
    width = codes.shape[1] // 2
    rows, cols = inside // width, inside % width
    code = codes[2 * rows, 2 * cols].astype(np.int64)
    raw = square.values[:, :, rows, cols].transpose(2, 0, 1)  # (time, band, n) -> (n, time, band)
    clear = clear_from_scl(square.scl)[:, 2 * rows, 2 * cols].T
    values = np.where(
        clear[..., None] & (raw != 0), (raw.astype(np.float32) - DN_OFFSET) * np.float32(DN_SCALE), np.float32("nan")
    )
    label, slug, group = look_up(SQUARE_CODES, code)
    return LabelledSeries(
        "D", path.stem, "L2A", square.harvest_year, BANDS_20M, square.times, values.astype(np.float32),
        np.array([f"{row}_{col}" for row, col in zip(rows, cols, strict=True)]), code, label, slug, group,
        np.array([f"{path.stem}-{number:03d}" for number in fields[inside, 0]]),
        temperatures=() if square.temperatures is None else (square.temperatures,),
    )  # fmt: skip
