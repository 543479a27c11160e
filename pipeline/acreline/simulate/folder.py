# SPDX-License-Identifier: Apache-2.0
"""The folder of a simulated county: made whole or not at all, never over something else."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from acreline.errors import StoreError

MARK = "simulated.json"
MADE = ("scenes", "truth", "parcels.parquet", "applicants.csv", "weather.csv", "region.yaml", "README.md", MARK)
RUN_LEAVES = ("parts", "publications", "log", "latest", "lock", "coverage")
"""What `acreline run` keeps in its folder, which may be this one."""


def what_lies_there(out: Path, key: str, *, force: bool) -> dict[str, int] | None:
    """The counts of the same county if it lies there; None where it is to be made.

    Raises:
        StoreError: something else lies there.
    """
    there = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if out.exists() and not out.is_dir():
        raise StoreError(f"{out}: is a file", hint="give another folder with --out")
    if all(name in RUN_LEAVES for name in there):
        return None
    try:
        mark = json.loads((out / MARK).read_text("utf-8"))
        found, counts = mark["key"], dict(mark["counts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(
            f"{out}: holds {', '.join(there[:3])}{', ...' if len(there) > 3 else ''} and is no simulated county",
            hint="give another folder with --out, or empty this one yourself",
        ) from None
    if force:
        return None
    if found != key:
        raise StoreError(
            f"{out}: holds another simulated county ({mark.get('parcels')} parcels, seed {mark.get('seed')})",
            hint="give another folder with --out, or replace it with --force; what a run left in it stays",
        )
    return counts


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when all is written; what is not ours in `out` moves into it."""
    out = Path(os.path.abspath(out))  # noqa: PTH100 - links are the user's own
    folder, old = (out.parent / f".{out.name}-{word}-{uuid.uuid4().hex[:8]}" for word in ("new", "old"))
    try:
        folder.mkdir(parents=True)
        yield folder
        if out.exists():
            out.rename(old)
        try:
            folder.rename(out)
        except BaseException:
            if old.exists():
                old.rename(out)
            raise
        if old.exists():
            for path in sorted(old.iterdir()):
                if path.name not in MADE:
                    path.rename(out / path.name)
            shutil.rmtree(old)
    except OSError as error:
        raise StoreError(
            f"{out}: cannot be written: {error.strerror or error}", hint="check space and permissions"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
