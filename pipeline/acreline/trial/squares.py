# SPDX-License-Identifier: Apache-2.0
"""A labelled square: NetCDF files of every acquisition over a piece of land, and a raster of what grew there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.cubes import clear_from_scl
from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS_10M, BANDS_20M
from acreline.model.labels import number_fields
from acreline.model.series import LabelledSeries, Picture
from acreline.thermal import Temperatures, step_temperatures
from acreline.trial.tasks import look_up
from acreline.trial.times import harvest_year_of

SQUARE_CODES = "worldcereal-legacy"
COARSE, FINE, LABELS = "S2_L2A_20m_*.nc", "S2_L2A_10m_*.nc", "OUTPUT_*.nc"
WEATHER = "AgERA5_DAILY_*.nc"
ZERO_C_K = 273.15


def is_square(folder: Path) -> bool:
    """Whether a folder holds such a square, or a part of one."""
    return any(folder.glob(COARSE)) or any(folder.glob(LABELS))


def files_of(folder: Path) -> list[Path]:
    """The files that are read."""
    return [path for pattern in (COARSE, FINE, LABELS, WEATHER) for path in sorted(folder.glob(pattern))[:1]]


def read_square(folder: Path) -> LabelledSeries:
    """Every labelled 10 m pixel of a square as a series; a 20 m pixel stands for its four.

    Clouds and shadows go by the scene classification, grown as everywhere in acreline. Regions are the 4-connected
    patches of one code (which is what `label_polygons.geojson` of such folders holds): `cell` names them. Daily
    temperatures are read where the folder has them.

    Raises:
        InputError: a file is missing, or the grids of bands and labels do not fit.
        ConfigError: h5netcdf is not installed.
    """
    for pattern in (COARSE, LABELS):
        if not any(folder.glob(pattern)):
            raise InputError(f"{folder.name}: no file {pattern}", hint="a square needs its 20 m bands and its labels")
    coarse, stored = _open(next(iter(sorted(folder.glob(COARSE))))), _open(next(iter(sorted(folder.glob(LABELS)))))
    codes = np.nan_to_num(np.squeeze(_of(stored, "CT", folder)).astype(np.float64)).astype(np.int64)
    times = _of(coarse, "timestamp", folder).astype("datetime64[s]")
    scl = _of(coarse, "SCL", folder).astype(np.uint8)
    if codes.shape != (2 * scl.shape[1], 2 * scl.shape[2]):
        raise InputError(
            f"{folder.name}: labels of {codes.shape} pixels on bands of {scl.shape[1:]}: expected twice as many",
            hint="labels of 10 m and bands of 20 m of the same square",
        )
    order = np.argsort(times, kind="stable")
    rows, cols = np.nonzero(codes)
    everywhere = tuple(index.ravel() for index in np.indices(codes.shape))
    if not len(rows):
        raise InputError(f"{folder.name}: no pixel has a label", hint="CT holds a crop code where one is known")
    clear = clear_from_scl(scl).reshape(len(times), -1)  # (t, pixels)
    bands: tuple[str, ...] = BANDS_20M
    all_rows, all_cols = everywhere
    layers = [_reflectance(coarse, band, folder)[:, all_rows // 2, all_cols // 2] for band in BANDS_20M]
    fine = next(iter(sorted(folder.glob(FINE))), None)
    if fine is not None:
        bands = (*BANDS_10M, *BANDS_20M)
        layers = [*_fine_layers(_open(fine), times, all_rows, all_cols, folder), *layers]
    land = np.where(clear[:, None], np.stack(layers, axis=1), np.float32("nan"))[order].astype(np.float32)
    at = rows * codes.shape[1] + cols
    code, number = codes[rows, cols], number_fields(codes)[rows, cols]
    name, slug, group = look_up(SQUARE_CODES, code)
    year = harvest_year_of(times)
    return LabelledSeries(
        "D", folder.name, "L2A", year, bands, times[order], np.ascontiguousarray(land[:, :, at].transpose(2, 0, 1)),
        np.array([f"{row}_{col}" for row, col in zip(rows, cols, strict=True)]), code, name, slug, group,
        np.array([f"region-{k:03d}" for k in number]),
        notes=(
            f"labels are taken to be of the harvest of {year}: the year of the day 60 days before the last look",
            "regions are 4-connected patches of one label code; fields of one crop that touch are one region",
        ),
        picture=Picture(land.reshape(*land.shape[:2], *codes.shape), at.astype(np.int64)),
        temperatures=read_square_temperatures(folder),
    )  # fmt: skip


def read_square_temperatures(folder: Path) -> tuple[Temperatures, ...]:
    """The square's daily mean temperatures: `temperature_mean`, K, of its AgERA5 file; nothing where it has none.

    Raises:
        InputError: the file is there and cannot be used.
        ConfigError: h5netcdf is not installed.
    """
    path = next(iter(sorted(folder.glob(WEATHER))), None)
    if path is None:
        return ()
    source = _open(path)
    raw = _of(source, "temperature_mean", folder).astype(np.float64)
    empty = source["temperature_mean"].attrs.get("_FillValue", -9999)
    kelvin = np.where(raw == empty, np.nan, raw).reshape(len(raw), -1)
    seen = np.isfinite(kelvin).sum(axis=1)
    mean_c = np.where(seen > 0, np.nansum(kelvin, axis=1) / np.maximum(seen, 1) - ZERO_C_K, np.nan)
    return (step_temperatures(_of(source, "timestamp", folder).astype("datetime64[D]"), mean_c),)


def _open(path: Path) -> Any:
    try:
        import h5netcdf  # noqa: F401 - xarray's engine; said here, so that its absence is told in our words
        import xarray as xr
    except ImportError as error:
        raise ConfigError(
            f"{path.name}: reading NetCDF needs h5netcdf, which is not installed",
            hint="pip install 'acreline[evaluate]'",
        ) from error
    try:
        with xr.open_dataset(path, engine="h5netcdf", mask_and_scale=False) as source:
            return source.load()
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a NetCDF file: {error}", hint="restore the file") from error


def _of(source: Any, name: str, folder: Path) -> npt.NDArray[Any]:
    if name not in source.variables:
        raise InputError(
            f"{folder.name}: no variable {name} in its NetCDF files", hint="see data/README.md for the format"
        )
    values: npt.NDArray[Any] = source[name].values
    return values


def _reflectance(source: Any, band: str, folder: Path) -> npt.NDArray[np.float32]:
    """(time, y, x), NaN = no data; the scale stands in the file, or is 0.0001."""
    raw = _of(source, band, folder)
    empty = source[band].attrs.get("_FillValue", 0)
    scale = np.float32(source[band].attrs.get("scale_factor", 1e-4))
    return np.where((raw == empty) | (raw == 0), np.float32("nan"), raw.astype(np.float32) * scale)


def _fine_layers(
    source: Any, times: npt.NDArray[np.datetime64], rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp], folder: Path
) -> list[npt.NDArray[np.float32]]:
    """10 m bands at the dates of the 20 m bands; a date that they lack is NaN."""
    mine = _of(source, "timestamp", folder).astype("datetime64[s]")
    at = {time: k for k, time in reversed(list(enumerate(mine.tolist())))}
    chosen = np.array([at.get(time, -1) for time in times.tolist()])
    layers = []
    for band in BANDS_10M:
        pixels = _reflectance(source, band, folder)[:, rows, cols]
        layers.append(np.where(chosen[:, None] >= 0, pixels[chosen], np.float32("nan")))
    return layers
