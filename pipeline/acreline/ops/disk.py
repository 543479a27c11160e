# SPDX-License-Identifier: Apache-2.0
"""What run folders take on disk, and whether there is room for another run before anything is half written."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from acreline.config import Region
from acreline.errors import StoreError
from acreline.store import read_manifest

GB = 1_000_000_000
"""Gigabytes are of ten to the ninth, as disks are sold."""
RESERVE_BYTES = 200_000_000
"""Stays free whatever a run adds: the log of decisions must always find room."""
UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Room:
    """What a run folder takes, may grow by, and has left."""

    taken_bytes: int
    next_run_bytes: int
    """What a run may add at most, judged by the newest publication and its blocks; 0 before the first."""
    free_bytes: int
    """On the disk that the folder lies on."""
    ceiling_bytes: int | None
    """`disk_ceiling_gb` of the region."""

    @property
    def trouble(self) -> str | None:
        """`over_disk_ceiling`, `disk_nearly_full`, or None: there is room for another run."""
        if self.ceiling_bytes is not None and self.taken_bytes + self.next_run_bytes > self.ceiling_bytes:
            return "over_disk_ceiling"
        return "disk_nearly_full" if self.free_bytes < self.next_run_bytes + RESERVE_BYTES else None


def measure_room(root: Path, ceiling_gb: float | None = None) -> Room:
    """Measure a run folder and its disk; nothing is written.

    Raises:
        StoreError: the disk cannot be asked.
    """
    try:
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise StoreError(f"{root}: the disk does not answer: {error.strerror}", hint="check the run folder") from error
    ceiling = None if ceiling_gb is None else round(ceiling_gb * GB)
    return Room(folder_bytes(root), _next_run(root), free, ceiling)


def check_room(region: Region, root: Path) -> None:
    """Refuse a run for which there is no room, before its first byte.

    Raises:
        StoreError: it would pass the region's `disk_ceiling_gb`, or fill the disk.
    """
    room = measure_room(root, region.disk_ceiling_gb)
    hint = f"`acreline prune {root} --keep-days 0 --keep-last 1 --dry-run` says the most that may go"
    may = f"a run may add {spell_bytes(room.next_run_bytes)}"
    if room.ceiling_bytes is not None and room.trouble == "over_disk_ceiling":
        least = math.ceil((room.taken_bytes + room.next_run_bytes) * 1000 / GB) / 1000
        raise StoreError(
            f"{region.name}: not started: {root} takes {spell_bytes(room.taken_bytes)}, {may}, "
            f"disk_ceiling_gb is {region.disk_ceiling_gb:g} ({spell_bytes(room.ceiling_bytes)})",
            hint=f"{hint}; or raise disk_ceiling_gb in the region file, to {least:g} at least",
        )
    if room.trouble == "disk_nearly_full":
        raise StoreError(
            f"{region.name}: not started: the disk of {root} has {spell_bytes(room.free_bytes)} free, {may} and "
            f"{spell_bytes(RESERVE_BYTES)} stay free",
            hint=f"{hint}; or give a folder on another disk with --out",
        )


def _next_run(root: Path) -> int:
    """A new publication as large as the newest, and each of its blocks measured anew."""
    latest = root / "latest"
    if not latest.exists():
        return 0
    try:
        blocks = int(read_manifest(latest)["counts"]["blocks"]["measured"])
    except (StoreError, KeyError, TypeError, ValueError):
        blocks = 0
    parts = [path for path in (root / "parts").glob("[!.]*") if path.is_dir()]
    return folder_bytes(latest.resolve()) + (blocks * folder_bytes(root / "parts") // len(parts) if parts else 0)


def folder_bytes(path: Path) -> int:
    """Bytes of the files of a folder, or of a file; a file under two names counts once, links to others not at all."""
    return sum({(one.st_dev, one.st_ino): one.st_size for one in _stats([path])}.values())


def freed_bytes(paths: Iterable[Path]) -> int:
    """Bytes that come free when files and folders are taken away: a file with a name elsewhere stays."""
    seen: dict[tuple[int, int], list[os.stat_result]] = {}
    for one in _stats(paths):
        seen.setdefault((one.st_dev, one.st_ino), []).append(one)
    return sum(names[0].st_size for names in seen.values() if len(names) >= names[0].st_nlink)


def _stats(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    """Of plain files under some paths; a file that goes away meanwhile is passed over."""
    for path in paths:
        if path.is_symlink():
            continue
        inside = [path] if path.is_file() else path.rglob("*")
        for file in inside:
            try:
                if file.is_file() and not file.is_symlink():
                    yield file.stat()
            except OSError:
                continue


def spell_bytes(count: int, *, zh: bool = False) -> str:
    """Bytes as people say them: `1.83 GB`, `304 bytes`; of the latter the word in Chinese if asked for."""
    value, unit = float(count), UNITS[0]
    for unit in UNITS:
        if value < 1000 or unit == UNITS[-1]:
            break
        value /= 1000
    if unit == UNITS[0]:
        return f"{count} 字节" if zh else f"{count} bytes"
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
