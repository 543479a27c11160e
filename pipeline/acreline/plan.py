# SPDX-License-Identifier: Apache-2.0
"""What a run needs from files, compiled and checked before the first pixel is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.claims import earlier_parcels
from acreline.config import Crop, Policy, Provider, Region, packaged_crops, read_crops, read_policy, read_provider
from acreline.errors import ConfigError, InputError
from acreline.hashing import file_sha256
from acreline.layers import BANDS, HEALTH_CLASSES
from acreline.records import NO_CROP
from acreline.retired import Retirement, find_retired, model_names, read_retired, refuse_retired_policy

if TYPE_CHECKING:
    from acreline.credit import CompiledPolicy
    from acreline.model import Model

MOST_DAYS_BEFORE = 92
MOST_DAYS_LATE = 31
"""How far a season may start or end before, and after, the year a model was trained on."""

NO_CROP_WORDS = {
    NO_CROP: ("#cbbfa8", "空闲", "no crop"),
    "non_agri": ("#8c8c8c", "非农用地", "not farmland"),
}
"""Classes that are no crops of a region -> colour, Chinese and English name."""

ClassTable = dict[str, dict[str, list[str]]]
"""Layer -> code -> [name, colour, Chinese name, English name]."""


@dataclass(frozen=True)
class Plan:
    """A region with everything it names, read and compiled."""

    region: Region
    as_of: date
    provider: Provider
    crops: Mapping[str, Crop]
    policy: Policy
    compiled: CompiledPolicy
    model: Model
    model_retired: Retirement | None = None
    """Set where the model may measure and not decide: every farm is referred."""

    @property
    def base(self) -> Path | None:
        """Folder that names in the region file are relative to."""
        return self.region.file.parent if self.region.file else None


def plan_run(region: Region, *, as_of: date | None = None, now: datetime | None = None) -> Plan:
    """Compile a region: provider, crops, detectors, policy and model are read and checked against each other.

    Args:
        region: the region file's settings.
        as_of: day of the decision; default the region's own, else the earlier of season end and today (UTC).
        now: the instant by which a policy or model counts as retired; None: the machine's clock.

    Raises:
        ConfigError: something named is missing or does not fit, or the policy was retired.
    """
    from acreline.credit import assess_credit, compile_policy
    from acreline.events import check_detectors
    from acreline.model import load_model

    base = region.file.parent if region.file else None
    _check_keys(region)
    crops = read_crops(region)
    day = as_of or region.as_of or min(region.season.end, datetime.now(UTC).date())
    policy = read_policy(region.policy, base, day)
    names = {slug: (name_en, name_zh) for slug, (_, name_zh, name_en) in NO_CROP_WORDS.items()}
    named = packaged_crops() | crops  # a set may hold a crop that the region does not grow
    names |= {slug: (crop.name_en, crop.name_zh) for slug, crop in named.items()}
    compiled = compile_policy(policy, names)
    retired = read_retired(region.retired)
    refuse_retired_policy(retired, policy.id, compiled.version, now=now)
    provider = read_provider(region)
    missing = [band for band in (*BANDS, "SCL") if band not in provider.bands]
    if missing:
        raise ConfigError(
            f"provider {provider.name!r}: bands {missing} have no asset",
            hint="name them under `bands:` of the provider",
        )
    model = load_model(region.model, base, crops=crops)
    if model.card.level != "L2A":
        raise ConfigError(
            f"model {model.card.name!r} reads reflectance at the top of the atmosphere ({model.card.level}), "
            "scenes are read as surface reflectance (L2A)",
            hint="take a model whose card says level L2A, such as acrenet-s",
        )
    _check_season(region, *model.card.axis.span(region.season.end.year))
    if model.card.axis.kind == "thermal" and region.weather is None:
        raise ConfigError(
            f"model {model.card.name!r} counts time by warmth (axis: thermal), and the region names no weather",
            hint="name a table of daily weather under `weather:`, or take a model on a calendar axis: acrenet-s",
        )
    check_detectors(region.events)
    assess_credit([], compiled, as_of=day)  # a policy that is not valid that day is refused before the night's work
    card = model.card
    stopped = find_retired(retired, "model", model_names(card.name, card.version, card.weights_sha256), now=now)
    return Plan(region, day, provider, crops, policy, compiled, model, stopped)


def _check_keys(region: Region) -> None:
    """An input that is named and cannot be read would stand in the manifest as if it had spoken."""
    for key in ("applicants", "weather", "statistics", "prices", "costs", "normals", "known_events", "retired"):
        path = getattr(region, key)
        if path is not None and not path.is_file():
            raise InputError(f"{key}: {path}: no such file", hint="check the path; it counts from the region file")
    if region.previous_run is not None:
        earlier_parcels(region.previous_run)


def _check_season(region: Region, start: date, end: date) -> None:
    """The network knows one crop year by heart: a season that lies elsewhere would be read in the wrong months."""
    season = region.season
    early, late = (season.start - start).days, (season.end - end).days
    if not -MOST_DAYS_BEFORE <= early <= MOST_DAYS_LATE or not -MOST_DAYS_BEFORE <= late <= MOST_DAYS_LATE:
        raise ConfigError(
            f"season {season.start} to {season.end} does not fit the model's year {start} to {end}",
            hint=f"take a season near {start} to {end}, or a model trained for this one",
        )


def class_table(plan: Plan) -> ClassTable:
    """Codes, colours and names of the maps' classes; a crop the region does not list is grey."""
    crop = {}
    for name, code in plan.model.card.crop_codes.items():
        if name in NO_CROP_WORDS:
            crop[str(code)] = [name, *NO_CROP_WORDS[name]]
            continue
        known = plan.crops.get(name) or packaged_crops().get(name)
        words = [known.name_zh, known.name_en] if known else [name, name]
        crop[str(code)] = [name, plan.crops[name].colour if name in plan.crops else "#9e9e9e", *words]
    health = {str(code): [name, *HEALTH_CLASSES[name]] for name, code in plan.model.card.health_codes.items()}
    return {"crop": crop, "health": health}


def input_hashes(region: Region) -> dict[str, str]:
    """SHA-256 of every file the region names, by role."""
    roles = {
        "region": region.file,
        "parcels": region.parcels.path,
        "applicants": region.applicants,
        "weather": region.weather,
        "normals": region.normals,
        "statistics": region.statistics,
        "prices": region.prices,
        "costs": region.costs,
        "known_events": region.known_events,
        "retired": region.retired,
        "previous_run": None if region.previous_run is None else earlier_parcels(region.previous_run),
    }
    return {role: file_sha256(path) for role, path in roles.items() if path is not None and path.is_file()}
