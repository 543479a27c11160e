# SPDX-License-Identifier: Apache-2.0
"""Maps from a cube: the same bits in any block, and unknown where nothing can be said."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import torch
import xarray as xr

from acreline.config import SeasonSettings
from acreline.doors import check_cube
from acreline.layers import BANDS_10M, BANDS_20M, CELL_PX, HALO_PX, Block, Coverage
from acreline.model import Model, segment_cube
from acreline.model.card import Architecture, Card, SeasonAxis, build_net
from acreline.model.classes import CROP_CLASSES, HEADS
from acreline.model.forward import TILE_PX, Surroundings
from acreline.model.heads import ConformalCell, SlotHead
from acreline.model.inputs import CHANNELS
from acreline.model.novelty import pixel_energy
from acreline.model.segment import (
    confidence_percent,
    harvest_year,
    log_probability_x1024,
)
from acreline.model.windows import binned_window

SEASON = SeasonSettings(start=date(2017, 10, 1), end=date(2018, 12, 15))
NONE = np.zeros(0, np.int32)


def make_head(slot: str, **changes) -> SlotHead:
    cells = (ConformalCell(from_looks=0, threshold=0.1, n=90), ConformalCell(from_looks=12, threshold=0.2, n=400))
    values = {"classes": HEADS[slot], "temperature": 1.5, "alpha": 0.1, "cells": cells}
    return SlotHead.model_validate(values | changes)


def make_card(**changes) -> Card:
    values = {
        "name": "tiny",
        "version": "1",
        "created": date(2026, 1, 1),
        "axis": SeasonAxis(bins=8),
        "architecture": Architecture(stem=8, width=8, levels=(8, 8, 8), dropout=0),
        "heads": {slot: make_head(slot) for slot in "AB"},
        "weights_sha256": "0" * 64,
    }
    return Card.model_validate(values | changes)


def make_model(**changes) -> Model:
    card = make_card(**changes)
    torch.manual_seed(3)
    net = build_net(card).eval().requires_grad_(False)
    for member in net.members:
        for parameter in (*member.head.parameters(), member.aux_crop.weight):
            torch.nn.init.normal_(parameter, std=3)
    return Model(net, card, "digest")


def make_block(row: int, col: int, height: int, width: int, touched: tuple[int, int] | None = None) -> Block:
    coverage = Coverage((), NONE, NONE, NONE, NONE)
    if touched is not None:
        one = np.ones(1, np.int32)
        coverage = Coverage(("p",), 0 * one, one * touched[0], one * touched[1], 10000 * one)
    return Block("b", "31UDS", "EPSG:32631", row, col, height, width, 399960.0, 5700000.0, coverage)


def make_cube(row: int, col: int, height: int, width: int, looks: int = 12, seed: int = 0) -> xr.Dataset:
    """Random land with clouds over a window of the tile, the same pixel the same wherever the window starts."""
    rng = np.random.default_rng(seed)
    side = 512
    whole10 = rng.integers(1100, 5000, (looks, 4, side, side)).astype(np.uint16)
    whole20 = rng.integers(1100, 5000, (looks, 6, side // 2, side // 2)).astype(np.uint16)
    whole20[:, :, 40:60, 40:60] = 0  # a hole
    sky = np.repeat(np.repeat(rng.random((looks, side // 2, side // 2)) < 0.6, 2, axis=1), 2, axis=2)
    window10 = (slice(row, row + height), slice(col, col + width))
    window20 = (slice(row // 2, (row + height) // 2), slice(col // 2, (col + width) // 2))
    return check_cube(
        xr.Dataset(
            {
                "dn10": (("time", "band10", "y", "x"), whole10[:, :, *window10]),
                "dn20": (("time", "band20", "y20", "x20"), whole20[:, :, *window20]),
                "clear": (("time", "y", "x"), sky[:, *window10]),
                "water": (("time", "y20", "x20"), np.zeros((looks, height // 2, width // 2), bool)),
            },
            coords={
                "time": np.datetime64("2017-10-08", "ns") + np.arange(looks) * np.timedelta64(35, "D"),
                "pass_id": ("time", [f"p{i}" for i in range(looks)]),
                "band10": list(BANDS_10M),
                "band20": list(BANDS_20M),
                "y": np.arange(height, dtype=float),
                "x": np.arange(width, dtype=float),
                "y20": np.arange(height // 2, dtype=float),
                "x20": np.arange(width // 2, dtype=float),
            },
            attrs={
                "crs": "EPSG:32631",
                "tile": "31UDS",
                "row": row,
                "col": col,
                "origin_x": 399960.0,
                "origin_y": 5700000.0,
            },
        )
    )


def read(block: Block) -> xr.Dataset:
    return make_cube(*block.read_window)


@pytest.mark.parametrize("members", [1, 2])
def test_small_blocks_and_one_large_block_give_the_same_bits(members):
    model = make_model(architecture=Architecture(stem=8, width=8, levels=(8, 8, 8), dropout=0, members=members))
    # Not on whole cells, so that cells are cut by the blocks.
    large = make_block(96, 160, 128, 64)
    whole = segment_cube(read(large), model, large, season=SEASON)
    for row in range(96, 224, 32):
        for col in range(160, 224, 32):
            small = make_block(row, col, 32, 32)
            maps = segment_cube(read(small), model, small, season=SEASON)
            here = (slice(row - 96, row - 64), slice(col - 160, col - 128))
            for name in maps.data_vars:
                assert np.array_equal(maps[name].values, whole[name].values[..., *here]), (name, row, col)
    for name in ("crop_a_logp", "crop_b_logp", "health_logp"):
        assert len(np.unique(whole[name].values)) > 50, name
    assert len(np.unique(whole["vigour"].values)) > 1
    assert len(np.unique(whole["energy"].values)) > 1


def test_the_spatial_part_really_looks_beyond_the_cell():
    model, block = make_model(), make_block(128, 128, 64, 64)
    plain = segment_cube(read(block), model, block, season=SEASON)
    changed = read(block)
    changed["dn20"].values[:, :, : HALO_PX // 2] += 900
    assert not np.array_equal(
        segment_cube(changed, model, block, season=SEASON)["crop_b_logp"].values, plain["crop_b_logp"].values
    )


def test_the_outermost_pixels_of_the_window_do_not_count():
    """Clouds grow by 6 pixels, so the mask at the very edge of what was read hangs on where reading stopped."""
    model, block = make_model(), make_block(128, 128, 64, 64)
    plain = segment_cube(read(block), model, block, season=SEASON)
    changed = read(block)
    for edge in (slice(0, 8), slice(-8, None)):
        changed["clear"].values[:, edge] = False
        changed["clear"].values[:, :, edge] = False
    xr.testing.assert_identical(segment_cube(changed, model, block, season=SEASON), plain)


def test_land_without_parcels_is_skipped():
    model, block = make_model(), make_block(128, 128, 64, 128, touched=(130, 200))
    maps = segment_cube(read(block), model, block, season=SEASON)
    assert maps["valid"].values[:, CELL_PX:].mean() > 0.9
    for name in ("valid", "crop", "crop_confidence", "health", "vigour", "energy", "clear_looks"):
        assert (maps[name].values[..., :CELL_PX] == 0).all(), name


def test_what_is_skipped_beside_a_parcel_changes_no_bit_of_it():
    model = make_model()
    whole_block = make_block(128, 128, 64, 192)
    whole = segment_cube(read(whole_block), model, whole_block, season=SEASON)
    block = make_block(128, 128, 64, 192, touched=(130, 200))
    maps = segment_cube(read(block), model, block, season=SEASON)
    middle = slice(CELL_PX, 2 * CELL_PX)
    for name in maps.data_vars:
        assert np.array_equal(maps[name].values[..., middle], whole[name].values[..., middle]), name
    assert whole["valid"].values.sum() > maps["valid"].values.sum()


def test_a_pixel_never_seen_is_unknown():
    model, block = make_model(), make_block(128, 128, 64, 64)
    cube = read(block)
    cube["clear"].values[:, HALO_PX : HALO_PX + 2, HALO_PX : HALO_PX + 2] = False
    maps = segment_cube(cube, model, block, season=SEASON)
    empty = ("valid", "crop", "crop_confidence", "health", "health_confidence", "vigour", "energy", "clear_looks")
    for name in empty:
        assert (maps[name].values[..., :2, :2] == 0).all(), name
    for slot in "AB":
        uniform = round(-np.log(len(HEADS[slot])) * 1024)
        assert (maps[f"crop_{slot.lower()}_logp"].values[:, 0, 0] == uniform).all()
    assert maps["clear_looks"].values[4, 4] == cube["clear"].values[:, HALO_PX + 4, HALO_PX + 4].sum()


def test_a_network_that_gives_no_number_says_unknown():
    model, block = make_model(), make_block(128, 128, 64, 64)
    model.net.members[0].aux_crop.bias.data[2] = float("nan")  # of slot A: what else is said is worth nothing either
    maps = segment_cube(read(block), model, block, season=SEASON)
    assert maps["valid"].values.all()
    assert (maps["crop"].values == 0).all()
    assert (maps["crop_confidence"].values == 0).all()
    assert (maps["health"].values == 0).all()
    assert (maps["vigour"].values == 0).all()


def test_saturated_and_missing_numbers_are_not_looks():
    model, block = make_model(), make_block(128, 128, 64, 64)
    cube = read(block)
    cube["dn20"].values[3] = 65535
    cube["dn20"].values[5, 2] = 0
    without = cube.copy(deep=True)
    without["clear"].values[[3, 5]] = False
    axis = model.card.axis.of(2018)
    one, other = (binned_window(c, axis, 128, 128, 32) for c in (cube, without))
    assert np.array_equal(one, other)
    assert np.isfinite(one).all()
    assert one.shape == (8, len(CHANNELS), 32, 32)
    assert (one[:, CHANNELS.index("visible")] == 1).all()


def test_a_20_m_number_stands_on_its_four_10_m_pixels():
    cube, axis = make_cube(128, 128, 64, 64), make_card().axis.of(2018)
    cube["clear"].values[:] = True
    x = binned_window(cube, axis, 128, 128, 64)[:, CHANNELS.index("B11")]
    assert np.array_equal(x[:, ::2, ::2], x[:, 1::2, 1::2])
    fine = binned_window(cube, axis, 128, 128, 64)[:, CHANNELS.index("B08")]
    assert not np.array_equal(fine[:, ::2, ::2], fine[:, 1::2, 1::2])


def test_embeddings_that_no_cell_below_needs_are_let_go(monkeypatch):
    """Memory grows with the width of a block, not with its area."""
    held = []
    around = Surroundings.around

    def watched(self, row, col):
        told = around(self, row, col)
        held.append(len(self.made))
        return told

    monkeypatch.setattr(Surroundings, "around", watched)
    model, block = make_model(), make_block(CELL_PX, CELL_PX, 4 * CELL_PX, CELL_PX)
    segment_cube(read(block), model, block, season=SEASON)
    assert len(held) == 4
    assert max(held) == ((CELL_PX + 2 * HALO_PX) // TILE_PX) ** 2


def test_energy_by_hand():
    net = make_model(architecture=Architecture(stem=8, width=8, levels=(8, 8, 8), dropout=0, members=2)).net
    for member, level in zip(net.members, (0.0, 4.0), strict=True):
        torch.nn.init.zeros_(member.aux_crop.weight)
        torch.nn.init.constant_(member.aux_crop.bias, level)
    # the log of k equal terms is log k + the logit: the mean of both slots, then of both members (0 and 4)
    known = (np.log(len(HEADS["A"])) + np.log(len(HEADS["B"]))) / 2
    found = pixel_energy(net, torch.rand(1, 16, 2, 2))
    assert torch.allclose(found, torch.full((1, 2, 2), -(known + 2), dtype=found.dtype))


def test_each_slot_has_its_own_crop_and_confidence():
    model, block = make_model(), make_block(128, 128, 64, 64)
    maps = segment_cube(read(block), model, block, season=SEASON)
    codes = maps.attrs["crop_codes"]
    assert codes == {"none": 1} | {name: code for code, name in enumerate(CROP_CLASSES, start=2)}
    assert maps.attrs["health_codes"]["normal"] == 1
    for i, slot in enumerate(("A", "B")):
        logp = maps[f"crop_{slot.lower()}_logp"]
        names = logp[f"crop_{slot.lower()}_class"].values
        assert tuple(names) == HEADS[slot]
        wanted = np.array([codes[name] for name in names])[logp.values.argmax(axis=0)]
        assert np.array_equal(maps["crop"].values[i], wanted)
        assert np.array_equal(maps["crop_confidence"].values[i], confidence_percent(logp.values, 1.5))
    assert not np.array_equal(maps["crop"].values[0], maps["crop"].values[1])


def test_a_cube_with_no_look_gives_empty_maps():
    model, block = make_model(), make_block(128, 128, 64, 64)
    cube = make_cube(*block.read_window, looks=0)
    assert not segment_cube(cube, model, block, season=SEASON)["valid"].values.any()


def test_log_probabilities_by_hand():
    logits = np.array([[0.0, 800.0], [0.0, 0.0]], np.float32)
    logp, known = log_probability_x1024(logits)
    assert logp.tolist() == [[-710, 0], [-710, -32768]]  # log 1/2 = -0.693; far below is cut
    assert known.all()


def test_confidence_is_calibrated_and_in_percent():
    logp = np.array([[-710], [-710]], np.int16)
    assert confidence_percent(logp, 2.0).tolist() == [50]
    sure = np.array([[0], [-4096]], np.int16)
    assert confidence_percent(sure, 1.0).tolist() == [98]  # 1 / (1 + e^-4)
    assert confidence_percent(sure, 2.0).tolist() == [88]  # 1 / (1 + e^-2)


def test_the_crop_year_is_read_off_the_first_look():
    model, block = make_model(), make_block(128, 128, 64, 64)
    cube = read(block)
    assert harvest_year(cube, model) == 2018
    early = cube.assign_coords(time=cube["time"] - np.timedelta64(10, "D"))
    assert harvest_year(early, model) == 2017
    xr.testing.assert_identical(segment_cube(cube, model, block), segment_cube(cube, model, block, season=SEASON))


def test_threads_of_the_caller_are_left_as_they_were():
    before = torch.get_num_threads()
    block = make_block(128, 128, 32, 32)
    segment_cube(read(block), make_model(), block, season=SEASON)
    assert torch.get_num_threads() == before
