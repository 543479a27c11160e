# SPDX-License-Identifier: Apache-2.0
"""Labelled data of anyone, by path: which of the known kinds it is, and what it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from acreline.errors import InputError
from acreline.model.series import LabelledSeries
from acreline.trial import regions, squares, tables

KINDS = (
    "parcels: a CSV table with the columns id, Date, NC and B1_mean to B12_mean (top of atmosphere x 10000)",
    "points: a (geo)parquet table with the columns sample_id, timestamp, ewoc_code and S2-L2A-B02 to S2-L2A-B12",
    "a square: a folder with S2_L2A_20m_*.nc and OUTPUT_*.nc",
    "a region: region.yaml, or its folder, with truth/parcels.parquet or labels/labels.tif beside it",
)
"""What can be read; `data/README.md` says it in full."""
SHOWN = 8
"""Columns or files that a message names."""
Progress = Callable[[int, int, str], None]


def read_labelled(
    path: Path, *, labels: Path | None = None, progress: Progress | None = None
) -> tuple[LabelledSeries, str]:
    """Read labelled data of any known kind.

    Args:
        path: a file or folder of one of `KINDS`, told apart by its columns or file names.
        labels: GeoJSON with `id` and `label` of parcels; else one that lies beside a parcel table is looked for.
        progress: called with (step, steps, words) where reading takes long.

    Returns:
        the series, and the SHA-256 of what was read.

    Raises:
        InputError: it is of no known kind, or is damaged; the message says what was expected.
        ConfigError: a library that reads this kind is not installed.
    """
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder", hint="--data takes a path; known kinds: " + "; ".join(KINDS)
        )
    path = path.resolve()
    found = ""
    if path.is_dir() and squares.is_square(path):
        return squares.read_square(path), digest_of(squares.files_of(path))
    if regions.is_region(path):
        return regions.read_region_labels(path, progress), digest_of(regions.files_of(path))
    if path.is_file() and path.suffix == ".csv":
        columns = tables.csv_columns(path)
        if {"Date", "NC"} & set(columns):
            beside = labels or tables.find_labels(path)
            return tables.read_parcel_table(path, beside), digest_of([path, *([beside] if beside else [])])
        found = _columns_told(columns)
    if path.is_file() and path.suffix in (".parquet", ".geoparquet"):
        columns = tables.parquet_columns(path)
        if "ndvi_doy001" in columns:
            tables.refuse_ndvi(path)
        if "ewoc_code" in columns and "timestamp" in columns:
            return tables.read_point_table(path), digest_of([path])
        found = _columns_told(columns)
    elif path.is_dir():
        names = sorted(one.name for one in path.iterdir())
        found = (
            f"; found the files {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
            if names
            else "; it is empty"
        )
    raise InputError(f"{path.name}: not labelled data of a known kind{found}", hint="known kinds: " + "; ".join(KINDS))


def _columns_told(columns: list[str]) -> str:
    columns = [name for name in columns if name]
    if not columns:
        return "; it has no columns"
    return f"; found the columns {', '.join(columns[:SHOWN])}{', ...' if len(columns) > SHOWN else ''}"


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 of one file; of several, that of their names and digests in order."""
    paths = sorted(files)
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    if len(paths) == 1:
        return sums[0]
    text = "".join(f"{digest}  {path.name}\n" for path, digest in zip(paths, sums, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()
