# SPDX-License-Identifier: Apache-2.0
"""A labelled region: scenes and parcels as a run reads them, with the truth beside them that no run reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import Region, packaged_configs, read_provider, read_region
from acreline.cubes import band_values
from acreline.errors import InputError
from acreline.geo import place_parcels, split_blocks
from acreline.imagery import load_cube
from acreline.layers import BANDS, DN_OFFSET, DN_SCALE, FULL_COVER, Block, Coverage, Cube
from acreline.model.classes import NONE
from acreline.model.evaluate import codes_on
from acreline.model.labels import number_fields
from acreline.model.series import LabelledSeries
from acreline.parcels import read_parcels
from acreline.search import search_scenes
from acreline.thermal import weather_temperatures
from acreline.trial.tasks import NOT_SCORED, SLUGS, look_up
from acreline.weather import read_weather

if TYPE_CHECKING:
    import pandas as pd

CODES = "worldcereal-legacy"
TRUTH, RASTER = Path("truth") / "parcels.parquet", Path("labels") / "labels.tif"
COLUMNS = ("parcel_id", "farm_id", "slot", "crop", "class", "area_m2")
MIXED = "mixed"
SHARE = 0.5
"""Where a parcel has no full pixel, pixels of which it covers so much speak for it."""
Progress = Callable[[int, int, str], None]


def is_region(path: Path) -> bool:
    """Whether a path is a region file, or a folder with one or with labels of one."""
    if path.is_dir():
        return (path / "region.yaml").is_file() or (path / TRUTH).is_file() or (path / RASTER).is_file()
    return path.suffix in (".yaml", ".yml")


def files_of(path: Path) -> list[Path]:
    """The region file, the farm file and the truth: what the report's digest is made of."""
    file = region_file(path)
    region = read_region(file)
    return [file, region.parcels.path, truth_of(file, region)]


def region_file(path: Path) -> Path:
    """The region file of a path.

    Raises:
        InputError: a folder has none, and no packaged region bears its name.
    """
    if path.is_file():
        return path
    own, packaged = path / "region.yaml", packaged_configs() / "regions" / f"{path.resolve().name}.yaml"
    for file in (own, packaged):
        if file.is_file():
            return file
    raise InputError(f"{path.name}: no region.yaml in it", hint="name the region file itself: --data REGION.yaml")


def truth_of(file: Path, region: Region) -> Path:
    """Where the truth of a region lies: beside its region file, or beside its farm file.

    Raises:
        InputError: there is none.
    """
    for folder in (file.resolve().parent, region.parcels.path.parent):
        for name in (TRUTH, RASTER):
            if (folder / name).is_file():
                return folder / name
    raise InputError(
        f"{file.name}: the region has no truth beside it", hint=f"expected {TRUTH} or {RASTER} beside its files"
    )


def read_region_labels(path: Path, progress: Progress | None = None) -> LabelledSeries:
    """A labelled region as series: of its parcels (`truth/parcels.parquet`), or of its labelled pixels (`labels.tif`).

    Scenes are searched and read as a run does, clouds masked as a run does.

    Raises:
        InputError: there is no truth, or it or the weather cannot be used.
        SourceError: scenes cannot be read.
    """
    file = region_file(path)
    region = read_region(file)
    truth = truth_of(file, region)
    series = _pixels(region, truth, progress) if truth.suffix == ".tif" else _parcels(region, truth, progress)
    weather = read_weather(region.weather, as_of=region.as_of or region.season.end)
    return series if weather is None else replace(series, temperatures=(weather_temperatures(weather),))


def _cubes(region: Region, progress: Progress | None, *, whole: bool) -> Iterator[tuple[Block, Cube]]:
    """Every block of the region with its pixels; `whole`: of the window, whatever its parcels are."""
    parcels = read_parcels(region.parcels)
    provider = read_provider(region)
    scenes = search_scenes(parcels, region.season, provider, as_of=region.as_of or region.season.end)
    blocks = split_blocks(place_parcels(parcels, scenes), scenes)
    for number, block in enumerate(blocks):
        if progress is not None:
            progress(number, len(blocks), "reading")
        nothing = np.zeros(0, dtype=np.int32)
        window = replace(block, coverage=Coverage((), nothing, nothing, nothing, nothing)) if whole else block
        yield window, load_cube(scenes, window, provider.read)


def _reflectance(cube: Cube, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(n, time, band) at tile pixels; NaN where the ground was not seen."""
    top, left = rows - int(cube.attrs["row"]), cols - int(cube.attrs["col"])
    clear = cube["clear"].values[:, top, left]
    layers = []
    for band in BANDS:
        dn = band_values(cube, band)[:, top, left]
        share = (dn.astype(np.float32) - np.float32(DN_OFFSET)) * np.float32(DN_SCALE)
        layers.append(np.where(clear & (dn != 0), share, np.float32("nan")))
    return np.stack(layers, axis=-1).transpose(1, 0, 2)


# --- parcels ------------------------------------------------------------------------------------------------------
def _parcels(region: Region, truth: Path, progress: Progress | None) -> LabelledSeries:
    """Parcel means over clear, fully covered pixels."""
    rows = slot_rows(_read_truth(truth))
    parcels = sorted(set(rows["parcel_id"]))
    where = {key: k for k, key in enumerate(parcels)}
    sums: dict[np.datetime64, npt.NDArray[np.float64]] = {}
    counts: dict[np.datetime64, npt.NDArray[np.float64]] = {}
    for block, cube in _cubes(region, progress, whole=False):
        times = cube["time"].values.astype("datetime64[s]")
        cover = block.coverage
        for number, key in enumerate(cover.parcel_ids):
            at = where.get(key)
            mine = cover.parcel == number
            full = mine & (cover.cover >= FULL_COVER)
            chosen = full if full.any() else mine & (cover.cover >= SHARE * 10_000)
            if at is None or not chosen.any():
                continue
            looks = _reflectance(cube, cover.row[chosen].astype(np.int64), cover.col[chosen].astype(np.int64))
            for k, time in enumerate(times):
                known = np.isfinite(looks[:, k])
                if known.any():
                    total = sums.setdefault(time, np.zeros((len(parcels), len(BANDS))))
                    total[at] += np.where(known, looks[:, k], 0).sum(axis=0)
                    counts.setdefault(time, np.zeros_like(total))[at] += known.sum(axis=0)
    times = np.array(sorted(sums), "datetime64[s]")
    means = np.full((len(parcels), len(times), len(BANDS)), np.nan, np.float32)
    for k, time in enumerate(times):
        means[:, k] = np.where(counts[time] > 0, sums[time] / np.maximum(counts[time], 1), np.nan)
    values = means[[where[key] for key in rows["parcel_id"]]]
    seen: npt.NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(values), axis=(1, 2))
    slug = np.array(rows["slug"], str)
    group = np.where(seen & np.isin(slug, (*SLUGS, NONE)), slug, NOT_SCORED)
    told = [name if ok else f"{name}, no pixel of its own" for name, ok in zip(rows["name"], seen, strict=True)]
    ids = [f"{key}:{slot}" for key, slot in zip(rows["parcel_id"], rows["slot"], strict=True)]
    return LabelledSeries(
        "region", region.name, "L2A", region.season.end.year, BANDS, times, values, np.array(ids, str),
        np.zeros(len(ids), np.int64), np.array(told, str), slug, group, np.array(rows["farm_id"], str),
        np.array(rows["area_m2"], np.float64), np.array(rows["slot"], str), simulated=True,
        notes=(
            "means of the clear pixels that lie fully inside a parcel's outline in the farm file; places are farms",
            "each season of a parcel is told by itself: A is harvested by about 20 July, B after, AB stands in both",
            "parcels with several crops side by side in one season are not scored",
        ),
    )  # fmt: skip


def slot_rows(table: pd.DataFrame) -> dict[str, list[Any]]:
    """One line a parcel and season slot; several crops side by side have no one name.

    Args:
        table: one row per parcel, slot and crop: parcel_id, farm_id, slot (A, B, AB), crop, class, area_m2.
    """
    out: dict[str, list[Any]] = {key: [] for key in ("parcel_id", "farm_id", "slot", "name", "slug", "area_m2")}
    ordered = table.sort_values(["parcel_id", "slot", "crop"], kind="stable")
    for (key, slot), part in ordered.groupby(["parcel_id", "slot"], sort=True):
        out["parcel_id"].append(str(key))
        out["farm_id"].append(str(part["farm_id"].iloc[0]))
        out["slot"].append(str(slot))
        out["name"].append(" beside ".join(part["crop"].astype(str)))
        out["slug"].append(str(part["class"].iloc[0]) if len(part) == 1 else MIXED)
        out["area_m2"].append(float(part["area_m2"].iloc[0]))
    return out


def _read_truth(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}", hint="restore the file") from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path.name}: the columns {', '.join(missing)} are missing", hint="see data/README.md for the format"
        )
    return table


# --- pixels -------------------------------------------------------------------------------------------------------
def _pixels(region: Region, truth: Path, progress: Progress | None) -> LabelledSeries:
    """Every labelled 10 m pixel of the region's blocks."""
    found: list[LabelledSeries] = []
    for block, cube in _cubes(region, progress, whole=True):
        codes = codes_on(truth, block)
        rows, cols = np.nonzero(codes)
        if not len(rows):
            continue
        code, number = codes[rows, cols], number_fields(codes)[rows, cols]
        name, slug, group = look_up(CODES, code)
        found.append(
            LabelledSeries(
                "D", region.name, "L2A", region.season.end.year, BANDS, cube["time"].values.astype("datetime64[s]"),
                _reflectance(cube, rows + block.row, cols + block.col),
                np.array([f"{row}_{col}" for row, col in zip(rows, cols, strict=True)]), code, name, slug, group,
                np.array([f"region-{k:03d}" for k in number]),
                notes=("regions are 4-connected patches of one label code",),
            )
        )  # fmt: skip
    if len(found) != 1:
        raise InputError(
            f"{truth.name}: labels lie in {len(found)} blocks of the region", hint="label rasters of one block are read"
        )
    return found[0]
