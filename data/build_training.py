# SPDX-License-Identifier: Apache-2.0
"""Pack the training data: `python data/build_training.py SHARED_FOLDER` -> data/training/*.npz (same bytes each time).

Sources, licences and counts stand in data/training/README.md. What is done here: six native 20 m bands are kept,
numbers are stored as a cube stores them (reflectance 0.0001 v - 0.1, 0 = no data), looks outside the labelled crop
year are left out, labels keep the source's own codes. The demo region's square is refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from acreline.layers import BANDS_20M
from acreline.model.labels import number_fields, read_label_map, refuse_test_square

OUT = Path(__file__).parent / "training"
NO_DATA_16 = 65535
RAISE = 1000  # both sources are without offset: see `layers.DN_OFFSET`


def pack_square(folder: Path, name: str, harvest_year: int) -> None:
    """One WorldCereal patch: NetCDF -> (time, band, y20, x20), scene classes, label codes, field numbers."""
    refuse_test_square(folder.name)
    with xr.open_dataset(next(folder.glob("S2_L2A_20m_*.nc")), engine="h5netcdf", mask_and_scale=False) as source:
        season = source.sel(timestamp=slice(f"{harvest_year - 1}-09-15", f"{harvest_year}-12-31"))
        times = season["timestamp"].values.astype("datetime64[s]")
        raw = np.stack([season[band].values for band in BANDS_20M], axis=1)
        scl = season["SCL"].values.astype(np.uint8)
    with xr.open_dataset(next(folder.glob("OUTPUT_*.nc")), engine="h5netcdf", mask_and_scale=False) as source:
        codes = np.nan_to_num(np.squeeze(source["CT"].values)).astype(np.int64)
    values = np.where(raw == 0, 0, np.minimum(raw.astype(np.int64) + RAISE, NO_DATA_16)).astype(np.uint16)
    np.savez_compressed(
        OUT / f"{name}.npz",
        square=folder.name, harvest_year=harvest_year, label_map="worldcereal-legacy", times=times, values=values,
        scl=scl, code=codes, field=number_fields(codes),
    )  # fmt: skip


def pack_points(file: Path, name: str, harvest_year: int) -> None:
    """WorldCereal points in long form -> (time, band, field). B08 stands in for B8A, which the source lacks."""
    table = pd.read_parquet(file)
    first = table.drop_duplicates("sample_id").sort_values("sample_id").set_index("sample_id")
    listed = read_label_map("worldcereal-ewoc").classes
    first = first[first["ewoc_code"].isin(listed)]
    table = table[table["sample_id"].isin(first.index)]
    times = np.sort(table["timestamp"].unique())
    layers = []
    for band in BANDS_20M:
        column = f"S2-L2A-{'B08' if band == 'B8A' else band}"
        wide = table.pivot_table(index="timestamp", columns="sample_id", values=column, aggfunc="first")
        wide = wide.reindex(index=times, columns=first.index).fillna(NO_DATA_16).to_numpy().astype(np.int64)
        layers.append(np.where((wide == NO_DATA_16) | (wide == 0), 0, wide + RAISE).astype(np.uint16))
    cell = [f"{np.floor(x * 10):.0f}_{np.floor(y * 10):.0f}" for x, y in zip(first["lon"], first["lat"], strict=True)]
    # A composite's time stamp is the first day of its dekad or month: its middle is nearer to what was seen.
    spacing = np.median(np.diff(times).astype("timedelta64[s]"))
    np.savez_compressed(
        OUT / f"{name}.npz",
        harvest_year=harvest_year, label_map="worldcereal-ewoc",
        times=times.astype("datetime64[s]") + spacing / 2,
        values=np.stack(layers, axis=1), code=first["ewoc_code"].to_numpy(np.int64), cell=np.array(cell),
    )  # fmt: skip


def main(shared: Path) -> None:
    """Write every file of data/training/."""
    OUT.mkdir(exist_ok=True)
    patches = shared / "data" / "imagery" / "worldcereal-patches"
    pack_square(patches / "000028085BF08E7E", "flanders-2019", 2019)
    pack_points(shared / "data" / "series" / "worldcereal_fra2023_dekad.geoparquet", "france-2023", 2023)
    for file in sorted(OUT.glob("*.npz")):
        print(file.name, file.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
