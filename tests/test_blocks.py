# SPDX-License-Identifier: Apache-2.0
"""Blocks on any executor: the same parts, trouble named and kept to its block, nothing measured twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acreline import blocks as blocks_module
from acreline.blocks import Measured, block_scenes, implausible_scenes, measure_blocks, part_key
from acreline.config import SeasonSettings, read_region
from acreline.errors import SourceError, StoreError
from acreline.layers import Block, Scene, SceneNote, Scenes
from acreline.plan import Plan, plan_run
from acreline.store import Part, Store
from tests.scenes import COL, ROW, make_block, make_scene, make_scenes

pytestmark = pytest.mark.xdist_group("blocks")
FAR_AWAY = {"type": "Polygon", "coordinates": [[[9, 40], [10, 40], [10, 41], [9, 41], [9, 40]]]}


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    season = SeasonSettings(start=date(2023, 3, 1), end=date(2023, 10, 1))
    made = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
    return replace(made, region=made.region.model_copy(update={"season": season}), as_of=season.end)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    folder = tmp_path_factory.mktemp("scenes")
    return make_scenes([make_scene(folder, f"s{k}", day=10 * k, width=128) for k in range(3)])


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    """Two neighbours of one cell, a parcel in each."""
    right = make_block(col=COL + 64, parcels={"b": (ROW + 12, COL + 80, 20, 20)})
    return [make_block(parcels={"a": (ROW + 12, COL + 8, 20, 20)}), right]


def inside(measured: Measured) -> dict[str, bytes]:
    return {
        f"{part.block_id}/{path.name}": path.read_bytes() for part in measured.parts for path in part.path.iterdir()
    }


# --- measuring -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def serial(plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure_blocks(plan, blocks, scenes, Store(tmp_path_factory.mktemp("serial")))


def one_thread() -> Executor:
    return ThreadPoolExecutor(2)


def one_process() -> Executor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@pytest.mark.parametrize("make", [one_thread, one_process])
def test_the_executor_does_not_show_and_trouble_stays_in_its_block(
    plan: Plan, scenes: Scenes, blocks: list[Block], serial: Measured, tmp_path: Path, make: Callable[[], Executor]
) -> None:
    """The third block has no scene: an error with a hint must come back from another process, and alone."""
    told: list[tuple[int, int, str]] = []
    nowhere = replace(make_block(row=4096, parcels={"c": (4100, COL, 9, 9)}), tile="32UDS")
    with make() as executor:
        found = measure_blocks(
            plan,
            [*blocks, nowhere],
            scenes,
            Store(tmp_path),
            executor=executor,
            progress=lambda *step: told.append(step),
        )
    assert inside(found) == inside(serial)
    assert found.made == serial.made == tuple(block.block_id for block in blocks)
    assert list(found.failed) == [nowhere.block_id]
    assert "BrokenProcessPool" not in found.failed[nowhere.block_id]
    assert [step[:2] for step in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_what_is_measured_is_kept(plan: Plan, scenes: Scenes, blocks: list[Block], serial: Measured) -> None:
    store = Store(serial.parts[0].path.parents[1])
    again = measure_blocks(plan, blocks, scenes, store)
    assert (again.made, again.kept) == ((), serial.made)
    assert again.parts == serial.parts
    assert measure_blocks(plan, blocks[::-1], scenes, store).parts == serial.parts[::-1]


def test_a_rotten_part_is_measured_again_and_the_other_kept(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, serial: Measured
) -> None:
    store = Store(tmp_path)
    first = measure_blocks(plan, blocks, scenes, store)
    (first.parts[1].path / "land.parquet").write_bytes(b"rot")
    again = measure_blocks(plan, blocks, scenes, store)
    assert (again.made, again.kept) == ((blocks[1].block_id,), (blocks[0].block_id,))
    assert inside(again) == inside(serial)


# --- trouble, without the network ------------------------------------------------------------------------------------
@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[Any], Part]]:
    """Blocks measured by hand: block id -> what to do."""
    table: dict[str, Callable[[Any], Part]] = {}
    monkeypatch.setattr(blocks_module, "measure_block", lambda task: table[task.block.block_id](task))
    return table


def noted(*notes: SceneNote) -> Callable[[Any], Part]:
    return lambda task: Part(task.key, task.block.block_id, Path(task.key), notes)


def raising(error: BaseException) -> Callable[[Any], Part]:
    def fail(task: Any) -> Part:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SourceError("B11: cut short", hint="run again"), "B11: cut short"),
        (ZeroDivisionError("by nobody"), "ZeroDivisionError: by nobody"),
        (MemoryError(), "MemoryError: "),
    ],
)
def test_a_failing_block_is_named_and_leaves_the_others(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, hand: Any, error: Exception, words: str
) -> None:
    hand |= {blocks[0].block_id: raising(error), blocks[1].block_id: noted()}
    found = measure_blocks(plan, blocks, scenes, Store(tmp_path))
    assert found.failed == {blocks[0].block_id: words}
    assert found.made == (blocks[1].block_id,)


@pytest.mark.parametrize("error", [StoreError("disk full (0 MB free)", hint="free space"), KeyboardInterrupt()])
def test_a_full_disk_and_an_interruption_stop_the_run(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, hand: Any, error: BaseException
) -> None:
    hand |= {blocks[0].block_id: raising(error), blocks[1].block_id: noted()}
    with pytest.raises(type(error)):
        measure_blocks(plan, blocks, scenes, Store(tmp_path))


# --- physics over all blocks -----------------------------------------------------------------------------------------
def note(scene: str, *green: int, verdict: str = "used") -> SceneNote:
    return SceneNote(scene, "b", verdict, "", (*green, *[0] * (4 - len(green))))  # type: ignore[arg-type]


def part(*notes: SceneNote) -> Part:
    return Part("k", "b", Path("k"), notes)


def named(scenes: Scenes, *names: str) -> Scenes:
    return replace(scenes, items=tuple(replace(scenes.items[0], scene_id=name) for name in names))


def test_a_scene_is_judged_over_all_blocks_together(scenes: Scenes) -> None:
    """150 green pixels in each block are too few alone (200 are needed); together a fifth is below zero."""
    halves = [part(note("bad", 150, 30), note("good", 150, 3)), part(note("bad", 150, 30), note("good", 150))]
    two = named(scenes, "bad", "good")
    assert implausible_scenes(halves[:1], two) == {}
    assert implausible_scenes([], two) == {}
    found = implausible_scenes(halves, two)
    assert list(found) == ["bad"]
    assert found["bad"].startswith("subtracted_twice: ")
    assert implausible_scenes(halves[::-1], two) == found


def test_a_bare_scene_falls_with_most_of_those_that_were_settled_alike(scenes: Scenes) -> None:
    notes = part(note("a", 300, 300), note("b", 300, 300), note("c", 300, 0), note("winter", 5))
    alike = named(scenes, "a", "b", "c", "winter")
    assert list(implausible_scenes([notes], alike)) == ["a", "b", "c", "winter"]
    other = replace(alike.items[3], offset_how="otherwise")
    assert list(implausible_scenes([notes], replace(alike, items=(*alike.items[:3], other)))) == ["a", "b", "c"]


def test_an_implausible_scene_is_dropped_from_every_block(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, hand: Any
) -> None:
    asked: list[tuple[str, str, list[str]]] = []

    def see(task: Any) -> Part:
        ids = [scene.scene_id for scene in task.scenes.items]
        asked.append((task.block.block_id, task.key, ids))
        return noted(*(note(name, 150, 150 if name == "s1" else 0) for name in ids))(task)

    hand |= {block.block_id: see for block in blocks}
    found = measure_blocks(plan, blocks, scenes, Store(tmp_path))
    assert list(found.implausible) == ["s1"]
    assert [ids for _, _, ids in asked] == [["s0", "s1", "s2"]] * 2 + [["s0", "s2"]] * 2
    assert len({key for _, key, _ in asked}) == 4
    assert [part.key for part in found.parts] == [key for _, key, _ in asked[2:]]
    assert found.made == tuple(block.block_id for block in blocks)


# --- names of parts --------------------------------------------------------------------------------------------------
def test_a_part_is_named_by_all_that_decides_what_is_in_it(plan: Plan, scenes: Scenes, blocks: list[Block]) -> None:
    block, region = blocks[0], plan.region
    season = SeasonSettings(start=region.season.start, end=date(2023, 9, 30))
    first = scenes.items[0]

    def scene(**values: Any) -> Scenes:
        return replace(scenes, items=(replace(first, **values), *scenes.items[1:]))

    cover = block.coverage.cover.copy()
    cover[0] -= 1
    others = [
        part_key(plan, block, replace(scenes, items=scenes.items[1:])),
        part_key(plan, block, scene(dn_offset=0)),
        part_key(plan, block, scene(pass_id="other")),
        part_key(plan, block, scene(assets={**first.assets, "B02": first.assets["B03"]})),
        part_key(plan, block, scene(assets={**first.assets, "B02": "https://store.example/a.tif"})),
        part_key(plan, block, scene(assets={**first.assets, "B02": "/gone.tif"})),
        part_key(plan, replace(block, coverage=replace(block.coverage, cover=cover)), scenes),
        part_key(plan, replace(block, coverage=replace(block.coverage, parcel_ids=("other",))), scenes),
        part_key(plan, replace(block, height=block.height - 2), scenes),
        part_key(replace(plan, model=replace(plan.model, digest="0" * 16)), block, scenes),
        part_key(replace(plan, region=region.model_copy(update={"season": season})), block, scenes),
        part_key(replace(plan, crops={}), block, scenes),  # colours and names of the maps' classes
    ]
    name = part_key(plan, block, scenes)
    assert len({name, *others}) == len(others) + 1


def test_the_day_and_the_policy_do_not_name_a_part(plan: Plan, scenes: Scenes, blocks: list[Block]) -> None:
    name = part_key(plan, blocks[0], scenes)
    assert part_key(replace(plan, as_of=date(2023, 6, 1)), blocks[0], scenes) == name
    richer = plan.region.model_copy(update={"policy": "other", "name": "other", "applicants": None})
    assert part_key(replace(plan, region=richer), blocks[0], scenes) == name


def test_a_new_signature_is_no_new_file(plan: Plan, scenes: Scenes, blocks: list[Block]) -> None:
    def signed(query: str) -> Scenes:
        assets = {band: f"https://store.example/{band}.tif{query}" for band in scenes.items[0].assets}
        return replace(scenes, items=(replace(scenes.items[0], assets=assets),))

    names = {part_key(plan, blocks[0], signed(query)) for query in ("", "?sig=1", "?sig=2&se=2018")}
    assert len(names) == 1


def test_a_file_that_was_written_anew_is_another(plan: Plan, blocks: list[Block], tmp_path: Path) -> None:
    scenes = make_scenes([make_scene(tmp_path, "s")])
    path = Path(scenes.items[0].assets["B02"])
    names = [part_key(plan, blocks[0], scenes)]
    os.utime(path, ns=(1, 1))
    names.append(part_key(plan, blocks[0], scenes))
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(1, 1))
    names.append(part_key(plan, blocks[0], scenes))
    assert len(set(names)) == 3


def test_only_a_remote_scene_that_was_not_read_is_worth_another_try(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(prefix: str) -> Scenes:
        items = [replace(s, assets={b: f"{prefix}{s.scene_id}/{b}.tif" for b in s.assets}) for s in scenes.items]
        return replace(scenes, items=tuple(items))

    hand |= {block.block_id: noted() for block in blocks}
    for verdict, passing, prefix, made in (
        ("unreadable", True, "https://store.example/", 1),
        ("unreadable", False, "https://store.example/", 0),  # damaged at its source: tomorrow it is the same file
        ("used", False, "https://store.example/", 0),
        ("missing_asset", True, "https://store.example/", 0),
        ("unreadable", True, "/data/", 0),
    ):
        there = replace(part(replace(note("s0", verdict=verdict), retryable=passing)), block_id=blocks[0].block_id)
        monkeypatch.setattr(Store, "part", lambda self, key, there=there: replace(there, key=key))
        assert len(measure_blocks(plan, blocks[:1], at(prefix), Store(tmp_path)).made) == made, (verdict, prefix)


def test_what_was_read_last_time_is_not_lost_when_the_server_is_down(
    plan: Plan, scenes: Scenes, blocks: list[Block], tmp_path: Path, hand: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = replace(note("s0", verdict="unreadable"), retryable=True)
    there = replace(part(lost), block_id=blocks[0].block_id)
    monkeypatch.setattr(Store, "part", lambda self, key: replace(there, key=key))
    hand |= {blocks[0].block_id: raising(SourceError("no answer", hint="run again"))}
    remote = {band: f"https://store.example/{band}.tif" for band in scenes.items[0].assets}
    items = (replace(scenes.items[0], assets=remote),)
    found = measure_blocks(plan, blocks[:1], replace(scenes, items=items), Store(tmp_path))
    assert (found.made, found.kept, found.failed) == ((), (blocks[0].block_id,), {})
    assert [p.notes for p in found.parts] == [there.notes]


# --- which scenes a block reads --------------------------------------------------------------------------------------
def test_a_block_reads_its_own_tile_and_what_touches_it(scenes: Scenes, blocks: list[Block]) -> None:
    def item(name: str, **values: Any) -> Scene:
        return replace(scenes.items[0], scene_id=name, **values)

    near = {"type": "Polygon", "coordinates": [[[1, 50], [4, 50], [4, 52], [1, 52], [1, 50]]]}
    items = (item("own"), item("near", geometry=near), item("far", geometry=FAR_AWAY), item("next", tile="31UET"))
    mine = block_scenes(blocks[0], replace(scenes, items=items))
    assert [scene.scene_id for scene in mine.items] == ["own", "near"]
    assert mine.read_options == scenes.read_options
    assert np.shape(mine.set_aside) == (0,)
