# SPDX-License-Identifier: Apache-2.0
"""Names made from content: the same inputs have the same name on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

PIXEL_ROOMS = (
    *("layers.py", "geo.py", "datum.py", "tiles.py", "coverage.py", "cubes.py", "thermal.py", "reflectance.py"),
    *("fetch.py", "geotiff.py", "imagery.py", "rasters.py", "looks.py", "model"),
)
"""Rooms whose code decides what a block's part holds."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spare spaces; what JSON does not know is written as text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def digest(value: Any) -> str:
    """First 16 hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_sha256(paths: Iterable[Path], base: Path) -> str:
    """One SHA-256 over the names (relative to `base`) and contents of some files, in sorted order."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.relative_to(base).as_posix().encode() + b"\0" + bytes.fromhex(file_sha256(path)))
    return total.hexdigest()


def pixel_code_digest() -> str:
    """Digest of the code and the numeric libraries that turn pixels into looks."""
    return code_digest(*PIXEL_ROOMS)


def code_digest(*rooms: str) -> str:
    """Digest of some rooms' code, and of the numeric libraries."""
    base = Path(__file__).parent
    sources: list[Path] = []
    for name in rooms:
        room = base / name
        sources += room.rglob("*.py") if room.is_dir() else [room] if room.exists() else []
    return digest([files_sha256(sources, base), *(f"{name}=={version(name)}" for name in ("torch", "numpy"))])
