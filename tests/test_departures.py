# SPDX-License-Identifier: Apache-2.0
"""What is usual for a kind of field, and how far a field stands from it, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acreline.layers import BANDS
from acreline.model.departures import (
    CHANNELS,
    LEAST_SPREAD,
    SIGN_BANDS,
    SIGN_PAIRS,
    SIGNS,
    Usual,
    _ranked,
    depart,
    shortest_half,
    signs_of,
    usual_of,
)
from acreline.model.inputs import CHANNELS as INPUTS
from acreline.model.members import kinds_of

NDVI, NDRE = 0, 2


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


@pytest.mark.parametrize("rows", [1, 2, 11, 300])
def test_values_are_ranked_as_torch_ranks_them(rows: int) -> None:
    values = torch.from_numpy(np.random.default_rng(rows).normal(0, 1, (rows, 40)).astype(np.float32)).round(decimals=1)
    assert torch.equal(_ranked(values), values.sort(dim=0).values)
    asked = values.clone().requires_grad_()
    assert _ranked(asked).requires_grad  # a gradient goes through it where one is wanted


def test_the_shortest_half_by_hand() -> None:
    middle, spread = shortest_half(column(20, 0, 2, 10, 1))  # 0 1 2 | 1 2 10 | 2 10 20: the first is the shortest
    assert middle.tolist() == [1.0]
    assert spread.item() == pytest.approx(2 / 1.349)


def test_of_an_even_number_more_than_half_is_taken() -> None:
    middle, spread = shortest_half(column(0, 4, 5, 6))  # 0 4 5 | 4 5 6
    assert (middle.item(), spread.item()) == (5.0, pytest.approx(2 / 1.349))


def test_columns_do_not_hear_of_each_other() -> None:
    both = torch.cat([column(0, 1, 2, 10, 20), column(7, 7, 7, 7, 7)], dim=1)
    middle, spread = shortest_half(both)
    assert middle.tolist() == [1.0, 7.0]
    assert spread.tolist() == pytest.approx([2 / 1.349, 0.0])


@pytest.mark.parametrize("struck", [0.1, 0.3, 0.9])
def test_the_struck_half_does_not_move_the_usual(struck: float) -> None:
    spared = [0.48, 0.49, 0.50, 0.50, 0.51, 0.52]
    middle, spread = shortest_half(column(*spared, *[struck + 0.02 * k for k in range(5)]))
    assert middle.item() == pytest.approx(0.5)
    assert spread.item() == pytest.approx(0.04 / 1.349, rel=1e-4)


def test_a_normal_kind_has_its_own_mean_and_spread() -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(0.6, 0.05, (4001, 1)))
    middle, spread = shortest_half(values)
    assert middle.item() == pytest.approx(0.6, abs=0.015)
    assert spread.item() == pytest.approx(0.05, rel=0.1)


def test_a_kind_of_too_few_pixels_is_not_known() -> None:
    signs = torch.tensor([[[0.1, 0.2, 0.3, 0.7, 0.8, 0.5]]])  # one bin, one sign, six pixels
    usual = usual_of(signs, torch.tensor([0, 0, 0, 2, 2, -1]), 3, fewest=3)
    assert usual.known.tolist() == [1, 0, 0]
    assert usual.middle[:, 0, 0].tolist() == pytest.approx([0.15, 0, 0])  # 0.1 0.2 before 0.2 0.3: the first of equals


def test_departures_of_three_fields_by_hand() -> None:
    usual = Usual(torch.full((1, 1, 1), 0.5), torch.full((1, 1, 1), 0.2 - LEAST_SPREAD), torch.ones(1))
    apart = depart(torch.tensor([[[0.7, 0.1, 5.0]]]), torch.zeros(3, dtype=torch.long), usual)
    assert apart.shape == (1, 2, 3)
    assert apart[0, 0].tolist() == pytest.approx([0.25, -0.5, 1.0])  # +1, -2 and far more than 4 spreads
    assert apart[0, 1].tolist() == [1, 1, 1]


def test_what_has_nothing_to_compare_with_stands_at_nothing() -> None:
    usual = Usual(torch.full((2, 1, 1), 0.5), torch.ones(2, 1, 1), torch.tensor([1.0, 0.0]))
    apart = depart(torch.tensor([[[0.9, 0.9, 0.9]]]), torch.tensor([1, -1, 0]), usual)
    assert apart[0, 0, :2].tolist() == [0, 0]
    assert apart[0, 0, 2].item() > 0
    assert apart[0, 1].tolist() == [0, 0, 1]


def land(visible: float) -> torch.Tensor:
    """One bin of one pixel: (1, 1, channel, 1)."""
    values = dict.fromkeys(INPUTS, 0.0) | {"B03": 0.08, "B04": 0.1, "B08": 0.4, "B05": 0.15, "B8A": 0.45, "B11": 0.2}
    values |= {"B12": 0.1, "visible": visible}
    return torch.tensor([values[name] for name in INPUTS])[None, None, :, None]


def test_signs_by_hand() -> None:
    signs = signs_of(land(1))[0, 0, :, 0]
    assert len(signs) == SIGNS == CHANNELS - 1
    assert signs[NDVI].item() == pytest.approx((0.4 - 0.1) / (0.4 + 0.1 + 0.02))
    assert signs[NDRE].item() == pytest.approx((0.45 - 0.15) / (0.45 + 0.15 + 0.02))
    assert signs[len(SIGN_PAIRS) :].tolist() == pytest.approx([0.2, 0.8, 0.4])  # twice B04, B08, B11


def test_without_the_visible_bands_their_signs_are_nothing_and_the_others_stay() -> None:
    seen, blind = (signs_of(land(flag))[0, 0, :, 0] for flag in (1, 0))
    needs = torch.tensor([needs for *_, needs in (*SIGN_PAIRS, *SIGN_BANDS)])
    assert (blind[needs] == 0).all()
    assert (seen[needs] != 0).all()
    assert torch.equal(blind[~needs], seen[~needs])
    used = {band for first, second, needs in SIGN_PAIRS if not needs for band in (first, second)}
    assert not used & {BANDS.index(band) for band in ("B02", "B03", "B04")}


def test_a_kind_is_the_pair_of_the_likeliest_crops() -> None:
    crop_a = torch.tensor([[0.0, 2.0, 1.0], [1.0, 0.0, 5.0]])  # 2 classes, 3 pixels: 1 0 1
    crop_b = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])  # 3 classes: 0 1 2
    assert kinds_of(crop_a, crop_b).tolist() == [3, 1, 5]
