# SPDX-License-Identifier: Apache-2.0
"""How the night went, region by region: run or not, counts that add up, what moved, what asks for somebody.

It reads run folders alone: no region file, no network. It holds counts, days, sums and codes: no farm, no person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from acreline.decision_log import read_log
from acreline.errors import EXIT_DONE, EXIT_INCOMPLETE, EXIT_STALE, AcrelineError
from acreline.freshness import Freshness, read_freshness, stale_words
from acreline.logs import redact
from acreline.ops.changes import Changes, compare_nights, publication_before
from acreline.ops.disk import Room, measure_room, spell_bytes
from acreline.ops.ledger import Night, holder_of, read_nights
from acreline.ops.prune import find_run_folders
from acreline.records import OUTCOMES
from acreline.store import open_publication, read_manifest

HOURS = 24
FINISHED = (EXIT_DONE, EXIT_INCOMPLETE, EXIT_STALE)
DRIFT_FILES = (Path("drift") / "drift.json", Path("drift.json"))
"""Where a report of `acreline drift RUN --since RUN --out RUN/drift` is looked for."""
EXITS = {
    0: ("done", "完成"),
    1: ("a fault of acreline", "程序故障"),
    2: ("configuration or usage", "配置或用法有误"),
    3: ("an input file is refused", "输入文件被拒"),
    4: ("source not available", "影像来源不可用"),
    5: ("some blocks were not measured", "部分区块未能测定"),
    6: ("storage", "存储"),
    7: ("another run held the region", "该区域已有任务在运行"),
    8: ("not published", "未发布"),
    9: ("done; no new scene for too long", "完成；过久没有新影像"),
}
Words = tuple[str, str]


@dataclass(frozen=True)
class Alarm:
    """Something that asks for somebody."""

    code: str
    words: Words


@dataclass(frozen=True)
class RegionNight:
    """One region's night."""

    name: str
    root: Path
    nights: tuple[Night, ...] = ()
    """Runs that were started in the hours looked at, oldest first."""
    holder: str | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Of the current publication; empty where there is none."""
    freshness: Freshness | None = None
    changes: Changes | None = None
    """None: nothing was published in these hours, or there is nothing to hold it beside."""
    published: bool = False
    """`latest` is another publication than before these hours."""
    room: Room | None = None
    alarms: tuple[Alarm, ...] = ()

    @property
    def night(self) -> Night | None:
        """The newest run."""
        return self.nights[-1] if self.nights else None

    @property
    def seconds(self) -> float:
        """All runs together."""
        return sum(night.seconds or 0 for night in self.nights)

    def parcels(self) -> dict[str, int]:
        """in, judged, abstained, failed, refused of the current publication; empty where there is none."""
        told = self.manifest.get("counts", {}).get("parcels", {})
        if "in" not in told:
            return {}
        judged = told.get("ok", 0) + told.get("degraded", 0)
        rest = {"abstained": "insufficient", "failed": "failed", "refused": "rejected"}
        return {"in": told["in"], "judged": judged, **{name: told.get(of, 0) for name, of in rest.items()}}

    def farms(self) -> dict[str, int]:
        """in, and by outcome."""
        told = self.manifest.get("counts", {}).get("farms", {})
        return {name: told[name] for name in ("in", *OUTCOMES) if name in told}


@dataclass(frozen=True)
class Morning:
    """All regions of a night."""

    at: datetime
    """UTC, to which the hours lead."""
    hours: int
    regions: tuple[RegionNight, ...]
    """Those with alarms first, then by name."""
    silent: tuple[str, ...] = ()
    """Folders that keep no log of runs: made by other commands, or by an earlier version."""

    @property
    def alarms(self) -> int:
        """Of all regions."""
        return sum(len(one.alarms) for one in self.regions)


def read_morning(
    runs: Sequence[Path], root: Path | None = None, *, hours: int = HOURS, now: datetime | None = None
) -> Morning:
    """Look at run folders as the night left them; one that cannot be read is an alarm and stops no other.

    Args:
        runs: run folders, or folders of several.
        root: a folder of several; of it those without a log of runs are named and not told.
        hours: that count as the night, back from `now`.
        now: None: the machine's clock.

    Raises:
        StoreError: no run folder is where one was named.
    """
    at = now or datetime.now(UTC)
    named = find_run_folders(runs) if runs else []
    found = find_run_folders([root]) if root is not None else []
    logged = [one for one in found if read_nights(one)]
    silent = [one.name for one in found if one not in logged and one not in named]
    told = [_region_night(one, at - timedelta(hours=hours)) for one in dict.fromkeys([*named, *logged])]
    return Morning(at, hours, tuple(sorted(told, key=lambda one: (not one.alarms, one.name))), tuple(silent))


def _region_night(root: Path, since: datetime) -> RegionNight:
    try:
        return _look(root, since)
    except AcrelineError as error:
        words = redact(error.message)
        alarm = Alarm("unreadable", (f"the run folder cannot be read: {words}", f"任务文件夹无法读取：{words}"))
        return RegionNight(root.name, root, alarms=(alarm,))


def _look(root: Path, since: datetime) -> RegionNight:
    every, holder = read_nights(root), holder_of(root)
    nights = tuple(night for night in every if night.started >= since)
    there = (root / "latest").exists()
    manifest = read_manifest(open_publication(root)) if there else {}
    finished = [night for night in every if night.exit in FINISHED]
    fresh = read_freshness(finished[-1].values) if finished else read_freshness(manifest)
    ceiling = next(
        (night.values["disk_ceiling_gb"] for night in reversed(every) if "disk_ceiling_gb" in night.values), None
    )
    room = measure_room(root, ceiling)
    current = open_publication(root) if there else None
    before = publication_before(root, read_log(root), since)
    published = current is not None and before != current and any(night.values.get("published") for night in nights)
    changes = compare_nights(current, before) if published and current is not None and before is not None else None
    one = RegionNight(
        str(manifest.get("region", root.name)), root, nights, holder, manifest, fresh, changes, published, room
    )
    alarms = (*_run_alarms(one), *_state_alarms(one), *_drift_alarms(root))
    return RegionNight(**{**one.__dict__, "alarms": alarms})


def _run_alarms(one: RegionNight) -> list[Alarm]:
    night = one.night
    if night is None:
        return [Alarm("no_run", ("no run was started", "没有启动任务"))]
    begun = f"{night.started:%H:%M} UTC"
    if night.ended is None and one.holder != night.run:
        return [
            Alarm("broke_off", (f"the run of {begun} was killed before its end", f"{begun}启动的任务在结束前被终止"))
        ]
    if night.ended is None:
        return [Alarm("at_work", (f"the run of {begun} is still at work", f"{begun}启动的任务仍在运行"))]
    if night.exit in (EXIT_DONE, EXIT_STALE):
        return []
    en, zh = EXITS.get(int(night.exit or 0), ("", ""))
    why = f": {night.values['why']}" if night.values.get("why") else ""
    if night.exit == EXIT_INCOMPLETE and not why:
        failed = night.values.get("blocks", {}).get("failed", 0)
        return [Alarm("blocks_failed", (f"{failed} blocks were not measured", f"{failed}个区块未能测定"))]
    return [Alarm("run_failed", (f"exit {night.exit}, {en}{why}", f"退出码{night.exit}，{zh}{why}"))]


def _state_alarms(one: RegionNight) -> list[Alarm]:
    alarms = []
    told = {} if one.night is None else one.night.values
    if told.get("fell_over"):
        silent, gave = ", ".join(map(str, told["fell_over"])), told.get("provider")
        said = f"{silent} did not answer, {gave} gave the scenes", f"{silent}无应答，影像取自{gave}"
        alarms.append(Alarm("fell_over", said))
    if not one.manifest:
        alarms.append(Alarm("nothing_published", ("nothing is published", "尚无发布结果")))
    if one.freshness is not None and one.freshness.alarm is not None:
        alarms.append(Alarm(one.freshness.alarm, stale_words(one.freshness)))
    for kind, counts in (("parcels", one.parcels()), ("farms", one.farms())):
        if counts and counts["in"] != sum(count for name, count in counts.items() if name != "in"):
            alarms.append(Alarm("counts_differ", (f"the counts of {kind} do not add up", f"{kind}数量对不上")))
    if one.room is not None and one.room.trouble is not None:
        (free, free_zh), (taken, taken_zh) = (
            (spell_bytes(count), spell_bytes(count, zh=True)) for count in (one.room.free_bytes, one.room.taken_bytes)
        )
        words = {
            "over_disk_ceiling": (f"the folder takes {taken}: the next run would pass its ceiling and will not start",
                                  f"文件夹已占{taken_zh}：下次任务将超出上限，不会启动"),
            "disk_nearly_full": (f"{free} free: the next run will not start", f"磁盘仅剩{free_zh}：下次任务不会启动"),
        }  # fmt: skip
        alarms.append(Alarm(one.room.trouble, words[one.room.trouble]))
    return alarms


def _drift_alarms(root: Path) -> list[Alarm]:
    """Alerts of a report on drift that lies in the run folder."""
    for name in DRIFT_FILES:
        try:
            told = json.loads((root / name).read_text(encoding="utf-8"))
            alerts = sum(row["verdict"] == "alert" for row in told["rows"])
            of, since = str(told["run"]), str(told["since"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if alerts:
            return [
                Alarm(
                    "drift", (f"drift: {alerts} alerts, {of} against {since}", f"漂移：{alerts}项警报，{of}对比{since}")
                )
            ]
        return []
    return []
