# SPDX-License-Identifier: Apache-2.0
"""The daily weather table: what is taken, what is refused, and in which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from acreline.errors import InputError
from acreline.weather import COLUMNS, read_weather

HEAD = ",".join(COLUMNS)
ROWS = ["2018-05-01,4.5,10.0,15.5,0.0,18.2", "2018-05-02,5.0,11.0,17.0,3.4,12.0", "2018-05-03,6.0,12.0,18.0,0.1,20.5"]
LATE = date(2018, 12, 31)


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_no_file_is_no_weather() -> None:
    assert read_weather(None, as_of=LATE) is None


def test_days_are_read_in_order_and_extra_columns_left_out(tmp_path: Path) -> None:
    rows = [f"{row},x" for row in reversed(ROWS)]
    weather = read_weather(write(tmp_path / "w.csv", *rows, head=f"{HEAD},station"), as_of=LATE)
    assert weather is not None
    assert weather.source == "w.csv"
    assert list(weather.daily.columns) == list(COLUMNS)
    assert weather.daily["date"].tolist() == list(pd.date_range("2018-05-01", periods=3))
    assert str(weather.daily["date"].dtype) == "datetime64[ns]"
    assert weather.daily["rain_mm"].tolist() == [0.0, 3.4, 0.1]
    assert (weather.daily.dtypes.iloc[1:] == "float64").all()


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    csv = read_weather(write(tmp_path / "w.csv", *ROWS), as_of=LATE)
    assert csv is not None
    for dates in (csv.daily["date"], csv.daily["date"].dt.date, csv.daily["date"].dt.strftime("%Y-%m-%d")):
        csv.daily.assign(date=dates).to_parquet(tmp_path / "w.parquet")
        parquet = read_weather(tmp_path / "w.parquet", as_of=LATE)
        assert parquet is not None
        pd.testing.assert_frame_equal(parquet.daily, csv.daily)


def test_days_after_as_of_are_not_looked_at(tmp_path: Path) -> None:
    path = write(tmp_path / "w.csv", *ROWS, "2018-05-03,99,99,99,-1,-1", "2018-06-09,99,99,99,-1,-1")
    weather = read_weather(path, as_of=date(2018, 5, 2))
    assert weather is not None
    assert len(weather.daily) == 2


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ROWS[0], ROWS[2]], "no row between 2018-05-01 and 2018-05-03"),
        ([ROWS[0], ROWS[1], ROWS[1]], "2018-05-02 stands twice"),
        ([ROWS[0], "2018-05-02,5,11,17,-0.1,12"], "2018-05-02: rain_mm is -0.1, possible is 0 to 2000"),
        ([ROWS[0], "2018-05-02,5,11,71,0,12"], "2018-05-02: tmax_c is 71.0, possible is -90 to 60"),
        ([ROWS[0], "2018-05-02,5,11,17,0,51"], "radiation_mj_per_m2 is 51.0, possible is 0 to 50"),
        ([ROWS[0], "2018-05-02,5,,17,0,12"], "2018-05-02: tmean_c is nan"),
        ([ROWS[0], "2018-05-02,5,warm,17,0,12"], "2018-05-02: tmean_c is warm"),
        ([ROWS[0], "2018-05-02,5,18,17,0,12"], "2018-05-02: tmin_c 5, tmean_c 18, tmax_c 17 do not rise"),
        ([ROWS[0], "02/05/2018,5,11,17,0,12"], "row 2: date '02/05/2018' is not YYYY-MM-DD"),
        ([ROWS[0], ",5,11,17,0,12"], "row 2: date <NA> is not YYYY-MM-DD"),
        ([], "no day up to 2018-12-31"),
    ],
)
def test_a_wrong_day_is_refused_by_name(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_weather(write(tmp_path / "w.csv", *rows), as_of=LATE)
    assert words in caught.value.message
    assert "w.csv" in caught.value.message
    assert "YYYY-MM-DD" in caught.value.hint


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        read_weather(tmp_path / "gone.csv", as_of=LATE)
    with pytest.raises(InputError, match="columns radiation_mj_per_m2 are missing, found date,"):
        read_weather(write(tmp_path / "w.csv", head=HEAD.rpartition(",")[0]), as_of=LATE)
    (tmp_path / "w.parquet").write_text("no")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_weather(tmp_path / "w.parquet", as_of=LATE)
    (tmp_path / "w.csv").write_bytes(b"\xff\xfe\x00date")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_weather(tmp_path / "w.csv", as_of=LATE)
    (tmp_path / "e.csv").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_weather(tmp_path / "e.csv", as_of=LATE)
