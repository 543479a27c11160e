# SPDX-License-Identifier: Apache-2.0
"""Land of each crop in a region: expected and corrected totals by hand, and what a sample must be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.area import (
    COLUMNS,
    area_lines,
    corrected_areas,
    expected_areas,
    read_reference,
    region_areas,
    write_areas,
)
from acreline.errors import InputError, StoreError
from tests.made_publication import make_publication


def stands(*rows: tuple[str, str, float, str, float]) -> pd.DataFrame:
    """(slot, crop, confidence, set, area) each; parcels p0, p1 ..."""
    table = pd.DataFrame(rows, columns=["slot", "crop", "crop_confidence", "crop_set", "area_m2"])
    return table.assign(parcel_id=pd.array([f"p{k}" for k in range(len(table))], dtype="string"))


def test_land_is_shared_by_probability() -> None:
    table = expected_areas(
        stands(("B", "maize", 0.9, "maize", 1000.0), ("B", "maize", 0.5, "maize|soybean|cotton", 2000.0))
    )
    assert table["expected_m2"].to_dict() == pytest.approx(
        {("B", "maize"): 1900.0, ("B", "soybean"): 500.0, ("B", "cotton"): 500.0, ("B", "other"): 100.0}
    )
    error = table["expected_se_m2"]
    assert error["B", "maize"] == pytest.approx(math.sqrt(1000**2 * 0.09 + 2000**2 * 0.25))
    assert error["B", "cotton"] == pytest.approx(2000 * math.sqrt(0.25 * 0.75))


def sample(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["told", "crop", "area_m2"])


def test_the_stratified_estimator_by_hand() -> None:
    """Parcels of one size: 40 ha told maize of which 4 of 5 are, 60 ha told rice of which 9 of 10 are."""
    told = stands(("B", "maize", 1.0, "maize", 400_000.0), ("B", "rice", 1.0, "rice", 600_000.0))
    seen = sample(
        *[("maize", "maize", 1.0)] * 4, ("maize", "rice", 1.0), *[("rice", "rice", 1.0)] * 9, ("rice", "maize", 1.0)
    )
    table = corrected_areas(told, seen).set_index("crop")
    assert table["corrected_m2"].to_dict() == pytest.approx({"maize": 380_000.0, "rice": 620_000.0})
    error = 1_000_000 * math.sqrt(0.4**2 * 0.8 * 0.2 / 4 + 0.6**2 * 0.9 * 0.1 / 9)  # Olofsson, equation 10
    assert table["corrected_se_m2"].to_list() == pytest.approx([error, error])
    assert table.loc["maize", "high_m2"] == pytest.approx(380_000 + 1.959964 * error)
    assert table["sampled"].to_dict() == {"maize": 5, "rice": 10}
    assert table["code"].isna().all()


def test_large_parcels_weigh_more() -> None:
    told = stands(("B", "maize", 1.0, "maize", 900.0))
    table = corrected_areas(told, sample(("maize", "maize", 2.0), ("maize", "rice", 1.0))).set_index("crop")
    assert table["corrected_m2"].to_dict() == pytest.approx({"maize": 600.0, "rice": 300.0})


def test_a_stratum_without_a_sample_is_believed_and_says_so() -> None:
    told = stands(("B", "maize", 1.0, "maize", 900.0), ("B", "tea", 1.0, "tea", 100.0))
    table = corrected_areas(told, sample(*[("maize", "maize", 1.0)] * 5)).set_index("crop")
    assert table.loc["tea", ["corrected_m2", "code"]].tolist() == [100.0, "not_sampled"]
    assert table.loc["tea", "corrected_se_m2"] == pytest.approx(100 * math.sqrt(0.5 * 0.5 / 4))


def test_a_sample_that_agrees_as_one_is_not_certain() -> None:
    """Five of five are seven of nine to Agresti and Coull; the others of the slot are not in doubt for it."""
    told = stands(("B", "maize", 1.0, "maize", 900.0), ("B", "tea", 1.0, "tea", 100.0))
    seen = sample(*[("maize", "maize", 1.0)] * 5, ("tea", "tea", 1.0), ("tea", "maize", 1.0))
    table = corrected_areas(told, seen).set_index("crop")
    tea = 100**2 * 0.5 * 0.5 / 1  # equation 10: n - 1 = 1
    assert table.loc["maize", "corrected_se_m2"] == pytest.approx(math.sqrt(900**2 * (7 / 9) * (2 / 9) / 9 + tea))
    assert table.loc["tea", "corrected_se_m2"] == pytest.approx(math.sqrt(tea))
    assert (table["low_m2"] < table["corrected_m2"]).all()
    assert table["high_m2"].max() == 1000.0  # no more than all land of the slot


def test_agreement_is_counted_whatever_the_last_digits_of_land() -> None:
    """Shares of 0.1 + 0.2 + 0.3 of land add up to 1 but for rounding: that is agreement too, and no certainty."""
    rng = np.random.default_rng(0)
    told = stands(("B", "maize", 1.0, "maize", 900.0), ("B", "tea", 1.0, "tea", 100.0))
    for _ in range(200):
        land = rng.uniform(100, 9000, 23)
        seen = sample(*[("maize", "maize", area) for area in land], ("tea", "tea", 1.0))
        table = corrected_areas(told, seen).set_index("crop")
        assert table.loc["maize", "corrected_se_m2"] > 900 * 0.03


@pytest.mark.parametrize("found", ["maize", "rice"])
def test_one_sampled_parcel_tells_little(found: str) -> None:
    """One of one is three of five, none of one two of five: both with variance 0.6 x 0.4 / 5."""
    table = corrected_areas(stands(("B", "maize", 1.0, "maize", 900.0)), sample(("maize", found, 1.0)))
    table = table.set_index("crop")
    assert table.loc[found, "corrected_m2"] == 900.0
    assert table["corrected_se_m2"].tolist() == pytest.approx([900 * math.sqrt(0.6 * 0.4 / 5)] * len(table))
    assert table.loc["maize", "code"] == "few_sampled"


def test_sampled_parcels_of_unlike_size_count_for_fewer() -> None:
    """Two parcels of 3 and 1: (3 + 1)^2 / (9 + 1) = 1.6 of one size."""
    table = corrected_areas(
        stands(("B", "maize", 1.0, "maize", 100.0)), sample(("maize", "maize", 3.0), ("maize", "maize", 1.0))
    )
    share = (1.6 + 2) / 5.6
    assert table["corrected_se_m2"].tolist() == pytest.approx([100 * math.sqrt(share * (1 - share) / 5.6)])


def test_what_was_missed_is_found_on_idle_land() -> None:
    """400 told maize, all right; of 1,000 told idle one of ten bears maize."""
    told = stands(("B", "maize", 1.0, "maize", 400.0), ("B", "none", 1.0, "none", 1000.0))
    seen = sample(*[("maize", "maize", 1.0)] * 6, *[("none", "none", 1.0)] * 9, ("none", "maize", 1.0))
    table = corrected_areas(told, seen).set_index("crop")
    assert table["corrected_m2"].to_dict() == pytest.approx({"maize": 500.0, "none": 900.0})
    assert table.loc["none", "corrected_se_m2"] == pytest.approx(1000 * math.sqrt(0.1 * 0.9 / 9))


CROPS = ("maize", "rice", "tea")


@given(
    st.lists(st.tuples(st.sampled_from(CROPS), st.floats(1, 1e6)), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from(CROPS), st.sampled_from(CROPS), st.floats(1, 1e6)), max_size=20),
)
def test_corrected_land_adds_up_to_the_mapped_land(
    told: list[tuple[str, float]], seen: list[tuple[str, str, float]]
) -> None:
    land = stands(*[("B", crop, 1.0, crop, area) for crop, area in told])
    table = corrected_areas(land, sample(*seen))
    assert table["corrected_m2"].sum() == pytest.approx(land["area_m2"].sum())
    assert (table["corrected_m2"] >= 0).all()


# --- a publication and a sample of it -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("area") / "made")


def write(folder: Path, text: str) -> Path:
    path = folder / "sample.csv"
    path.write_text(text, encoding="utf-8")
    return path


def told_of(publication: Path) -> pd.DataFrame:
    return pd.read_parquet(publication / "stands.parquet")


def test_totals_of_a_publication(publication: Path, tmp_path: Path) -> None:
    table = region_areas(publication)
    assert tuple(table.columns) == COLUMNS
    told = told_of(publication)
    grown = table[~table["crop"].isin(["none", "not_judged"])]
    assert grown["counted_m2"].sum() == pytest.approx(told["area_m2_mid"].sum())
    assert grown["expected_m2"].sum() == pytest.approx(told["area_m2_mid"].sum())
    assert table["corrected_m2"].isna().all()
    lines = area_lines(table, simulated=True)
    assert lines[0] == "on simulated data"
    assert "--reference" in lines[-1]
    rows = "\n".join(f"{row.parcel_id},{row.slot},{row.crop}" for row in told.itertuples())
    exact = region_areas(publication, write(tmp_path, f"parcel_id,slot,crop\n{rows}\n"))
    known = exact[exact["corrected_m2"].notna()]
    assert known["corrected_m2"].tolist() == pytest.approx(known["counted_m2"].tolist())
    assert (known["corrected_se_m2"] > 0).all()
    lines = area_lines(exact, simulated=False)
    assert "corrected" in lines[0]
    assert not [line for line in (*lines, *area_lines(table, simulated=False)) if "nan" in line]


def test_land_that_was_not_judged_or_left_idle_is_told(publication: Path) -> None:
    parcels = pd.read_parquet(publication / "parcels.parquet")
    table = region_areas(publication)
    last = table.iloc[-1]
    rest = parcels[parcels["status"].isin(["insufficient", "failed"])]
    assert (last["crop"], last["code"], last["stands"]) == ("not_judged", "not_judged", len(rest))
    assert last["counted_m2"] == pytest.approx(rest["metrics:area"].sum())
    assert f"not judged: {len(rest)} parcels" in area_lines(table, simulated=False)[-2]
    told = told_of(publication)
    judged = parcels[parcels["status"].isin(["ok", "degraded"])]
    idle = judged[~judged["id"].isin(told.loc[told["slot"].isin(["B", "AB"]), "parcel_id"])]
    none = table[(table["crop"] == "none") & (table["slot"] == "B")].iloc[0]
    assert (none["stands"], none["counted_m2"]) == (len(idle), pytest.approx(idle["metrics:area"].sum()))
    assert np.isnan(none["expected_m2"])


def test_idle_land_can_be_sampled(publication: Path, tmp_path: Path) -> None:
    told = told_of(publication)
    late = told.loc[told["slot"] == "B", "parcel_id"].tolist()[:2]
    text = f"parcel_id,slot,crop\n{late[0]},A,冬季谷物\n{late[1]},A,none\n"
    table = region_areas(publication, write(tmp_path, text)).set_index(["slot", "crop"])
    none, cereal = table.loc[("A", "none")], table.loc[("A", "winter_cereal")]
    size = pd.read_parquet(publication / "parcels.parquet").drop_duplicates("id").set_index("id")["metrics:area"]
    missed = none["counted_m2"] * size[late[0]] / (size[late[0]] + size[late[1]])
    assert cereal["corrected_m2"] == pytest.approx(cereal["counted_m2"] + missed, rel=1e-5)
    assert (none["sampled"], cereal["code"]) == (2, "not_sampled")


def test_a_parcel_idle_all_year_is_seen_in_both_slots(tmp_path: Path) -> None:
    land = stands(("A", "none", 1.0, "none", 900.0), ("B", "none", 1.0, "none", 900.0)).assign(parcel_id="p0")
    path = write(tmp_path, "parcel_id,slot,crop\np0,AB,Tea\n")
    seen = read_reference(path, land, {"tea": "tea"})
    assert seen[["slot", "crop", "told"]].to_numpy().tolist() == [["A", "tea", "none"], ["B", "tea", "none"]]


def test_a_sample_of_another_run_tells_of_this_one(publication: Path, tmp_path: Path) -> None:
    told = told_of(publication)
    late = told[told["slot"] == "B"]
    rows = "\n".join(f"{row.parcel_id},B,{row.crop}" for row in late.itertuples())
    path = write(tmp_path, f"parcel_id,slot,crop\n{rows}\n")
    here, there = region_areas(publication, path), region_areas(publication, path, publication)
    pd.testing.assert_frame_equal(here, there)


def test_a_crop_in_two_slots_is_one_line() -> None:
    """Half a hectare in each slot: errors of 300 and 400 m2 are 500 together; an acre is 4,046.86 m2."""
    row = {"crop": "potato", "stands": 1, "counted_m2": 5000.0, "expected_m2": 5000.0, "code": None}
    rows = [{**row, "slot": slot, "expected_se_m2": error} for slot, error in (("A", 300.0), ("B", 400.0))]
    line = area_lines(pd.DataFrame(rows, columns=list(COLUMNS)), simulated=False)[2].split()
    assert line == ["potato", "2", "1.0", "15.0", "2.5", "1.0", "+-", "0.1", "15.0", "+-", "0.8", "2.5", "+-", "0.1"]


def test_totals_are_written_in_three_units_or_refused(publication: Path, tmp_path: Path) -> None:
    table = region_areas(publication)
    write_areas(table, tmp_path / "areas.csv")
    told = pd.read_csv(tmp_path / "areas.csv").iloc[0]
    assert told["counted_ha"] == pytest.approx(told["counted_m2"] / 10_000, abs=1e-4)
    assert told["counted_mu"] == pytest.approx(told["counted_m2"] * 15 / 10_000, abs=1e-4)
    assert told["counted_acres"] == pytest.approx(told["counted_m2"] / 4046.8564224, abs=1e-4)
    with pytest.raises(StoreError, match="cannot be written"):
        write_areas(table, tmp_path / "nowhere" / "areas.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parcel_id,crop\np0,maize\n", r"columns \['slot'\] are missing"),
        ("parcel_id,slot,crop\np0,B,\n", "line 2: an empty cell"),
        ("parcel_id,slot,crop\np0,C,maize\n", "slot 'C' is none"),
        ("parcel_id,slot,crop\np0,B,maize\np0,B,maize\n", "parcel 'p0' stands twice in one slot"),
        ("parcel_id,slot,crop\n", "a header and no line"),
        ("parcel_id,slot,crop\np0,B,maize\np1,B,mazie\n", r"line 3: crop 'mazie' is not known \(1 such lines\)"),
        ("parcel_id,slot,crop\np0,A,maize\n", "1 parcels have no stand in this run, first: 'p0' in slot A"),
        ("parcel_id,slot,crop\nnobody,B,maize\n", "1 parcels have no stand in this run, first: 'nobody' in slot B"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_reference(write(tmp_path, text), stands(("B", "maize", 1.0, "maize", 900.0)))


def test_the_nearest_crop_and_the_slot_that_was_told_are_named(tmp_path: Path) -> None:
    land = stands(("B", "maize", 1.0, "maize", 900.0))
    with pytest.raises(InputError) as caught:
        read_reference(write(tmp_path, "parcel_id,slot,crop\np0,B,mazie\n"), land)
    assert "nearest: maize" in caught.value.hint
    with pytest.raises(InputError) as caught:
        read_reference(write(tmp_path, "parcel_id,slot,crop\np0,AB,maize\n"), land)
    assert "told of it in slot B" in caught.value.hint


def test_a_sample_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the sample cannot be read"):
        read_reference(tmp_path / "none.csv", stands(("B", "maize", 1.0, "maize", 900.0)))
