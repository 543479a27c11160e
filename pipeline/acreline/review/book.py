# SPDX-License-Identifier: Apache-2.0
"""The farms of finished runs as one book, and the book decided by any policy: nothing is written or granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from acreline.config import Policy, read_policy
from acreline.credit import CompiledPolicy, assess_credit, compile_policy, decision_from_json, refer_retired
from acreline.desk import read_farms, read_trail
from acreline.errors import ConfigError
from acreline.lineage import LINEAGE_FILE, read_compiled, read_lineage
from acreline.money import check_rate
from acreline.records import Decision, Farm
from acreline.retired import find_retired, model_names, policy_names, read_retired
from acreline.store import read_manifest

ENDS_MU = (10.0, 50.0, 200.0)
"""Ends of the classes of size by drawn land, mu: most farms of Chinese programmes lie below the first."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Region:
    """The farms of one publication, as they were measured."""

    name: str
    county: str | None
    day: date
    """Of the decision."""
    farms: tuple[Farm, ...]
    published: tuple[Decision, ...]
    """What the publication itself decided."""
    crop_names: Mapping[str, tuple[str, str]]
    model_retired: Mapping[str, Any] | None
    publication: Path


@dataclass(frozen=True)
class Book:
    """Farms of one or several publications."""

    regions: tuple[Region, ...]
    simulated: bool
    """One of them was made on simulated data."""

    @property
    def name(self) -> str:
        """Its regions, in words."""
        return ", ".join(region.name for region in self.regions)


@dataclass(frozen=True)
class Chosen:
    """A policy made ready for one region's day."""

    compiled: CompiledPolicy
    name: str
    """`<id>@<version>` of the file as it is, whatever the day it is asked for."""
    note: str | None = None
    """What a reader must know: it does not hold on the day, or was stopped."""


def read_book(publications: Sequence[Path]) -> Book:
    """Read the farms and decisions of finished runs.

    Args:
        publications: their folders, from `store.open_publication`; one run of each region.

    Raises:
        ConfigError: none is given, or two are of one region: a farm would count twice.
        StoreError: a publication is missing or damaged.
    """
    if not publications:
        raise ConfigError("no run is given", hint="give the OUT folder of a run, or of several regions' runs")
    regions: list[Region] = []
    simulated = False
    for publication in publications:
        manifest = read_manifest(publication)
        name = str(manifest.get("region"))
        if name in [region.name for region in regions]:
            raise ConfigError(
                f"two runs of region {name!r}: its farms would count twice", hint="give one run of each region"
            )
        farms, day = read_farms(publication)
        classes = manifest.get("classes", {}).get("crop", {})
        names = {slug: (name_en, name_zh) for slug, _, name_zh, name_en in classes.values()}
        published = tuple(decision_from_json(line) for line in read_trail(publication))
        stopped = _model_stopped(manifest)
        county = manifest.get("county")
        regions.append(Region(name, county, day, tuple(farms), published, names, stopped, publication))
        simulated = simulated or bool(manifest.get("simulated"))
    return Book(tuple(regions), simulated)


def _model_stopped(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    model = manifest.get("model") or {}
    names = model_names(model.get("name", ""), model.get("version", ""), model.get("weights_sha256"))
    stopped = find_retired(read_retired(None), "model", names)
    told: Mapping[str, Any] | None = stopped.facts() if stopped is not None else manifest.get("model_retired")
    return told


def choose_policy(name: str, region: Region, base: Path | None = None) -> Chosen:
    """A policy by name or path, ready to be asked about a region on its day, whether or not it holds on it.

    A policy under review often begins after the season it is tried on: it is asked as if it held on the day, under its
    own name and version.

    Args:
        name: a file, a name of `configs/policies/`, or a folder of dated files.
        region: whose farms it is asked about.
        base: folder that a path counts from.

    Raises:
        ConfigError: no such policy, it does not compile, or none of a family of dated files is valid on the day.
    """
    policy = read_policy(name, base, region.day)
    compiled = compile_policy(policy, region.crop_names)
    stopped = find_retired(read_retired(None), "policy", policy_names(policy.id, compiled.version))
    notes = [f"the {stopped.words()}"] if stopped is not None else []
    if not policy.valid_from <= region.day or (policy.valid_to is not None and region.day > policy.valid_to):
        until = f" to {policy.valid_to}" if policy.valid_to is not None else ""
        held = f"{policy.id} holds from {policy.valid_from}{until}: asked as if it held on {region.day}"
        notes.append(held)
    return Chosen(_holding(policy, compiled, region.day), compiled.name, "; ".join(notes) or None)


def own_policy(region: Region) -> Chosen:
    """The policy a publication was decided by, from its own lineage.

    Raises:
        ConfigError: the publication kept none.
    """
    if not (region.publication / LINEAGE_FILE).is_file():
        raise ConfigError(
            f"{region.publication}: this run kept no policy", hint="name one: --policy NAME, or run the region again"
        )
    compiled = read_compiled(read_lineage(region.publication))
    return Chosen(_holding(compiled.policy, compiled, region.day), compiled.name)


def _holding(policy: Policy, compiled: CompiledPolicy, day: date) -> CompiledPolicy:
    if policy.valid_from <= day and (policy.valid_to is None or day <= policy.valid_to):
        return compiled
    return replace(compiled, policy=policy.model_copy(update={"valid_from": day, "valid_to": None}))


def decide(region: Region, chosen: Chosen, farms: Sequence[Farm] | None = None) -> list[Decision]:
    """The farms of a region decided by a policy; where their model was retired, every one is referred.

    Args:
        region: from `read_book`.
        chosen: from `choose_policy` or `own_policy`.
        farms: with other facts, as after a shock; None: as they were measured.

    Raises:
        ConfigError: what the applicants said of money is in another currency than the policy's.
    """
    cases = region.farms if farms is None else farms
    of, policy = region.published[0].currency if region.published else None, chosen.compiled.policy
    if of is not None and any(farm.applicant is not None for farm in cases):
        check_rate(of, policy.id, policy.currency, None, "as `applicants_rate` in the region file, and run it again")
    if region.model_retired:
        return refer_retired(cases, chosen.compiled, region.model_retired, as_of=region.day)
    return assess_credit(cases, chosen.compiled, as_of=region.day, county=region.county)


def size_of(area_mu: float | None) -> str:
    """The class of size of a farm by its drawn land in mu."""
    if area_mu is None:
        return UNKNOWN
    bounds = (0.0, *ENDS_MU)
    for low, high in zip(bounds, ENDS_MU, strict=False):
        if area_mu < high:
            return f"{low:g} to {high:g} mu"
    return f"{ENDS_MU[-1]:g} mu and more"
