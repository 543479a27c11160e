# SPDX-License-Identifier: Apache-2.0
"""The simulator's crops, from `configs/simulate/crops.yaml`: calendar, canopy, harvest, layers, yield, price."""

from __future__ import annotations

import datetime as dt
import difflib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from acreline.config import Settings, packaged_configs, read_settings
from acreline.errors import ConfigError
from acreline.simulate.classes import CLASSES

SIM_CROPS = "crops.yaml"
Share = Annotated[float, Field(ge=0, le=1)]
USUAL_YEAR = 2001
"""A year without a 29 February: days of a calendar hold in every year."""


def _a_day(text: str) -> str:
    try:
        dt.date(USUAL_YEAR, int(text[:2]), int(text[3:]))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a day of every year: write it as MM-DD") from error
    return text


MonthDay = Annotated[
    str,
    Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", description="MM-DD"),
    AfterValidator(_a_day),
]
Shape = Literal["annual", "cycles", "sward", "deciduous", "evergreen", "weeds"]


class Calendar(Settings):
    """When a crop is sown and cut; for perennials the days the year is counted between."""

    sow: tuple[MonthDay, MonthDay] = Field(description="first and last usual day of sowing or transplanting")
    harvest: tuple[MonthDay, MonthDay]
    cycle_degree_days: float | None = Field(None, gt=0, description="thermal time from sowing to maturity, degree days")
    base_c: float = Field(ge=-2, le=15, description="below it nothing grows, degrees C")
    optimum_c: float = Field(ge=10, le=35)
    pace: Literal["thermal", "days"] = Field("thermal", description="days: age goes by the calendar, not by warmth")
    source: str = Field(min_length=3)


class Canopy(Settings):
    """Leaves and how their area rises and falls over the cycle (science of 5.3: product of two logistics)."""

    shape: Shape = "annual"
    lai_max: float = Field(ge=0.2, le=8, description="m2 leaf per m2 ground")
    lai_cv: float = Field(0.25, ge=0, le=0.5, description="between fields")
    ala_deg: float = Field(ge=25, le=75)
    n_leaf: float = Field(1.5, ge=1.2, le=2.2)
    cab: float = Field(45, ge=3, le=85, description="ug/cm2")
    cw: float = Field(0.014, ge=0.003, le=0.04, description="cm")
    cm: float = Field(0.006, ge=0.002, le=0.014, description="g/cm2")
    rise: float = Field(0.38, gt=0, lt=1, description="half of the leaf area is there at this share of the cycle")
    rise_width: float = Field(0.065, gt=0, lt=0.5)
    fall: float = Field(0.86, gt=0, le=2, description="half of it is gone; above 1: cut while green")
    fall_width: float = Field(0.04, gt=0, lt=0.5)
    plateau: Share = Field(0.0, description="share of the full leaf area reached before winter")
    standing: Share = Field(0.15, description="share of the full leaf area that stands dry until harvest")
    flowering: Share = Field(0.58, description="middle of flowering, share of the cycle")
    source: str = Field(min_length=3)


class Layers(Settings):
    """What a canopy model does not know; shares of the ground, 0 to 1."""

    paddy: bool = False
    flower: Share = Field(0.0, description="yellow cover in full flower")
    flower_width: float = Field(0.04, gt=0, lt=0.5)
    film: Share = Field(0.0, description="ground under mulch film until the canopy hides it")
    film_chance: Share = Field(0.0, description="share of fields with film")
    roof: Share = Field(0.0, description="ground under plastic roofs, the year through")
    understory_lai: tuple[float, float] = (0.0, 0.0)
    wood: Share = Field(0.0, description="bare wood over the ground")
    cuts: int = Field(0, ge=0, le=8, description="mowings a year")
    grazed_chance: Share = Field(0.0, description="share of swards that are grazed instead")
    cycles: tuple[int, int] = Field((1, 1), description="harvests in one season, fewest and most")
    source: str = Field(min_length=3)


class Harvest(Settings):
    """What is left behind."""

    straw: Share = Field(0.5, description="ground under straw just after harvest")
    plough_days: tuple[int, int] = Field((10, 60), description="from harvest to ploughing, days")
    plough_chance: Share = 0.7
    regrowth_lai: float = Field(
        0.45, ge=0, le=3, description="leaf area of spilt grain and weeds some weeks after, median over fields"
    )
    source: str = Field(min_length=3)


class Produce(Settings):
    """Light, yield and money."""

    rue_g_per_mj: float = Field(gt=0, le=5, description="dry matter per intercepted solar radiation, g/MJ")
    harvest_index: float = Field(gt=0, le=1)
    moisture: Share = Field(description="water in the produce as sold")
    yield_kg_per_ha: float = Field(gt=0, description="normal yield as sold; all harvests of a season together")
    price_per_kg: float = Field(gt=0, description="CNY at the farm gate")
    price_cv: float = Field(ge=0, le=1)
    source: str = Field(min_length=3)


class SimCrop(Settings):
    """One crop of the simulator."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    name_en: str
    name_zh: str
    slot: Literal["A", "B", "AB", "A or B"]
    network_class: str = Field(alias="class", description="class of the network that it belongs to")
    calendar: Calendar
    canopy: Canopy
    layers: Layers = Field(default_factory=lambda: Layers(source="none"))
    harvest: Harvest
    produce: Produce | None = Field(None, description="none where nothing is sold")

    @field_validator("network_class")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CLASSES:
            near = difflib.get_close_matches(name, CLASSES, n=1)
            raise ValueError(f"{name!r} is no class of the network{f'; did you mean {near[0]!r}?' if near else ''}")
        return name


class SimCrops(Settings):
    """All crops of the simulator, by slug."""

    crops: dict[str, SimCrop] = Field(min_length=1)

    def find(self, slug: str, where: str) -> SimCrop:
        """The crop of this name.

        Raises:
            ConfigError: no such crop; the hint has the nearest word.
        """
        if slug in self.crops:
            return self.crops[slug]
        near = difflib.get_close_matches(slug, self.crops, n=1, cutoff=0.5)
        words = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"{where}: crop {slug!r} is not known", hint=f"{words}known: {', '.join(sorted(self.crops))}")

    def check_slot(self, slug: str, slot: str, where: str) -> None:
        """Refuse a crop in a slot that is not its own.

        Raises:
            ConfigError: unknown crop, or wrong slot.
        """
        own = self.find(slug, where).slot
        if slot not in (["A", "B"] if own == "A or B" else [own]):
            raise ConfigError(f"{where}: {slug} stands in slot {slot}", hint=f"its slot is {own}: write it there")


@cache
def read_sim_crops(path: Path | None = None) -> SimCrops:
    """Read the simulator's crops.

    Args:
        path: the YAML file; None: the packaged one.

    Raises:
        ConfigError: the file is missing or something in it is wrong; the message names file and key.
    """
    return read_settings(SimCrops, path or packaged_configs() / "simulate" / SIM_CROPS)
