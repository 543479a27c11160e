# SPDX-License-Identifier: Apache-2.0
"""A region's files are read by `acreline check` as a run reads them: all that is wrong is told at once."""

from __future__ import annotations

import json
import pickle
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from acreline import cli
from acreline.config import packaged_configs, packaged_crops, read_region
from acreline.errors import AcrelineError, ConfigError, InputError, SeveralErrors, Troubles
from acreline.inputs import check_region, read_inputs
from acreline.prices import PRICE_COLUMNS
from acreline.regional import STATISTIC_COLUMNS, read_statistics
from tests.test_river import own_region

STATISTIC = ",".join(STATISTIC_COLUMNS) + "\nmaize,2017,6400,0.05,bureau,2018-05-01\n"
PRICE = ",".join(PRICE_COLUMNS) + "\nmaize,2018-05-01,2.2,0.1,CNY,bulletin\n"
WEATHER = "date,tmin_c,tmean_c,tmax_c,rain_mm,radiation_mj_per_m2\n2017-10-01,9,8,7,0,5\n"
USUAL = "crop,week,ndvi,ndvi_sd,years\nmaize,99,0.8,0.05,2016\n"


def region_with(repo: Path, folder: Path, **files: str) -> Path:
    """The demo region with files of its own, each named by its key."""
    for key, text in files.items():
        (folder / f"{key}.csv").write_text(text, encoding="utf-8")
    return own_region(repo, folder, **{key: f"{key}.csv" for key in files})


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("statistics", STATISTIC.replace("6400", "0"), r"statistics.csv, row 2: yield_kg_per_ha is '0'"),
        ("prices", PRICE.replace("2.2", "two"), r"prices.csv, row 2: price_per_kg is 'two'"),
        ("costs", PRICE, r"costs.csv: columns \['cost_per_ha', 'cash_share'\] are missing"),
        ("weather", WEATHER, r"weather.csv: 2017-10-01: tmin_c 9, tmean_c 8, tmax_c 7 do not rise"),
        ("normals", USUAL, r"normals.csv, row 2: week is '99'"),
        ("known_events", "event,start,end\nflod,2018-07-01,2018-07-02\n", "report 1: event 'flod' is not known"),
        ("applicants", "farm_id,requested\nF-01,much\n", r"applicants.csv, line 2, column requested: 'much' is no"),
    ],
)
def test_what_a_file_holds_is_looked_at(repo: Path, tmp_path: Path, key: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_region(read_region(region_with(repo, tmp_path, **{key: text})))
    assert caught.value.hint


def test_an_earlier_run_of_this_very_season_is_told(repo: Path, tmp_path: Path, demo_run: Path) -> None:
    region = read_region(own_region(repo, tmp_path, previous_run=str(demo_run)))
    with pytest.raises(InputError, match="its season ends on 2018-12-15, not before this one's"):
        check_region(region)


def test_all_that_is_wrong_is_told_at_once(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = region_with(repo, tmp_path, prices=PRICE.replace("maize", "mais"), normals=USUAL, weather=WEATHER)
    text = path.read_text(encoding="utf-8").replace("acrenet-s", "acrenet-toa") + "statistics: nowhere.csv\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SeveralErrors, match="5 things do not fit") as caught:
        check_region(read_region(path))
    told = [error.message for error in caught.value.errors]
    # What is missing and what the model says first, then the files in the order in which they are read.
    assert [next(word for word in ("nowhere", "acrenet-toa", "weather.csv", "prices.csv", "normals.csv") if word in one)
            for one in told] == ["nowhere", "acrenet-toa", "weather.csv", "prices.csv", "normals.csv"]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["acreline", "check", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == caught.value.errors[0].exit_code
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"] * 5
    assert "did you mean 'maize'?" in lines[7]


def test_tables_of_later_days_are_told_not_refused(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    late = "2019-05-01"
    path = region_with(
        repo, tmp_path, statistics=STATISTIC.replace("2018-05-01", late), prices=PRICE.replace("2018-05-01", late)
    )
    region = read_region(path)
    plan, inputs = check_region(region)
    assert inputs.not_yet_published == ("prices", "statistics")
    assert inputs.statistics == {}
    assert inputs.crops == plan.crops
    held = read_inputs(region, plan.crops, as_of=date(2019, 5, 1))
    assert (held.not_yet_published, held.statistics) == ((), {"maize": (6400.0, 0.05)})
    monkeypatch.setattr("sys.argv", ["acreline", "check", str(path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    assert "not yet published on 2018-12-15, so not used: prices, statistics" in capsys.readouterr().out


def test_a_run_before_a_statistic_tells_that_it_took_no_part(repo: Path, tmp_path: Path) -> None:
    from acreline.run import run_region
    from acreline.store import Store

    path = region_with(repo, tmp_path, statistics=STATISTIC.replace("2018-05-01", "2018-08-01"))
    region = read_region(path, {"farm_pages": 0})
    publication = run_region(region, Store(tmp_path / "run"), as_of=date(2018, 7, 31)).publication
    manifest = json.loads((publication / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["not_yet_published"] == ["statistics"]
    words = {notice["en"]: notice["zh"] for notice in manifest["notices"]}
    told = "not yet published on 2018-07-31, so not used: harvest statistics"
    assert words[told] == "截至 2018-07-31 尚未发布，未采用：产量统计"
    assert told in (publication / "report" / "index.html").read_text(encoding="utf-8")


def test_troubles_keep_the_same_words_once() -> None:
    def refuse(message: str) -> int:
        raise InputError(message, hint="mend it")

    troubles = Troubles()
    assert troubles.of(int, "7") == 7
    assert troubles.of(refuse, "a") is None
    assert str(troubles.as_one()) == "a"
    assert isinstance(troubles.as_one(), InputError)

    def refuse_both() -> None:
        raise SeveralErrors([InputError("a", hint="x"), ConfigError("b", hint="y")])

    assert troubles.of(refuse_both) is None
    assert [error.message for error in troubles.errors] == ["a", "b"]
    both: Any = pickle.loads(pickle.dumps(troubles.as_one()))
    assert isinstance(both, AcrelineError)
    assert (both.exit_code, both.hint, str(both)) == (3, "mend it", "2 things do not fit: a; b")


def test_the_packaged_statistics_are_of_known_crops_with_their_sources(tmp_path: Path) -> None:
    path = packaged_configs() / "statistics" / "china.csv"
    known = read_statistics(path, packaged_crops(), as_of=date(2025, 6, 1), county="xingping")
    assert known is not None
    assert known["maize"] == (6590.0, 0.2)  # a national figure says less of a county than its own would
    assert {"winter_cereal", "single_rice", "cotton", "perennial"} <= set(known)
    before = read_statistics(path, packaged_crops(), as_of=date(2024, 12, 12))
    assert before is not None
    assert "maize" not in before
    for line in path.read_text(encoding="utf-8").splitlines()[4:]:
        assert "National Bureau of Statistics" in line or "order of magnitude" in line


def test_a_region_names_packaged_statistics_or_a_file(tmp_path: Path) -> None:
    text = (packaged_configs() / "regions" / "xingping-2025.yaml").read_text(encoding="utf-8")
    path = tmp_path / "region.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_region(path).statistics == packaged_configs() / "statistics" / "china.csv"
    path.write_text(text.replace("statistics: china", "statistics: chima"), encoding="utf-8")
    with pytest.raises(ConfigError, match="statistics: 'chima' is not known"):
        read_region(path)
