# SPDX-License-Identifier: Apache-2.0
"""Settings: YAML files become frozen models, unknown keys are refused with the nearest known word.

Order of weight: YAML file < environment (`ACRELINE_<KEY>`, nested keys with two underscores) < argument. Paths in a
region file are relative to that file; names of providers, crops, policies and models are files of the packaged
`configs/` folders, or paths of one's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from acreline.errors import ConfigError

Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]
AreaUnit = Literal["m2", "mu", "ha", "acre"]
Slot = Literal["A", "B", "AB"]
SettingsT = TypeVar("SettingsT", bound="Settings")


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
    grace_days: int = Field(10, ge=0, description="days after the harvest's latest date on which one may still draw")


class Region(Settings):
    """One batch: a place, a season, a provider, a model and a policy."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    season: SeasonSettings
    as_of: date | None = None
    provider: str
    catalog: str | None = Field(None, description="address or folder that replaces the provider's own")
    parcels: ParcelSource
    applicants: Path | None = None
    weather: Path | None = None
    normals: Path | None = None
    statistics: Path | None = None
    known_events: Path | None = None
    previous_run: Path | None = Field(None, description="folder of a finished run of an earlier season")
    crops: list[str] = Field(min_length=1)
    events: list[str] = Field(default_factory=list)
    model: str = "acrenet-s"
    policy: str
    block_px: int = Field(1024, ge=32, le=4096, description="side of a block in 10 m pixels, a multiple of 32")
    evidence: EvidenceBar = Field(default_factory=lambda: EvidenceBar())
    claims: ClaimSettings = Field(default_factory=lambda: ClaimSettings())
    max_failed_share: float = Field(
        0.1, ge=0, le=1, description="above this share of failed parcels a run does not replace an earlier publication"
    )

    farm_pages: int = Field(
        200, ge=0, description="pages with pictures are made for each farm where there are no more farms than this"
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
    green_after_days: Sourced | None = Field(None, description="from emergence or transplanting; null: no days")
    min_peak_ndvi: float = Field(0.4, ge=0, le=1, description="a stand below it at its peak is late or failed")


class RuleSettings(Settings):
    """One rule of a policy: its name and numbers; the rule's own model checks the numbers."""

    rule: str
    source: str = Field(min_length=3, description="who says so: a document, or `demonstration only`")
    settings: dict[str, Any] = Field(default_factory=dict)


class Policy(Settings):
    """A credit policy: dated, approved, rules in order."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    round_to: Decimal = Field(gt=0, description="limits are rounded down to a multiple of this")
    valid_from: date
    valid_to: date | None = None
    author: str
    approver: str
    rules: list[RuleSettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _four_eyes(self) -> Policy:
        if self.author == self.approver:
            raise ValueError(f"author and approver must be two people, both are {self.author!r}")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} lies before valid_from {self.valid_from}")
        return self


def packaged_configs() -> Path:
    """The folder of configs that comes with acreline: in the source tree, or inside an installed package."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def find_config(kind: str, name: str, base: Path | None = None) -> Path:
    """The file behind a name: a path (relative to `base`), else `configs/<kind>/<name>.yaml`.

    Raises:
        ConfigError: no such file; the hint lists what there is and the nearest word.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name) if base is None else base / name
        if path.is_file():
            return path.resolve()
        raise ConfigError(f"{kind}: no file {name}", hint="give the path relative to the file that names it")
    folder = packaged_configs() / kind
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = list_configs(kind)
    raise ConfigError(f"{kind}: {name!r} is not known", hint=f"{_nearest(name, known)}known: {', '.join(known)}")


def list_configs(kind: str) -> list[str]:
    """Names of the packaged configs of one kind."""
    return sorted(path.stem for path in (packaged_configs() / kind).glob("*.yaml"))


def read_settings(model: type[SettingsT], path: Path, overrides: Mapping[str, Any] | None = None) -> SettingsT:
    """Read one YAML file into its settings model.

    Args:
        model: the settings class.
        path: the YAML file; unknown keys are refused.
        overrides: values that win over the file (environment and arguments), by key.

    Raises:
        ConfigError: the file is missing, is not YAML, or a key or value is wrong; the message names file and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file", hint="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint="a settings file is UTF-8 text") from error
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{path}{where}: not valid YAML: {problem}", hint="mend the line named") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(raw).__name__}", hint="see configs/regions/")
    settings = check_settings(model, _merge(raw, overrides or {}), path)
    settings._file = path.resolve()
    return settings


def check_settings(model: type[SettingsT], raw: Mapping[str, Any], path: Path) -> SettingsT:
    """Settings from keys and values that were read already; `path` names their file in messages.

    Raises:
        ConfigError: a key or value is wrong; the message names file and key.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _explain(error, model, path) from error


def read_region(path: Path | str, overrides: Mapping[str, Any] | None = None) -> Region:
    """Read a region file; paths in it become absolute, counted from the file.

    Environment variables `ACRELINE_<KEY>` (`ACRELINE_PARCELS__DATUM=gcj02`) win over the file, `overrides` over both.

    Raises:
        ConfigError: anything in it is wrong.
    """
    path = Path(path)
    region = read_settings(Region, path, _merge(_from_environment(Region), overrides or {}))
    base = path.resolve().parent

    def absolute(value: Path | None) -> Path | None:
        return None if value is None else (base / value).resolve()

    catalog = region.catalog
    if catalog is not None and "://" not in catalog:
        catalog = str((base / catalog).resolve())
    paths = ("applicants", "weather", "normals", "statistics", "known_events", "previous_run")
    update: dict[str, Any] = {name: absolute(getattr(region, name)) for name in paths}
    update["parcels"] = region.parcels.model_copy(update={"path": (base / region.parcels.path).resolve()})
    update["catalog"] = catalog
    placed = region.model_copy(update=update)
    placed._file = path.resolve()
    return placed


def read_provider(region: Region) -> Provider:
    """The provider a region names, its address replaced by the region's `catalog` where that is set."""
    base = region.file.parent if region.file else None
    provider = read_settings(Provider, find_config("providers", region.provider, base))
    if region.catalog is not None:
        provider = provider.model_copy(update={"href": region.catalog})
    if provider.href is None:
        raise ConfigError(
            f"provider {provider.name!r} has no address", hint="set `catalog:` in the region file to a folder or URL"
        )
    return provider


def read_crops(region: Region) -> dict[str, Crop]:
    """The crops a region names, by slug, in the region's order."""
    base = region.file.parent if region.file else None
    crops = [read_settings(Crop, find_config("crops", name, base)) for name in region.crops]
    return {crop.slug: crop for crop in crops}


@cache
def packaged_crops() -> dict[str, Crop]:
    """The crops that come with acreline, by slug: a crop that a region does not grow has a name too."""
    files = sorted((packaged_configs() / "crops").glob("*.yaml"))
    crops = [read_settings(Crop, file) for file in files]
    return {crop.slug: crop for crop in crops}


def read_policy(name: str, base: Path | None = None) -> Policy:
    """A policy by name or path; the bound numbers are checked by the rules themselves when it is compiled."""
    return read_settings(Policy, find_config("policies", name, base))


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _from_environment(model: type[Settings]) -> dict[str, Any]:
    """Settings given as `ACRELINE_*` variables; variables that name no key of the model are somebody else's."""
    from pydantic_settings import EnvSettingsSource

    try:
        return EnvSettingsSource(model, env_prefix="ACRELINE_", env_nested_delimiter="__")()  # type: ignore[arg-type]
    except ValueError as error:
        raise ConfigError(f"environment: {error}", hint="lists and groups are written as JSON") from error


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""


def _explain(error: ValidationError, model: type[Settings], path: Path) -> ConfigError:
    """The first thing wrong with a settings file, in words; the hint names the nearest known key."""
    errors = error.errors()  # a misspelt key comes with the missing one it was meant for: the misspelling is told
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, first["loc"][:-1]))
        word = str(first["loc"][-1])
        return ConfigError(
            f"{path}: unknown key {where!r}", hint=f"{_nearest(word, known)}known here: {', '.join(known)}", key=where
        )
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("missing", "value_error") else f"; found {first['input']!r}"
    return ConfigError(f"{path}: {where}: {message}{found}", hint=f"mend {where!r} in the file", key=where)


def _fields_at(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    current: type[BaseModel] = model
    for part in where:
        if isinstance(part, int):
            continue
        annotation = current.model_fields[part].annotation if part in current.model_fields else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        inner = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not inner:
            break
        current = inner[0]
    return list(current.model_fields)
