# SPDX-License-Identifier: Apache-2.0
"""How batches are drawn: departures of fields from their kind, windows turned, seasons cut where a run would be."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from acreline.layers import BANDS, TimeAxis
from acreline.model import drawing
from acreline.model.banks import Bank, reflectance_of
from acreline.model.classes import HEADS
from acreline.model.damage import HEALTH
from acreline.model.departures import CHANNELS, SIGNS
from acreline.model.drawing import Drawer, Shares, _Part, _turned
from acreline.model.inputs import add_visible, bin_quickly
from acreline.model.skies import Changes, Sky, vary_sky
from acreline.model.targets import Targets, targets_of
from tests.made_bank import toy_bank

STILL = Changes(
    shift_days=0, stretch=0, drop=0, hole_days=0, gain=0, look_gain=0, haze=0, in_season=0, damage=0, blind=0
)
AXIS = TimeAxis(date(2019, 10, 1), date(2020, 12, 15), 4)
GREEN = [0.03, 0.08, 0.04, 0.40, 0.10, 0.30, 0.36, 0.42, 0.18, 0.08]
NDVI = 0
DROUGHT = HEALTH.index("drought")


def even_bank(struck: tuple[int, ...] = (), kinds: int = 1) -> Bank:
    """40 fields of one pixel, all the same in all looks but for the struck ones, whose B08 is halved."""
    values = np.repeat(np.array(GREEN)[None, :, None], 40, axis=2).repeat(4, axis=0)
    values[:, BANDS.index("B08"), list(struck)] /= 2
    of = np.arange(40) % kinds
    values[:, BANDS.index("B11"), of == 1] *= 2  # the second kind is drier
    maize, wheat = HEADS["B"].index("maize"), HEADS["A"].index("winter_cereal")
    return Bank(
        "even", AXIS, np.array([60.0, 170.0, 280.0, 390.0]), np.rint(values * 10000 + 1000).astype(np.uint16), True,
        np.ones((4, 40), bool), np.where(of == 0, wheat, 0).astype(np.int16),
        np.where(of == 0, -1, maize).astype(np.int16), np.arange(1, 41), np.full(40, "even"),
    )  # fmt: skip


def compare(bank: Bank, pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Departures of some pixels of a still year, (bin, sign + 1, pixel)."""
    drawer = Drawer([bank], STILL, Shares(singles=8, mosaics=0, crops=0))
    rng = np.random.default_rng(seed)
    sky = vary_sky(bank, STILL, rng)
    seen = sky.look(bank, pixels)
    x = add_visible(bin_quickly(seen.values, seen.clear, seen.days, bank.axis), sky.visible)
    return drawer._compare(bank, pixels, x, np.arange(40), sky, rng)


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every group has others beside it, and none is taken for another kind."""
    monkeypatch.setattr(drawing, "LONELY", 0.0)
    monkeypatch.setattr(drawing, "SLIPS", 0.0)


@pytest.mark.usefixtures("company")
def test_fields_that_are_all_alike_do_not_depart() -> None:
    apart = compare(even_bank(), np.arange(8))
    assert apart.shape == (4, CHANNELS, 8)
    assert np.abs(apart[:, :SIGNS]).max() < 1e-4
    assert (apart[:, SIGNS] == 1).all()


@pytest.mark.usefixtures("company")
def test_a_struck_field_stands_out_and_the_others_do_not() -> None:
    apart = compare(even_bank(struck=(2, 30)), np.arange(8))
    assert (apart[:, NDVI, 2] == -1).all()  # NDVI 0.62 beside 0.78: more than 4 spreads of 0.02
    others = np.delete(apart[:, :SIGNS], 2, axis=2)
    assert np.abs(others).max() < 1e-4


@pytest.mark.usefixtures("company")
def test_fields_are_held_beside_their_own_kind() -> None:
    apart = compare(even_bank(kinds=2), np.arange(8))
    assert np.abs(apart[:, :SIGNS]).max() < 1e-4


def test_where_kinds_are_mistaken_fields_depart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONELY", 0.0)
    monkeypatch.setattr(drawing, "SLIPS", 1.0)
    apart = compare(even_bank(kinds=2), np.arange(8))
    assert np.abs(apart[:, :SIGNS]).max() > 0.5


def test_some_groups_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONELY", 1.0)
    assert not compare(even_bank(struck=(2,)), np.arange(8)).any()


def test_a_kind_of_too_few_fields_has_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LONELY", 0.0)
    monkeypatch.setattr(drawing, "FEWEST", 60)
    assert not compare(even_bank(struck=(2,)), np.arange(8)).any()  # 8 and 40 others make 48


# --- windows turned -----------------------------------------------------------------------------------------------
def window(side: int = 4) -> _Part:
    rng = np.random.default_rng(1)
    told = Targets(
        rng.integers(-1, 5, (side, side)), rng.integers(-1, 5, (side, side)), rng.integers(-1, 5, (side, side)),
        np.where(rng.random((side, side)) < 0.3, np.nan, rng.random((side, side))).astype(np.float32),
        rng.random((side, side)).astype(np.float32), rng.random((side, side)).astype(np.float32),
    )  # fmt: skip
    x, apart = (rng.random((3, channels, side, side)).astype(np.float32) for channels in (13, CHANNELS))
    return _Part(x, apart, told)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_window_is_turned_with_all_that_is_told_of_it(turns: int, mirror: bool) -> None:
    part = window()
    found = _turned(part, turns, mirror)

    def turned(layer: np.ndarray) -> np.ndarray:
        out = np.rot90(layer, turns, axes=(-2, -1))
        return out[..., ::-1] if mirror else out

    assert np.array_equal(found.x, turned(part.x))
    assert np.array_equal(found.apart, turned(part.apart))
    for field in fields(Targets):
        before, after = getattr(part.told, field.name), getattr(found.told, field.name)
        assert after.dtype == before.dtype
        assert np.array_equal(after, turned(before), equal_nan=before.dtype.kind == "f")
    assert (found.told.crop_a == -1).sum() == (part.told.crop_a == -1).sum() > 0
    assert np.isnan(found.told.vigour).sum() == np.isnan(part.told.vigour).sum() > 0


# --- in season ----------------------------------------------------------------------------------------------------
def test_a_draw_in_season_ends_on_its_day() -> None:
    bank = toy_bank()
    ends = []
    for seed in range(30):
        sky = vary_sky(bank, replace(STILL, in_season=1.0), np.random.default_rng(seed))
        assert (sky.days[sky.kept] <= sky.as_of).all()
        assert sky.kept[sky.days <= sky.as_of].all()
        ends.append(sky.as_of)
        seen = sky.look(bank, np.arange(4))
        x = bin_quickly(seen.values, seen.clear, seen.days, bank.axis)
        later = int(np.ceil(sky.as_of / ((bank.axis.end - bank.axis.start).days / bank.axis.bins))) + 1
        assert not x[later:, len(BANDS)].any()  # nothing supports the bins of days to come
    assert min(ends) >= 150
    assert max(ends) - min(ends) > 150


def test_looks_that_show_nothing_are_left_out_and_change_nothing() -> None:
    bank = toy_bank()
    clear = bank.clear.copy()
    clear[1] = False  # a cloud over all of them
    clear[2, :2] = False
    bank = replace(bank, clear=clear)
    sky, pixels = vary_sky(bank, replace(STILL, drop=0.5), np.random.default_rng(3)), np.array([3, 0, 1])
    seen = sky.look(bank, pixels)
    whole = clear[:, pixels] & sky.kept[:, None]
    shown = whole.any(axis=1)
    assert not shown[1]
    assert seen.clear.tolist() == whole[shown].tolist()
    assert seen.days.tolist() == sky.days[shown].tolist()
    values = reflectance_of(bank.read(pixels)) * sky.gain[:, :, None] + sky.haze[:, :, None]
    if not sky.visible:
        values[:, :3] = 0
    values = values.clip(0, 1)
    assert seen.values == pytest.approx(values[shown])
    x = bin_quickly(values, whole, sky.days, bank.axis)
    assert bin_quickly(seen.values, seen.clear, seen.days, bank.axis) == pytest.approx(x, abs=1e-6)


def test_land_that_no_look_shows_is_still_drawn() -> None:
    bank = replace(toy_bank(), clear=np.zeros_like(toy_bank().clear))
    seen = vary_sky(bank, STILL, np.random.default_rng(0)).look(bank, np.arange(4))
    assert (len(seen.days), seen.clear.any()) == (1, False)
    x = bin_quickly(seen.values, seen.clear, seen.days, bank.axis)
    assert not x[:, : len(BANDS) + 1].any()  # neither values nor support


def test_a_whole_season_has_no_end() -> None:
    sky = vary_sky(toy_bank(), STILL, np.random.default_rng(0))
    assert sky.as_of == np.inf
    assert sky.kept.all()


def still_sky(bank: Bank, as_of: float) -> Sky:
    looks = len(bank.days)
    return Sky(
        bank.days, bank.days, bank.days <= as_of, np.ones((looks, len(BANDS)), np.float32),
        np.zeros((looks, len(BANDS)), np.float32), True, as_of,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("as_of", "told"), [(100, [0, 0, 0, -1]), (200, [0, DROUGHT, 0, -1]), (300, [0, DROUGHT, -1, -1])]
)
def test_a_mishap_is_taught_from_the_day_on_which_it_shows(as_of: float, told: list[int]) -> None:
    bank = replace(
        even_bank(), event=np.array([0, DROUGHT, -1, DROUGHT] * 10, np.int16), simulated=True,
        event_day=np.array([np.inf, 200, 250, 50] * 10, np.float32),
        field=np.array([1, 2, 3, 0] * 10),
    )  # fmt: skip
    drawer = Drawer([bank], STILL, Shares(singles=8, mosaics=0, crops=0))
    sky, rng, pixels = still_sky(bank, as_of), np.random.default_rng(0), np.arange(4)
    found = drawer._health(bank, pixels, sky.look(bank, pixels), sky.as_of, pixels, rng)
    assert found.tolist() == told  # the third is too weak to be told; the last is of no field


@pytest.mark.parametrize(("as_of", "vigour"), [(50, np.nan), (170, 0.1), (285, 0.2), (np.inf, 0.3)])
def test_vigour_is_that_of_the_last_look(as_of: float, vigour: float) -> None:
    bank = replace(
        even_bank(), vigour_days=np.array([100.0, 200.0, 300.0]),
        vigour=np.array([[0.1], [0.2], [0.3]], np.float32).repeat(40, axis=1),
    )  # fmt: skip
    pixels = np.arange(3)
    told = targets_of(bank, pixels, np.zeros(3, np.int64), still_sky(bank, as_of), np.ones(3, np.float32))
    assert told.vigour == pytest.approx(np.full(3, vigour), nan_ok=True)
