# SPDX-License-Identifier: Apache-2.0
"""What a run needs from files, compiled and checked before the first pixel is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.claims import earlier_parcels
from acreline.config import Crop, Policy, Provider, Region, packaged_crops, read_crops, read_policy, read_providers
from acreline.errors import ConfigError, InputError, Troubles
from acreline.hashing import file_sha256
from acreline.layers import BANDS, HEALTH_CLASSES
from acreline.money import check_rate
from acreline.records import NO_CROP
from acreline.retired import Retirement, find_retired, model_names, read_retired, refuse_retired_policy

if TYPE_CHECKING:
    from acreline.credit import CompiledPolicy
    from acreline.model import Model

NAMED_FILES = ("applicants", "weather", "statistics", "prices", "costs", "normals", "known_events", "retired")
SHADOW_LINE = re.compile(rb"^shadow[ \t]*:[^\n]*(?:\n|\Z)", re.MULTILINE)
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
    fallbacks: tuple[Provider, ...] = ()
    """Asked in this order where `provider` does not answer."""

    @property
    def providers(self) -> tuple[Provider, ...]:
        """All catalogues, in the order in which they are asked."""
        return (self.provider, *self.fallbacks)

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
        AcrelineError: something named is missing or does not fit, or the policy was retired; several things come as one
            `SeveralErrors`.
    """
    from acreline.credit import assess_credit
    from acreline.events import check_detectors

    base = region.file.parent if region.file else None
    day = decision_day(region, as_of)
    troubles = Troubles()
    files = {key: troubles.of(named_file, region, key) for key in NAMED_FILES}
    if region.previous_run is not None:
        troubles.of(earlier_parcels, region.previous_run)
    crops = troubles.of(read_crops, region)
    policy = troubles.of(read_policy, region.policy, base, day)
    compiled = None if policy is None else troubles.of(_compile, policy, crops or {})
    if compiled is not None:  # a policy that is not valid that day is refused before the night's work
        troubles.of(assess_credit, [], compiled, as_of=day)
    retired = troubles.of(read_retired, files["retired"])
    if retired is not None and policy is not None and compiled is not None:
        troubles.of(refuse_retired_policy, retired, policy.id, compiled.version, now=now)
    if policy is not None:
        troubles.of(_check_money, region, policy)
    if region.shadow is not None:
        troubles.of(_check_shadow, region.shadow, base, day, policy)
    providers = troubles.of(_providers, region)
    model = None if crops is None else troubles.of(_model, region, base, crops)
    troubles.of(check_detectors, region.events)
    if not (crops and policy and compiled and providers and model and retired is not None) or troubles.errors:
        raise troubles.as_one()
    card = model.card
    stopped = find_retired(retired, "model", model_names(card.name, card.version, card.weights_sha256), now=now)
    first, *others = providers
    return Plan(region, day, first, crops, policy, compiled, model, stopped, tuple(others))


def decision_day(region: Region, as_of: date | None = None) -> date:
    """The day of the decision: the one asked for, else the region's own, else the earlier of season end and today."""
    return as_of or region.as_of or min(region.season.end, datetime.now(UTC).date())


def _check_money(region: Region, policy: Policy) -> None:
    """The applicants' money is in the policy's currency, or a rate is given."""
    of = region.applicants_currency or policy.currency
    check_rate(of, policy.id, policy.currency, region.applicants_rate, "applicants_rate: in the region file")


def named_file(region: Region, key: str) -> Path | None:
    """The file that a key of the region names; None where it names none.

    Raises:
        InputError: it is not there. An input that is named and cannot be read would stand in the manifest as if it had
            spoken.
    """
    path: Path | None = getattr(region, key)
    if path is not None and not path.is_file():
        raise InputError(f"{key}: {path}: no such file", hint="check the path; it counts from the region file")
    return path


def _compile(policy: Policy, crops: Mapping[str, Crop]) -> CompiledPolicy:
    """A policy with its rules, and with names for every crop that it may have to speak of."""
    from acreline.credit import compile_policy

    names = {slug: (name_en, name_zh) for slug, (_, name_zh, name_en) in NO_CROP_WORDS.items()}
    named = packaged_crops() | dict(crops)  # a set may hold a crop that the region does not grow
    names |= {slug: (crop.name_en, crop.name_zh) for slug, crop in named.items()}
    return compile_policy(policy, names)


def _check_shadow(name: str, base: Path | None, day: date, policy: Policy | None) -> None:
    """A challenger compiles, and in the same money; it need not hold on the day, since it grants nothing."""
    from acreline.credit import compile_policy

    challenger = read_policy(name, base, day)
    compile_policy(challenger)
    if policy is not None and challenger.currency != policy.currency:
        raise ConfigError(
            f"shadow: policy {challenger.id} is in {challenger.currency}, {policy.id} in {policy.currency}",
            hint="name a challenger in the same currency: their limits are held against each other",
        )


def _providers(region: Region) -> tuple[Provider, ...]:
    """Providers that have every band and can sign: the second is looked at in the evening, not when it is needed."""
    from acreline.search import check_signing

    providers = read_providers(region)
    for provider in providers:
        missing = [band for band in (*BANDS, "SCL") if band not in provider.bands]
        if missing:
            raise ConfigError(
                f"provider {provider.name!r}: bands {missing} have no asset",
                hint="name them under `bands:` of the provider",
            )
        check_signing(provider)
    return providers


def _model(region: Region, base: Path | None, crops: Mapping[str, Crop]) -> Model:
    """A model that reads this kind of scene and knows this season."""
    from acreline.model import load_model

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
    return model


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
    """SHA-256 of every file the region names, by role; of its own file without `shadow:`, which grants nothing."""
    roles = {
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
    own = {} if region.file is None or not region.file.is_file() else {"region": _region_sha256(region.file)}
    return own | {role: file_sha256(path) for role, path in roles.items() if path is not None and path.is_file()}


def _region_sha256(path: Path) -> str:
    """Hash of a region file as if it named no challenger: a publication is the same bytes with and without one."""
    return hashlib.sha256(SHADOW_LINE.sub(b"", path.read_bytes())).hexdigest()
