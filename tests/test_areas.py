# SPDX-License-Identifier: Apache-2.0
"""Declared, drawn, registered and planted land beside each other: by hand, and where people read it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from acreline.desk import explain_farm
from acreline.report import write_farm_pages
from acreline.report.areas import areas_line, farm_areas, parcel_areas, three_units
from acreline.report.tell import tell_page
from tests.made_publication import farm_name, make_pictures, make_publication


def test_an_area_in_three_units() -> None:
    """A hectare is 15 mu and 2.471 acres."""
    assert three_units(20_000.0) == ("30.0 mu (2.00 ha, 4.94 acres)", "30.0 亩（2.00 公顷，4.94 英亩）")


def test_what_is_known_of_a_parcel_is_told_and_nothing_else() -> None:
    row = {"metrics:area": 10_000.0, "declared_area_m2": math.nan, "registry_area_m2": None, "planted_m2_low": 8_000.0}
    assert parcel_areas(row) == {"drawn": (10_000.0,)}
    row |= {"declared_area_m2": 12_000.0, "planted_m2_mid": 9_000.0, "planted_m2_high": 10_000.0}
    assert areas_line(parcel_areas(row)) == (
        "declared 18.0 mu (1.20 ha, 2.97 acres); drawn 15.0 mu (1.00 ha, 2.47 acres); "
        "planted 13.5 mu (0.90 ha, 2.22 acres), 12.0 to 15.0 mu",
        "申报 18.0 亩（1.20 公顷，2.97 英亩）；勾绘 15.0 亩（1.00 公顷，2.47 英亩）；"
        "实种 13.5 亩（0.90 公顷，2.22 英亩），12.0 至 15.0 亩",
    )
    assert areas_line({}) is None


def test_a_farm_is_summed_where_every_parcel_is_known() -> None:
    parcels = [{"drawn": (1.0,), "declared": (2.0,)}, {"drawn": (3.0,)}]
    assert farm_areas(parcels, (1.0, 2.0, 3.0)) == {"drawn": (4.0,), "planted": (1.0, 2.0, 3.0)}
    assert farm_areas([], None) == {}


# --- where people read it -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("areas") / "publication")


def test_areas_and_what_does_not_fit_are_on_map_page_farm_page_and_in_explain(publication: Path) -> None:
    """P10 is declared 1.4 times as large as drawn."""
    told = tell_page(publication)
    [parcel] = [row for row in told["parcels"] if row["id"] == "P10"]
    [farm] = [row for row in told["farms"] if row["id"] == parcel["farm"]]
    drawn, declared = parcel["areas_m2"]["drawn"][0], parcel["areas_m2"]["declared"][0]
    assert declared == pytest.approx(1.4 * drawn, rel=1e-6)
    assert three_units(declared)[0] in parcel["areas"][0]
    assert ["declared_area_differs", ["P10"]] in [code for one in parcel["settle"] for code in one["codes"]]
    assert "planted" in farm["areas"][0]
    assert farm["planted_ha"] == pytest.approx(farm["planted"][1] / 15, abs=1e-2)
    for lang, place, units in (("en", 0, "acres"), ("zh", 1, "英亩")):
        lines = explain_farm(publication, farm["id"], lang)
        assert f"- P10 {parcel['areas'][place]}" in lines
        assert units in parcel["areas"][place]
        assert any(("declared area differs", "申报面积与勾绘")[place] in line for line in lines)
    pages = write_farm_pages(publication, make_pictures())
    [page] = [one for one in pages if one.stem == farm["id"]]
    text = page.read_text(encoding="utf-8")
    assert parcel["areas"][1] in text
    assert f"{farm['planted_acres']:,.2f} 英亩" in text


def test_a_rejected_row_shows_no_area(publication: Path) -> None:
    told = tell_page(publication)
    assert [row["areas"] for row in told["parcels"] if row["status"] == "rejected" and row["mu"] is None] in (
        [],
        [None],
    )
    assert farm_name(0) in {row["id"] for row in told["farms"]}
