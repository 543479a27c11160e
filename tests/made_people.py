# SPDX-License-Identifier: Apache-2.0
"""A run folder with ten decided farms, people with roles, and ways to act as one of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from acreline.chain import Chain
from acreline.decision_log import LOG_FILE, read_log

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOMS = ("decision_log", "people.override", "people.appeals", "people.asks")
PEOPLE = {
    "currency": "CNY",
    "author": "A",
    "approver": "B",
    "appeal_days": 20,
    "roles": {
        "officer": {
            "override": True,
            "ask": True,
            "raise_share": 0.5,
            "raise_amount": 1000,
            "grant_amount": 2000,
            "most_limit": 20000,
        },
        "reviewer": {
            "override": True,
            "close_appeals": True,
            "raise_share": 1,
            "raise_amount": 50000,
            "grant_amount": 9000,
            "most_limit": 90000,
        },
        "clerk": {},
    },
    "people": [
        {"user": "ann", "role": "officer", "valid_from": "2026-01-01", "persons": ["P-00001-CN"], "farms": ["F-004"]},
        {"user": "bo", "role": "officer", "valid_from": "2026-01-01"},
        {"user": "cy", "role": "reviewer", "valid_from": "2026-01-01"},
        {"user": "di", "role": "reviewer", "valid_from": "2026-01-01"},
        {"user": "ed", "role": "officer", "valid_from": "2025-01-01", "valid_to": "2026-03-01"},
        {"user": "flo", "role": "clerk", "valid_from": "2026-01-01"},
    ],
}


def people_file(folder: Path, **changes: object) -> Path:
    path = folder / "people.yaml"
    path.write_text(yaml.safe_dump(PEOPLE | changes), encoding="utf-8")
    return path


def act_as(monkeypatch: pytest.MonkeyPatch, user: str, now: datetime = NOW) -> None:
    """From here on this user sits at the machine."""
    for room in ROOMS:
        monkeypatch.setattr(f"acreline.{room}.user_name", lambda: user)
        monkeypatch.setattr(f"acreline.{room}.utc_now", lambda: now)


def piece(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*more: bytes) -> bytes:
    """One grey pixel, with pieces more before its end."""
    head = piece(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + piece(b"IDAT", zlib.compress(b"\0\x80")) + piece(b"IEND", b"")


def edit_log(root: Path, number: int, change: Callable[[dict[str, object]], None]) -> None:
    """Change one line of the log, counted from 1, without sealing it again."""
    path = root / LOG_FILE
    lines, raw = path.read_text(encoding="utf-8").splitlines(), read_log(root)[number - 1]
    seal = raw["chain"]
    change(raw)
    lines[number - 1] = f'{Chain().seal(raw)[:-66]}{seal}"}}'
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
