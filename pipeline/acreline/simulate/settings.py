# SPDX-License-Identifier: Apache-2.0
"""What a simulated county is to be: place, land, crops in rotation, climate, bad luck and errors, from one file."""

from __future__ import annotations

import datetime as dt
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from acreline.config import Settings, find_config, list_configs, read_settings
from acreline.errors import ConfigError, SourceError
from acreline.simulate.crops import SIM_CROPS, MonthDay, SimCrops, read_sim_crops
from acreline.tiles import tile_grid

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Monthly = Annotated[list[float], Field(min_length=12, max_length=12)]
PairT = TypeVar("PairT", tuple[float, float], tuple[int, int], tuple[str, str])


def _rising(pair: PairT) -> PairT:
    """Lowest and highest, or first and last, in this order."""
    if pair[0] > pair[1]:
        raise ValueError(f"{pair[0]} comes before {pair[1]}: write the lower, or the earlier, of the two first")
    return pair


def _a_tile(name: str) -> str:
    try:
        return tile_grid(name).tile
    except SourceError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


Rising = AfterValidator(_rising)
Metres = Annotated[tuple[Positive, Positive], Rising]
BlockSide = Annotated[float, Field(ge=40)]
AtLeastOne = Annotated[int, Field(ge=1)]
EventKind = Literal["flood", "drought", "lodging", "hail", "pest_disease", "frost", "late_failed"]


class Place(Settings):
    """Where the county lies."""

    lat: float = Field(ge=-60, le=75, description="middle of the county, degrees north")
    lon: float = Field(ge=-180, le=180, description="degrees east")
    tile: Annotated[str, AfterValidator(_a_tile)] = Field(description="Sentinel-2 tile that holds it, e.g. 50SLG")


class ParcelShapes(Settings):
    """How fields are cut out of blocks."""

    median_m2: float = Field(ge=300, le=200_000, description="median area of a parcel, m2")
    log_sd: float = Field(0.5, ge=0.05, le=1.2, description="standard deviation of the log of the area")
    block_m: Annotated[tuple[BlockSide, BlockSide], Rising] = Field(
        (120, 400), description="sides of the blocks between roads, metres"
    )
    aspect: float = Field(2.5, ge=1, le=12, description="length of a strip over its width, median")
    bearing_deg: float = Field(0, ge=-90, le=90, description="turn of the blocks from north, degrees")
    bend_m: float = Field(25, ge=0, le=80, description="how far roads swing from straight lines, metres")
    skew: float = Field(0.06, ge=0, le=0.3, description="how far field borders lean, share of the field's width")
    farm_parcels: Annotated[tuple[AtLeastOne, AtLeastOne], Rising] = Field(
        (1, 12), description="fewest and most parcels of one farm"
    )


class LandUse(Settings):
    """Shares of the land that are not fields; each 0 to 1, of the whole county."""

    villages: Share = 0.10
    village_spacing_m: float = Field(1100, ge=300, le=6000)
    ponds: Share = 0.01
    woods: Share = 0.01
    hills: Share = 0.0
    relief_m: float = Field(4, ge=0.5, le=600, description="height of the highest ground above the lowest, metres")
    road_m: Metres = Field((3, 8), description="width of tracks and of roads, metres")
    ditches: Share = Field(0.3, description="share of roads with a ditch beside them")
    tree_rows: Share = Field(0.3, description="share of roads with a row of trees beside them")

    @model_validator(mode="after")
    def _room_for_fields(self) -> LandUse:
        taken = self.villages + self.ponds + self.woods + self.hills
        if taken > 0.6:
            raise ValueError(f"villages, ponds, woods and hills take {taken:.2f} of the land; leave 0.4 to fields")
        return self


class Rotation(Settings):
    """What grows on a parcel in one crop year."""

    a: str | None = Field(None, description="crop of slot A, harvested by about 20 July")
    b: str | None = Field(None, description="crop of slot B, harvested later")
    ab: str | None = Field(None, description="crop that fills the whole year; not together with a or b")
    share: float = Field(gt=0, le=1, description="share of the parcels")
    clustering: float = Field(0.6, ge=0, le=4, description="0: as if thrown by chance; 2: in a few clusters")
    near_village: bool = Field(False, description="drawn towards villages, as greenhouses are")
    irrigated: Share = Field(0.5, description="share of parcels that get water in a drought")
    cover: Share = Field(0.0, description="share of parcels with a cover crop in the months without a crop")
    after: dict[str, Share] = Field(
        default_factory=dict, description="crop -> share of parcels that it stood on last year; the rest: the same crop"
    )
    next_a: Share = Field(1.0, description="share of parcels sown again to crop A in the autumn of the season's end")

    @model_validator(mode="after")
    def _one_year(self) -> Rotation:
        if self.ab is not None and (self.a is not None or self.b is not None):
            raise ValueError(f"{self.ab} fills the whole year: leave out a and b")
        if self.ab is None and self.a is None and self.b is None:
            raise ValueError("name a crop in a, b or ab; land at rest is `b: fallow`")
        if sum(self.after.values()) > 1 or (self.after and len(self.crops) > 1):
            raise ValueError("after: shares of at most 1 together, and only where one crop is grown in a year")
        return self

    @property
    def crops(self) -> dict[str, str]:
        """Slot -> crop."""
        named = {"A": self.a, "B": self.b, "AB": self.ab}
        return {slot: crop for slot, crop in named.items() if crop is not None}


class ZoneCrop(Settings):
    """What a zone knows better about a crop than `crops.yaml`."""

    sow: MonthDay | None = Field(None, description="mean day of sowing or transplanting")
    sow_sd_days: float | None = Field(None, ge=0, le=25, description="spread of the days of sowing between fields")
    harvest: MonthDay | None = Field(None, description="mean day of harvest; the thermal time follows from the climate")
    lai_max: float | None = Field(None, ge=0.3, le=8)
    yield_kg_per_ha: Positive | None = None
    price_per_kg: Positive | None = Field(None, description="in the county's currency")


class Climate(Settings):
    """Daily weather as a few numbers."""

    mean_c: float = Field(ge=-10, le=30, description="mean temperature of the year, degrees C")
    amplitude_c: float = Field(ge=1, le=30, description="half the way from the coldest to the warmest day's mean")
    warmest: MonthDay = "07-18"
    diurnal_c: float = Field(10, ge=2, le=20, description="tmax minus tmin on a dry day")
    noise_sd_c: float = Field(2.5, ge=0, le=6)
    noise_ar1: float = Field(0.7, ge=0, lt=1, description="correlation of the noise from day to day")
    wet_share: Monthly = Field(description="share of wet days, January first")
    wet_mm: Monthly = Field(description="mean rain of a wet day, mm, January first")
    wet_persistence: float = Field(0.35, ge=0, lt=1)
    clear_transmission: float = Field(
        0.72, ge=0.4, le=0.8, description="share of the sun that a clear sky lets through"
    )
    wet_transmission: float = Field(0.30, ge=0.1, le=0.7, description="the same on a wet day")


class Event(Settings):
    """One kind of bad luck."""

    kind: EventKind
    expected: float = Field(ge=0, description="mean count per 1,000 parcels; of parcels where kind is late_failed")
    window: Annotated[tuple[MonthDay, MonthDay], Rising] = ("04-01", "09-30")
    severity: Annotated[tuple[Share, Share], Rising] = (0.3, 1.0)
    size_m: Metres = Field((150, 600), description="radius, or width of a swath, metres")
    crops: list[str] = Field(default_factory=list, description="only these crops; empty: any that may suffer")


class LabelNoise(Settings):
    """How wrong the farm file is."""

    declared_wrong: Share = Field(0.03, description="parcels whose declared crop is not what grows there")
    outlines_wrong: Share = Field(0.03, description="outlines shifted by 5 to 10 m, merged with a neighbour, outdated")
    mixed: Share = Field(0.04, description="parcels with two crops")
    area_sd: float = Field(0.02, ge=0, le=0.3, description="error of the declared area, relative")


class CountySettings(Settings):
    """A county to simulate."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = ""
    place: Place
    year: int = Field(ge=2016, le=2100, description="year of the harvest")
    season_start: date | None = Field(None, description="default 1 October of the year before")
    season_end: date | None = Field(None, description="default 15 December")
    seed: int = Field(1, ge=0)
    parcels: int = Field(1000, ge=1, le=20_000)
    currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")
    shapes: ParcelShapes
    land: LandUse = Field(default_factory=LandUse)
    rotations: list[Rotation] = Field(min_length=1)
    crops: dict[str, ZoneCrop] = Field(default_factory=dict)
    climate: Climate
    events: list[Event] = Field(default_factory=list)
    noise: LabelNoise = Field(default_factory=LabelNoise)
    sky: dict[str, Any] = Field(default_factory=dict, description="passed on untouched to the rooms of the sky")

    @field_validator("rotations")
    @classmethod
    def _shares(cls, rotations: list[Rotation]) -> list[Rotation]:
        total = sum(rotation.share for rotation in rotations)
        if abs(total - 1) > 0.005:
            raise ValueError(f"the shares of the rotations add up to {total:.3f}; make them add up to 1")
        return rotations

    @model_validator(mode="after")
    def _season(self) -> CountySettings:
        start, end = self.season
        if not 200 <= (end - start).days <= 550:
            raise ValueError(f"the season {start} .. {end} must be 200 to 550 days long")
        return self

    @property
    def season(self) -> tuple[date, date]:
        """First and last day that is drawn."""
        start = self.season_start or dt.date(self.year - 1, 10, 1)
        return start, self.season_end or dt.date(self.year, 12, 15)


def read_county(name_or_path: str, **overrides: Any) -> CountySettings:
    """Read a county's settings: a name of `configs/simulate/`, or the path of a YAML file.

    Raises:
        ConfigError: no such file, an unknown key, or a wrong value; the message names file and key.
    """
    if name_or_path == Path(SIM_CROPS).stem:
        known = ", ".join(name for name in list_configs("simulate") if name != Path(SIM_CROPS).stem)
        raise ConfigError(
            f"simulate: {name_or_path!r} is no county: it is where crops are described", hint=f"known: {known}"
        )
    path = find_config("simulate", name_or_path)
    settings = read_settings(CountySettings, Path(path), overrides)
    check_crops(settings, read_sim_crops())
    return settings


def check_crops(settings: CountySettings, crops: SimCrops) -> None:
    """Each crop that the county names is known and stands in a slot that suits it.

    Raises:
        ConfigError: an unknown crop (the hint has the nearest word), or a crop in a slot that is not its own.
    """
    for number, rotation in enumerate(settings.rotations):
        for slot, crop in rotation.crops.items():
            crops.check_slot(crop, slot, f"{SIM_CROPS if settings.file is None else settings.file}: rotations.{number}")
    where = str(settings.file or settings.name)
    last_year = (crop for rotation in settings.rotations for crop in rotation.after)
    for crop in [*settings.crops, *last_year, *(crop for event in settings.events for crop in event.crops)]:
        crops.find(crop, where)
