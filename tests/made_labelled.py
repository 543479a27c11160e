# SPDX-License-Identifier: Apache-2.0
"""Labelled data of every kind that `acreline evaluate --data` reads, drawn small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

L1C_COLUMNS = [f"B{k}_mean" for k in (1, 2, 3, 4, 5, 6, 7, 8)] + ["B8A_mean"] + [f"B{k}_mean" for k in (9, 10, 11, 12)]
POINT_COLUMNS = [f"S2-L2A-{band}" for band in ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")]


def parcel_table(codes: list[int], dates: int = 5) -> pd.DataFrame:
    """Parcels 1, 2, ... of these NC codes; band values grow with code and date."""
    days = pd.date_range("2018-03-01", periods=dates, freq="30D").strftime("%Y-%m-%d")
    rows = []
    for parcel, code in enumerate(codes, start=1):
        for k, day in enumerate(days):
            values = {name: 500.0 + code + 100 * k + 10 * at for at, name in enumerate(L1C_COLUMNS)}
            rows.append({"id": parcel, "Date": day, "area": 1.0, "NC": code, **values})
    return pd.DataFrame(rows)


def write_geojson(path: Path, labels: dict[int, str], *, apart_deg: float = 0.02) -> Path:
    """A square parcel of about 1 ha for each id."""
    features = []
    for at, (parcel, label) in enumerate(labels.items()):
        west, south = 11.6 + apart_deg * at, 48.4
        ring = [
            [west, south],
            [west + 0.00135, south],
            [west + 0.00135, south + 0.0009],
            [west, south + 0.0009],
            [west, south],
        ]
        properties = {"id": parcel, "label": label, "area_ha": 1.0 + at}
        features.append(
            {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def point_table(codes: list[int], *, step: str = "10D", steps: int = 40, year: int = 2023) -> pd.DataFrame:
    """Points p0, p1, ... of these ewoc codes, in cells of their own; every third value is missing."""
    times = pd.date_range(f"{year - 1}-09-01", periods=steps, freq=step)
    rows = []
    for point, code in enumerate(codes):
        for k, time in enumerate(times):
            value = 65535 if (k + point) % 3 == 0 else 400 + 50 * point + 20 * k
            rows.append(
                {
                    "sample_id": f"p{point}", "timestamp": time, "ewoc_code": code, "lon": 0.05 + 0.1 * point,
                    "lat": 45.05, "year": year, **dict.fromkeys(POINT_COLUMNS, value), "S2-L2A-B8A": 65535,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def write_square(folder: Path, codes: np.ndarray, *, fine: bool = False, looks: int = 20) -> Path:
    """A square as NetCDF: bands of 20 m, labels of 10 m, one look every 20 days, the second one cloudy."""
    import xarray as xr

    folder.mkdir(parents=True, exist_ok=True)
    height, width = codes.shape
    times = np.datetime64("2017-10-05T10:50:00", "ns") + np.arange(looks) * np.timedelta64(20, "D")
    scl = np.full((looks, height // 2, width // 2), 4, np.uint8)
    scl[1] = 9

    def bands(names: tuple[str, ...], shape: tuple[int, int]) -> dict:
        ramp = np.arange(looks)[:, None, None] * 30 + np.arange(shape[1])[None, None, :] * 5 + 800
        values = np.broadcast_to(ramp, (looks, *shape)).astype(np.uint16)
        return {
            name: (("timestamp", "y", "x"), values + 100 * k, {"scale_factor": 1e-4, "_FillValue": np.uint16(0)})
            for k, name in enumerate(names)
        }

    coarse = bands(("B05", "B06", "B07", "B8A", "B11", "B12"), (height // 2, width // 2))
    coarse["SCL"] = (("timestamp", "y", "x"), scl)
    stem = f"{folder.name}_32631_2017-10-01_2018-11-30.nc"
    _save(xr.Dataset(coarse, coords={"timestamp": times}), folder / f"S2_L2A_20m_{stem}")
    if fine:
        sharp = xr.Dataset(bands(("B02", "B03", "B04", "B08"), codes.shape), coords={"timestamp": times})
        _save(sharp.isel(timestamp=slice(0, -1)), folder / f"S2_L2A_10m_{stem}")
    _save(xr.Dataset({"CT": (("y", "x"), codes.astype(np.uint16))}), folder / f"OUTPUT_POLY-110_10m_{stem}")
    return folder


def _save(dataset, path: Path) -> None:
    for variable in dataset.variables.values():
        for key in ("scale_factor", "_FillValue"):
            if key in variable.attrs:
                variable.encoding[key] = variable.attrs.pop(key)
    # Numbers are stored as they are: the scale is for readers.
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        file.dimensions = {name: int(size) for name, size in dataset.sizes.items()}
        for name, variable in dataset.variables.items():
            values = variable.values
            attrs = {key: variable.encoding[key] for key in ("scale_factor",) if key in variable.encoding}
            if values.dtype.kind == "M":
                values = (values - np.datetime64("1970-01-01", "ns")) / np.timedelta64(1, "s")
                attrs = {"units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian"}
            fill = variable.encoding.get("_FillValue")
            stored = file.create_variable(name, variable.dims, values.dtype, data=values, fillvalue=fill)
            for key, value in attrs.items():
                stored.attrs[key] = value


def made_model(level: str = "L2A", *, sources: tuple[str, ...] = ()):
    """A tiny untrained network of the house's shape, with its card."""
    from datetime import date as day

    import torch

    from acreline.model import Model
    from acreline.model.card import Architecture, Card, SeasonAxis, Source, build_net
    from acreline.model.classes import HEADS
    from acreline.model.heads import ConformalCell, SlotHead

    cells = (ConformalCell(from_looks=0, threshold=0.1),)
    card = Card(
        name="tiny",
        version="1",
        created=day(2026, 1, 1),
        level=level,
        axis=SeasonAxis(bins=8),
        architecture=Architecture(stem=8, width=8, levels=(8, 8, 8), dropout=0),
        heads={slot: SlotHead(classes=HEADS[slot], temperature=1.5, alpha=0.1, cells=cells) for slot in ("A", "B")},
        data=tuple(Source(name=name, origin="made", licence="none", fields=1, pixels=1) for name in sources),
        weights_sha256="0" * 64,
    )
    torch.manual_seed(3)
    return Model(build_net(card).eval().requires_grad_(False), card, "digest")
