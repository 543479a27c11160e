# SPDX-License-Identifier: Apache-2.0
"""The run folder: block parts, publications, the lock and the log.

    OUT/latest             symbolic link to one complete publication
    OUT/publications/<id>  named by the hash of its content
    OUT/parts/<key>        one block's result, named by the hash of all it depends on
    OUT/log/               what happened, run by run; times and retries live here and nowhere else
    OUT/lock               held while a run works

Parts and publications are written beside their place and renamed into it whole, so a reader, and a run after a crash,
sees each of them complete or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acreline.decision_log import log_published
from acreline.errors import BusyError, StoreError
from acreline.hashing import canonical_json, digest, file_sha256
from acreline.layers import Block, Looks, Maps, SceneNote
from acreline.store_files import sync_path, write_text

PART_FILES = ("passes.parquet", "evidence.parquet", "land.parquet")
MAP_LAYERS = ("crop", "health")
ClassTable = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Part:
    """One block's result as it lies on disk."""

    key: str
    block_id: str
    path: Path
    notes: tuple[SceneNote, ...]


class Store:
    """A run folder.

    Raises:
        StoreError: the folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            for name in ("parts", "publications", "log"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StoreError(
                f"{root}: cannot be written: {error.strerror or error}", hint="give a folder you may write with --out"
            ) from error

    # --- one writer -------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def locked(self, run_id: str, started: str, *, sweep: bool = True) -> Iterator[None]:
        """Hold the region for one run; the operating system frees it when the process ends, however it ends.

        Args:
            run_id: who holds it, told to whoever comes too late.
            started: since when.
            sweep: take away first what killed runs left half made.

        Raises:
            BusyError: another run holds it; the message names its id and start.
        """
        from filelock import FileLock, Timeout

        lock, holder = FileLock(self.root / "lock"), self.root / "log" / "holder.json"
        try:
            lock.acquire(timeout=0.2)  # `acreline status` looks at a lock by holding it for an instant
        except Timeout as error:
            raise BusyError(
                f"{self.root.name}: another run holds this region: {_holder(holder)}",
                hint="wait until it has ended; nothing was changed",
            ) from error
        except OSError as error:
            raise _storage(error, self.root / "lock") from error
        try:
            try:
                if sweep:
                    self._sweep()
                write_text(holder, canonical_json({"run": run_id, "started": started}))
            except OSError as error:
                raise _storage(error, holder) from error
            yield
        finally:
            with contextlib.suppress(OSError):
                holder.unlink()
            lock.release()

    def _sweep(self) -> None:
        """Take away what killed runs left half made; nobody else writes here while the lock is held."""
        for folder in (self.root / "parts", self.root / "publications"):
            for left in sorted(folder.glob(".*")):
                shutil.rmtree(left, ignore_errors=True)
        for link in sorted(self.root.glob(".latest-*")):
            link.unlink()

    # --- parts ------------------------------------------------------------------------------------------------
    def part(self, key: str) -> Part | None:
        """The part of that key, if it is there whole."""
        path = self.root / "parts" / key
        try:
            head = json.loads((path / "part.json").read_text(encoding="utf-8"))
            seal = head.pop("seal")
            if seal == digest(head) and all(file_sha256(path / name) == sha for name, sha in head["files"].items()):
                notes = (SceneNote(**{**note, "green": tuple(note["green"])}) for note in head["notes"])
                with contextlib.suppress(OSError):
                    os.utime(path)  # `acreline prune` keeps what was used of late
                return Part(key, head["block_id"], path, tuple(notes))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # cut short, or not there at all
        shutil.rmtree(path, ignore_errors=True)  # rotten: made again rather than used
        return None

    def save_block(
        self, key: str, block: Block, looks: Looks, maps: Maps, notes: Sequence[SceneNote], classes: ClassTable
    ) -> Part:
        """Keep one block's looks and maps under its key.

        Args:
            key: hash of all the part depends on.
            block: the block.
            looks: its looks.
            maps: its maps.
            notes: what reading found about each scene.
            classes: layer -> code -> [name, colour, ...], for the maps' class tables.

        Raises:
            StoreError: it cannot be written; nothing of it stays under its final name.
        """
        from acreline.rasters import write_cog
        from acreline.tables import write_table

        final = self.root / "parts" / key
        staging = self.root / "parts" / f".{key}-{uuid.uuid4().hex[:8]}"
        try:
            staging.mkdir()
            for name, table in zip(PART_FILES, (looks.passes, looks.evidence, looks.land), strict=True):
                write_table(table, staging / name)
            for layer in MAP_LAYERS:
                values = maps[layer].to_numpy()
                write_cog(
                    staging / f"{layer}.tif",
                    values,
                    crs=maps.attrs["crs"],
                    origin_x=maps.attrs["origin_x"],
                    origin_y=maps.attrs["origin_y"],
                    row=maps.attrs["row"],
                    col=maps.attrs["col"],
                    nodata=0,
                    class_table={int(code): (entry[0], entry[1]) for code, entry in classes[layer].items()},
                    tags={"block": block.block_id, "layer": layer},
                    descriptions=[f"crop of slot {slot}" for slot in maps["slot"].to_numpy()]
                    if layer == "crop"
                    else [layer],
                )
            files = {path.name: file_sha256(path) for path in sorted(staging.iterdir())}
            head = {"block_id": block.block_id, "notes": [asdict(note) for note in notes], "files": files}
            write_text(staging / "part.json", canonical_json({**head, "seal": digest(head)}))
            if final.exists():
                shutil.rmtree(final)
            staging.rename(final)
        except (OSError, StoreError) as error:
            raise _storage(error, final) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)  # renamed by now, unless something went wrong
        return Part(key, block.block_id, final, tuple(notes))

    def looks(self, parts: Iterable[Part]) -> Iterator[Looks]:
        """The looks of some parts, one after another."""
        import pandas as pd

        for part in parts:
            yield Looks(*(pd.read_parquet(part.path / name) for name in PART_FILES))

    # --- publications -----------------------------------------------------------------------------------------
    @property
    def latest(self) -> Path | None:
        """The folder of the current publication, or None."""
        link = self.root / "latest"
        return link.resolve() if link.is_symlink() and link.exists() else None

    def manifest(self) -> dict[str, Any] | None:
        """The current publication's manifest, or None."""
        return None if self.latest is None else read_manifest(self.latest)

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to build a publication in; gone afterwards unless it was published."""
        path = self.root / "publications" / f".staging-{uuid.uuid4().hex[:8]}"
        try:
            path.mkdir()
            yield path
        except OSError as error:
            raise _storage(error, path) from error
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, staging: Path, manifest: Mapping[str, Any]) -> Path:
        """Give a complete staging folder its manifest and name, and point `latest` at it in one step.

        Returns:
            the publication's folder. A publication of the same content that is there already stays; files of it that
            were edited or removed are put back.
        """
        files = {
            path.relative_to(staging).as_posix(): file_sha256(path)
            for path in sorted(staging.rglob("*"))
            if path.is_file()
        }
        publication_id = digest([dict(manifest), files])
        whole = {"publication_id": publication_id, **manifest, "files": files}
        write_text(staging / "manifest.json", json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        final = self.root / "publications" / publication_id
        if not final.exists():
            for path in staging.rglob("*"):
                if path.is_file():
                    sync_path(path)
            staging.rename(final)
            sync_path(final.parent)
        else:
            _put_back(final, staging, {*files, "manifest.json"})
        log_published(self.root, manifest, publication_id)
        link = self.root / f".latest-{uuid.uuid4().hex[:8]}"
        link.symlink_to(Path("publications") / publication_id)
        link.replace(self.root / "latest")
        sync_path(self.root)
        return final


def is_locked(root: Path) -> bool:
    """Whether a run holds a run folder at this moment; the folder is only read."""
    from filelock import FileLock, Timeout

    if not (root / "lock").exists():
        return False
    try:
        with FileLock(root / "lock", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # not ours to open: nothing can be said
        return False


def read_manifest(publication: Path) -> dict[str, Any]:
    """The manifest of a publication.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    try:
        manifest = json.loads((publication / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: no readable manifest.json", hint="give the OUT folder of a run") from error
    if not isinstance(manifest, dict):
        raise StoreError(f"{publication}: manifest.json is not a mapping", hint="publish the run again")
    return manifest


def open_publication(run: Path | str) -> Path:
    """The publication a user means by RUN.

    Args:
        run: an OUT folder, its `latest`, or a publication itself.

    Returns:
        the publication's folder, links followed: a run that publishes later does not change it.

    Raises:
        StoreError: there is no publication there.
    """
    for path in (Path(run) / "latest", Path(run)):
        if (path / "manifest.json").is_file():
            return path.resolve()
    raise StoreError(f"{run}: no publication here", hint="give the OUT folder of `acreline run`")


def verify_publication(publication: Path, *, pruned: Collection[str] = ()) -> list[str]:
    """Hold every file of a publication against the hashes of its manifest.

    Args:
        publication: its folder, from `open_publication`.
        pruned: files and folders of it that may be missing, since the log says they were taken away
            (`decision_log.pruned_files`).

    Returns:
        every file that is missing, changed or extra; an empty list means untouched since publishing.
    """
    manifest = read_manifest(publication)
    wanted = manifest.get("files")
    if not isinstance(wanted, dict) or "publication_id" not in manifest:
        raise StoreError(f"{publication}: manifest.json names no files", hint="it was edited: run the region again")
    found = {
        path.relative_to(publication).as_posix(): path
        for path in sorted(publication.rglob("*"))
        if path.is_file() and path != publication / "manifest.json"
    }
    missing = [name for name in sorted(set(wanted) - set(found)) if name.split("/")[0] not in pruned]
    faults = [f"missing: {name}" for name in missing]
    faults += [f"extra: {name}" for name in sorted(set(found) - set(wanted))]
    faults += [f"changed: {n}" for n in sorted(set(wanted) & set(found)) if file_sha256(found[n]) != wanted[n]]
    head = {name: value for name, value in manifest.items() if name not in ("publication_id", "files")}
    if digest([head, wanted]) != manifest["publication_id"]:
        faults.append("changed: manifest.json")
    return faults


def _holder(path: Path) -> str:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        return f"run {head['run']}, started {head['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a run that has just started"


def _put_back(final: Path, staging: Path, names: set[str]) -> None:
    """Make a publication what it was when it was made, file by file, so that no reader finds it missing."""
    for path in sorted(final.rglob("*")):
        if path.is_file() and path.relative_to(final).as_posix() not in names:
            path.unlink()
    for name in sorted(names):
        if not (final / name).is_file() or file_sha256(final / name) != file_sha256(staging / name):
            (final / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(final / name)


def _storage(error: OSError | StoreError, path: Path) -> StoreError:
    where = path if path.exists() else path.parent
    free = shutil.disk_usage(where).free if where.exists() else 0
    return StoreError(
        f"{path}: cannot be written: {getattr(error, 'strerror', None) or error} ({free // 1_000_000} MB free)",
        hint="free some space or give another folder with --out, then run again: what is done is kept",
    )
