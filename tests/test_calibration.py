# SPDX-License-Identifier: Apache-2.0
"""Sets of crops by crop group and clear looks, and from where on land is unlike all that was taught."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from acreline.layers import TimeAxis
from acreline.model.banks import Bank
from acreline.model.calibrate import (
    LOOK_STEPS,
    SIMULATED,
    SlotFields,
    area_under_curve,
    calibrated_probability,
    conformal_threshold,
    energy_threshold,
    fit_head,
    fit_novelty,
    fit_temperature,
)
from acreline.model.classes import CROP_CLASSES, CROP_GROUPS, HEADS, NONE, head_groups
from acreline.model.heads import ConformalCell, Novelty, SlotHead, TemperatureCell
from acreline.model.learning import Recipe
from acreline.model.members import AcreNets
from acreline.model.views import draw_views, keep_looks
from acreline.promises import Calibration, ConformalStep, EnergyStep, SlotCalibration, TemperatureStep
from acreline.trial.calibration import (
    Fields,
    calibrate_heads,
    county_fields,
    energy_scale,
    join_fields,
    novelty_scores,
    point_fields,
    simulated_promise,
)
from acreline.trial.set_coverage import measured_coverage
from acreline.trial.strange import made_unknowns

B = HEADS["B"]
MAIZE, RICE, SOY, GRASS = (B.index(name) for name in ("maize", "single_rice", "soybean", "grassland"))


def told(n: int, best: int, looks: int, seed: int, *, places: int = 10, sharp: float = 3.0) -> SlotFields:
    """Fields whose true crop is drawn by the very probabilities that are told: head B, mostly of one class."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (n, len(B)))
    logits[:, best] += sharp
    share = calibrated_probability(logits, 1.0)
    label = (share.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    place = np.array([f"p{k % places}" for k in range(n)])
    return SlotFields(np.log(share), label, np.full(n, looks), place)


def join(*parts: SlotFields) -> SlotFields:
    return SlotFields(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("logits", "label", "looks", "place"))
    )


# --- tables -------------------------------------------------------------------------------------------------------
def test_every_class_is_in_one_group() -> None:
    listed = [name for names in CROP_GROUPS.values() for name in names]
    assert sorted(listed) == sorted((NONE, *CROP_CLASSES))
    for slot in "AB":
        assert sorted(name for names in head_groups(slot).values() for name in names) == sorted(HEADS[slot])


def test_a_threshold_goes_by_group_and_looks() -> None:
    cells = (
        ConformalStep(0, 0.1, 50), ConformalStep(7, 0.2, 50), ConformalStep(0, 0.3, 50, "rice"),
        ConformalStep(13, 0.4, 50, "rice"),
    )  # fmt: skip
    head = SlotCalibration(B, 1.0, 0.1, cells, {"rice": ("single_rice",)})
    looks, best = np.array([6, 7, 0, 12, 13]), np.array([MAIZE, MAIZE, RICE, RICE, RICE])
    assert head.threshold(looks, best).tolist() == [0.1, 0.2, 0.3, 0.3, 0.4]


def test_a_temperature_goes_by_looks_and_an_old_card_has_one() -> None:
    looks = np.array([0, 6, 7, 40])
    cells = (ConformalStep(0, 0.1, 50),)
    one = SlotCalibration(B, 1.5, 0.1, cells)
    assert one.temperatures(looks).tolist() == [1.5] * 4
    steps = SlotCalibration(B, 1.5, 0.1, cells, {}, (TemperatureStep(0, 2.0), TemperatureStep(7, 0.5)))
    assert steps.temperatures(looks).tolist() == [2.0, 2.0, 0.5, 0.5]
    logits = np.log(np.array([[0.2, 0.8], [0.2, 0.8]]))
    assert calibrated_probability(logits, np.array([1.0, 0.5]))[:, 1] == pytest.approx([0.8, 16 / 17])


def test_a_crop_stands_alone_in_a_set_only_where_it_is_sure() -> None:
    cells = (ConformalStep(0, 0.3, 50), ConformalStep(7, 0.7, 50))
    head = SlotCalibration(("none", "maize", "rice"), 1.0, 0.1, cells, alone_from=0.75)
    share = np.array([[0.1, 0.6, 0.3], [0.05, 0.15, 0.8], [0.1, 0.6, 0.3], [0.28, 0.72, 0.0]])
    looks = np.array([0, 7, 7, 7])
    assert head.may_be(share, looks).tolist() == [
        [False, True, True],  # both reach 0.3
        [False, False, True],  # sure
        [False, True, True],  # none reaches 0.7: the likeliest and its runner-up
        [True, True, False],  # one reaches it and is not sure
    ]
    always = SlotCalibration(("none", "maize", "rice"), 1.0, 0.1, cells)
    assert always.may_be(share, looks).sum(axis=1).tolist() == [2, 1, 1, 1]
    assert share.tolist() == [[0.1, 0.6, 0.3], [0.05, 0.15, 0.8], [0.1, 0.6, 0.3], [0.28, 0.72, 0.0]]  # left as given


def test_unknown_land_goes_by_looks_and_an_old_card_has_one_number() -> None:
    looks = np.array([0, 6, 7, 40])
    assert Calibration({}, {}).unlike_above(looks) is None
    one = Calibration({}, {}, -3.0).unlike_above(looks)
    assert one is not None
    assert one.tolist() == [-3.0] * 4
    steps = Calibration({}, {}, -3.0, (EnergyStep(0, -2.0), EnergyStep(7, -2.5))).unlike_above(looks)
    assert steps is not None
    assert steps.tolist() == [-2.0, -2.0, -2.5, -2.5]


# --- thresholds by hand -------------------------------------------------------------------------------------------
def made_fields(p_true: list[float], best: int = MAIZE, looks: int = 20) -> SlotFields:
    """Fields of maize whose head gives it a share, and soybean the rest."""
    logits = np.full((len(p_true), len(B)), -30.0)
    logits[:, MAIZE], logits[:, SOY] = np.log(p_true), np.log1p(-np.array(p_true))
    return SlotFields(logits, np.full(len(p_true), MAIZE), np.full(len(p_true), looks), np.full(len(p_true), "p"))


def test_the_lower_of_two_sources_holds_and_the_card_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.model.calibrate.fit_temperature", lambda *_: 1.0)
    sure = [0.99 - 0.001 * k for k in range(19)]  # k = floor(0.1 * 20) = 2: the second smallest, 0.973
    unsure = [0.95 - 0.01 * k for k in range(19)]  # 0.78
    head = fit_head("B", {"simulated": made_fields(sure), "real": made_fields(unsure)}, 0.1, dict.fromkeys(
        ("simulated", "real"), 19
    ))  # fmt: skip
    cell = {(one.group, one.from_looks): one for one in head.cells}
    tall = cell["tall_summer_crops", 13]
    assert tall.threshold == pytest.approx(0.78, abs=1e-4)
    assert (tall.source, tall.taken_from, tall.n) == ("real", "cell", 19)
    assert tall.fields == {"simulated": 19, "real": 19}
    assert cell[None, 13].fields == {"simulated": 19, "real": 19}
    assert cell["rice", 13].fields == {"simulated": 0, "real": 0}
    assert cell["rice", 13].taken_from == "looks"  # none of its own
    assert cell["rice", 0].taken_from == "all"  # nobody was seen so seldom
    assert cell["rice", 13].threshold == cell["rice", 0].threshold == tall.threshold
    # with more fields asked than a source has in the cell, its pool stands in, even if it is all there is
    wide = fit_head("B", {"simulated": made_fields(sure), "real": made_fields(unsure)}, 0.1)
    assert {one.taken_from for one in wide.cells} == {"all"}
    assert {one.threshold for one in wide.cells} == {tall.threshold}


def test_each_range_of_looks_has_the_temperature_of_its_own_fields() -> None:
    def over(looks: int, sharper: float, n: int) -> SlotFields:
        fields = told(n, MAIZE, looks, looks, sharp=0.5)
        return SlotFields(fields.logits * sharper, fields.label, fields.looks, fields.place)

    # The head is twice too sure of fields seen seldom and half as sure as it could be of those seen often.
    given = {"simulated": join(over(3, 2.0, 3000), over(30, 0.5, 3000), over(9, 1.0, 20))}
    head = fit_head("B", given, 0.1, ranges=SIMULATED)
    warm = {cell.from_looks: cell for cell in head.temperatures}
    assert sorted(warm) == [0, 7, 13, 25] == sorted({cell.from_looks for cell in head.cells})
    assert warm[0].temperature == pytest.approx(2.0, rel=0.06)
    assert warm[25].temperature == pytest.approx(0.5, rel=0.06)
    assert (warm[0].n, warm[25].n) == (3000, 3000)
    assert warm[7].temperature == warm[13].temperature == head.temperature  # 20 fields, and none, are too few
    assert warm[7].n == 6020
    assert head.alone_from == pytest.approx(0.9)
    plain = fit_head("B", given, 0.1)
    assert (plain.temperatures, plain.alone_from) == ((), 0)
    coverage = measured_coverage("B", given, 0.1, splits=4, ranges=SIMULATED)["simulated"]
    assert coverage["by_looks"]["from 25"]["measured"] == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("starts", "words"), [((7,), r"found \[7\]"), ((0, 9, 7), r"found \[0, 9, 7\]")])
def test_temperatures_out_of_order_are_refused(starts: tuple[int, ...], words: str) -> None:
    warm = tuple(TemperatureCell(from_looks=start, temperature=1.0) for start in starts)
    cells = (ConformalCell(from_looks=0, threshold=0.1),)
    with pytest.raises(ValidationError, match="temperatures must rise by from_looks, the first from 0; " + words):
        SlotHead(classes=B, temperature=1.0, alpha=0.1, cells=cells, temperatures=warm)


def test_a_cell_of_its_own_is_not_asked_of_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.model.calibrate.fit_temperature", lambda *_: 1.0)
    often, seldom = made_fields([0.9] * 19), made_fields([0.6] * 19, looks=3)
    head = fit_head("B", {"real": join(often, seldom)}, 0.1, {"real": 19})
    cell = {(one.group, one.from_looks): one for one in head.cells}
    assert cell["tall_summer_crops", 13].threshold == pytest.approx(0.9, abs=1e-4)
    assert cell["tall_summer_crops", 0].threshold == pytest.approx(0.6, abs=1e-4)
    assert (
        cell["tall_summer_crops", 7].threshold == cell["tall_summer_crops", 0].threshold
    )  # 38 fields of any looks: the third smallest
    assert cell["tall_summer_crops", 7].taken_from == "all"


def test_without_fields_nothing_can_be_promised() -> None:
    nothing = told(1, MAIZE, 20, 0).keep(np.zeros(1, bool))
    with pytest.raises(ValueError, match="head B: no field to calibrate on"):
        fit_head("B", {"real": nothing, "simulated": nothing}, 0.1)


def test_sources_weigh_the_same_in_the_temperature() -> None:
    many, few = told(3000, MAIZE, 20, 1), told(300, MAIZE, 20, 2)
    halved = SlotFields(few.logits / 2, few.label, few.looks, few.place)  # too flat: its own temperature is 0.5
    head = fit_head("B", {"simulated": many, "real": halved}, 0.1)
    alone = fit_temperature(np.concatenate([many.logits, halved.logits]), np.concatenate([many.label, halved.label]))
    assert alone > head.temperature > 0.5
    assert fit_temperature(halved.logits, halved.label) == pytest.approx(0.5, rel=0.15)


# --- what is promised is held -------------------------------------------------------------------------------------
CASES = [(MAIZE, 30, 3.0), (RICE, 30, 6.0), (SOY, 9, 2.5), (GRASS, 3, 2.0)]


def test_each_cell_holds_what_it_promises() -> None:
    fit = join(*(told(2000, best, looks, 10 + k, sharp=sharp) for k, (best, looks, sharp) in enumerate(CASES)))
    head = fit_head("B", {"simulated": fit}, 0.1)
    for k, (best, looks, sharp) in enumerate(CASES):
        new = told(4000, best, looks, 20 + k, sharp=sharp)
        probability = calibrated_probability(new.logits, head.temperature)
        likeliest = probability.argmax(axis=1)
        new, probability, likeliest = (
            new.keep(likeliest == best), probability[likeliest == best], likeliest[likeliest == best]
        )  # fmt: skip
        inside = probability >= head.calibration.threshold(new.looks, likeliest)[:, None]
        held = inside[np.arange(len(new)), new.label].mean()
        # Four binomial sds of the new fields and of the calibration fields, of which there are at least 400.
        assert abs(held - 0.9) < 4 * (0.09 / len(new) + 0.09 / 400) ** 0.5, (best, looks)


def test_one_threshold_for_all_would_fail_some_cells() -> None:
    """The reason for the cells: a pooled threshold holds too often for easy groups and too seldom for hard ones."""
    easy, hard = told(4000, RICE, 30, 1, sharp=12.0), told(1000, SOY, 30, 2, sharp=2.5)
    hard = hard.keep(hard.logits.argmax(axis=1) == SOY)
    pool = join(easy, hard)
    p_true = calibrated_probability(pool.logits, 1.0)[np.arange(len(pool)), pool.label]
    held = p_true[len(easy) :] >= conformal_threshold(p_true, 0.1)
    assert held.mean() < 0.6
    head = fit_head("B", {"simulated": pool}, 0.1)
    probability = calibrated_probability(hard.logits, head.temperature)
    own = head.calibration.threshold(hard.looks, probability.argmax(axis=1))
    assert (probability[np.arange(len(hard)), hard.label] >= own).mean() >= 0.9


def test_coverage_is_measured_on_places_that_were_left_out() -> None:
    fields = join(told(1500, MAIZE, 30, 1, places=30), told(1500, RICE, 3, 2, places=30))
    out = measured_coverage("B", {"simulated": fields, "real": told(300, MAIZE, 30, 3, places=20)}, 0.1)
    assert out["simulated"]["measured"] == pytest.approx(0.9, abs=0.04)
    assert out["real"]["measured"] == pytest.approx(0.9, abs=0.06)
    assert set(out["simulated"]["by_looks"]) == {"from 0", "from 13"}
    assert {"tall_summer_crops, from 13", "rice, from 0"} <= set(out["simulated"]["by_cell"])
    assert out["simulated"]["fields"] == 3000
    alone = measured_coverage("B", {"real": told(50, MAIZE, 30, 3, places=1)}, 0.1)
    assert alone["real"]["measured"] is None  # one place cannot be halved


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.02, 0.5), st.floats(0.02, 0.5), st.integers(1, 300))
def test_a_lower_alpha_never_shrinks_a_set(seed: int, one: float, other: float, n: int) -> None:
    low, high = sorted((one, other))
    fields = join(told(n, MAIZE, 30, seed), told(n, GRASS, 4, seed + 1))
    wide, narrow = (fit_head("B", {"simulated": fields}, alpha) for alpha in (low, high))
    assert wide.temperature == narrow.temperature
    probability = calibrated_probability(fields.logits, wide.temperature)
    best = probability.argmax(axis=1)
    limits = [head.calibration.threshold(fields.looks, best)[:, None] for head in (wide, narrow)]
    assert ((probability >= limits[0]) | ~(probability >= limits[1])).all()


# --- cards --------------------------------------------------------------------------------------------------------
def head_with(cells: list[dict[str, object]], **more: object) -> SlotHead:
    values = {"classes": B, "temperature": 1.0, "alpha": 0.1, "groups": head_groups("B"), "cells": cells}
    return SlotHead.model_validate(values | more)


def test_an_old_card_with_one_cell_is_read() -> None:
    old = {
        "classes": list(B),
        "temperature": 0.87,
        "alpha": 0.1,
        "cells": [{"from_looks": 0, "threshold": 0.06, "n": 217}],
    }
    promise = SlotHead.model_validate(old).calibration
    assert promise.threshold(np.array([3, 30]), np.array([MAIZE, RICE])).tolist() == [0.06, 0.06]
    assert Novelty.model_validate({"energy": None, "alpha": 0.05}).steps == ()


def test_a_card_comes_back_from_its_text() -> None:
    head = fit_head("B", {"simulated": told(300, MAIZE, 30, 0), "real": told(40, MAIZE, 30, 1)}, 0.1)
    assert SlotHead.model_validate_json(head.model_dump_json()) == head
    assert len(head.cells) == (1 + len(head_groups("B"))) * len(LOOK_STEPS)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([(0, "rice"), (7, "rice")], r"cells must rise by from_looks, the first from 0; found \[\]"),
        ([(0, None), (13, "rice"), (0, "rice")], r"cells of group rice must rise by from_looks.*found \[13, 0\]"),
        ([(0, None), (7, "rice")], r"cells of group rice must rise by from_looks, the first from 0; found \[7\]"),
        ([(0, None), (7, None), (7, None)], r"cells must rise by from_looks, the first from 0; found \[0, 7, 7\]"),
        ([(0, None), (0, "weeds")], r"cells of groups \['weeds'\]: no such group; the card lists \['lasting_covers',"),
    ],
)
def test_cells_out_of_order_are_refused(cells: list[tuple[int, str | None]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        head_with([{"from_looks": looks, "threshold": 0.1, "group": group} for looks, group in cells])


def test_a_class_in_two_groups_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"groups: \['maize', 'oak'\] are no classes of this head, or stand in two"
    ):
        head_with([{"from_looks": 0, "threshold": 0.1}], groups={"one": ("maize", "oak"), "two": ("maize",)})


def test_unknown_land_out_of_order_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"cells of unknown land must rise by from_looks.*found \[7\]"):
        Novelty.model_validate({"cells": [{"from_looks": 7, "above": -3.0}]})
    assert ConformalCell(from_looks=0, threshold=0.1).group is None


# --- unknown land -------------------------------------------------------------------------------------------------
def test_energy_thresholds_by_hand() -> None:
    assert energy_threshold(np.arange(99.0), 0.05) == 94.0  # k = floor(0.05 * 100) = 5: the fifth largest
    assert energy_threshold(np.arange(9.0), 0.05) == 8.0  # too few to promise it: the largest
    energies = {
        "simulated": (np.arange(39.0), np.full(39, 30)),  # k = 2: 37
        "real": (np.append(np.arange(19.0) + 30, np.nan), np.append(np.full(19, 30), 30)),  # k = 1: 48
    }
    novelty = fit_novelty(energies, 0.05, auroc={"mirrored": 0.91234}, least={"simulated": 30, "real": 10})
    often = novelty.cells[2]
    assert (often.from_looks, often.above, often.source, often.n, often.taken_from) == (13, 48.0, "real", 19, "looks")
    assert novelty.cells[0].taken_from == "all"
    assert novelty.energy == 48.0
    assert novelty.auroc == {"mirrored": 0.912}
    assert fit_novelty({"real": (np.array([np.nan]), np.array([3]))}, 0.05).cells == ()


def test_area_under_the_curve_by_hand() -> None:
    assert area_under_curve(np.array([1.0, 2.0]), np.array([3.0])) == 1.0
    assert area_under_curve(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == (0.75 + 0) / 2


# --- fields -------------------------------------------------------------------------------------------------------
DAYS = np.arange(5.0, 440, 15)


def made_county(side: int = 12) -> Bank:
    """Four parcels of 6 x 6 px: maize, grass, maize that half was soybean, and one of which nothing is known."""
    rows, cols = np.indices((side, side)) // (side // 2)
    field = (2 * rows + cols + 1).ravel()
    half = np.indices((side, side))[1].ravel() % (side // 2) < side // 4
    a, b = HEADS["A"], HEADS["B"]
    crop_b = np.select(
        [field == 1, field == 2, (field == 3) & half, field == 3],
        [b.index("maize"), b.index("grassland"), b.index("maize"), b.index("soybean")],
        -1,
    )
    crop_a = np.select([field == 2, field == 4], [a.index("grassland"), -1], a.index("none"))
    looks, n = len(DAYS), side * side
    rng = np.random.default_rng(0)
    green = np.where(field == 2, 0.5, np.exp(-(((DAYS[:, None] - 300) / 40) ** 2)))
    fine = 2000 + 3000 * green[:, None, :] * np.linspace(0.2, 1, 10)[None, :, None] + rng.normal(0, 20, (looks, 10, n))
    clear = np.ones((looks, n), bool)
    clear[1, field == 1] = np.arange(n)[field == 1] % 3 == 0  # a third of it: no look
    clear[2, field == 1] = np.arange(n)[field == 1] % 2 == 0  # half of it: a look
    return Bank(
        name="made-1", axis=TimeAxis(date(2019, 10, 1), date(2020, 12, 15), 8, "calendar"), days=DAYS,
        fine=fine.astype(np.uint16), visible=True, clear=clear, crop_a=crop_a.astype(np.int16),
        crop_b=crop_b.astype(np.int16), field=field, group=np.full(n, "made-1"), shape=(side, side), simulated=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def nets() -> AcreNets:
    torch.manual_seed(0)
    return AcreNets([Recipe(bins=8, stem=8, width=8, levels=(8, 8, 8)).build()]).eval().requires_grad_(False)


def test_fields_of_a_county_are_heard_as_the_river_hears_them(nets: AcreNets) -> None:
    from acreline.model.painting import paint_bank

    bank = made_county()
    fields = county_fields(nets, bank, np.random.default_rng(0))
    often = fields.keep(fields.looks > 12)
    assert len(often) == 3  # of the fourth nothing is known; each once, though it was seen whole and cut off
    assert sorted(often.crop_b.tolist()) == sorted([MAIZE, GRASS, -1])  # two crops on one parcel: no one truth
    assert often.crop_a[often.crop_b == MAIZE].tolist() == [HEADS["A"].index("none")]
    assert often.pixels.tolist() == [36] * 3
    assert set(fields.place) == {"made-1"}
    assert (fields.looks <= 6).any()

    whole = paint_bank(nets, bank)
    mean = whole.crop_b.reshape(len(B), -1)[:, bank.field == 2].mean(axis=1)
    lots = [county_fields(nets, bank, np.random.default_rng(seed)) for seed in range(6)]
    drawn = [one.logp_b[(one.crop_b == GRASS) & (one.looks == len(DAYS))] for one in lots]
    assert any(len(one) for one in drawn)  # by lot the whole view was taken
    for one in drawn:
        np.testing.assert_allclose(one, np.tile(mean, (len(one), 1)), rtol=1e-4)
    every = county_fields(nets, replace(bank, registered=1), np.random.default_rng(0))
    assert set(every.crop_b.tolist()) == {MAIZE}  # ground above that number is in no parcel


def test_a_look_is_one_where_half_of_the_field_was_clear(nets: AcreNets) -> None:
    looks = {
        int(one.looks[0])
        for seed in range(4)
        for one in [county_fields(nets, made_county(), np.random.default_rng(seed))]
        for one in [one.keep((one.crop_b == MAIZE) & (one.looks > 12))]
    }
    assert max(looks) == len(DAYS) - 1


def test_land_seen_less_and_less() -> None:
    bank = made_county()
    views = draw_views(bank, np.random.default_rng(3))
    assert list(views) == ["whole", "cut", "about 10", "about 4"]
    assert len(views["whole"].days) == len(DAYS)
    assert views["cut"].days.max() >= 0.6 * 441 - 15
    assert [len(views[name].days) for name in ("about 10", "about 4")] == [10, 4]
    less = keep_looks(replace(bank, coarse=bank.fine[:, :6]), DAYS < 20)
    assert (len(less.days), len(less.fine), less.clear.shape) == (1, 1, (1, 144))
    assert less.coarse is not None
    assert len(less.coarse) == 1


def test_points_are_told_on_the_scale_of_the_counties(nets: AcreNets) -> None:
    county = made_county()
    points = replace(county, shape=None, field=np.arange(1, 145), group=np.array([f"c{k // 12}" for k in range(144)]))
    fields = point_fields(nets, points, np.random.default_rng(0), [county])
    assert set(np.unique(fields.place)) == set(points.group)
    assert np.isfinite(fields.energy).all()
    middle, spread = energy_scale(nets, [county])
    with_bias = AcreNets([Recipe(bins=8, stem=8, width=8, levels=(8, 8, 8)).build()]).eval()
    with_bias.load_state_dict(nets.state_dict())
    with_bias.members[0].aux_crop.bias.data += 5  # every energy falls by 5: on the scale nothing changes
    assert energy_scale(with_bias, [county])[0] == pytest.approx(middle - 5, abs=1e-4)
    again = point_fields(with_bias, points, np.random.default_rng(0), [county])
    np.testing.assert_allclose(again.energy, fields.energy, atol=1e-3 / spread)
    assert np.isnan(point_fields(nets, points, np.random.default_rng(0)).energy).all()


def test_unknown_land_is_made_from_known_land(nets: AcreNets) -> None:
    x = np.arange(24.0, dtype=np.float32).reshape(2, 12, 1)
    made = made_unknowns(x, np.array([7, 7]), 182.6 / 6, np.random.default_rng(0))
    assert made["mirrored"][0, :, 0].tolist() == list(range(11, -1, -1))
    assert made["other_hemisphere"][0, :, 0].tolist() == [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]
    assert sorted(made["shuffled"][0, :, 0].tolist()) == list(range(12))
    assert (made["shuffled"][1] - made["shuffled"][0] == 12).all()  # a field changes as a whole
    scores = novelty_scores(nets, made_county(), np.random.default_rng(0))
    assert set(scores) == {"known", "mirrored", "other_hemisphere", "shuffled"}
    assert all(len(one) == 3 for one in scores.values())


def test_a_card_is_made_of_counties_and_real_places(nets: AcreNets) -> None:
    county = made_county()
    rng = np.random.default_rng(0)
    parts = [replace_place(county_fields(nets, county, rng), f"county {k}") for k in range(4)]
    points = replace(county, shape=None, field=np.arange(1, 145), group=np.array([f"c{k // 12}" for k in range(144)]))
    real = point_fields(nets, points, rng, [county])
    strange = [novelty_scores(nets, county, rng)]
    heads, novelty, metrics = calibrate_heads(real, parts, scale=energy_scale(nets, [county]), strange=strange)
    assert set(heads) == {"A", "B"}
    assert heads["B"].groups == head_groups("B")
    assert [cell.from_looks for cell in novelty.cells] == list(LOOK_STEPS)
    assert set(novelty.auroc) == {"mirrored", "other_hemisphere", "shuffled"}
    assert metrics["places"] == {"simulated": 4, "real": 12}
    assert metrics["unknown_land"]["on"] == "simulated data"
    assert set(metrics["coverage"]["A"]) == {"simulated", "real"}
    promise, figures = simulated_promise(parts, strange)
    assert promise is not None
    assert {cell.source for head in promise.heads.values() for cell in head.cells} == {"simulated"}
    assert {cell.source for cell in promise.unknown.cells} == {"simulated"}
    assert set(figures["coverage"]["A"]) == {"simulated"}
    assert simulated_promise([], []) == (None, {})
    alone = calibrate_heads(real, [])
    assert alone[1].cells == ()  # without counties the energies of other networks say nothing
    assert {cell.source for cell in alone[0]["A"].cells} == {"real"}
    assert len(join_fields(parts)) == sum(len(part) for part in parts)


def replace_place(fields: Fields, place: str) -> Fields:
    return replace(fields, place=np.full(len(fields), place))
