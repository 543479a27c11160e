# SPDX-License-Identifier: Apache-2.0
"""Facts and decisions into one publication: tables, trail, maps, catalogue, page, manifest. Whole, or not at all."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from acreline import __version__, tables
from acreline.chain import Chain, seal_all
from acreline.claims import earlier_parcels
from acreline.credit import batch_to_json, decision_to_json, review_of
from acreline.errors import ContractError, StoreError
from acreline.events import list_detectors
from acreline.freshness import Freshness
from acreline.hashing import canonical_json, digest, file_sha256
from acreline.layers import Events, Growth, Health, Looks, Parcels, Scenes, Seasons
from acreline.lineage import LINEAGE_FILE, lineage_text, make_lineage, outline_hashes
from acreline.notices import notices_of
from acreline.parcel_rows import parcels_table
from acreline.plan import Plan, class_table, input_hashes
from acreline.records import OUTCOMES, STATUSES, Decision, Farm
from acreline.schedules import schedule_farms
from acreline.store import MAP_LAYERS, Store, read_manifest, verify_publication

if TYPE_CHECKING:
    from acreline.blocks import Measured
    from acreline.config import Crop
    from acreline.credit import Totals


@dataclass(frozen=True)
class Facts:
    """All that a run found out."""

    parcels: Parcels
    scenes: Scenes
    looks: Looks
    seasons: Seasons
    health: Health
    events: Events
    growth: Growth
    farms: tuple[Farm, ...]
    decisions: tuple[Decision, ...]
    totals: Totals
    """Sums over the farms, with which they were decided."""
    crops: Mapping[str, Crop] = field(default_factory=dict)
    """By slug, at the prices and costs in force; for the lineage."""
    not_yet_published: tuple[str, ...] = ()
    """Tables that the region names and of which nothing was published by the day (`inputs.Inputs`)."""
    freshness: Freshness | None = None
    fell_over: tuple[str, ...] = ()
    """Catalogues that did not answer before `scenes.provider` did."""


def publish_run(plan: Plan, facts: Facts, measured: Measured, store: Store) -> tuple[Path, bool]:
    """Publish a run whole, unless it holds no news.

    Returns:
        the folder of the current publication, and whether it is a new one. When nothing but the day has changed since
        the current publication, that one stays.

    Raises:
        ContractError: a parcel or a farm was lost on the way.
        StoreError: the run folder cannot be written.
    """
    check_counts(facts)
    with store.staging() as staging:
        head = write_tables(plan, facts, measured, staging)
        manifest = make_manifest(plan, facts, measured)
        pages = 0 < len(facts.farms) <= plan.region.farm_pages
        told = [manifest["code"], manifest["model"], manifest["policy"], _contents(staging), pages]
        told.append(manifest["not_looked_for"])
        told += [facts.freshness.alarm] if facts.freshness is not None and facts.freshness.alarm else []
        manifest["news"] = digest(told)
        manifest["trail"] = {"lines": len(facts.decisions), "chain": head}
        current = store.latest
        if current is not None and _says_the_same(current, manifest["news"]):
            return current, False
        for part in measured.parts:
            for layer in MAP_LAYERS:
                (staging / "maps").mkdir(exist_ok=True)
                shutil.copyfile(part.path / f"{layer}.tif", staging / "maps" / f"{part.block_id}_{layer}.tif")
        (staging / "manifest.json").write_text(canonical_json(manifest), encoding="utf-8")
        from acreline.report import write_catalog, write_farm_pages, write_map_page

        write_catalog(staging)
        if pages:
            from acreline.pictures import picture_parcels

            found = facts.parcels, facts.looks, facts.seasons, facts.scenes
            before = () if plan.region.previous_run is None else (earlier_parcels(plan.region.previous_run).parent,)
            write_farm_pages(staging, picture_parcels(*found, plan.provider.read, measured.implausible), before)
        write_map_page(staging)
        (staging / "manifest.json").unlink()
        return store.publish(staging, manifest), True


def check_counts(facts: Facts) -> None:
    """Every parcel in came out with one status, every farm with one decision. Raises `ContractError` otherwise."""
    farms_in = set(facts.parcels["farm_id"])
    farms_out = [farm.farm_id for farm in facts.farms]
    decided = [decision.farm_id for decision in facts.decisions]
    if sorted(farms_in) != sorted(farms_out) or decided != farms_out:
        raise ContractError(
            f"{len(farms_in)} farms in, {len(farms_out)} out, {len(decided)} decided",
            hint="this is a fault of acreline: please report it with the run's log",
        )
    owned = Counter(parcel for farm in facts.farms for parcel in farm.parcel_ids)
    if owned != Counter(facts.parcels["parcel_id"]):
        raise ContractError(
            f"{len(facts.parcels)} parcels in, {owned.total()} with a farm out",
            hint="this is a fault of acreline: please report it with the run's log",
        )


def write_tables(plan: Plan, facts: Facts, measured: Measured, folder: Path) -> str:
    """Write every table of a publication, the lineage and the trail; returns the head of the trail's chain."""
    scenes = scenes_table(facts.scenes, measured)
    tables.write_table(scenes, folder / "scenes.parquet")
    tables.write_parcels(parcels_table(facts), folder / "parcels.parquet", collection=plan.region.name)
    plain = {
        "looks": facts.looks.passes,
        "evidence": facts.looks.evidence,
        "seasons": facts.seasons,
        "health": facts.health,
        "events": facts.events,
        "growth": facts.growth,
        "stands": tables.stands_table(facts.farms),
        "farms": tables.farms_table(facts.farms),
    }
    for name, table in plain.items():
        tables.write_table(table, folder / f"{name}.parquet")
    tables.write_decisions(facts.decisions, folder / "decisions.parquet")
    tables.write_schedule(schedule_farms(plan, facts), folder / "schedule.parquet")
    totals, persons = batch_to_json(facts.farms, facts.totals)
    lineage = lineage_text(make_lineage(plan, totals, scenes, facts.crops or plan.crops, folder))
    (folder / LINEAGE_FILE).write_text(lineage, encoding="utf-8", newline="\n")
    shared, chain = file_sha256(folder / LINEAGE_FILE), Chain()
    with (folder / "trail.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(seal_all(_trail(facts, shared, persons), chain))
    return chain.head


def _trail(facts: Facts, shared: str, persons: list[dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    """A line per decision: its steps, the farm's facts, its parcels' outlines and the lineage it shares, by hash."""
    outlines = outline_hashes(facts.parcels)
    for farm, decision, person in zip(facts.farms, facts.decisions, persons, strict=True):
        lineage = {"shared": shared, "parcels": outlines[farm.farm_id], "person": person}
        review = review_of(decision)
        if review is not None:
            lineage["review"] = review
        yield {**decision_to_json(decision), "farm": tables.farm_to_json(farm), "lineage": lineage}


def scenes_table(scenes: Scenes, measured: Measured) -> pd.DataFrame:
    """One row per scene found: used, set aside before reading, or lost while reading, with the reason."""
    verdicts: dict[str, dict[str, str]] = {}
    for part in measured.parts:
        for note in part.notes:
            verdicts.setdefault(note.scene_id, {}).setdefault(note.verdict, note.detail)
    for scene_id, why in measured.implausible.items():
        verdicts[scene_id] = {"implausible": why}
    rows: list[dict[str, Any]] = []
    for scene in scenes.items:
        found = verdicts.get(scene.scene_id, {})
        trouble = next((v for v in ("implausible", "unreadable", "missing_asset") if v in found), None)
        used = "used" if "used" in found and trouble != "implausible" else None
        status = used or trouble or "outside"
        flags = (*scene.flags, f"partly_{trouble}") if used and trouble else scene.flags
        rows.append(
            {
                "scene_id": scene.scene_id,
                "time": scene.time,
                "tile": scene.tile,
                "pass_id": scene.pass_id,
                "status": status,
                "reason": trouble or (None if used else "outside"),
                "detail": found[trouble] if trouble else None if used else "touches no block with parcels",
                "cloud_percent": scene.cloud_percent,
                "baseline": scene.baseline,
                "dn_offset": scene.dn_offset,
                "offset_how": scene.offset_how,
                "flags": "|".join(flags),
            }
        )
    for aside in scenes.set_aside:
        rows.append(
            {
                "scene_id": aside.scene_id,
                "time": aside.time,
                "tile": aside.tile,
                "status": "set_aside",
                "reason": aside.reason,
                "detail": aside.detail,
            }
        )
    columns = ["scene_id", "time", "tile", "pass_id", "status", "reason", "detail", "cloud_percent", "baseline"]
    columns += ["dn_offset", "offset_how", "flags"]
    table = pd.DataFrame(rows, columns=columns)
    table["provider"] = scenes.provider
    table["time"] = pd.to_datetime(table["time"], utc=True).astype("datetime64[ms, UTC]")
    for name in (
        "scene_id",
        "tile",
        "pass_id",
        "status",
        "reason",
        "detail",
        "baseline",
        "offset_how",
        "flags",
        "provider",
    ):
        table[name] = table[name].astype("string")
    table["cloud_percent"] = table["cloud_percent"].astype("Float64")
    table["dn_offset"] = table["dn_offset"].astype("Int32")
    return table.sort_values(["time", "scene_id"], na_position="last", kind="stable").reset_index(drop=True)


def make_manifest(plan: Plan, facts: Facts, measured: Measured) -> dict[str, Any]:
    """What went in, with hashes; who decided; and counts that add up."""
    card = plan.model.card
    statuses = Counter(facts.parcels["status"])
    outcomes = Counter(decision.outcome for decision in facts.decisions)
    scene_states = Counter(scenes_table(facts.scenes, measured)["status"])
    left_out = sorted(set(list_detectors()) - set(plan.region.events))
    return {
        "region": plan.region.name,
        "season": plan.region.season.model_dump(mode="json"),
        "as_of": plan.as_of.isoformat(),
        "county": plan.region.county,
        "code": {"acreline": __version__},
        "model": {
            "name": card.name,
            "version": card.version,
            "digest": plan.model.digest,
            "weights_sha256": card.weights_sha256,
            "health": card.health,
        },
        "model_retired": None if plan.model_retired is None else plan.model_retired.facts(),
        "policy": {
            "id": plan.policy.id,
            "version": plan.compiled.version,
            "title": plan.policy.title,
            "author": plan.policy.author,
            "approver": plan.policy.approver,
            "contact": plan.policy.contact,
        },
        "provider": facts.scenes.provider,
        "fell_over": list(facts.fell_over),
        "simulated": facts.scenes.simulated,
        "inputs": input_hashes(plan.region),
        "completeness": dict(facts.scenes.completeness),
        "counts": {
            "parcels": {"in": len(facts.parcels), **{name: statuses.get(name, 0) for name in STATUSES}},
            "farms": {"in": len(facts.farms), **{name: outcomes.get(name, 0) for name in OUTCOMES}},
            "scenes": {"found": sum(scene_states.values()), **dict(sorted(scene_states.items()))},
            "blocks": {"measured": len(measured.parts), "failed": len(measured.failed)},
        },
        "failed_blocks": dict(sorted(measured.failed.items())),
        "weather": None if plan.region.weather is None else plan.region.weather.name,
        "classes": class_table(plan),
        "not_looked_for": left_out,
        "not_yet_published": list(facts.not_yet_published),
        "freshness": None if facts.freshness is None else facts.freshness.facts(),
        "notices": notices_of(
            plan, left_out, facts.not_yet_published, simulated=facts.scenes.simulated, freshness=facts.freshness
        ),
    }


def _says_the_same(publication: Path, news: str) -> bool:
    """The publication holds this news, and nobody has touched it since."""
    try:
        return read_manifest(publication).get("news") == news and not verify_publication(publication)
    except StoreError:
        return False


def _contents(folder: Path) -> dict[str, str]:
    """What the tables say, whatever the day: decisions and trail without their date and what names them by hash."""
    contents = {
        path.name: file_sha256(path)
        for path in sorted(folder.glob("*.parquet"))
        if path.name not in ("decisions.parquet",)
    }
    trail = (folder / "trail.jsonl").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    named = ("as_of", "lineage", "chain")
    contents["trail"] = digest([{k: v for k, v in _load(line).items() if k not in named} for line in trail])
    return contents


def _load(line: str) -> dict[str, Any]:
    import json

    value: dict[str, Any] = json.loads(line)
    return value
