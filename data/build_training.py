# SPDX-License-Identifier: Apache-2.0
"""Pack the training square: `python data/build_training.py SHARED_FOLDER` -> data/training (same bytes each time).

Sources, licences and counts stand in data/training/README.md. What is done here: six native 20 m bands are kept,
numbers are stored as a cube stores them (reflectance 0.0001 v - 0.1, 0 = no data), looks outside the labelled crop
year are left out, labels keep the source's own codes, and daily mean temperatures come along where the source has them.
The demo region's square is refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from acreline.layers import BANDS_20M
from acreline.model.labels import number_fields, refuse_test_square
from acreline.thermal import pack_temperatures
from acreline.trial.squares import read_square_temperatures

OUT = Path(__file__).parent / "training"
NO_DATA_16 = 65535
RAISE = 1000  # the source is without offset: see `layers.DN_OFFSET`


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
        scl=scl, code=codes, field=number_fields(codes), **pack_temperatures(read_square_temperatures(folder)),
    )  # fmt: skip


def main(shared: Path) -> None:
    """Write every file of data/training/."""
    OUT.mkdir(exist_ok=True)
    patches = shared / "data" / "imagery" / "worldcereal-patches"
    pack_square(patches / "000028085BF08E7E", "flanders-2019", 2019)
    for file in sorted(OUT.glob("*.npz")):
        print(file.name, file.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
