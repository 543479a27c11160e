# SPDX-License-Identifier: Apache-2.0
"""Shocks by hand, farms decided again after them, and shocks that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from typer.testing import CliRunner

from acreline import cli
from acreline.errors import ConfigError, InputError, StoreError
from acreline.exposure import read_outlines, touched_parcels
from acreline.records import ZERO, Interval, Struck
from acreline.review.book import Book, read_book
from acreline.review.compare import records
from acreline.review.shocks import change_prices, change_yields, read_change, strike
from acreline.review.stress import Shocks, Stress, stress_book
from tests.made_book import make_book, own_policy


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_book(tmp_path_factory.mktemp("stress") / "run")


@pytest.fixture(scope="module")
def book(publication: Path) -> Book:
    return read_book([publication])


def flood(publication: Path, folder: Path, names: list[str], name: str = "flood") -> Path:
    """An outline around some parcels, whole."""
    parcels = gpd.read_parquet(publication / "parcels.parquet")
    drawn = parcels[parcels["id"].isin(names) & ~parcels.geometry.is_empty]
    path = folder / f"{name}.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.union_all(drawn.geometry)], crs="EPSG:4326").to_file(path, driver="GPKG")
    return path


def row_of(stress: Stress, crop: str) -> dict[str, float]:
    return next(row for row in records(stress.crops) if row["crop"] == crop)


# --- facts ----------------------------------------------------------------------------------------------------------
def test_a_fall_of_one_price_is_of_that_crop_alone(book: Book) -> None:
    farms = book.regions[0].farms
    changed = change_prices(farms, {"maize": -0.2})
    for farm, new in zip(farms, changed, strict=True):
        for stand, after in zip(farm.stands, new.stands, strict=True):
            share = 0.8 if stand.crop == "maize" else 1.0
            if stand.value is not None and after.value is not None and len(stand.crop_set) == 1:
                assert after.value.mid == pytest.approx(share * stand.value.mid)
                assert after.yield_kg_per_ha == stand.yield_kg_per_ha
        if new.value is not None:
            assert new.value == sum((stand.value for stand in new.stands if stand.value), ZERO)


def test_a_price_of_a_crop_that_may_stand_there_widens_the_range(book: Book) -> None:
    farm = next(one for one in book.regions[0].farms if one.stands)
    stand = replace(farm.stands[0], crop="maize", crop_set=("maize", "potato"), value=Interval(50, 100, 200))
    doubtful = replace(farm, stands=(stand,), value=stand.value)
    fall = change_prices([doubtful], {"potato": -0.2})[0].stands[0].value
    rise = change_prices([doubtful], {"potato": 0.5})[0].stands[0].value
    assert fall == Interval(40, 100, 200)
    assert rise == Interval(50, 100, 300)


def test_a_bad_year_takes_harvest_and_worth(book: Book) -> None:
    farms = book.regions[0].farms
    for farm, new in zip(farms, change_yields(farms, {"*": -0.3, "maize": -0.5}), strict=True):
        for stand, after in zip(farm.stands, new.stands, strict=True):
            share = 0.5 if stand.crop == "maize" else 0.7
            assert stand.yield_kg_per_ha is not None
            assert after.yield_kg_per_ha is not None
            assert after.yield_kg_per_ha.mid == pytest.approx(share * stand.yield_kg_per_ha.mid)
            assert after.cash_cost == stand.cash_cost


def test_nothing_known_stays_unknown(book: Book) -> None:
    farm = next(one for one in book.regions[0].farms if one.stands)
    bare = replace(farm, value=None, stands=tuple(replace(s, value=None, yield_kg_per_ha=None) for s in farm.stands))
    for changed in (change_prices([bare], {"*": -0.2}), change_yields([bare], {"*": -0.2})):
        assert changed == [bare]


def test_a_flood_takes_the_struck_share(book: Book) -> None:
    farm = next(one for one in book.regions[0].farms if one.farm_id == "F-001")  # parcels P00 and P01
    assert farm.area_m2 is not None
    touched = {("F-001", "P00"): (0.5, 0.25 * farm.area_m2)}
    struck, other = strike([farm, book.regions[0].farms[2]], touched, 0.4, "flood")
    assert other == book.regions[0].farms[2]
    first, second = struck.stands
    assert first.value is not None
    assert farm.stands[0].value is not None
    assert first.value.mid == pytest.approx(0.8 * farm.stands[0].value.mid)
    assert second == farm.stands[1]
    assert "flood" in struck.events
    assert Struck("flood", 0.25, 0.4) in struck.struck
    assert strike([farm], touched, 0.4, "flood", seen=False)[0].events == farm.events
    assert strike([farm], touched, 0.4, "hail-of-2019")[0].events == farm.events, "no word that a rule could know"


def test_land_that_is_not_known_may_be_struck_whole(book: Book) -> None:
    farm = replace(book.regions[0].farms[0], area_m2=None)
    struck = strike([farm], {("F-001", "P00"): (0.5, 10.0)}, 0.4, "flood")[0]
    assert Struck("flood", 1.0, 0.4) in struck.struck


# --- decided again --------------------------------------------------------------------------------------------------
def test_a_price_fall_lowers_limits_of_its_crop(book: Book) -> None:
    found = stress_book(book, Shocks(prices=("maize=-0.5",)))
    maize, grass, whole = row_of(found, "maize"), row_of(found, "grassland"), row_of(found, "all")
    assert maize["value_mid_after"] < maize["value_mid_before"]
    assert maize["at_stake"] > 0
    assert grass["at_stake"] == 0
    assert whole["at_stake"] == sum(row["at_stake"] for row in records(found.crops)[1:])
    assert whole["limit_before"] - whole["limit_after"] == whole["at_stake"]
    assert whole["farms"] == 13
    assert found.shocks == (("price of maize -50%", "maize价格-50%"),)


def test_farms_of_a_flood_go_to_a_person(book: Book, publication: Path, tmp_path: Path) -> None:
    found = stress_book(book, Shocks(event=flood(publication, tmp_path, ["P04", "P10"])))
    owners = {row["farm_id"] for row in records(found.comparison.farms) if row["kind"] == "to_person"}
    hit = {row["farm_id"] for row in records(touched_parcels(publication, read_outlines(tmp_path / "flood.gpkg")))}
    assert found.touched_farms == len(hit)
    assert owners
    assert owners <= hit
    assert all(
        "event_flood" in row["reasons_new"] for row in records(found.comparison.farms) if row["farm_id"] in owners
    )
    unseen = stress_book(book, Shocks(event=tmp_path / "flood.gpkg", unseen=True))
    assert not [row for row in records(unseen.comparison.farms) if "event_flood" in row["reasons_new"]]
    assert records(unseen.comparison.groups)[0]["loses"] > 0


def test_shocks_add_up(book: Book, publication: Path, tmp_path: Path) -> None:
    both = stress_book(book, Shocks(yields=("-0.3",), prices=("-0.2",)))
    assert row_of(both, "all")["value_mid_after"] == pytest.approx(0.56 * row_of(both, "all")["value_mid_before"])


def test_another_policy_may_be_stressed(book: Book, tmp_path: Path) -> None:
    policy = own_policy(tmp_path / "half.yaml", lambda rules: rules["capacity"].update(share=0.2))
    assert stress_book(book, Shocks(yields=("-0.3",)), policy).policy.startswith("half@")


# --- shocks that cannot be ------------------------------------------------------------------------------------------
def test_no_shock_is_refused(book: Book) -> None:
    with pytest.raises(ConfigError, match="no shock is given"):
        stress_book(book, Shocks())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("maize", "'maize' is no change"),
        ("maize=few", "'maize=few' is no change"),
        ("-1.5", "a change of -1.5"),
        ("nan", "a change of nan"),
        ("maiz=-0.2", "no farm of this run may grow 'maiz'"),
    ],
)
def test_a_change_that_cannot_be_is_refused(text: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        read_change(text, "--price", ["maize", "potato"])
    assert caught.value.hint
    if text == "maiz=-0.2":
        assert caught.value.hint == "did you mean 'maize'? there are: maize, potato"


def test_damage_is_a_share(book: Book) -> None:
    with pytest.raises(ConfigError, match=r"--damage: 1\.4 is no share"):
        strike(book.regions[0].farms, {}, 1.4, "flood")


def test_an_outline_that_is_not_there_is_refused(book: Book, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        stress_book(book, Shocks(event=tmp_path / "nowhere.gpkg"))


def test_lost_parcels_are_a_storage_error(publication: Path, tmp_path: Path) -> None:
    outlines = read_outlines(flood(publication, tmp_path, ["P03"]))
    with pytest.raises(StoreError, match="cannot be read"):
        touched_parcels(tmp_path, outlines)


# --- the command ----------------------------------------------------------------------------------------------------
def test_the_command_tells_the_stress_and_writes_it(publication: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["stress", str(publication), "--yield", "-0.3", "--price", "maize=-0.2", "--out", str(out)]
    done = CliRunner().invoke(cli.app, asked)
    assert done.exit_code == 0, done.output
    assert "shock: yield of every crop -30%" in done.output
    figures = json.loads((out / "stress.json").read_text(encoding="utf-8"))
    table = pd.read_csv(out / "stress-crops.csv")
    assert table["at_stake"][0] == float(figures["crops"][0]["at_stake"]) > 0
    page = (out / "stress.html").read_text(encoding="utf-8")
    assert "压力测试" in page
    assert page.count("<svg class") >= 2
