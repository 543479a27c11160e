# SPDX-License-Identifier: Apache-2.0
"""Figures of a painted county by hand, on rasters small enough to count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from acreline.layers import HEALTH_CLASSES
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted
from acreline.promises import Calibration, ConformalStep, SlotCalibration
from acreline.thermal import Temperatures
from acreline.trial.as_of import as_of_figures, month_tables, until
from acreline.trial.county_counts import at_boundary
from acreline.trial.drawn_blocks import paired_difference, score_blocks
from acreline.trial.painting import figures, measure_painted
from acreline.trial.parcel_trust import auroc
from acreline.trial.strange import backwards, strange_energies, strange_figures
from tests.made_painted import names_of, paint_names, raster_bank

HALVES = np.repeat([[1, 2]], 4, axis=1).repeat(4, axis=0)  # 4 x 8: columns 0 to 3 and 4 to 7
CROPS = {1: "winter_cereal", 2: "rapeseed"}
STRIP = np.repeat([1, 2, 3, 4], [9, 20, 50, 120])[None]  # 0.09, 0.2, 0.5 and 1.2 ha in one row


def card(threshold: float = 0.3) -> Calibration:
    """Temperature 1, one threshold."""
    steps = (ConformalStep(0, threshold, 100),)
    return Calibration({slot: SlotCalibration(HEADS[slot], 1.0, 0.1, steps) for slot in "AB"}, {})


def shifted() -> tuple[Bank, Painted]:
    """Column 4 of the rapeseed is told as wheat."""
    bank = raster_bank(HALVES, CROPS)
    told = names_of(bank, "A")
    told[:, 4] = "winter_cereal"
    return bank, paint_names(told)


def test_iou_and_the_two_pixels_at_a_boundary() -> None:
    slot = figures([measure_painted(shifted()[1], shifted()[0])], detail=True)["slot_A"]
    assert slot["pixel_accuracy"] == 28 / 32
    assert slot["miou"] == pytest.approx((16 / 20 + 12 / 16) / 2)
    assert (slot["boundary_pixels"], slot["boundary_accuracy"]) == (16, 0.75)
    assert (slot["interior_pixels"], slot["interior_accuracy"], slot["interior_miou"]) == (16, 1.0, 1.0)
    assert slot["pixel_per_class"]["winter_cereal"] == {"n": 16, "iou": 0.8, "producers": 1.0, "users": 0.8}
    assert slot["pixel_per_class"]["rapeseed"] == {"n": 16, "iou": 0.75, "producers": 0.75, "users": 1.0}
    assert slot["parcel_accuracy"] == 1.0  # the one column does not outvote the field


def test_a_pixel_is_at_a_boundary_where_another_field_is_one_or_two_pixels_away() -> None:
    assert at_boundary(HALVES)[0].tolist() == [False, False, True, True, True, True, False, False]
    assert at_boundary(HALVES.T)[:, 0].tolist() == [False, False, True, True, True, True, False, False]


def test_parcels_by_size_and_weighted_by_their_area() -> None:
    bank = raster_bank(STRIP, dict.fromkeys((1, 2, 3, 4), "winter_cereal"))
    told = np.where(STRIP == 1, "tea", "winter_cereal").astype(object)  # the smallest is told wrong
    slot = figures([measure_painted(paint_names(told), bank)])["slot_A"]
    assert [(row["from_ha"], row["n"], row["oa"]) for row in slot["by_size"]] == [
        (0.0, 1, 0.0), (0.1, 1, 1.0), (0.3, 1, 1.0), (1.0, 1, 1.0)
    ]  # fmt: skip
    assert slot["parcel_accuracy"] == 0.75
    assert slot["area_weighted_accuracy"] == pytest.approx(190 / 199, abs=1e-4)
    assert slot["area_ha"] == 1.99
    assert slot["parcels_too_small"] == 0


def test_a_small_parcel_counts_by_size_but_is_not_told() -> None:
    field = np.repeat([1, 2], [7, 20])[None]
    bank = raster_bank(field, {1: "tea", 2: "winter_cereal"})
    slot = figures([measure_painted(paint_names(names_of(bank, "A")), bank)])["slot_A"]
    assert (slot["n_parcels"], slot["parcels_too_small"]) == (1, 1)
    assert [row["n"] for row in slot["by_size"]] == [1, 1, 0, 0]
    assert slot["by_size"][3]["oa"] is None


def test_ground_in_no_farm_file_is_no_parcel_but_its_pixels_count() -> None:
    bank = replace(raster_bank(HALVES, CROPS), registered=1)
    told = figures([measure_painted(paint_names(names_of(bank, "A")), bank)])
    assert told["slot_A"]["n_parcels"] == 1
    assert told["slot_A"]["n_pixels"] == 32


def test_clear_looks_part_parcels() -> None:
    bank = raster_bank(HALVES, CROPS)
    clear = np.repeat(bank.clear, 4, axis=0)  # 12 looks
    clear[6:, bank.field == 1] = False
    more = {"clear": clear, "fine": np.repeat(bank.fine, 4, axis=0), "days": np.arange(12) * 30.0}
    rows = figures([measure_painted(shifted()[1], replace(bank, **more))])["slot_A"]["by_looks"]  # type: ignore[arg-type]
    assert [(row["from_looks"], row["n"]) for row in rows][:3] == [(0, 1), (7, 1), (13, 0)]


def test_flooded_pixels_and_what_is_too_weak_for_a_name() -> None:
    flood = list(HEALTH_CLASSES).index("flood")
    event = np.zeros(32, np.int16)
    event[:4], event[4] = flood, -1
    bank = raster_bank(HALVES, CROPS, event=event)
    health = np.full((4, 8), "normal", object)
    health[0, 1:7] = "flood"  # 3 hits, 1 that has no answer, 2 false
    told = figures([measure_painted(paint_names(names_of(bank, "A"), health=health), bank)])["health"]
    assert (told["flood_pixels"], told["flood_pixels_told"]) == (4, 5)
    assert told["flood_iou"] == 0.5  # 3 of 6


def test_false_alarms_and_events_by_parcel() -> None:
    hail = list(HEALTH_CLASSES).index("lodging_hail")
    bank = raster_bank(HALVES, CROPS, event=np.where(HALVES.ravel() == 2, hail, 0).astype(np.int16))
    health = np.full((4, 8), "lodging_hail", object)
    told = figures([measure_painted(paint_names(names_of(bank, "A"), health=health), bank)], detail=True)["health"]
    assert (told["n_normal"], told["false_alarms"], told["n_events"]) == (1, 1.0, 1)
    assert told["macro_f1_events"] == pytest.approx(2 / 3, abs=1e-4)
    assert told["per_class"]["lodging_hail"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "n": 1}
    calm = measure_painted(paint_names(names_of(bank, "A"), health=health), bank, normal_bias=10)
    assert figures([calm])["health"]["false_alarms"] == 0.0


def test_a_painter_without_a_health_head_has_no_figures_of_health() -> None:
    told = figures([measure_painted(*reversed(shifted()))])
    assert told["health"] is None
    assert "date" not in told["slot_A"]
    assert "when" in told["not_told"]["event_date"]


def test_sets_hold_the_truth_and_accept_what_is_alone() -> None:
    field = np.repeat([1, 2, 3, 4], 10)[None]
    bank = raster_bank(field, {1: "tea", 2: "tea", 3: "rapeseed", 4: "rapeseed"})
    painted = paint_names(np.repeat(["tea", "tea", "rapeseed", "tea"], 10).astype(object)[None], sure=0.9)
    share = np.exp(painted.crop_a)
    share[:, 0, 10:20] = 0.01  # of the second: 0.45 for tea, 0.43 for rapeseed
    share[HEADS["A"].index("tea"), 0, 10:20], share[HEADS["A"].index("rapeseed"), 0, 10:20] = 0.45, 0.43
    told = figures([measure_painted(replace(painted, crop_a=np.log(share)), bank)], card())
    sets = told["slot_A"]["sets"]
    assert sets["coverage"] == 0.75  # the fourth is sure and wrong
    assert sets["mean_size"] == 1.25
    assert (sets["single_n"], sets["single_accuracy"]) == (3, pytest.approx(2 / 3, abs=1e-4))
    assert sets["worst_cell"] is None  # no class has twenty parcels
    both = told["both_slots"]
    assert (both["accuracy"], both["accepted_share"], both["accepted_n"]) == (0.75, 0.75, 3)
    assert both["accepted_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert [row["n"] for row in both["kept"]] == [2, 3, 3]
    # Surest first: right, right, wrong, right: risks 0, 0, 1/3, 1/4.
    assert both["aurc"] == pytest.approx((1 / 3 + 1 / 4) / 4, abs=1e-4)


def test_calibration_of_parcels_by_hand() -> None:
    slot = figures([measure_painted(*reversed(shifted()))])["slot_B"]
    assert slot["ece"] == pytest.approx(0.1, abs=1e-4)  # both right, told at 0.9
    rest = 0.1 / (len(HEADS["B"]) - 1)
    assert slot["brier"] == pytest.approx(0.1**2 + (len(HEADS["B"]) - 1) * rest**2, abs=1e-4)
    assert slot["sets"] is None


def test_area_by_crop_is_the_sum_of_probabilities() -> None:
    field = np.repeat([1, 2], 300)[None]
    bank = raster_bank(field, CROPS)
    told = figures([measure_painted(paint_names(names_of(bank, "A"), sure=0.8), bank)])["area"]["A"]
    leak = 0.2 / (len(HEADS["A"]) - 1)
    assert told["by_crop"]["rapeseed"]["true_ha"] == 3.0
    assert told["by_crop"]["rapeseed"]["bias"] == pytest.approx(0.8 + leak - 1, abs=1e-4)
    assert told["by_crop"]["rapeseed"]["bias_of_counted_pixels"] == 0.0
    assert told["planted_parcels"] == 2
    assert told["planted_error_mean_abs"] == pytest.approx(2 * leak, abs=1e-4)  # on `none` and `non_agri`


def test_same_counts_same_figures_and_counties_add_up() -> None:
    one = measure_painted(*reversed(shifted()))
    assert figures([one], card(), detail=True) == figures([one], card(), detail=True)
    two = figures([one, one])
    assert two["slot_A"]["n_pixels"] == 64
    assert two["slot_A"]["miou"] == figures([one])["slot_A"]["miou"]


def test_known_land_above_the_energy_of_the_card() -> None:
    bank = raster_bank(HALVES, CROPS)
    energy = np.where(HALVES == 2, 3.0, 1.0).astype(np.float32)
    counts = [measure_painted(paint_names(names_of(bank, "A"), energy=energy), bank)]
    assert figures(counts, replace(card(), energy_threshold=2.0))["both_slots"]["unlike_share"] == 0.5
    assert figures(counts, card())["both_slots"]["unlike_share"] is None


# --- doubt --------------------------------------------------------------------------------------------------------
def test_blocks_are_drawn_for_both_at_once() -> None:
    true = np.zeros(6, np.int64)
    block = np.array(["a", "a", "b", "b", "c", "c"])
    right, half = true, np.array([1, 0, 1, 0, 1, 0])
    gap = paired_difference(true, right, half, 2, block)["oa"]
    assert gap == {"difference": 0.5, "ci95": [0.5, 0.5], "better": 1.0}  # each block has the same gap
    assert paired_difference(true, right, half, 2, np.full(6, "a"))["oa"]["ci95"] is None
    told = score_blocks(true, half, 2, block)
    assert (told["oa"], told["oa_ci95"], told["blocks"]) == (0.5, [0.5, 0.5], 3)
    assert score_blocks(true[:0], half[:0], 2, block[:0])["oa"] is None


def test_auroc_counts_pairs() -> None:
    assert auroc(np.array([2.0, 1.0]), np.array([1.0, 0.0])) == (1 + 1 + 0.5 + 1) / 4
    assert auroc(np.array([]), np.array([1.0])) is None


# --- months -------------------------------------------------------------------------------------------------------
def sees_late(bank: Bank) -> Painted:
    """Tells the truth from two looks on, tea before."""
    names = names_of(bank, "A") if len(bank.days) >= 2 else np.full(bank.shape, "tea", object)
    return paint_names(names)


def test_the_months_use_no_later_look_and_no_later_temperature() -> None:
    bank = raster_bank(HALVES, CROPS)
    known: list[date | None] = []

    def axis_of(year: int, temperatures: Temperatures | None) -> object:
        known.append(None if temperatures is None else temperatures.last)
        return bank.axis

    def load(of: object) -> Bank:
        of(2025, Temperatures(date(2024, 10, 1), np.zeros(400)))  # type: ignore[operator]
        return bank

    tables = month_tables(sees_late, load, axis_of)  # type: ignore[arg-type]
    assert sorted(tables) == ["01", "02", "03", "04", "05", "06", "07"]
    assert known[1] == date(2025, 1, 31)
    assert len(until(bank, date(2025, 1, 29)).days) == 1
    assert len(until(bank, date(2025, 1, 28)).days) == 0
    told = as_of_figures([tables])["A"]
    assert [row["oa"] for row in told["months"]] == [0, 0, 0, 1, 1, 1, 1]
    assert told["early"] == {"winter_cereal": "04", "rapeseed": "04"}
    assert as_of_figures([{}])["A"] == {"months": [], "early": {}}


def test_a_crop_is_early_only_where_it_stays_told() -> None:
    good, bad = np.diag([4, 4]), np.array([[4, 0], [4, 0]])
    size = {slot: len(names) for slot, names in HEADS.items()}
    tables = {
        month: {slot: np.pad(table, (0, size[slot] - 2)) for slot in HEADS}
        for month, table in (("05", good), ("06", bad), ("07", good))
    }
    assert as_of_figures([tables])["A"]["early"] == {"none": "07", "winter_cereal": "07"}


def test_a_season_backwards_is_strange() -> None:
    bank = raster_bank(HALVES, {1: "winter_cereal", 2: "tea"})
    assert backwards(bank).days.tolist() == [140.0, 240.0, 320.0]

    def paint(some: Bank) -> Painted:
        strange = some.days[0] > 130
        return paint_names(names_of(some, "A"), energy=np.full((4, 8), 5.0 if strange else -5.0, np.float32))

    told = strange_energies(paint, paint(bank), bank)
    assert told is not None
    assert told[0].tolist() == [-5.0]  # tea looks the same backwards, so it is left out
    assert strange_figures([told, None]) == {"auroc": 1.0, "n": 1}
    assert strange_energies(paint, paint_names(names_of(bank, "A")), bank) is None
    assert strange_figures([None]) is None
