# SPDX-License-Identifier: Apache-2.0
"""Usual greenness by crop and week: medians and spreads by hand, over one year and over two."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from acreline import cli
from acreline.errors import ConfigError, InputError, StoreError
from acreline.normals import COLUMNS, check_ending, make_normals, normals_lines, write_normals
from acreline.regional import read_normals


def publication(
    folder: Path, year: int, ndvi: list[float], *, fields: int | None = None, simulated: bool = False
) -> Path:
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
    manifest = {"season": {"end": f"{year}-12-15"}, "simulated": simulated}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


VALUES = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80, 0.82, 0.84, 0.86, 0.88, 0.90, 0.1]
"""Eleven decided fields, median 0.80, median distance from it 0.06; the twelfth is not decided."""


def test_one_year_by_hand(tmp_path: Path) -> None:
    table = make_normals([publication(tmp_path / "a", 2017, VALUES)]).table
    assert tuple(table.columns) == COLUMNS
    row = table.iloc[0]
    assert (row["crop"], row["week"], row["n_fields"], row["n_years"], row["years"]) == ("maize", 30, 11, 1, "2017")
    assert row["ndvi"] == pytest.approx(0.80)
    # One year shows nothing of how years differ: 0.05 is taken, and the year itself may lie off by as much.
    assert row["ndvi_sd"] == pytest.approx(((1.4826 * 0.06) ** 2 + 2 * 0.05**2) ** 0.5, abs=1e-4)


def test_years_spread_too(tmp_path: Path) -> None:
    poor = [value - 0.1 for value in VALUES]
    runs = [publication(tmp_path / "a", 2016, VALUES), publication(tmp_path / "b", 2017, poor)]
    row = make_normals(runs).table.iloc[0]
    assert (row["n_fields"], row["n_years"], row["years"]) == (22, 2, "2016|2017")
    assert row["ndvi"] == pytest.approx(0.75)
    # 0.8 and 0.7: sample variance 0.005; (2 x 0.0025 + 0.005) / 3 x 1.5 = 0.005
    assert row["ndvi_sd"] == pytest.approx(((1.4826 * 0.06) ** 2 + 0.005) ** 0.5, abs=1e-4)


def test_few_years_promise_less_than_many(tmp_path: Path) -> None:
    """Equal years: what is taken of their spread wanes as they are counted, 0.05 sqrt(2 / (n + 1) x (1 + 1 / n))."""
    runs = [publication(tmp_path / str(year), year, VALUES) for year in range(2011, 2018)]
    fields = (1.4826 * 0.06) ** 2
    for n, years in ((1, 0.05**2 * 2), (3, 0.05**2 / 2 * 4 / 3), (7, 0.05**2 / 4 * 8 / 7)):
        sd = make_normals(runs[:n]).table["ndvi_sd"].iloc[0]
        assert sd == pytest.approx((fields + years) ** 0.5, abs=1e-4)


def test_a_year_twice_is_refused(tmp_path: Path) -> None:
    runs = [publication(tmp_path / name, 2017, VALUES) for name in "ab"]
    with pytest.raises(InputError, match="a second run of 2017"):
        make_normals(runs)


def test_few_fields_tell_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no crop has 10 judged fields"):
        make_normals([publication(tmp_path / "a", 2017, VALUES, fields=9)])


def test_weeks_of_few_fields_are_left_out_of_their_year_and_counted(tmp_path: Path) -> None:
    runs = [publication(tmp_path / "a", 2016, VALUES), publication(tmp_path / "b", 2017, VALUES, fields=9)]
    made = make_normals(runs)
    assert (made.left_out, made.years, made.simulated) == (1, (2016, 2017), False)
    assert made.table[["n_years", "years"]].to_numpy().tolist() == [[1, "2016"]]
    assert normals_lines(made, Path("usual.csv")) == [
        "usual.csv: 1 crops, 1 weeks, years 2016, 2017",
        "left out, fewer than 10 fields of a crop in a week: 1 weeks",
        "next: name it under `normals:` of the region file of a year after 2017",
    ]


@pytest.mark.parametrize("name", ["usual.csv", "usual.parquet"])
def test_what_is_written_is_what_a_later_region_reads(name: str, tmp_path: Path) -> None:
    table = make_normals([publication(tmp_path / "a", 2017, VALUES)]).table
    write_normals(table, tmp_path / name)
    first = (tmp_path / name).read_bytes()
    write_normals(table, tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    read = read_normals(tmp_path / name, harvest_year=2018)
    assert read is not None
    assert read.to_dict("list") == table.to_dict("list")
    with pytest.raises(InputError, match="the normals hold 2017 itself"):
        read_normals(tmp_path / name, harvest_year=2017)


def test_another_ending_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--out: usual.xlsx: normals are CSV or Parquet"):
        check_ending(Path("usual.xlsx"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    table = make_normals([publication(tmp_path / "a", 2017, VALUES)]).table
    with pytest.raises(StoreError, match=r"nowhere/usual.csv: cannot be written"):
        write_normals(table, tmp_path / "nowhere" / "usual.csv")


def test_the_command_says_that_land_was_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = publication(tmp_path / "a", 2017, VALUES, simulated=True), tmp_path / "usual.csv"
    monkeypatch.setattr("sys.argv", ["acreline", "normals", str(run), "--out", str(out)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    assert capsys.readouterr().out.splitlines()[0] == "on simulated data"
    assert out.read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)
