# SPDX-License-Identifier: Apache-2.0
"""The sky of a simulated county: its settings, and how clear or cloudy each pass is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from acreline.config import Settings, check_settings
from acreline.simulate.values import Overpass

CHAIN, DRAWS = 101, 102
"""Streams of random numbers, so that a draw more in one place moves nothing elsewhere."""


class SclErrors(Settings):
    """How the scene classification errs: shares of the pixels concerned, lowest and highest of a pass."""

    thin_omission: tuple[float, float] = Field((0.15, 0.30), description="thin cloud called clear")
    shadow_omission: tuple[float, float] = Field((0.30, 0.50), description="cloud shadow called clear")
    edge_loss_px: tuple[int, int] = Field((1, 2), description="rim of every cloud called clear, pixels of 20 m")
    bright_commission: tuple[float, float] = Field((0.05, 0.15), description="plastic and bright soil called cloud")
    dark_commission: float = Field(0.05, ge=0, le=1, description="water and dark soil called shadow")

    @model_validator(mode="after")
    def _rises(self) -> SclErrors:
        for name in ("thin_omission", "shadow_omission", "bright_commission"):
            _check_span(name, getattr(self, name), 0, 1)
        _check_span("edge_loss_px", self.edge_loss_px, 0, 8)
        return self


class Quirks(Settings):
    """What real catalogues do to their readers, and how often it is done here."""

    duplicates: int = Field(1, ge=0, description="passes listed twice: once as first processed, once reprocessed")
    splits: int = Field(1, ge=0, description="passes cut in two items, each without data in the other's half")
    missing_bands: int = Field(1, ge=0, description="items that lack one band")
    old_baseline_share: float | None = Field(
        None, ge=0, le=1, description="share of the scenes coded without offset; left out: as the date has it"
    )
    overlap_tiles: bool = Field(False, description="every pass also in each other tile that holds land of the county")


class SkySettings(Settings):
    """The section `sky` of a county's settings."""

    # Share of clear passes by month, North China Plain: 0.55 in spring, 0.3 in July; order of magnitude.
    clear_share: tuple[float, ...] = Field(
        (0.60, 0.58, 0.55, 0.55, 0.52, 0.42, 0.30, 0.35, 0.48, 0.58, 0.60, 0.60),
        description="share of clear days, January to December",
    )
    persistence: float = Field(0.4, ge=0, lt=1, description="likeness of a day's sky to the day before (lag 1)")
    overcast_share: float = Field(0.45, ge=0, le=1, description="share of the cloudy days without a gap")
    clear_cover: float = Field(0.08, ge=0, le=1, description="cloud cover of a clear day, at most")
    optical_depth: tuple[float, float] = Field((0.1, 5.0), description="at a cloud's edge and in its middle")
    height_m: tuple[float, float] = Field((600.0, 3000.0), description="of low clouds above the land")
    cirrus_share: float = Field(0.15, ge=0, le=1, description="passes with cirrus")
    haze_share: float = Field(0.12, ge=0, le=1, description="passes with haze that no mask shows")
    haze_depth: tuple[float, float] = Field((0.05, 0.25), description="its optical depth at 550 nm")
    revisit_days: int = Field(5, ge=5, le=60, multiple_of=5, description="5: two satellites in turn; 10: one of them")
    second_orbit_share: float = Field(
        0.4, ge=0, le=1, description="part of the land that a neighbouring orbit's swath covers too"
    )
    cloud_cover_noise: float = Field(5.0, ge=0, description="error of eo:cloud_cover, standard deviation, percent")
    scl: SclErrors = Field(default_factory=lambda: SclErrors())
    quirks: Quirks = Field(default_factory=lambda: Quirks())

    @model_validator(mode="after")
    def _fits(self) -> SkySettings:
        if len(self.clear_share) != 12 or not all(0 <= share <= 1 for share in self.clear_share):
            raise ValueError("clear_share is twelve shares from 0 to 1, January to December")
        _check_span("optical_depth", self.optical_depth, 0.01, 100)
        _check_span("height_m", self.height_m, 0, 20_000)
        _check_span("haze_depth", self.haze_depth, 0, 3)
        return self


def _check_span(name: str, span: tuple[float, float], low: float, high: float) -> None:
    if not low <= span[0] <= span[1] <= high:
        raise ValueError(f"{name} is a lowest and a highest value from {low:g} to {high:g}, not {list(span)}")


class _Holder(Settings):
    """Names the section in messages."""

    sky: SkySettings


def read_sky(raw: Mapping[str, Any], file: Path | None) -> SkySettings:
    """The typed section `sky` of a county's settings.

    Raises:
        ConfigError: a key or value is wrong; the message names file and key.
    """
    return check_settings(_Holder, {"sky": dict(raw)}, file or Path("county settings")).sky


@dataclass(frozen=True)
class PassSky:
    """The sky of one pass, and how its classification errs."""

    cover: float
    """Share of the land around under low cloud, 0 to 1."""
    depth: tuple[float, float]
    """Optical depth at the clouds' edge and in their middle."""
    height_m: float
    cirrus_cover: float
    haze_depth: float
    thin_omission: float
    shadow_omission: float
    edge_loss_px: int
    bright_commission: float
    dark_commission: float


def plan_sky(passes: Sequence[Overpass], sky: SkySettings, seed: int) -> list[PassSky]:
    """How clear or cloudy each pass is: a daily two-state chain with the month's share of clear days.

    A day is clear with probability p + r (1 - p) after a clear one and p (1 - r) after a cloudy one, so the share of
    clear days is p whatever the persistence r.

    Args:
        passes: in the order of time.
        sky: the settings.
        seed: the county's.
    """
    if not passes:
        return []
    chain = np.random.default_rng([seed, CHAIN])
    day, last = passes[0].time.date(), passes[-1].time.date()
    clear_days = {}
    clear = bool(chain.random() < sky.clear_share[day.month - 1])
    while day <= last:
        clear_days[day] = clear
        day += timedelta(days=1)
        share = sky.clear_share[day.month - 1]
        stays = share + sky.persistence * (1 - share) if clear else share * (1 - sky.persistence)
        clear = bool(chain.random() < stays)
    return [_draw_pass(one, sky, seed, clear=clear_days[one.time.date()]) for one in passes]


def _draw_pass(overpass: Overpass, sky: SkySettings, seed: int, *, clear: bool) -> PassSky:
    draw = np.random.default_rng([seed, DRAWS, overpass.time.toordinal(), overpass.orbit])
    scattered, partly, overcast = draw.uniform(0, sky.clear_cover), draw.uniform(0.15, 0.95), draw.random()
    broken = 1.0 if overcast < sky.overcast_share else partly
    cover = scattered if clear and draw.random() < 0.5 else 0.0 if clear else broken
    low, high = sky.optical_depth
    errors = sky.scl
    return PassSky(
        cover=float(cover),
        depth=(low, float(max(low, high * draw.uniform(0.4, 1.0)))),
        height_m=float(draw.uniform(*sky.height_m)),
        cirrus_cover=float(draw.uniform(0.2, 0.9)) if draw.random() < sky.cirrus_share else 0.0,
        haze_depth=float(draw.uniform(*sky.haze_depth)) if draw.random() < sky.haze_share else 0.0,
        thin_omission=float(draw.uniform(*errors.thin_omission)),
        shadow_omission=float(draw.uniform(*errors.shadow_omission)),
        edge_loss_px=int(draw.integers(errors.edge_loss_px[0], errors.edge_loss_px[1], endpoint=True)),
        bright_commission=float(draw.uniform(*errors.bright_commission)),
        dark_commission=errors.dark_commission,
    )
