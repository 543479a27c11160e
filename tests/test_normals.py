# SPDX-License-Identifier: Apache-2.0
"""Usual greenness by crop and week: medians and spreads by hand, over one year and over two."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from acreline.errors import InputError
from acreline.normals import COLUMNS, make_normals


def publication(folder: Path, year: int, ndvi: list[float], *, fields: int | None = None) -> Path:
    """Fields of maize, one look each on 23 July (week 30); one field more is not decided."""
    folder.mkdir()
    count = len(ndvi)
    ids = [f"p{k}" for k in range(count)]
    status = ["ok" if fields is None or k < fields else "insufficient" for k in range(count)]
    pd.DataFrame({"id": ids, "status": status}).to_parquet(folder / "parcels.parquet")
    sets = ["maize"] * (count - 1) + ["maize|potato"]
    pd.DataFrame({"parcel_id": ids, "crop": "maize", "crop_set": sets}).to_parquet(folder / "stands.parquet")
    looks = pd.DataFrame({
        "parcel_id": ids, "time": pd.Timestamp(f"{year}-07-26", tz="UTC"), "n_seen": 100, "n_clear": 80,
        "sum_ndvi": [round(80 * 10_000 * value) for value in ndvi],
    })  # fmt: skip
    dark = looks.assign(n_clear=10, sum_ndvi=0)
    pd.concat([looks, dark]).to_parquet(folder / "looks.parquet")
    (folder / "manifest.json").write_text(json.dumps({"season": {"end": f"{year}-12-15"}}), encoding="utf-8")
    return folder


VALUES = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80, 0.82, 0.84, 0.86, 0.88, 0.90, 0.1]
"""Eleven decided fields, median 0.80, median distance from it 0.06; the twelfth is not decided."""


def test_one_year_by_hand(tmp_path: Path) -> None:
    table = make_normals([publication(tmp_path / "a", 2017, VALUES)])
    assert tuple(table.columns) == COLUMNS
    row = table.iloc[0]
    assert (row["crop"], row["week"], row["n_fields"], row["years"]) == ("maize", 30, 11, "2017")
    assert row["ndvi"] == pytest.approx(0.80)
    assert row["ndvi_sd"] == pytest.approx(1.4826 * 0.06, abs=1e-4)


def test_years_spread_too(tmp_path: Path) -> None:
    poor = [value - 0.1 for value in VALUES]
    runs = [publication(tmp_path / "a", 2016, VALUES), publication(tmp_path / "b", 2017, poor)]
    row = make_normals(runs).iloc[0]
    assert (row["n_fields"], row["years"]) == (22, "2016|2017")
    assert row["ndvi"] == pytest.approx(0.75)
    assert row["ndvi_sd"] == pytest.approx(((1.4826 * 0.06) ** 2 + 0.05**2) ** 0.5, abs=1e-4)


def test_a_year_twice_is_refused(tmp_path: Path) -> None:
    runs = [publication(tmp_path / name, 2017, VALUES) for name in "ab"]
    with pytest.raises(InputError, match="a second run of 2017"):
        make_normals(runs)


def test_few_fields_tell_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no crop has 10 judged fields"):
        make_normals([publication(tmp_path / "a", 2017, VALUES, fields=9)])
