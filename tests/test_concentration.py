# SPDX-License-Identifier: Apache-2.0
"""Shares of a book by hand, groups and places that are brought, and those that are refused."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from acreline import cli
from acreline.errors import ConfigError, InputError
from acreline.people.acts import Act
from acreline.records import Applicant, Decision, Farm, Interval, Stand
from acreline.review import concentration
from acreline.review.book import Book, Region, read_book
from acreline.review.compare import records
from acreline.review.concentration import Concentration, measure_concentration, read_columns, read_places
from acreline.review.concentration_page import concentration_lines, concentration_page, spread_words
from tests.made_book import make_book

MU = 10_000 / 15
DAY = date(2025, 12, 1)


def farm(name: str, *crops: tuple[str, float], person: str | None = None, area_mu: float = 12.0) -> Farm:
    """A farm that grows crops of so much cautious worth, each on a third of its land."""
    third = Interval(area_mu * MU / 3, area_mu * MU / 3, area_mu * MU)
    stands = tuple(
        Stand(name, f"{name}-{crop}", "B", crop, 0.95, (crop,), third,
              value=Interval(low, low + 1, low + 2), currency="CNY")
        for crop, low in crops
    )  # fmt: skip
    applicant = Applicant(name, person_id=person) if person else None
    land = Interval(area_mu * MU, area_mu * MU, area_mu * MU)
    return Farm(name, "ok", None, (), area_mu * MU, land, area_mu * MU, stands, crops[0][0] if crops else None,
                "normal", 0.0, 12, DAY, applicant=applicant)  # fmt: skip


def decided(name: str, limit: int | None, currency: str = "CNY") -> Decision:
    outcome = "refer" if limit is None else "approve" if limit else "decline"
    amount = None if limit is None else Decimal(limit)
    return Decision(name, outcome, amount, currency, None, ("cap_per_mu",), "demo@1", DAY, ())


def book_of(*cases: tuple[Farm, int | None], currency: str = "CNY", name: str = "made") -> Book:
    decisions = tuple(decided(one.farm_id, limit, currency) for one, limit in cases)
    region = Region(name, None, DAY, tuple(one for one, _ in cases), decisions, {}, None, Path("copy"))
    return Book((region,), simulated=False)


def rows_of(found: Concentration, by: str) -> dict[str, dict[str, Any]]:
    return {row["group"]: row for row in records(found.table) if row["by"] == by}


THREE = (
    (farm("F1", ("maize", 300.0), ("cotton", 100.0), person="P1"), 4000),
    (farm("F2", ("maize", 500.0), person="P1", area_mu=60.0), 3000),
    (farm("F3", ("rice", 100.0), person="P2", area_mu=3.0), 1000),
    (farm("F4", ("rice", 900.0)), None),
)


def test_shares_by_hand() -> None:
    found = measure_concentration(book_of(*THREE))
    crops = rows_of(found, "crop")
    assert {name: row["limit"] for name, row in crops.items()} == {"maize": 6000, "cotton": 1000, "rice": 1000}
    assert {name: row["worth_low"] for name, row in crops.items()} == {"maize": 800, "cotton": 100, "rice": 1000}
    assert crops["maize"]["farms"] == 2
    assert crops["maize"]["land_mu"] == pytest.approx(12 / 3 + 60 / 3)  # what is sown with it, not the farm
    assert crops["maize"]["limit_share"] == 0.75
    assert crops["rice"]["worth_share"] == pytest.approx(1000 / 1900)
    assert {name: row["limit"] for name, row in rows_of(found, "person").items()} == {
        "P1": 7000,
        "P2": 1000,
        "farm F4": 0,
    }
    sizes = rows_of(found, "size")
    assert {name: row["limit"] for name, row in sizes.items()} == {"10 to 50 mu": 4000, "50 to 200 mu": 3000,
                                                                   "0 to 10 mu": 1000}  # fmt: skip
    assert sizes["50 to 200 mu"]["land_mu"] == pytest.approx(60)
    assert (found.limit, found.granted, found.farms, found.by_people) == (8000, 3, 4, 0)


def test_spread_is_that_of_as_many_equal_groups() -> None:
    spreads = {one.by: one for one in measure_concentration(book_of(*THREE)).spreads}
    assert spreads["crop"].index == pytest.approx(0.75**2 + 2 * 0.125**2)
    assert spreads["crop"].effective == pytest.approx(1 / (0.75**2 + 2 * 0.125**2))
    assert (spreads["crop"].largest, spreads["county"].effective) == ("maize", 1.0)
    assert spread_words(spreads["county"]) == ("all on made", "全部集中于made")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 900), st.one_of(st.none(), st.integers(0, 9000))),
                min_size=1, max_size=8))  # fmt: skip
def test_every_kind_sums_to_the_whole(cases: list[tuple[str, int, int | None]]) -> None:
    book = book_of(
        *((farm(f"F{k}", (crop, float(low)), person=crop), limit) for k, (crop, low, limit) in enumerate(cases))
    )
    whole = sum(limit or 0 for _, _, limit in cases)
    if not whole:
        with pytest.raises(ConfigError, match="no limit stands"):
            measure_concentration(book)
        return
    found = measure_concentration(book)
    for spread in found.spreads:
        part = found.table[found.table["by"] == spread.by]
        assert float(sum(part["limit"])) == pytest.approx(whole, abs=0.05)
        assert part["limit_share"].sum() == pytest.approx(1)
        assert 1 - 1e-9 <= spread.effective <= spread.groups + 1e-9


def test_a_farm_whose_harvest_has_no_worth_stands_on_its_main_crop() -> None:
    found = measure_concentration(book_of((farm("F1", ("tea", 0.0)), 500), (farm("F2"), 500)))
    assert {name: row["limit"] for name, row in rows_of(found, "crop").items()} == {"tea": 500, "unknown": 500}


def test_what_people_granted_and_took_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(name: str, machine: int | None, to: dict[str, Any]) -> Act:
        words = {"outcome": "approve" if machine else "refer", "limit": None if machine is None else str(machine)}
        return Act("override", "2026-01-01T00:00:00+00:00", "ann", name, {"machine": words, "to": to})

    acts = {
        "F1": (act("F1", 4000, {"outcome": "decline", "limit": "0"}),),
        "F4": (act("F4", None, {"outcome": "approve", "limit": "2000"}),),
    }
    monkeypatch.setattr(concentration, "read_acts", lambda root: acts)
    found = measure_concentration(book_of(*THREE))
    assert (found.limit, found.granted, found.by_people) == (6000, 3, 1)
    assert rows_of(found, "crop")["rice"]["limit"] == 3000
    assert "6,000 CNY in limits that stand, for 3 of 4 farms, 1 of them set by people" in concentration_lines(found)[0]


def test_a_book_without_limits_or_of_two_currencies_is_refused() -> None:
    with pytest.raises(ConfigError, match="made: no limit stands"):
        measure_concentration(book_of((farm("F1", ("maize", 1.0)), None)))
    two = Book((book_of(THREE[0]).regions[0], book_of(THREE[1], currency="INR", name="b").regions[0]), simulated=False)
    with pytest.raises(ConfigError, match="runs in CNY and INR cannot be summed"):
        measure_concentration(two)


def test_one_id_in_two_regions_cannot_be_grouped() -> None:
    two = Book((book_of(THREE[0]).regions[0], book_of(THREE[0], name="b").regions[0]), simulated=False)
    assert rows_of(measure_concentration(two), "county").keys() == {"made", "b"}
    with pytest.raises(ConfigError, match="farm F1 is in made and in b"):
        measure_concentration(two, {"buyer": {"F1": "mill"}})


# --- groups -----------------------------------------------------------------------------------------------------------
def test_groups_of_the_bank_stand_beside_those_of_the_run(tmp_path: Path) -> None:
    book = book_of(*THREE)
    path = tmp_path / "groups.csv"
    path.write_text("farm_id,buyer,canal\nF1,mill,north\nF2, mill,\nF9,other,south\n", encoding="utf-8")
    found = measure_concentration(book, read_columns(path, book))
    assert {name: row["limit"] for name, row in rows_of(found, "buyer").items()} == {"mill": 7000, "not told": 1000}
    assert {name: row["limit"] for name, row in rows_of(found, "canal").items()} == {"north": 4000, "not told": 4000}
    assert rows_of(found, "buyer")["not told"]["farms"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("farm,buyer\nF1,mill\n", r"columns \['farm_id'\] are missing; found \['farm', 'buyer'\]"),
        ("farm_id\nF1\n", "needs a column beside farm_id"),
        ("farm_id,crop\nF1,maize\n", "crop is measured from the run itself"),
        ("farm_id,buyer\nF1,mill\nF1,shop\n", "line 3: a farm stands twice"),
        ("farm_id,buyer\nF9,mill\n", "none of the 4 farms is in it"),
        ("# of the co-op\nfarm_id,buyer\nF1,mill\nF1,shop\n", "line 4: a farm stands twice"),
        ("", "--groups cannot be read: No columns to parse from file"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_columns(path, book_of(*THREE))


# --- places -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_book(tmp_path_factory.mktemp("concentration") / "run")


def draw(path: Path, *places: tuple[str, shapely.Geometry], column: str = "watershed") -> Path:
    names, shapes = zip(*places, strict=True)
    gpd.GeoDataFrame({column: names}, geometry=list(shapes), crs="EPSG:4326").to_file(path, driver="GPKG")
    return path


def halves(publication: Path) -> tuple[shapely.Geometry, shapely.Geometry]:
    """West and east of the middle of one parcel."""
    parcels = gpd.read_parquet(publication / "parcels.parquet")
    west, south, east, north = parcels.total_bounds
    middle = parcels[~parcels.geometry.is_empty].geometry.iloc[0].centroid.x
    return shapely.box(west - 1, south - 1, middle, north + 1), shapely.box(middle, south - 1, east + 1, north + 1)


def test_a_farm_stands_on_places_by_its_land(publication: Path, tmp_path: Path) -> None:
    book = read_book([publication])
    west, east = halves(publication)
    parts = read_places(draw(tmp_path / "w.gpkg", ("west", west), ("east", east)), "watershed", book)
    assert all(sum(shares.values()) == 1 for shares in parts.values())
    assert any(0.2 < float(shares.get("west", 0)) < 0.8 for shares in parts.values())  # the one that was cut
    found = measure_concentration(book, places=parts, place_name="watershed")
    assert set(rows_of(found, "watershed")) >= {"west", "east"}
    alone = read_places(draw(tmp_path / "o.gpkg", ("west", west), ("far", shapely.box(0, 0, 1, 1))), "watershed", book)
    cut = next(name for name, shares in parts.items() if 0.2 < float(shares.get("west", 0)) < 0.8)
    assert set(alone[cut]) == {"west", "elsewhere"}
    assert sum(alone[cut].values()) == 1


def test_places_that_cannot_be_used_are_refused(publication: Path, tmp_path: Path) -> None:
    book = read_book([publication])
    west, east = halves(publication)
    with pytest.raises(InputError, match="places overlap"):
        read_places(draw(tmp_path / "o.gpkg", ("west", west), ("all", shapely.union(west, east))), "watershed", book)
    with pytest.raises(InputError, match="no column basin names its polygons"):
        read_places(draw(tmp_path / "c.gpkg", ("west", west), ("east", east)), "basin", book)
    one = draw(tmp_path / "west.gpkg", ("west", west))  # a place may be named as its file is
    told = {place for shares in read_places(one, "watershed", book).values() for place in shares}
    assert told == {"west", "elsewhere"}
    far = (("a", shapely.box(0, 0, 1, 1)), ("b", shapely.box(2, 0, 3, 1)))
    with pytest.raises(InputError, match="holds no land of made-square"):
        read_places(draw(tmp_path / "f.gpkg", *far), "watershed", book)


# --- what people see --------------------------------------------------------------------------------------------------
def test_the_command_tells_every_kind_and_writes_a_page(publication: Path, tmp_path: Path) -> None:
    west, east = halves(publication)
    places = draw(tmp_path / "w.gpkg", ("west", west), ("east", east))
    out = tmp_path / "out"
    done = CliRunner().invoke(
        cli.app, ["concentration", str(publication), "--places", str(places), "--place", "watershed", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "on simulated data"
    assert [line.split(":")[0] for line in lines if line.startswith("by ")] == [
        "by crop", "by person", "by county", "by size of farm", "by watershed",
    ]  # fmt: skip
    figures = json.loads((out / "concentration.json").read_text(encoding="utf-8"))
    table = pd.read_csv(out / "concentration.csv")
    assert len(table) == len(figures["groups"])
    assert table[table["by"] == "watershed"]["limit"].sum() == pytest.approx(float(figures["limit"]), abs=0.05)
    page = (out / "concentration.html").read_text(encoding="utf-8")
    assert "On simulated data." in page
    assert "按作物" in page


def test_a_long_kind_shows_the_largest_and_counts_the_rest() -> None:
    many = [(farm(f"F{k:02d}", ("maize", 10.0), person=f"P{k:02d}"), 100 * (k + 1)) for k in range(12)]
    found = measure_concentration(book_of(*many))
    lines = concentration_lines(found)
    assert any(line.startswith("P11 ") for line in lines)
    assert not any(line.startswith("P03 ") for line in lines)
    assert "and 4 more, none above 5.1%" in lines
    people = concentration_page(found).sections[1]
    assert len(people.rows) == 8
    assert people.notes[-1] == ("4 more stand in concentration.csv.", "其余4组见 concentration.csv。")
