# SPDX-License-Identifier: Apache-2.0
"""The network made ready to run: folded norms, what the spatial part sees, and which squares are embedded at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from acreline.layers import CELL_PX
from acreline.model.acrenet import AcreNet
from acreline.model.forward import TILE_PX, Surroundings, fold_norms, spatial_reach_px
from acreline.model.inputs import CHANNELS
from acreline.model.members import AcreNets
from acreline.model.windows import binned_window
from tests.test_model_segment import make_card, make_cube

BINS = 8


def make_nets(members: int = 2, levels: tuple[int, ...] = (8, 8, 8)) -> AcreNets:
    """Small networks whose norms are far from doing nothing, and whose spatial part has a say."""
    torch.manual_seed(5)
    nets = [AcreNet(bins=BINS, crops_a=3, crops_b=4, healths=3, stem=8, width=8, levels=levels) for _ in range(members)]
    for module in nn.ModuleList(nets).modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    for net in nets:
        nn.init.normal_(net.head.weight)
    return AcreNets(nets).eval().requires_grad_(False)


def make_input(side: int) -> torch.Tensor:
    return torch.rand(1, BINS, len(CHANNELS), side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("members", [1, 2])
def test_folded_norms_say_the_same(members):
    nets = make_nets(members)
    ready, x = fold_norms(nets), make_input(16)
    assert not [module for module in ready.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [module for module in nets.modules() if isinstance(module, nn.BatchNorm2d)], "the original is left as it was"
    with torch.inference_mode():
        assert torch.allclose(ready.embed(x), nets.embed(x), atol=1e-4)
        for name, found, wanted in zip(("a", "b", "health", "vigour", "edge"), ready(x), nets(x), strict=True):
            assert torch.allclose(found, wanted, atol=1e-4), name
            assert found.std() > 1e-3, name


def test_a_norm_is_folded_by_hand():
    layers = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0), nn.ReLU())
    nn.init.constant_(layers[0].weight, 3.0)
    layers[1].running_mean.fill_(2.0)
    layers[1].running_var.fill_(4.0)
    nn.init.constant_(layers[1].weight, 5.0)
    nn.init.constant_(layers[1].bias, 1.0)
    nets = make_nets(1)
    nets.members[0].stem = layers.eval()
    folded = fold_norms(nets).members[0].stem[0]
    assert folded.weight.item() == 7.5  # 3 x 5 / 2
    assert folded.bias.item() == -4.0  # (0 - 2) x 5 / 2 + 1


def test_a_folded_network_takes_no_gradients():
    assert not [name for name, weight in fold_norms(make_nets()).named_parameters() if weight.requires_grad]


@pytest.mark.parametrize(("levels", "reach"), [((8,), (4, 4)), ((8, 8), (10, 8)), ((8, 8, 8), (20, 16))])
def test_the_spatial_part_sees_as_far_as_is_said(levels, reach):
    """Every pixel within the reach counts, none beyond it does: to the bit."""
    nets = fold_norms(make_nets(1, levels))
    assert spatial_reach_px(nets) == reach
    before, after = reach
    side, inner = before + 8 + after, slice(before, before + 8)
    generator = torch.Generator().manual_seed(2)
    y = torch.rand(1, 8, side + 16, side + 16, generator=generator)
    middle = torch.cat([part[..., inner, inner] for part in nets.decode(y[..., 8 : side + 8, 8 : side + 8])], dim=1)
    # The same pixels with more land around them: what lies beyond the reach is no more than rounding.
    wide = slice(before + 8, before + 16)
    far = torch.cat([part[..., wide, wide] for part in nets.decode(y)], dim=1)
    assert torch.allclose(middle, far, atol=1e-4)
    # The outermost row that counts does count: the formula does not read more than a whole coarsest pixel too many.
    coarsest_px = 2 ** (len(levels) - 1)
    for row in (8 + coarsest_px - 1, side + 8 - coarsest_px):
        changed = y[..., 8 : side + 8, 8 : side + 8].clone()
        changed[..., row - 8, :] += 10
        moved = torch.cat([part[..., inner, inner] for part in nets.decode(changed)], dim=1)
        assert not torch.equal(moved, middle), row


def make_land(levels: tuple[int, ...] = (8, 8, 8)) -> Surroundings:
    cube = make_cube(96, 96, 128, 128)
    return Surroundings(cube, fold_norms(make_nets(1, levels)), make_card().axis.of(2018))


def test_squares_are_made_once_and_only_within_reach():
    land = make_land()
    land.around(128, 128)
    corners = {96, 128, 160, 192}
    assert set(land.made) == {(top, left) for top in corners for left in corners}
    first = land.made[128, 160]
    land.around(128, 192)
    assert set(land.made) == {(top, left) for top in corners for left in corners | {224, 256}}
    assert land.made[128, 160] is first


def test_a_cell_is_put_together_from_its_squares():
    land = make_land()
    y = land.around(128, 128)
    assert land.rim == (20, 16)
    assert y.shape == (1, 8, 100, 100)
    with torch.inference_mode():
        wide = torch.from_numpy(binned_window(land.cube, land.axis, 108, 108, 100))[None]
        assert torch.allclose(y, land.net.embed(wide), atol=1e-5)
        assert torch.equal(y[..., land.inner, land.inner][..., :TILE_PX, :TILE_PX], land.made[128, 128].y)


def test_what_is_usual_is_taken_from_every_fifth_pixel_around():
    land = make_land()
    x, y = land._spread(128, 128)
    wide = binned_window(land.cube, land.axis, 104, 104, 112)[..., ::5, ::5]
    assert np.array_equal(x.numpy(), wide.reshape(*wide.shape[:2], -1))
    with torch.inference_mode():
        assert torch.allclose(y, land.net.embed(x[None, :, :, None]), atol=1e-5)
        own, made = land.net.usual(x, y), land.net.usual(x)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(own, made, strict=True))


def test_fares_of_a_cell_are_those_of_its_squares_in_their_places():
    land = make_land()
    crops = land.net.decode(land.around(128, 128), land.rim)
    fares = land.fares(128, 128, crops)
    usual = land.net.usual(*land._spread(128, 128))
    x = torch.from_numpy(binned_window(land.cube, land.axis, 128, 128, CELL_PX))
    y = land.around(128, 128)[..., land.inner, land.inner]
    whole = land.net.fare_beside(x, y, crops, usual)
    assert torch.allclose(fares.health, whole.health, atol=1e-4)
    assert torch.allclose(fares.vigour, whole.vigour, atol=1e-4)
    assert fares.health.std() > 1e-3


def test_a_network_that_looks_farther_than_is_read_is_given_what_there_is():
    land = make_land((8, 8, 8, 8))
    assert land.rim == (24, 24)
    assert land.around(128, 128).shape[-2:] == (112, 112)


def test_a_rim_is_left_out_of_what_is_told_and_nothing_else_changes():
    nets = fold_norms(make_nets())
    y = torch.rand(1, 16, 52, 52, generator=torch.Generator().manual_seed(4))
    for found, wanted in zip(nets.decode(y, (20, 16)), nets.decode(y), strict=True):
        assert found.shape[-2:] == (16, 16)
        assert torch.allclose(found, wanted[..., 20:36, 20:36], atol=1e-5)


def test_squares_above_are_let_go():
    land = make_land()
    land.around(128, 128)
    land.forget_above(128)
    assert len(land.made) == 16
    land.forget_above(192)
    assert {top for top, _ in land.made} == {160, 192}
