# SPDX-License-Identifier: Apache-2.0
"""The whole way in one screen: scenes and parcels in, limits out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import structlog

from acreline.blocks import Progress, measure_blocks, note_lost_scenes
from acreline.claims import check_claims, note_claims
from acreline.config import Region
from acreline.credit import assess_credit, find_totals, refer_retired, refer_reviewed
from acreline.errors import ConfigError, NotPublishedError, SourceError
from acreline.events import detect_events
from acreline.farms import gather_farms, judge_parcels
from acreline.freshness import Freshness, measure_freshness
from acreline.geo import place_parcels, split_blocks
from acreline.growth import measure_growth
from acreline.health import score_health
from acreline.inputs import read_inputs
from acreline.layers import Parcels, Scenes
from acreline.looks import merge_looks
from acreline.ops.disk import check_room
from acreline.people.appeals import open_reviews
from acreline.plan import plan_run
from acreline.publish import Facts, publish_run, scenes_table
from acreline.records import Decision, Farm
from acreline.search import search_catalogues
from acreline.seasons import describe_seasons, judged_only, without_guesses
from acreline.store import Store
from acreline.yields import estimate_yields

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunResult:
    """What a run did."""

    publication: Path
    """The folder that `latest` points at now."""
    published: bool
    """False when nothing has changed since the publication that is there."""
    decisions: tuple[Decision, ...]
    farms: tuple[Farm, ...]
    scenes: Scenes
    made_blocks: tuple[str, ...]
    kept_blocks: tuple[str, ...]
    failed_blocks: Mapping[str, str] = field(default_factory=dict)
    freshness: Freshness | None = None
    """How old what was seen is on the day of the run; a publication that stays may tell of an earlier day."""
    fell_over: tuple[str, ...] = ()
    """Catalogues that did not answer before one did."""


def run_region(
    region: Region,
    store: Store,
    *,
    as_of: date | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    again: Sequence[str] = (),
) -> RunResult:
    """Take a region from scenes to limits and publish the result whole; what is done already is not done again.

    Args:
        region: the region file's settings.
        store: the run folder.
        as_of: day of the decision; default the region's own, else the earlier of season end and today (UTC).
        executor: where blocks are measured (any `concurrent.futures.Executor`); None measures them here, in turn.
        progress: called with (blocks done, blocks in all, block id).
        again: ids of parcels to be measured anew, with the blocks they lie in; all else is kept as it is.

    Returns:
        what was done, with the farms and decisions; blocks that could not be measured are named in it.

    Raises:
        AcrelineError: the run as a whole cannot go on; the old publication stays as it is.
    """
    plan = plan_run(region, as_of=as_of)
    day = plan.as_of
    check_room(region, store.root)
    open_reviews(store.root)  # a log that does not hold stops the run before its work
    inputs = read_inputs(region, plan.crops, as_of=day)
    _refuse_unknown(inputs.parcels, again)
    parcels, crops, weather = inputs.parcels, dict(inputs.crops), inputs.weather
    found = search_catalogues(parcels, region.season, plan.providers, as_of=day)
    plan, scenes = replace(plan, provider=found.provider), found.scenes
    log.info("scenes found", region=region.name, **scenes.completeness)
    _refuse_empty(region, parcels, scenes)
    parcels = place_parcels(parcels, scenes)

    blocks = split_blocks(parcels, scenes, region.block_px, cache=store.root / "coverage")
    measured = measure_blocks(
        plan, blocks, scenes, store, weather=weather, executor=executor, progress=progress, again=again
    )

    looks = merge_looks(store.looks(measured.parts))
    calibration = plan.model.calibration(simulated=scenes.simulated)
    seasons = describe_seasons(looks, crops, calibration, region.season, as_of=day, weather=weather)
    failed = {pid: "block_failed" for b in blocks if b.block_id in measured.failed for pid in b.coverage.parcel_ids}
    parcels = judge_parcels(parcels, looks, seasons, failed, region.evidence, as_of=day)
    parcels = note_lost_scenes(parcels, blocks, measured)
    parcels = note_claims(parcels, check_claims(parcels, looks, seasons, inputs.earlier, region.claims))
    judged = judged_only(seasons, parcels)
    health = score_health(looks, judged, inputs.normals)
    events = detect_events(looks, judged, health, region.events, weather, inputs.known_events)
    growth = measure_growth(looks, judged, crops, weather)
    seasons = without_guesses(seasons, parcels)

    farms = gather_farms(parcels, looks, seasons, health, events, growth, crops, inputs.applicants)
    farms = estimate_yields(farms, crops, inputs.statistics)
    totals = find_totals(farms, plan.compiled, as_of=day, county=region.county)
    if plan.model_retired is None:
        decisions = assess_credit(farms, plan.compiled, as_of=day, county=region.county, totals=totals)
    else:
        log.warning("model retired: every farm is referred", **plan.model_retired.facts())
        decisions = refer_retired(farms, plan.compiled, plan.model_retired.facts(), as_of=day)
    decisions = refer_reviewed(decisions, open_reviews(store.root))

    freshness = measure_freshness(region, scenes_table(scenes, measured), parcels, seasons, as_of=day)
    if freshness.alarm is not None:
        log.warning("no new scene", **freshness.facts())
    _guard(region, parcels, store)
    facts = Facts(
        parcels, scenes, looks, seasons, health, events, growth, tuple(farms), tuple(decisions), totals,
        crops, inputs.not_yet_published, freshness, found.fell_over,
    )  # fmt: skip
    publication, published = publish_run(plan, facts, measured, store)
    return RunResult(
        publication, published, facts.decisions, facts.farms, scenes, measured.made, measured.kept, measured.failed,
        freshness, found.fell_over,
    )  # fmt: skip


def _refuse_unknown(parcels: Parcels, again: Sequence[str]) -> None:
    unknown = sorted(set(again) - set(parcels["parcel_id"]))
    if unknown:
        raise ConfigError(
            f"no parcel {unknown[0]!r} in this region", hint="give the parcel's id as the farm file has it"
        )


def _refuse_empty(region: Region, parcels: Parcels, scenes: Scenes) -> None:
    """A catalogue that gives nothing is a source that is not there, not a county without satellite images."""
    if scenes.items or (parcels["status"] == "rejected").all():
        return
    received = scenes.completeness.get("received", 0)
    raise SourceError(
        f"{region.name}: {scenes.provider} gave no usable scene of {region.season.start} to {region.season.end} "
        f"({received} received, {len(scenes.set_aside)} set aside)",
        hint="see `acreline search` for what was set aside and why; the old publication stays",
    )


def _guard(region: Region, parcels: Parcels, store: Store) -> None:
    """The safety breaker: a run in which too many parcels failed does not replace an earlier publication."""
    lost = (parcels["status"] == "failed") | (parcels["reason"] == "no_tile")
    share = float(lost.mean())
    if share > region.max_failed_share and store.latest is not None:
        raise NotPublishedError(
            f"{region.name}: not published: {share:.0%} of the parcels failed (limit {region.max_failed_share:.0%})",
            hint="the earlier publication stays current; mend the source and run again, what is done is kept",
        )
