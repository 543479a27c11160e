# SPDX-License-Identifier: Apache-2.0
"""Files and folders written beside their place and renamed into it: there whole, or as they were before."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from acreline.errors import ConfigError, StoreError
from acreline.store_files import sync_path

CATALOG_ID = "acreline"


@contextlib.contextmanager
def new_file(out: Path, *, replace: bool) -> Iterator[Path]:
    """A path beside `out` to write to; renamed to `out` when the block ends well, else removed.

    Raises:
        ConfigError: `out` is there and may not be replaced, or is a folder.
        StoreError: its folder is not there or cannot be written.
    """
    _check_free(out, replace=replace)
    if out.is_dir():
        raise ConfigError(f"--out: {out} is a folder", hint="name a file")
    beside = out.with_name(f".{out.stem}-{uuid.uuid4().hex[:8]}{out.suffix}")
    try:
        with _told(out):
            beside.touch(exist_ok=False)
            beside.unlink()
            yield beside
            sync_path(beside)
            beside.replace(out)
    finally:
        for left in out.parent.glob(f"{beside.name}*"):  # GDAL may leave a journal
            left.unlink()


@contextlib.contextmanager
def new_folder(out: Path, *, replace: bool) -> Iterator[Path]:
    """A folder beside `out` to fill; renamed to `out` when the block ends well, else removed.

    An earlier export is moved aside and taken away after the new one is in its place; any other folder is left alone.

    Raises:
        ConfigError: `out` is there and may not be replaced, or is no earlier export.
        StoreError: its folder is not there or cannot be written.
    """
    _check_free(out, replace=replace)
    if out.exists() and not _is_export(out):
        raise ConfigError(f"--out: {out} is no earlier export: left alone", hint="name a new folder")
    beside = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}")
    old = beside.with_name(f"{beside.name}-old")
    try:
        with _told(out):
            beside.mkdir()
            yield beside
            for path in sorted(beside.rglob("*")):
                sync_path(path)
            if out.exists():
                out.rename(old)
            beside.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _check_free(out: Path, *, replace: bool) -> None:
    if out.exists() and not replace:
        raise ConfigError(f"--out: {out} is there already", hint="name another place, or add --replace")


def _is_export(folder: Path) -> bool:
    if (folder / "manifest.json").exists():  # a publication: it has such a catalogue too
        return False
    try:
        return bool(json.loads((folder / "catalog.json").read_text(encoding="utf-8"))["id"] == CATALOG_ID)
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextlib.contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{out}: cannot be written: {error.strerror or error}", hint="check the folder of --out"
        ) from error
