# SPDX-License-Identifier: Apache-2.0
"""Presto, a transformer taught by hiding parts of pixels' months: an encoder of others, to be compared with.

Written from Tseng et al. 2023, arXiv 2304.14065; its weights are not part of acreline: the caller gives the file. A
wrong order of bands loads without an error and is only "a bit weak", so `presto_check.rebuilt` hides a group of bands
and lets the decoder rebuild it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from acreline.errors import InputError

GROUPS: Mapping[str, int] = {
    "S1": 2,
    "S2_RGB": 3,
    "S2_Red_Edge": 3,
    "S2_NIR_10m": 1,
    "S2_NIR_20m": 1,
    "S2_SWIR": 2,
    "ERA5": 2,
    "SRTM": 2,
    "NDVI": 1,
}
"""Groups of inputs in the order of the tables of groups, each with its number of inputs; land cover is last there."""
MONTHS = 12
WIDTH = 128
PLACE, MONTH, GROUP = 64, 32, 32
"""Channels of a token's encoding in the encoder; put together as month of the year, group of inputs, step."""
HEADS = 8
DEPTH = 2


class _Block(nn.Module):
    """Attention, then two layers for each token, both around what was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(WIDTH, 3 * WIDTH), "proj": nn.Linear(WIDTH, WIDTH)})
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, z: Tensor, shown: Tensor) -> Tensor:
        """(n, token, 128) and which tokens may be looked at, (n, token)."""
        n, tokens, _ = z.shape
        query, key, value = (
            self.attn["qkv"](self.norm1(z)).reshape(n, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        )
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=shown[:, None, None, :])
        z = z + self.attn["proj"](seen.transpose(1, 2).reshape(n, tokens, WIDTH))
        out: Tensor = z + self.mlp["fc2"](nn.functional.gelu(self.mlp["fc1"](self.norm2(z))))
        return out


class Encoder(nn.Module):
    """Months of inputs -> tokens; names of the parts are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 24, PLACE), requires_grad=False)
        self.eo_patch_embed = nn.ModuleDict({name: nn.Linear(size, WIDTH) for name, size in GROUPS.items()})
        self.dw_embed = nn.Embedding(len(GROUPS) + 1, WIDTH)
        self.latlon_embed = nn.Linear(3, WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.month_embed = nn.Embedding(12, MONTH)
        self.channel_embed = nn.Embedding(len(GROUPS) + 1, GROUP)

    def tokens(self, inputs: Mapping[str, Tensor], place: Tensor, first_month: int) -> Tensor:
        """A token for the place, then one for each month of each group (of terrain: one in all).

        Args:
            inputs: group -> (n, month, inputs of the group).
            place: (n, 3): unit vector to the place from the Earth's centre.
            first_month: of the series, 0 = January.

        Returns:
            (n, token, 128).
        """
        out = [self.latlon_embed(place)[:, None]]
        for number, (name, values) in enumerate((name, inputs[name]) for name in GROUPS):
            n, months = values.shape[:2]
            group = self.channel_embed.weight[number].expand(n, months, -1)
            month = self.month_embed((torch.arange(months) + first_month) % 12).expand(n, -1, -1)
            step = self.pos_embed[:, :months].expand(n, -1, -1)
            if name == "SRTM":  # terrain has no date
                values, group = values[:, :1], group[:, :1]
                month, step = torch.zeros_like(month[:, :1]), torch.zeros_like(step[:, :1])
            out.append(self.eo_patch_embed[name](values) + torch.cat([month, group, step], dim=2))
        return torch.cat(out, dim=1)

    def forward(self, tokens: Tensor, shown: Tensor) -> Tensor:
        """Tokens and which of them are there, (n, token) -> (n, token, 128), before the last normalisation."""
        for block in self.blocks:
            tokens = block(tokens, shown)
        return tokens


class Decoder(nn.Module):
    """Tokens of what was shown -> every input of every month."""

    def __init__(self) -> None:
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 24, WIDTH - GROUP - 48), requires_grad=False)
        self.decoder_embed = nn.Linear(WIDTH, WIDTH)
        self.decoder_blocks = nn.ModuleList(_Block() for _ in range(DEPTH))
        self.decoder_norm = nn.LayerNorm(WIDTH)
        self.eo_decoder_pred = nn.ModuleDict({name: nn.Linear(WIDTH, size) for name, size in GROUPS.items()})
        self.dw_decoder_pred = nn.Linear(WIDTH, 9)
        self.channel_embeddings = nn.Embedding(len(GROUPS) + 1, GROUP)
        self.month_embed = nn.Embedding(12, 48)

    def forward(self, encoded: Tensor, shown: Tensor, first_month: int, months: int) -> dict[str, Tensor]:
        """(n, token, 128), normalised, and which tokens were shown -> group -> (n, month, inputs).

        Unlike in its pretraining the land cover's tokens are left out altogether: no source here has any.
        """
        n = len(encoded)
        z = torch.where(shown[:, :, None], self.decoder_embed(encoded), self.mask_token)
        month = self.month_embed((torch.arange(months) + first_month) % 12)
        codes = [torch.zeros(1, WIDTH)]
        for number, name in enumerate(GROUPS):
            group = self.channel_embeddings.weight[number].expand(months, -1)
            code = torch.cat([month, group, self.pos_embed[0, :months]], dim=1)
            if name == "SRTM":
                code = torch.cat(
                    [torch.zeros_like(month[:1]), group[:1], torch.zeros_like(self.pos_embed[0, :1])], dim=1
                )
            codes.append(code)
        z = z + torch.cat(codes)
        everything = torch.ones(n, z.shape[1], dtype=torch.bool)
        for block in self.decoder_blocks:
            z = block(z, everything)
        z = self.decoder_norm(z)
        parts = torch.split(z[:, 1:], [1 if name == "SRTM" else months for name in GROUPS], dim=1)
        return {name: self.eo_decoder_pred[name](part) for name, part in zip(GROUPS, parts, strict=True)}


class Presto(nn.Module):
    """Encoder and decoder as published: 823,002 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def embed(
        self, inputs: Mapping[str, Tensor], seen: Mapping[str, Tensor], place: Tensor, first_month: int
    ) -> Tensor:
        """Mean of the tokens of what was seen, normalised: (n, 128).

        Args:
            inputs: group -> (n, month, inputs of the group), in Presto's own scale.
            seen: group -> (n, month).
            place: (n, 3).
            first_month: of the series, 0 = January.
        """
        shown = token_mask(seen)
        encoded = self.encoder(self.encoder.tokens(inputs, place, first_month), shown)
        weight = shown[:, :, None].to(encoded.dtype)
        out: Tensor = self.encoder.norm((encoded * weight).sum(dim=1) / weight.sum(dim=1))
        return out

    def rebuild(
        self, inputs: Mapping[str, Tensor], seen: Mapping[str, Tensor], place: Tensor, first_month: int
    ) -> dict[str, Tensor]:
        """What the decoder makes of what was seen: group -> (n, month, inputs); arguments as `embed`."""
        shown = token_mask(seen)
        encoded = self.encoder.norm(self.encoder(self.encoder.tokens(inputs, place, first_month), shown))
        return self.decoder(encoded, shown, first_month, inputs["S2_RGB"].shape[1])  # type: ignore[no-any-return]


def token_mask(seen: Mapping[str, Tensor]) -> Tensor:
    """Group -> (n, month) seen -> (n, token); the place's token is always there, terrain has one token."""
    parts = [seen[name][:, :1] if name == "SRTM" else seen[name] for name in GROUPS]
    return torch.cat([torch.ones_like(parts[0][:, :1]), *parts], dim=1)


def load_presto(weights: Path) -> Presto:
    """Presto with the published weights.

    Args:
        weights: `default_model.pt` of the Presto project, a state dict; always given by the caller.

    Raises:
        InputError: the file is missing, is no state dict, or holds other tensors than Presto's.
    """
    hint = "give the path of Presto's default_model.pt (MIT licence); acreline does not carry it"
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{weights}: no such file of Presto weights", hint=hint) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{weights.name}: no weights can be read: {error}", hint=hint) from error
    except Exception as error:  # what torch raises for a foreign file changes with its version
        raise InputError(f"{weights.name}: not a state dict of tensors: {error}", hint=hint) from error
    net = Presto()
    try:
        net.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"{weights.name}: not the tensors of Presto: {error}", hint=hint) from error
    return net.eval().requires_grad_(False)


def unit_vector(lon_deg: float, lat_deg: float) -> Tensor:
    """Place -> (3,), x y z of the unit sphere."""
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return torch.tensor([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], dtype=torch.float32)
