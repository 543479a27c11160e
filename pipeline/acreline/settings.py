# SPDX-License-Identifier: Apache-2.0
"""What a settings file may say: frozen models, unknown keys refused. `config` reads them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
AreaUnit = Literal["m2", "mu", "ha", "acre"]
Slot = Literal["A", "B", "AB"]


class Settings(BaseModel):
    """A frozen group of settings; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file these settings were read from."""
        return self._file


class SeasonSettings(Settings):
    """The crop year that is looked at, first and last day."""

    start: date
    end: date

    @model_validator(mode="after")
    def _rises(self) -> SeasonSettings:
        if not self.start < self.end:
            raise ValueError(f"the season must start before it ends, not {self.start} .. {self.end}")
        if (self.end - self.start).days > 550:
            raise ValueError(f"a season is at most 550 days, not {(self.end - self.start).days}")
        return self


class ParcelSource(Settings):
    """Where the farm file is and how to read it."""

    path: Path
    datum: Datum = Field(description="datum of the drawn coordinates; a Chinese web map is gcj02 or bd09")
    declared_area_unit: AreaUnit | None = Field(None, description="needed where the file has declared_area")
    layer: str | None = Field(None, description="layer of a GeoPackage with several")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="our name -> the file's: farm_id, parcel_id, declared_crop, declared_area, registry_area, drawn_on",
    )
    crs: str | None = Field(None, description="only for a file that carries none, e.g. EPSG:4326")


class EvidenceBar(Settings):
    """How much must have been seen before a machine may speak."""

    min_clear_looks: int = Field(6, ge=1, description="clear looks a parcel needs in the season")
    max_days_since_clear: int = Field(60, ge=1, description="age of the newest clear look at as-of, days")


class ClaimSettings(Settings):
    """From where on a finding about a claim on land asks for a person."""

    earlier_share: float = Field(0.10, gt=0, le=1, description="share of a parcel that lay with another farm before")
    registry_tolerance: float = Field(0.05, ge=0, description="share by which a parcel may exceed its registered area")
    water_share: float = Field(0.20, gt=0, le=1, description="share of a parcel that is water on most clear looks")
    not_farmland_share: float = Field(0.20, gt=0, le=1, description="share of a parcel that is road, roof or wood")
    area_tolerance: float = Field(
        0.005, gt=0, le=1, description="share by which the ground under its pixels may differ from the outline's area"
    )
    grace_days: int = Field(10, ge=0, description="days after the harvest's latest date on which one may still draw")


class Region(Settings):
    """One batch: a place, a season, a provider, a model and a policy."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    season: SeasonSettings
    as_of: date | None = None
    provider: str
    fallback_providers: list[str] = Field(
        default_factory=list, description="asked in this order where `provider` does not answer; named as it is"
    )
    catalog: str | None = Field(None, description="address or folder that replaces the first provider's own")
    parcels: ParcelSource
    applicants: Path | None = None
    applicants_currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="of the money in the applicants table; left out: the policy's"
    )
    applicants_rate: Decimal | None = Field(
        None, gt=0, le=10**6, decimal_places=8, description="units of the policy's currency for one of the applicants'"
    )
    weather: Path | None = None
    normals: Path | None = None
    statistics: Path | None = Field(
        None, description="harvest statistics: a file, or a name of configs/statistics/ (dated table of yields)"
    )
    prices: Path | None = Field(None, description="dated table of prices: a file, or a name of configs/prices/")
    costs: Path | None = Field(None, description="dated table of costs: a file, or a name of configs/costs/")
    known_events: Path | None = None
    previous_run: Path | None = Field(None, description="folder of a finished run of an earlier season")
    crops: list[str] = Field(min_length=1)
    events: list[str] = Field(default_factory=list)
    model: str = "acrenet-s"
    policy: str = Field(description="a file, a name of configs/policies/, or a folder of dated files there")
    shadow: str | None = Field(
        None, description="a second policy that decides beside it and grants nothing: RUN/shadow; as `policy`"
    )
    county: str | None = Field(
        None,
        min_length=1,
        description="what statistics and rules with amounts by county call the place; none: their general figures",
    )
    retired: Path | None = Field(None, description="the bank's own list of retired policies and models")
    block_px: int = Field(1024, ge=32, le=4096, description="side of a block in 10 m pixels, a multiple of 32")
    evidence: EvidenceBar = Field(default_factory=lambda: EvidenceBar())
    claims: ClaimSettings = Field(default_factory=lambda: ClaimSettings())
    max_failed_share: float = Field(
        0.1, ge=0, le=1, description="above this share of failed parcels a run does not replace an earlier publication"
    )

    farm_pages: int = Field(
        200, ge=0, description="pages with pictures are made for each farm where there are no more farms than this"
    )
    disk_ceiling_gb: float | None = Field(
        None, gt=0, description="a run that could make its run folder larger than this is not started; null: no ceiling"
    )
    fresh_within_days: int | None = Field(
        None,
        ge=1,
        le=366,
        description="alarm when the newest scene is older on the day of a run, the catalogue's own lag counted in; "
        "null: none. Never once the season is over",
    )

    @field_validator("block_px")
    @classmethod
    def _on_the_20_m_grid(cls, value: int) -> int:
        if value % 32:
            raise ValueError(f"block_px must be a multiple of 32, not {value}")
        return value


class ReadSettings(Settings):
    """How pixels are fetched."""

    threads: int = Field(2, ge=1, le=64, description="files read at once: 2 from disk, 8 to 16 over HTTP")
    connect_timeout_s: float = Field(10, gt=0, le=60)
    timeout_s: float = Field(60, gt=0, le=600)
    max_retry: int = Field(3, ge=0, le=10)
    gdal: dict[str, str] = Field(default_factory=dict, description="GDAL options, e.g. AWS_S3_ENDPOINT")


class Provider(Settings):
    """A STAC API or a folder of STAC items, told as data; signing and offset are named ways written in Python."""

    name: str
    title: str = ""
    kind: Literal["api", "folder"]
    href: str | None = Field(None, description="address of the API, or path of the catalogue")
    collection: str | None = None
    bands: dict[str, str | list[str]] = Field(description="B02 ... B12, SCL -> asset key, or keys to try in order")
    offset: Literal["stac", "boa_flag", "baseline"] = Field(
        "stac",
        description="stac: the asset's own scale and offset; boa_flag: Earth Search's flag wins over them; "
        "baseline: subtract 1000 from 04.00 on, whatever the asset says",
    )
    signing: Literal["none", "planetary_computer", "s3"] = "none"
    lag_days: int = Field(0, ge=0, description="days from sensing to being in the catalogue")
    page_size: int = Field(100, ge=1, le=1000)
    max_items: int = Field(20_000, ge=1)
    max_retry: int = Field(4, ge=0, le=10)
    timeout_s: float = Field(60, gt=0, le=600, description="one request")
    deadline_s: float = Field(600, gt=0, description="the whole search")
    max_cloud_percent: float = Field(100, ge=0, le=100, description="scenes above it are set aside unread")
    read: ReadSettings = Field(default_factory=lambda: ReadSettings())


class Sourced(Settings):
    """A number with where it comes from: a citation, or `order of magnitude`."""

    value: float
    cv: float = Field(0.0, ge=0, description="relative standard deviation")
    source: str = Field(min_length=3)


class Cost(Settings):
    """What it costs to grow a crop for one harvest."""

    per_ha: Sourced = Field(description="all of it, own work and land too")
    cash_share: float = Field(ge=0, le=1, description="of it what is paid in money")
    currency: str = Field("CNY", pattern=r"^[A-Z]{3}$")


class Crop(Settings):
    """One kind of crop: names, slot, calendar, normal yield and price."""

    slug: str = Field(pattern=r"^[a-z][a-z_]*$")
    name_en: str
    name_zh: str
    slot: Slot
    colour: str = Field(pattern=r"^#[0-9a-f]{6}$")
    hcat_code: int | None = None
    sowing: str = ""
    harvest: str = ""
    modelled_yield: bool = Field(True, description="false: regional value with a wide interval, flagged not_modelled")
    yield_kg_per_ha: Sourced | None = None
    price_per_kg: Sourced | None = None
    price_currency: str = "CNY"
    cost: Cost | None = Field(None, description="null: not known; a region's `costs:` wins over it, as `prices:` do")
    green_after_days: Sourced | None = Field(None, description="from emergence or transplanting; null: no days")
    min_peak_ndvi: float = Field(0.4, ge=0, le=1, description="a stand below it at its peak is late or failed")
    under_cover: bool = Field(
        False,
        description="true: under roofs that hide the green, so the outline tells its land and no peak its failing",
    )


class RuleSettings(Settings):
    """One rule of a policy: its name and numbers; the rule's own model checks the numbers."""

    rule: str
    source: str = Field(min_length=3, description="who says so: a document, or `demonstration only`")
    settings: dict[str, Any] = Field(default_factory=dict)


When = Literal["approval", "sowing_seen", "growing", "peak", "senescing", "harvested"]
"""What releases a part of a loan, in the order of a season: the decision, or what is seen of the main crop."""
DATED = ("sowing_seen", "peak", "harvested")
"""Those of them that are met on a day that can be read from the curve."""


class TrancheSettings(Settings):
    """One part of the limit and what releases it."""

    share: Decimal = Field(gt=0, le=1, description="of the limit; the shares of all tranches are 1 in sum")
    when: When = Field(description="approval; sowing_seen: emergence is dated; else the stage is this one or a later")
    latest: date | None = Field(None, description="not met by this day: released by nobody but a person")


class ScheduleSettings(Settings):
    """How a limit is paid out and falls due, tied to what is seen of the main crop."""

    tranches: list[TrancheSettings] = Field(min_length=1, description="in the order of the season")
    due_days: int = Field(ge=0, le=366, description="from the harvest to the day on which the loan falls due")
    remind_days: int = Field(ge=0, le=366, description="before the due day on which the farmer is reminded")
    move_days: int = Field(0, ge=0, le=183, description="most by which a late season moves the due day, 0: never")
    land_share: float = Field(
        0.5, gt=0, le=1, description="of the main crop's planted land that must have got there for it to be seen"
    )

    @model_validator(mode="after")
    def _whole_and_in_order(self) -> ScheduleSettings:
        total = sum((tranche.share for tranche in self.tranches), Decimal(0))
        if total != 1:
            raise ValueError(f"the shares of the tranches must be 1 in sum, not {total}")
        places = [get_args(When).index(tranche.when) for tranche in self.tranches]
        if places != sorted(set(places)):
            raise ValueError(f"tranches stand in the season's order, each condition once: {', '.join(get_args(When))}")
        undated = [t.when for t in self.tranches if t.latest is not None and t.when not in DATED]
        if undated:
            raise ValueError(f"latest needs a condition that has a date: {', '.join(DATED)}; not {undated[0]}")
        return self


class Policy(Settings):
    """A credit policy: dated, approved, rules in order."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    round_to: Decimal = Field(gt=0, description="limits are rounded down to a multiple of this")
    quantile: Decimal = Field(
        Decimal("0.05"),
        ge=Decimal("0.05"),
        le=Decimal("0.5"),
        description="quantile of planted land and of the harvest's value that counts: 0.05 cautious, 0.5 the middle",
    )
    valid_from: date = Field(description="first day on which it decides, from 00:00 UTC of that day on")
    valid_to: date | None = Field(
        None, description="last day on which it decides, that whole day in UTC included; left out: until further notice"
    )
    author: str = Field(description="who wrote it")
    approver: str = Field(description="who approved it: another person")
    rules: list[RuleSettings] = Field(min_length=1)
    schedule: ScheduleSettings | None = Field(None, description="tranches and due day; null: the bank sets them itself")
    contact: tuple[str, str] | None = Field(
        None,
        description="whom a farmer asks, English and Chinese; for the letter, no part of the version",
    )

    @model_validator(mode="after")
    def _four_eyes(self) -> Policy:
        names = ["".join(name.split()).casefold() for name in (self.author, self.approver)]
        if not all(names):
            raise ValueError("author and approver must both be named")
        if names[0] == names[1]:
            raise ValueError(f"author and approver must be two people, both are {self.author!r}")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} lies before valid_from {self.valid_from}")
        return self
