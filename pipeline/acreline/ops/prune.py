# SPDX-License-Identifier: Apache-2.0
"""What may go from a run folder, and its going: caches, leftovers, pages and maps of old publications. Never evidence.

    evidence   manifest, trail, lineage and tables of every publication, the log of decisions, OUT/evidence, appeals,
               letters, shadow: what `replay` and `verify` need, what people did, what farmers were given
    cache      parts and coverage: made again from the scenes
    views      pages, maps and catalogue of a publication: drawn from its tables and parts
    leftovers  what killed processes left half made; the log lines of old runs

What goes from a publication is first said in the chained log of decisions, so `verify` knows it from a file that was
taken away. Whole publications go only when a day is named before which even the evidence may, and never within the
legal term of their decisions.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from acreline.decision_log import PRUNED, append_log, read_log
from acreline.errors import EXIT_DONE, EXIT_INCOMPLETE, EXIT_STALE, BusyError, ConfigError, CreditError, StoreError
from acreline.hashing import canonical_json
from acreline.ops.disk import folder_bytes, freed_bytes, spell_bytes
from acreline.ops.ledger import add_line, holder_of, read_nights
from acreline.privacy import kept_until
from acreline.store import Store, read_manifest
from acreline.store_files import write_text

KINDS = ("leftovers", "parts", "coverage", "run logs", "views", "publications")
VIEWS = ("catalog.json", "maps", "report")
"""Of a publication: what neither a decision nor `replay` rests on."""
DAY = timedelta(days=1)
"""Most disks note once a day at most that a file was read."""
IDLE_S = DAY.total_seconds()
"""A half-written file of the log or of evidence is a leftover from this age on: people act without the run's lock."""


@dataclass(frozen=True)
class Keep:
    """What stays.

    Raises:
        ConfigError: a number is below its least.
    """

    days: int = 30
    """Caches used, and publications made current, within so many days stay whole."""
    last: int = 3
    """So do so many of the newest publications; `latest` always does."""
    evidence_before: date | None = None
    """Publications last made current before this day go whole; None: none does."""

    def __post_init__(self) -> None:
        if self.days < 0 or self.last < 1:
            raise ConfigError(
                f"keep {self.last} publications and {self.days} days: too few", hint="at least 1 publication and 0 days"
            )


@dataclass(frozen=True)
class Item:
    """Something that may go."""

    kind: str
    """One of `KINDS`."""
    name: str
    """As it is told: a publication's id, a part's key, a file's name."""
    paths: tuple[Path, ...]
    bytes: int
    """That come free."""


@dataclass(frozen=True)
class Pruned:
    """What goes, or went, from one run folder."""

    root: Path
    items: tuple[Item, ...]
    taken_bytes: int
    """Of the whole folder before."""
    freed_bytes: int
    kept: tuple[str, ...] = ()
    """Publications that a day was named for and that stay, with why."""
    holder: str | None = None
    """A run that works there while one looks (a look alone; nothing goes while a run works)."""

    def counts(self) -> dict[str, list[int]]:
        """Kind -> [items, bytes] of the kinds there are."""
        told = {kind: [item.bytes for item in self.items if item.kind == kind] for kind in KINDS}
        return {kind: [len(sizes), sum(sizes)] for kind, sizes in told.items() if sizes}


def find_run_folders(places: Sequence[Path]) -> list[Path]:
    """The run folders meant by some paths: each itself, or those that lie in it.

    Raises:
        StoreError: neither it nor anything in it is one.
    """
    found: dict[Path, None] = {}
    for place in places:
        here = [place] if _is_run(place) else sorted(one for one in _folders(place) if _is_run(one))
        if not here:
            raise StoreError(
                f"{place}: no run folder here", hint="give the OUT folder of a run, or the folder of several"
            )
        found |= dict.fromkeys(one.resolve() for one in here)
    return list(found)


def _is_run(path: Path) -> bool:
    return (path / "publications").is_dir() and (path / "log").is_dir()


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.is_dir()] if path.is_dir() else []


def look(root: Path, keep: Keep | None = None, *, now: datetime | None = None) -> Pruned:
    """Say what would go from a run folder; nothing is changed, and no lock is taken.

    Args:
        root: the run folder.
        keep: what stays; None: 30 days, 3 publications, all evidence.
        now: the instant that days count back from; None: the machine's clock.

    Raises:
        ConfigError: the day before which evidence may go lies ahead.
        CreditError: the law asks for decisions of before that day to be kept longer.
        StoreError: the folder cannot be read.
    """
    now = now or datetime.now(UTC)
    try:
        items, kept = _find(root, keep or Keep(), now)
    except OSError as error:
        raise StoreError(f"{root}: cannot be read: {error.strerror or error}", hint="check who may read it") from error
    every = [path for item in items for path in item.paths]
    return Pruned(root, tuple(items), folder_bytes(root), freed_bytes(every), tuple(kept), holder_of(root))


def prune(root: Path, keep: Keep | None = None, *, now: datetime | None = None) -> Pruned:
    """Take from a run folder what `look` finds, while no run can work in it, and log it.

    What goes from publications is put into the chained log before anything is removed; each thing that goes has a line
    in a file of `OUT/log`, and all of it one in the log of runs.

    Raises:
        BusyError: a run works there; nothing was changed.
        AcrelineError: as `look`.
    """
    instant = now or datetime.now(UTC)
    name = uuid.uuid4().hex[:12]
    with Store(root).locked(name, instant.isoformat(timespec="seconds"), sweep=False):
        found = look(root, keep, now=instant)
        try:
            for item in found.items:
                if item.kind in ("views", "publications"):
                    _log_item(root, item)
                for path in item.paths:
                    _remove(root, path)
            if found.items:
                lines = [{"event": PRUNED, "kind": i.kind, "name": i.name, "bytes": i.bytes} for i in found.items]
                text = "".join(canonical_json(line) + "\n" for line in lines)
                write_text(root / "log" / f"{instant.date()}_{name}.jsonl", text)
        except OSError as error:
            raise StoreError(f"{root}: not pruned to the end: {error}", hint="free it, then prune again") from error
        add_line(root, PRUNED, {"run": name, "freed_bytes": found.freed_bytes, "items": found.counts()})
    return found


def prune_all(roots: Sequence[Path], keep: Keep) -> tuple[list[Pruned], list[BusyError]]:
    """Prune one run folder after another; one in which a run works is passed over and told.

    Raises:
        AcrelineError: as `prune`, at the first folder that cannot be pruned.
    """
    done, busy = [], []
    for root in roots:
        try:
            done.append(prune(root, keep))
        except BusyError as error:
            busy.append(error)
    return done, busy


def _log_item(root: Path, item: Item) -> None:
    manifest = read_manifest(root / "publications" / item.name)
    told: dict[str, Any] = {"publication": item.name, "bytes": item.bytes}
    if item.kind == "publications":
        told |= {"whole": True, "trail": manifest.get("trail"), "as_of": manifest.get("as_of")}
    else:
        told["removed"] = sorted(path.name for path in item.paths)
    append_log(root, lambda: (PRUNED, told))


def _remove(root: Path, path: Path) -> None:
    """Out of its place in one step, then away: nobody finds half of it under its name."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    aside = root / "publications" / f".pruned-{uuid.uuid4().hex[:8]}"
    path.rename(aside)
    shutil.rmtree(aside)


# --- what may go ------------------------------------------------------------------------------------------------------
def _find(root: Path, keep: Keep, now: datetime) -> tuple[list[Item], list[str]]:
    since = now - timedelta(days=keep.days)
    items = [Item("leftovers", path.name, (path,), freed_bytes([path])) for path in _leftovers(root, now)]
    finished = [night.started for night in read_nights(root) if night.exit in (EXIT_DONE, EXIT_INCOMPLETE, EXIT_STALE)]
    used = min([since, *finished[-1:]])  # what the newest finished run used stays, however long ago that was
    items += [Item("parts", one.name, (one,), freed_bytes([one])) for one in _unused(root / "parts", used)]
    items += [Item("coverage", one.name, (one,), freed_bytes([one])) for one in _unused(root / "coverage", used - DAY)]
    logs = sorted((root / "log").glob("????-??-??_*.jsonl"))
    old = [one for one in logs[: -keep.last] if one.name[:10] < since.date().isoformat()]
    items += [Item("run logs", one.name, (one,), freed_bytes([one])) for one in old]
    entries = read_log(root)
    gone, kept = _whole(root, entries, keep.evidence_before, now)
    items += [Item("publications", one.name, (one,), freed_bytes([one])) for one in gone]
    for folder in _old_publications(root, entries, since, keep.last):
        views = tuple(folder / name for name in VIEWS if (folder / name).exists())
        if folder not in gone and views:
            items.append(Item("views", folder.name, views, freed_bytes(views)))
    return items, kept


def _leftovers(root: Path, now: datetime) -> Iterator[Path]:
    for name in ("parts", "publications", "coverage"):  # written under the run's lock alone
        yield from sorted((root / name).glob(".*"))
    idle = now.timestamp() - IDLE_S
    for pattern in (".probe-*", ".latest-*", "log/.*", "evidence/.*"):
        yield from sorted(path for path in root.glob(pattern) if path.lstat().st_mtime < idle)


def _unused(folder: Path, since: datetime) -> list[Path]:
    """What no run has used since: a used part's folder has its time set, a file read has its own."""
    if not folder.is_dir():
        return []
    stats = [(path, path.stat()) for path in sorted(folder.glob("[!.]*"))]
    return [path for path, one in stats if max(one.st_mtime, one.st_atime * path.is_file()) < since.timestamp()]


def _made_current(root: Path, entries: Sequence[Mapping[str, Any]]) -> dict[Path, datetime]:
    """Publications that are there -> when they were last made current, oldest first; unlogged ones by their file."""
    told: dict[str, datetime] = {}
    for entry in entries:
        if "publication_id" in entry:
            told.pop(str(entry["publication_id"]), None)  # so that the last line of each gives its place
            told[str(entry["publication_id"])] = datetime.fromisoformat(entry["at"])
    there = [path for path in (root / "publications").glob("[!.]*") if (path / "manifest.json").is_file()]

    def when(path: Path) -> datetime:
        return told.get(path.name) or datetime.fromtimestamp((path / "manifest.json").stat().st_mtime, UTC)

    lines = {name: number for number, name in enumerate(told)}
    return {path: when(path) for path in sorted(there, key=lambda one: (when(one), lines.get(one.name, -1), one.name))}


def _old_publications(root: Path, entries: Sequence[Mapping[str, Any]], since: datetime, keep_last: int) -> list[Path]:
    made = _made_current(root, entries)
    latest = (root / "latest").resolve()
    newest = list(made)[-keep_last:]
    return [path for path, at in made.items() if at < since and path not in newest and path != latest]


def _whole(
    root: Path, entries: Sequence[Mapping[str, Any]], before: date | None, now: datetime
) -> tuple[list[Path], list[str]]:
    """Publications of which even the evidence may go, and those of that age that stay, with why."""
    if before is None:
        return [], []
    if before > now.date():
        raise ConfigError(f"--evidence-before: {before} lies ahead", hint="name a day that is past")
    if kept_until(before) >= now.date():
        raise CreditError(
            f"--evidence-before {before}: decisions of that day must be kept until {kept_until(before)}",
            hint="configs/privacy/purposes.yaml says why; without the option pages, maps and caches go alone",
        )
    logged = {str(e["publication_id"]) for e in entries if "publication_id" in e}
    acted = {str(e[key]) for e in entries for key in ("decided_in", "judged_in") if e.get(key)}
    for entry in entries:  # a person was taken out of it since: the same publication under another name
        acted |= {str(entry["publication_id"])} if entry.get("instead_of") in acted else set()
    gone, kept = [], []
    latest = (root / "latest").resolve()
    for path, at in _made_current(root, entries).items():
        if at.date() >= before:
            continue
        why = (
            "it is the current one" if path == latest
            else "a person acted on it" if path.name in acted
            else "the log of decisions does not know it" if path.name not in logged
            else None
        )  # fmt: skip
        if why is None:
            gone.append(path)
        else:
            kept.append(f"{path.name} stays: {why}")
    return gone, kept


# --- in words ---------------------------------------------------------------------------------------------------------
def prune_lines(found: Pruned, *, done: bool) -> list[str]:
    """What goes or went, kind by kind, in bytes and in words."""
    verb, free = ("removed", "freed") if done else ("would remove", "would free")
    lines = [f"{found.root}: takes {_both(found.taken_bytes)}"]
    lines += [f"  {verb} {n} {_one(kind, n)}: {_both(size)}" for kind, (n, size) in found.counts().items()]
    lines += [f"  {words}" for words in found.kept]
    if found.holder is not None and not done:
        lines.append(f"  run {found.holder} works there now: it may need some of this, and prune waits for no run")
    return [*lines, f"  {free} {_both(found.freed_bytes)}" if found.items else "  nothing to remove"]


def _both(count: int) -> str:
    told = spell_bytes(count)
    return told if told.endswith("bytes") else f"{count} bytes ({told})"


def _one(kind: str, count: int) -> str:
    if kind == "views":
        return "publication's pages and maps" if count == 1 else "publications' pages and maps"
    words = {"coverage": "coverage files", "publications": "whole publications"}.get(kind, kind)
    return words.removesuffix("s") if count == 1 else words
