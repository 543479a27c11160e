# SPDX-License-Identifier: Apache-2.0
"""How a run's word is laid beside the truth of simulated land, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from acreline.trial import beside_truth as scores


def truth() -> pd.DataFrame:
    rows = [
        ("p1", "f1", "A", "wheat", "winter_cereal", 9_000.0),
        ("p1", "f1", "B", "maize", "maize", 9_000.0),
        ("p2", "f1", "AB", "tea", "tea", 3_000.0),
        ("p3", "f2", "B", "maize", "maize", 900.0),
    ]
    table = pd.DataFrame(rows, columns=["parcel_id", "farm_id", "slot", "crop", "class", "planted_m2"])
    table["emerged"] = pd.to_datetime(["2025-03-01", "2025-06-20", None, "2025-06-20"])
    table["harvested"] = pd.to_datetime(["2025-06-10", "2025-10-01", None, "2025-10-01"])
    return table


def test_two_crops_a_year_are_planted_once() -> None:
    assert scores.true_planted(truth()).to_dict() == {"p1": 9_000.0, "p2": 3_000.0, "p3": 900.0}


def test_parts_beside_each_other_add_up_and_idle_ones_do_not() -> None:
    """Wheat on 0.6 ha beside beet on 0.4 ha is 1 ha planted; wheat then maize on 0.6 ha beside fallow is 0.6 ha."""
    rows = [("p1", "A", 6_000.0), ("p1", "B", 4_000.0), ("p2", "A", 6_000.0), ("p2", "B", 6_000.0), ("p2", "B", 0.0)]
    parts = pd.DataFrame(rows, columns=["parcel_id", "slot", "planted_m2"])
    assert scores.true_planted(parts).to_dict() == {"p1": 10_000.0, "p2": 6_000.0}


def test_acreage_is_told_of_farms_over_a_hectare() -> None:
    mu = 15 / 10_000
    farms = pd.DataFrame({
        "farm_id": ["f1", "f2"],
        "planted_mu": [12_600 * mu, 900 * mu],
        "planted_mu_low": [11_000 * mu, 800 * mu],
        "planted_mu_high": [13_000 * mu, 1_000 * mu],
    })  # fmt: skip
    parcels = pd.DataFrame({"farm_id": ["f1", "f1", "f2"], "metrics:area": [9_500.0, 3_500.0, 1_000.0]})
    told = scores.farm_acreage(truth(), farms, parcels)
    assert told["error"] == pytest.approx([0.05])
    assert told["drawn"] == pytest.approx([13_000 / 12_000 - 1])
    assert told["inside"].tolist() == [1.0]


def test_crops_a_year_are_counted_on_single_fields_of_annual_land() -> None:
    cut = truth().assign(parcel_id=["p1", "p1", "p2", "p3"])
    fallow = cut[cut["parcel_id"] == "p3"].assign(parcel_id="p4", **{"class": "none"})
    over = pd.concat([cut[cut["parcel_id"] == "p3"]] * 2).assign(parcel_id="p5")
    told = pd.DataFrame({"parcel_id": ["p1", "p1", "p2", "p3", "p4", "p5", "p6"], "seasons": [2, 2, 1, 2, 0, 1, 1]})
    part = cut[cut["parcel_id"] == "p3"].assign(parcel_id="p6", share=0.6)
    every = pd.concat([table.assign(share=1.0) for table in (cut, fallow, over)] + [part])
    assert scores.counted_right(every, told).tolist() == [1.0, 0.0, 1.0]


def test_totals_leave_out_what_was_not_judged() -> None:
    stands = pd.DataFrame({
        "parcel_id": ["p1", "p1", "p3"], "slot": ["A", "B", "B"], "crop": ["winter_cereal", "soybean", "maize"],
        "crop_confidence": [1.0, 0.6, 1.0], "crop_set": ["winter_cereal", "soybean|maize", "maize"],
        "area_m2_mid": [9_900.0, 9_000.0, 900.0],
    })  # fmt: skip
    totals = scores.crop_totals(truth(), stands, ["p1"]).set_index(["slot", "class"])
    assert totals.loc[("A", "winter_cereal"), "told_m2"] == 9_900
    assert totals.loc[("B", "maize"), ["true_m2", "told_m2"]].tolist() == [9_000, 0]
    assert ("AB", "tea") not in totals.index
    bias = scores.main_bias(totals.reset_index()).set_index("class")["bias"]
    assert bias["winter_cereal"] == pytest.approx(0.1)
    assert bias["maize"] == -1
    expected = scores.main_bias(totals.reset_index()).set_index("class")["expected_bias"]
    assert expected["maize"] == pytest.approx(-0.6)


def test_dates_are_of_stands_that_were_named_right() -> None:
    seasons = pd.DataFrame({
        "parcel_id": ["p1", "p1", "p3"], "slot": ["A", "B", "B"], "crop": ["winter_cereal", "soybean", "maize"],
        "emergence": pd.to_datetime(["2025-03-08", "2025-06-20", None], utc=True),
        "emergence_doubt_days": [2.5, 2.5, None],
        "harvest": pd.to_datetime(["2025-06-08", "2025-10-01", "2025-10-04"], utc=True),
        "harvest_doubt_days": [2.5, 2.5, 2.0],
    })  # fmt: skip
    told = scores.date_errors(truth(), seasons)
    assert told["emergence"].tolist() == [7.0]
    assert told["harvest"].tolist() == [-2.0, 3.0]
    assert told["harvest_inside"].tolist() == [1.0, 0.0]
    assert told["emergence_told"].tolist() == [1.0, 2.0]


def test_events_are_found_missed_and_false() -> None:
    day = pd.Timestamp("2025-07-10")
    struck = pd.DataFrame({
        "event": ["flood", "flood", "frost", "drought"], "parcel_id": ["a", "b", "c", "d"],
        "start": [day] * 4, "end": [day + pd.Timedelta(days=5)] * 4,
        "severity": [0.8, 0.5, 0.1, 0.6], "share": [1.0, 0.6, 1.0, 0.1], "damage": [0.5, 0.3, 0.0, 0.1],
    })  # fmt: skip
    said = pd.DataFrame({
        "event": ["flood", "flood", "frost", "frost"], "parcel_id": ["a", "e", "c", "e"],
        "not_before": [(day - pd.Timedelta(days=1)).tz_localize("UTC"), *[pd.NaT] * 3],
        "start": [(day + pd.Timedelta(days=4)).tz_localize("UTC")] * 4, "severity": [0.8, 1.0, 1.0, 1.0],
        "share": [0.5, 1.0, 1.0, 1.0],
    })  # fmt: skip
    told = scores.event_counts(struck, said, ["a", "b", "c", "d", "e", "f"], ["flood", "frost", "drought"])
    assert told["kinds"]["flood"] == {"found": 1, "missed": 1, "false": 1}
    assert told["kinds"]["frost"] == {"found": 0, "missed": 0, "false": 1}  # a weak one on c is neither
    assert told["kinds"]["drought"] == {"found": 0, "missed": 0, "false": 0}  # it brushed the rim
    assert told["days"] == [1.5]  # between the look on the 9th and that on the 14th: the middle
    assert told["damage"] == pytest.approx([0.8 * 0.5 - 0.5])
    assert (told["sound"], told["alarmed"]) == (2, 1)
    assert scores.event_f1(told["kinds"]) == {"flood": 0.5}
    twice = scores.add_counts([told, told])
    assert twice["kinds"]["flood"] == {"found": 2, "missed": 2, "false": 2}
    assert (twice["sound"], len(twice["days"])) == (4, 2)


def test_harvests_are_compared_within_their_crop() -> None:
    yields = pd.DataFrame({
        "parcel_id": ["a", "b", "c"], "slot": ["B"] * 3, "class": ["maize", "maize", "soybean"],
        "yield_kg_per_ha": [8_000.0, 6_000.0, 2_000.0],
    })  # fmt: skip
    stands = pd.DataFrame({
        "parcel_id": ["a", "b", "c"], "slot": ["B"] * 3, "crop": ["maize", "maize", "maize"],
        **{f"yield_kg_per_ha_{end}": [value, value, value] for end, value in
           (("low", 5_000.0), ("mid", 7_000.0), ("high", 9_000.0))},
    })  # fmt: skip
    told = scores.harvests(yields, stands, ["maize", "soybean"])
    assert told["true"].tolist() == [8_000.0, 6_000.0]  # c was named wrong
    assert scores.nrmse(told) == pytest.approx(np.sqrt(2 * (1 / 7) ** 2 / 2))
