# SPDX-License-Identifier: Apache-2.0
"""Dated prices and costs: the newest that held counts, each with its source; what is wrong is refused by row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from acreline.config import packaged_configs, packaged_crops, read_region
from acreline.errors import ConfigError, InputError
from acreline.prices import COST_COLUMNS, PRICE_COLUMNS, with_prices
from acreline.records import Interval
from acreline.tables import farm_from_json, farm_to_json, farms_table, stands_table
from acreline.yields import estimate_yields
from tests.test_credit import make_farm

DAY = date(2025, 6, 1)
PRICES = """# a bulletin, made up
crop,valid_from,price_per_kg,relative_error,currency,source
maize,2025-01-01,2.2,0.1,CNY,bulletin 1
maize,2025-05-01,2.4,0.1,CNY,bulletin 5
maize,2025-07-01,9.9,0.1,CNY,bulletin 7
winter_cereal,2024-01-01,320,0.05,USD,board
"""
COSTS = """crop,valid_from,cost_per_ha,cash_share,relative_error,currency,source
maize,2025-01-01,18000,0.5,0,CNY,survey
winter_cereal,2025-01-01,17000,0.5,0.1,CNY,survey
"""


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    prices, costs = tmp_path / "prices.csv", tmp_path / "costs.csv"
    prices.write_text(PRICES, encoding="utf-8")
    costs.write_text(COSTS, encoding="utf-8")
    return prices, costs


def test_the_newest_figure_that_held_counts(tables: tuple[Path, Path]) -> None:
    crops = {name: packaged_crops()[name] for name in ("maize", "winter_cereal", "soybean")}
    told, not_yet = with_prices(crops, *tables, as_of=DAY)
    assert not_yet == ()
    maize, wheat = told["maize"], told["winter_cereal"]
    assert maize.price_per_kg is not None
    assert (maize.price_per_kg.value, maize.price_per_kg.cv, maize.price_currency) == (2.4, 0.1, "CNY")
    assert maize.price_per_kg.source == "bulletin 5; from 2025-05-01"
    assert wheat.price_currency == "USD"
    assert maize.cost is not None
    assert (maize.cost.per_ha.value, maize.cost.cash_share) == (18000, 0.5)
    assert told["soybean"] == crops["soybean"]  # no table names it
    assert with_prices(crops, None, None, as_of=DAY) == (crops, ())
    early = with_prices(crops, tables[0], None, as_of=date(2025, 4, 30))[0]["maize"].price_per_kg
    assert early is not None
    assert early.value == 2.2


def test_a_stand_tells_what_it_costs_in_cash(tables: tuple[Path, Path]) -> None:
    crops = with_prices({"maize": packaged_crops()["maize"]}, *tables, as_of=DAY)[0]
    farm = estimate_yields([make_farm()], crops)[0]
    (stand,) = farm.stands
    area = stand.area_m2
    assert stand.cash_cost == Interval(*(end / 10_000 * 9000 for end in (area.low, area.mid, area.high)))  # no error
    assert farm.cash_cost == stand.cash_cost
    assert farm_from_json(farm_to_json(farm)) == farm
    assert stands_table([farm])["cash_cost_mid"].tolist() == [stand.cash_cost.mid]
    assert farms_table([farm])["cash_cost"].tolist() == [farm.cash_cost.mid]


def test_costs_in_another_currency_are_not_told(tables: tuple[Path, Path]) -> None:
    wheat = with_prices({"winter_cereal": packaged_crops()["winter_cereal"]}, *tables, as_of=DAY)[0]
    assert (wheat["winter_cereal"].price_currency, wheat["winter_cereal"].cost is None) == ("USD", False)
    farm = make_farm()
    maize_as_wheat = {"maize": wheat["winter_cereal"].model_copy(update={"slug": "maize"})}
    told = estimate_yields([farm], maize_as_wheat)[0]
    assert told.value is not None
    assert told.cash_cost is None
    old = {name: value for name, value in farm_to_json(told).items() if name != "cash_cost"}
    old["stands"] = [{k: v for k, v in stand.items() if k != "cash_cost"} for stand in old["stands"]]
    assert farm_from_json(old) == told  # a run of an earlier version


@pytest.mark.parametrize("kind", ["prices", "costs"])
def test_the_packaged_tables_name_every_crop_that_is_sold(kind: str) -> None:
    path = packaged_configs() / kind / "china.csv"
    tables = {"prices": (path, None), "costs": (None, path)}
    told, _ = with_prices(packaged_crops(), *tables[kind], as_of=DAY)
    chinese = {"maize", "winter_cereal", "single_rice", "early_rice", "late_rice", "cotton", "tea", "greenhouse"}
    for slug in chinese:
        figure = told[slug].price_per_kg if kind == "prices" else told[slug].cost.per_ha  # type: ignore[union-attr]
        assert figure is not None
        assert "order of magnitude" in figure.source


@pytest.mark.parametrize(
    ("change", "row", "message"),
    [
        (("maize,2025-05-01", "mais,2025-05-01"), 4, "crop 'mais' is not known"),
        (("2.4,0.1", "two,0.1"), 4, "price_per_kg is 'two'"),
        (("2.4,0.1", "0,0.1"), 4, "price_per_kg is '0'"),
        (("2.4,0.1", "2.4,3"), 4, "relative_error is '3'"),
        (("2025-05-01", "May"), 4, "valid_from is 'May'"),
        (("0.1,CNY,bulletin 5", "0.1,yuan,bulletin 5"), 4, "currency is 'yuan'"),
        (("bulletin 5", ""), 4, "source is "),
        (("maize,2025-05-01", "maize,2025-01-01"), 4, "valid_from is '2025-01-01'"),
    ],
)
def test_what_is_wrong_is_refused_by_row(
    tables: tuple[Path, Path], change: tuple[str, str], row: int, message: str
) -> None:
    assert change[0] in PRICES
    tables[0].write_text(PRICES.replace(*change), encoding="utf-8")
    with pytest.raises(InputError, match=rf"prices\.csv, row {row}: {message}"):
        with_prices(packaged_crops(), tables[0], None, as_of=DAY)


def test_a_share_of_more_than_all_is_refused(tables: tuple[Path, Path]) -> None:
    tables[1].write_text(COSTS.replace("18000,0.5", "18000,1.5"), encoding="utf-8")
    with pytest.raises(InputError, match=r"row 2: cash_share is '1\.5'"):
        with_prices(packaged_crops(), None, tables[1], as_of=DAY)


def test_tables_that_cannot_be_used_are_refused(tables: tuple[Path, Path], tmp_path: Path) -> None:
    crops = packaged_crops()
    with pytest.raises(InputError, match="no such file") as caught:
        with_prices(crops, tmp_path / "none.csv", None, as_of=DAY)
    assert "`prices:`" in caught.value.hint
    with pytest.raises(InputError, match=r"columns .*cash_share.* are missing") as caught:
        with_prices(crops, None, tables[0], as_of=DAY)
    assert ", ".join(COST_COLUMNS) in caught.value.hint
    (tmp_path / "torn.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="prices cannot be read"):
        with_prices(crops, tmp_path / "torn.csv", None, as_of=DAY)
    assert len(PRICE_COLUMNS) == 6


def test_before_the_first_day_of_a_table_it_is_as_if_it_were_not_named(
    tables: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    crops = packaged_crops()
    assert with_prices(crops, *tables, as_of=date(2020, 1, 1)) == (crops, ("prices", "costs"))
    told = f"{tables[0]}: not yet published on 2020-01-01: nothing of it is used"
    assert caplog.messages == [told, told.replace("prices.csv", "costs.csv")]
    mid, not_yet = with_prices(crops, *tables, as_of=date(2024, 6, 1))  # the price of wheat holds, no cost does
    assert not_yet == ("costs",)
    assert mid["winter_cereal"].price_currency == "USD"


def test_a_region_names_a_packaged_table_or_a_file(tmp_path: Path) -> None:
    text = (packaged_configs() / "regions" / "sim-county.yaml").read_text(encoding="utf-8")
    path = tmp_path / "region.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_region(path).prices == packaged_configs() / "prices" / "china.csv"
    path.write_text(text.replace("prices: china", "prices: my.csv"), encoding="utf-8")
    assert read_region(path).prices == (tmp_path / "my.csv").resolve()
    path.write_text(text.replace("costs: china", "costs: chima"), encoding="utf-8")
    with pytest.raises(ConfigError, match="costs: 'chima' is not known") as caught:
        read_region(path)
    assert "did you mean 'china'?" in caught.value.hint
