# SPDX-License-Identifier: Apache-2.0
"""Blocks one after another, on any executor: what is measured already is kept, what fails is named."""

from __future__ import annotations

import functools
import re
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from acreline.config import ReadSettings, SeasonSettings
from acreline.errors import AcrelineError, StoreError
from acreline.hashing import digest, pixel_code_digest
from acreline.layers import Block, Parcels, Scenes, Weather
from acreline.plan import ClassTable, Plan, class_table
from acreline.reflectance import GreenCount, judge_offset
from acreline.store import Part, Store
from acreline.thermal import weather_temperatures

if TYPE_CHECKING:
    from acreline.model import Model

log = structlog.get_logger(__name__)
Progress = Callable[[int, int, str], None]
MOST_DAYS_LACKING = 10
"""Daily weather is published about a week late: more days than this without it are told."""


@dataclass(frozen=True)
class BlockTask:
    """One block's work, small enough to be sent to another process."""

    block: Block
    scenes: Scenes
    season: SeasonSettings
    read: ReadSettings
    model: str
    base: Path | None
    root: Path
    key: str
    classes: ClassTable
    weather: Weather | None = None
    """For a model on a thermal axis; None: it is not looked at."""


@dataclass(frozen=True)
class Trouble:
    """What stopped a block, in words that can be sent from another process."""

    message: str
    hint: str
    """What to do next, or the traceback of what nobody foresaw."""
    storage: bool = False
    """The run folder cannot be written: that stops the run, since no other block could be kept either."""


@dataclass(frozen=True)
class Measured:
    """What became of the blocks."""

    parts: tuple[Part, ...]
    """In block order."""
    made: tuple[str, ...]
    kept: tuple[str, ...]
    """Ids of blocks that had been measured from the same inputs before."""
    failed: Mapping[str, str]
    """Block id -> what stopped it."""
    implausible: Mapping[str, str]
    """Scene id -> why its numbers cannot be reflectance as we read it; no block uses it."""


def measure_blocks(
    plan: Plan,
    blocks: Sequence[Block],
    scenes: Scenes,
    store: Store,
    *,
    weather: Weather | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    again: Collection[str] = (),
) -> Measured:
    """Measure every block that has not been measured from the same inputs before.

    Args:
        plan: the compiled region.
        blocks: what `split_blocks` gave.
        scenes: all scenes of the season.
        store: the run folder; each block's result is kept there as soon as it is done.
        weather: as far as it is known on the as-of day; only a model on a thermal axis looks at it.
        executor: where to measure; None measures here, one block after another.
        progress: called with (blocks done, blocks in all, block id).
        again: ids of parcels whose blocks are measured anew, though they were measured before.

    Returns:
        the parts, and which blocks were made, kept and failed. One block's trouble never stops another. A scene whose
        pixels, over all blocks, contradict its offset is set aside and the blocks it touched are measured without it.

    Raises:
        ConfigError: the model is on a thermal axis, and there is no weather.
        InputError: the weather has no day of the season, and the model needs it.
        StoreError: the run folder cannot be written.
    """
    needed = weather if plan.model.card.axis.kind == "thermal" else None
    first = _measure(plan, blocks, scenes, store, needed, executor, progress, again)
    implausible = implausible_scenes(first.parts, scenes)
    if not implausible:
        return first
    for scene_id, why in implausible.items():
        log.warning("scene set aside", scene=scene_id, why=why)
    items = tuple(scene for scene in scenes.items if scene.scene_id not in implausible)
    second = _measure(plan, blocks, replace(scenes, items=items), store, needed, executor, progress, again)
    made = tuple(block_id for block_id in second.made if block_id not in first.made)
    return replace(second, made=tuple(sorted({*first.made, *made})), implausible=implausible)


def note_lost_scenes(parcels: Parcels, blocks: Sequence[Block], measured: Measured) -> Parcels:
    """Say with each parcel how many scenes over it could not be read: its numbers may differ from a whole run's."""
    lost = {
        part.block_id: sum(note.verdict in ("unreadable", "missing_asset") for note in part.notes)
        for part in measured.parts
    }
    counts: dict[str, int] = {}
    for block in blocks:
        for parcel_id in block.coverage.parcel_ids:
            counts[parcel_id] = max(counts.get(parcel_id, 0), lost.get(block.block_id, 0))
    told = parcels.copy()
    lines = []
    for parcel_id, detail in zip(parcels["parcel_id"], parcels["detail"], strict=True):
        words = [detail] if isinstance(detail, str) and detail else []
        words += [f"scenes_lost {counts[parcel_id]}"] if counts.get(parcel_id) else []
        lines.append("; ".join(words) or None)
    told["detail"] = lines
    return Parcels(told)


def implausible_scenes(parts: Sequence[Part], scenes: Scenes) -> dict[str, str]:
    """Scenes whose pixels under parcels, over all blocks together, say that the offset was taken off wrongly.

    Winter scenes are too bare to be checked: where most of the checked scenes whose offset was settled in the same way
    fail, all scenes settled that way are set aside with them.
    """
    counts: dict[str, GreenCount] = {}
    for part in parts:
        for note in part.notes:
            counts[note.scene_id] = counts.get(note.scene_id, GreenCount()) + GreenCount(*note.green)
    verdicts = {scene_id: judge_offset(count) for scene_id, count in sorted(counts.items())}
    wrong = {scene_id: f"{v.code}: {v.detail}" for scene_id, v in verdicts.items() if not v.ok}
    ways: dict[tuple[int, str], list[str]] = {}
    for scene in scenes.items:
        ways.setdefault((scene.dn_offset, re.sub(r"[-\d.]+", "", scene.offset_how)), []).append(scene.scene_id)
    for (_, how), members in ways.items():
        checked = [name for name in members if name in verdicts and verdicts[name].code != "not_checked"]
        failed = [name for name in checked if name in wrong]
        if len(checked) > 1 and 2 * len(failed) > len(checked):
            why = f"{len(failed)} of {len(checked)} checked scenes whose offset was settled alike ({how}) contradict it"
            wrong |= {name: why for name in members if name not in wrong}
    return dict(sorted(wrong.items()))


def _measure(
    plan: Plan,
    blocks: Sequence[Block],
    scenes: Scenes,
    store: Store,
    weather: Weather | None,
    executor: Executor | None,
    progress: Progress | None,
    again: Collection[str],
) -> Measured:
    classes, day_starts = class_table(plan), axis_day_starts(plan, weather)
    parts: dict[str, Part] = {}
    failed: dict[str, str] = {}
    waiting: list[BlockTask] = []
    spare: dict[str, Part] = {}
    for block in blocks:
        mine = block_scenes(block, scenes)
        key = part_key(plan, block, mine, day_starts)
        part = store.part(key)
        wanted = not set(again).isdisjoint(block.coverage.parcel_ids)
        if part is not None and not wanted and not _worth_another_try(part, mine):
            parts[block.block_id] = part
            continue
        if part is not None:
            spare[block.block_id] = part
        season, read, model = plan.region.season, plan.provider.read, plan.region.model
        waiting.append(BlockTask(block, mine, season, read, model, plan.base, store.root, key, classes, weather))
    kept = list(parts)
    if progress is not None:
        progress(len(kept), len(blocks), "")

    results: list[tuple[BlockTask, Future[Part | Trouble] | None]]
    results = [(task, executor.submit(try_block, task) if executor is not None else None) for task in waiting]
    for task, future in results:
        block_id = task.block.block_id
        try:
            done = try_block(task) if future is None else future.result()
        except Exception as error:  # noqa: BLE001 - the executor's own: a worker that was killed, a lost scheduler
            done = Trouble(f"{type(error).__name__}: {error}", traceback.format_exc())
        if isinstance(done, Part):
            parts[block_id] = done
        elif done.storage:
            raise StoreError(done.message, hint=done.hint)
        elif block_id in spare:  # what was read last time is not lost because a server is worse today
            parts[block_id] = spare[block_id]
            kept.append(block_id)
            log.warning("block kept as it was", block=block_id, error=done.message, hint=done.hint)
        else:
            failed[block_id] = done.message
            log.error("block failed", block=block_id, error=done.message, hint=done.hint)
        if progress is not None:
            progress(len(parts) + len(failed), len(blocks), block_id)
    whole = tuple(parts[block.block_id] for block in blocks if block.block_id in parts)
    made = tuple(part.block_id for part in whole if part.block_id not in kept)
    return Measured(whole, made, tuple(kept), failed, {})


def try_block(task: BlockTask) -> Part | Trouble:
    """`measure_block`, with its trouble as a value: one block's trouble, whatever it is, must not stop the region."""
    try:
        return measure_block(task)
    except AcrelineError as error:
        return Trouble(error.message, error.hint, storage=isinstance(error, StoreError))
    except Exception as error:  # noqa: BLE001 - not every exception can be sent from one process to another
        return Trouble(f"{type(error).__name__}: {error}", traceback.format_exc())


def measure_block(task: BlockTask) -> Part:
    """Read one block, let the network paint it, sum what was seen of its parcels, and keep that as a part."""
    from acreline.imagery import load_cube
    from acreline.looks import take_looks
    from acreline.model import segment_cube

    cube = load_cube(task.scenes, task.block, task.read)
    maps = segment_cube(cube, _model(task.model, task.base), task.block, task.weather, season=task.season)
    looks = take_looks(cube, maps, task.block)
    return Store(task.root).save_block(task.key, task.block, looks, maps, cube.attrs["notes"], task.classes)


@functools.lru_cache(maxsize=2)
def _model(name: str, base: Path | None) -> Model:
    from acreline.model import load_model

    return load_model(name, base)


def block_scenes(block: Block, scenes: Scenes) -> Scenes:
    """The scenes of the block's own tile whose footprint touches what the block reads."""
    from acreline.imagery import may_touch

    here = [scene for scene in scenes.items if scene.tile == block.tile]
    mine = tuple(scene for scene, touches in zip(here, may_touch(here, block), strict=True) if touches)
    return replace(scenes, items=mine, set_aside=(), completeness={})


def axis_day_starts(plan: Plan, weather: Weather | None) -> tuple[float, ...]:
    """How the weather stretches the model's year, see `TimeAxis.day_starts`; empty on a calendar axis."""
    temperatures = None if weather is None else weather_temperatures(weather)
    axis = plan.model.card.axis.of(plan.region.season.end.year, temperatures)
    if temperatures is not None and axis.day_starts:
        lacking = temperatures.lacking(axis.start, min(plan.as_of, axis.end))
        if lacking > MOST_DAYS_LACKING:
            known = f"{temperatures.first} to {temperatures.last}"
            log.warning("weather is expected, not known, on some days", days=lacking, known=known, as_of=plan.as_of)
    return axis.day_starts


def part_key(plan: Plan, block: Block, scenes: Scenes, day_starts: tuple[float, ...] = ()) -> str:
    """Name of a block's part: the hash of all that decides what is in it."""
    cover = block.coverage
    return digest(
        {
            "code": pixel_code_digest(),
            "model": plan.model.digest,
            "season": plan.region.season.model_dump(mode="json"),
            **({"day_starts": day_starts} if day_starts else {}),
            "block": [block.block_id, block.crs, block.row, block.col, block.height, block.width],
            "parcels": list(cover.parcel_ids),
            "coverage": [array.tolist() for array in (cover.parcel, cover.row, cover.col, cover.cover)],
            "scenes": [[s.scene_id, s.pass_id, s.time, s.dn_offset, _stamps(s.assets)] for s in scenes.items],
            "classes": class_table(plan),
        }
    )


def _stamps(assets: Mapping[str, str]) -> dict[str, Any]:
    """What tells two versions of an asset apart: size and time of a local file, else the address without its query."""
    stamps: dict[str, Any] = {}
    for band, href in sorted(assets.items()):
        path = Path(href)
        if "://" in href:
            stamps[band] = href.split("?")[0]
        elif path.exists():
            stamps[band] = [href, path.stat().st_size, path.stat().st_mtime_ns]
        else:
            stamps[band] = [href, "missing"]
    return stamps


def _worth_another_try(part: Part, scenes: Scenes) -> bool:
    """A scene that a server did not give last time may be there today; a damaged local file will not mend itself."""
    remote = any("://" in href for scene in scenes.items for href in scene.assets.values())
    return remote and any(note.verdict == "unreadable" and note.retryable for note in part.notes)
