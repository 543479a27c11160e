# SPDX-License-Identifier: Apache-2.0
"""Settings: YAML files become frozen models, unknown keys are refused with the nearest known word.

Order of weight: YAML file < environment (`ACRELINE_<KEY>`, nested keys with two underscores) < argument. Paths in a
region file are relative to that file; names of providers, crops, policies and models are files of the packaged
`configs/` folders, or paths of one's own.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from acreline.errors import ConfigError
from acreline.settings import (
    AreaUnit,
    ClaimSettings,
    Cost,
    Crop,
    Datum,
    EvidenceBar,
    ParcelSource,
    Policy,
    Provider,
    ReadSettings,
    Region,
    RuleSettings,
    ScheduleSettings,
    SeasonSettings,
    Settings,
    Slot,
    Sourced,
    TrancheSettings,
)

__all__ = [
    "AreaUnit",
    "ClaimSettings",
    "Cost",
    "Crop",
    "Datum",
    "EvidenceBar",
    "ParcelSource",
    "Policy",
    "Provider",
    "ReadSettings",
    "Region",
    "RuleSettings",
    "ScheduleSettings",
    "SeasonSettings",
    "Settings",
    "Slot",
    "Sourced",
    "TrancheSettings",
    "check_settings",
    "find_config",
    "list_configs",
    "list_policies",
    "packaged_configs",
    "packaged_crops",
    "policy_period",
    "provider_of",
    "read_crops",
    "read_family",
    "read_policy",
    "read_provider",
    "read_providers",
    "read_region",
    "read_settings",
]

SettingsT = TypeVar("SettingsT", bound="Settings")


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


def _find_table(kind: str, value: Path | None, base: Path) -> Path | None:
    """The table behind a name of `configs/<kind>/`, or behind a path that counts from the file that names it."""
    if value is None or value.suffix:
        return None if value is None else (base / value).resolve()
    folder = packaged_configs() / kind
    if (folder / f"{value}.csv").is_file():
        return folder / f"{value}.csv"
    known = sorted(path.stem for path in folder.glob("*.csv"))
    hint = f"{_nearest(str(value), known)}known: {', '.join(known)}; or give a file with its ending"
    raise ConfigError(f"{kind}: {str(value)!r} is not known", hint=hint)


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
        raise ConfigError(
            f"{path}: expected keys and values, found {type(raw).__name__}",
            hint="write lines of `key: value`; `configs/` has a file of each kind",
        )
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

    Args:
        path: YAML file; `acreline init` writes one.
        overrides: keys of the file with other values, nested as there.

    Returns:
        the settings, checked; files that they name are not opened yet.

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
    paths = ("applicants", "weather", "normals", "known_events", "previous_run", "retired")
    update: dict[str, Any] = {name: absolute(getattr(region, name)) for name in paths}
    update |= {name: _find_table(name, getattr(region, name), base) for name in ("statistics", "prices", "costs")}
    update["parcels"] = region.parcels.model_copy(update={"path": (base / region.parcels.path).resolve()})
    update["catalog"] = catalog
    placed = region.model_copy(update=update)
    placed._file = path.resolve()
    return placed


def read_providers(region: Region) -> tuple[Provider, ...]:
    """The provider a region names, then its `fallback_providers` in their order.

    Raises:
        ConfigError: one of them is not known, has no address, or has the name of another.
    """
    base = region.file.parent if region.file else None
    found = [read_provider(region)]
    for name in region.fallback_providers:
        provider = read_settings(Provider, find_config("providers", name, base))
        if provider.href is None:
            raise ConfigError(
                f"fallback_providers: {provider.name!r} has no address, and `catalog:` is that of the first provider",
                hint="name a provider file of your own with `href:`",
            )
        if provider.name in [one.name for one in found]:
            raise ConfigError(
                f"fallback_providers: two are called {provider.name!r}: nobody could tell which gave a scene",
                hint="name each catalogue once, and give a file of your own another `name:`",
            )
        found.append(provider)
    return tuple(found)


def provider_of(region: Region, name: object) -> Provider:
    """The provider of a region that a publication's manifest names; the first where it names none of them."""
    providers = read_providers(region)
    return next((one for one in providers if one.name == name), providers[0])


def read_provider(region: Region) -> Provider:
    """The first provider a region names, its address replaced by the region's `catalog` where that is set."""
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


def read_policy(name: str, base: Path | None = None, as_of: date | None = None) -> Policy:
    """A policy by name or path, the one of a family that is valid on a day.

    The bound numbers are checked by the rules themselves when it is compiled.

    Args:
        name: a file, or a folder of dated files (a family).
        base: folder that a path counts from.
        as_of: day of the decision; None: today (UTC). A single file is taken whatever the day: who decides by it
            refuses a day on which it is not valid.

    Raises:
        ConfigError: no such policy, anything in a file is wrong, or none of the family is valid on that day.
    """
    family = read_family(name, base)
    if len(family) == 1:
        return family[0]
    day = as_of or datetime.now(UTC).date()
    for policy in family:
        if policy.valid_from <= day and (policy.valid_to is None or day <= policy.valid_to):
            return policy
    periods = ", ".join(f"{policy.id} {policy_period(policy)}" for policy in family)
    raise ConfigError(f"policies: {name}: none is valid on {day}", hint=f"valid are: {periods}")


def read_family(name: str, base: Path | None = None) -> list[Policy]:
    """All dated files of a policy, oldest first; one where the name means a single file.

    Raises:
        ConfigError: no such policy, a file is wrong, two carry one id, or the days of two overlap or leave a gap: on
            every day from the first one on at most one of them decides, and none is left out.
    """
    path = find_policy(name, base)
    if path.is_file():
        return [read_settings(Policy, path)]
    family = [read_settings(Policy, file) for file in sorted(path.glob("*.yaml"))]
    family.sort(key=lambda policy: (policy.valid_from, policy.id))
    for older, newer in itertools.pairwise(family):
        both = f"policies: {name}: {older.id} ({policy_period(older)}) and {newer.id} ({policy_period(newer)})"
        if older.id == newer.id:
            raise ConfigError(f"{both} carry one id", hint="each file of a family has an id of its own")
        if older.valid_to is None or newer.valid_from <= older.valid_to:
            raise ConfigError(
                f"{both} overlap",
                hint=f"let {older.id} end on {newer.valid_from - timedelta(days=1)}, the day before {newer.id} begins",
            )
        if newer.valid_from > older.valid_to + timedelta(days=1):
            raise ConfigError(
                f"{both} leave a gap: no policy from {older.valid_to + timedelta(days=1)} to "
                f"{newer.valid_from - timedelta(days=1)}",
                hint="valid_to is the last day included: let the next one begin on the day after it",
            )
    return family


def policy_period(policy: Policy) -> str:
    """The days on which a policy decides, first and last included."""
    return f"from {policy.valid_from} on" if policy.valid_to is None else f"{policy.valid_from} to {policy.valid_to}"


def find_policy(name: str, base: Path | None = None) -> Path:
    """The file behind a name, or the folder of a family: beside the file that names it, else in `configs/policies/`.

    Raises:
        ConfigError: neither is there.
    """
    shelf = packaged_configs() / "policies"
    folder = (base or Path()) / name if "/" in name else shelf / name  # a bare name is never a folder that lies about
    if name and folder.is_dir() and any(folder.glob("*.yaml")):
        return folder.resolve()
    if name.endswith((".yaml", ".yml")) or (shelf / f"{name}.yaml").is_file():
        return find_config("policies", name, base)
    known = list_policies()
    raise ConfigError(f"policies: {name!r} is not known", hint=f"{_nearest(name, known)}known: {', '.join(known)}")


def list_policies() -> list[str]:
    """Names of the packaged policies, single files and families."""
    shelf = packaged_configs() / "policies"
    return sorted([*list_configs("policies"), *{path.parent.name for path in shelf.glob("*/*.yaml")}])


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
    where = ".".join(str(part) for part in first["loc"]) or "the file as a whole"
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, first["loc"][:-1]))
        word = str(first["loc"][-1])
        return ConfigError(
            f"{path}: unknown key {where!r}", hint=f"{_nearest(word, known)}known here: {', '.join(known)}", key=where
        )
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("missing", "value_error") else f"; found {first['input']!r}"
    return ConfigError(
        f"{path}: {where}: {message}{found}",
        hint=f"mend {where!r} in the file" if first["loc"] else "mend the file",
        key=where,
    )


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
