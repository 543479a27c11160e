# SPDX-License-Identifier: Apache-2.0
"""Names made from content: equal on every machine, other when anything that counts is other."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline import hashing
from acreline.hashing import PIXEL_ROOMS, canonical_json, digest, file_sha256, files_sha256, pixel_code_digest

PACKAGE = Path(hashing.__file__).parent
NO_PIXELS = {"errors", "config", "settings", "doors", "hashing", "logs", "units", "records", "promises"}
"""Ground that a block's worker imports, but whose code cannot change a number in a part. What a card promises
(`promises`) is asked of whole parcels, after their parts are merged; a part holds the network's own numbers."""


def test_the_same_value_has_the_same_name_everywhere() -> None:
    assert canonical_json({"b": [1, None, "土"], "a": {"y": 2.5, "x": True}}) == (
        '{"a":{"x":true,"y":2.5},"b":[1,null,"土"]}'
    )
    assert canonical_json([date(2018, 1, 2), Decimal("1.50"), datetime(2018, 1, 2, 3, tzinfo=UTC)]) == (
        '["2018-01-02","1.50","2018-01-02 03:00:00+00:00"]'
    )
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()[:16]


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_the_order_of_keys_does_not_count(value: dict[str, int | str | None]) -> None:
    assert digest(dict(reversed(list(value.items())))) == digest(value)


def test_what_is_other_has_another_name() -> None:
    values = [{}, [], {"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": None}, [1, 2], [2, 1], "a", "a ", [["a"], "b"]]
    assert len({digest(value) for value in values}) == len(values)


def test_the_seed_of_the_hashes_does_not_count() -> None:
    script = "from acreline.hashing import *; print(digest({'a': 1, 'b': [2]}), pixel_code_digest())"
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{digest({'a': 1, 'b': [2]})} {pixel_code_digest()}\n"}


def test_files_are_named_by_content_and_place(tmp_path: Path) -> None:
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_bytes(b"one")
    b.write_bytes(b"two")
    assert file_sha256(a) == hashlib.sha256(b"one").hexdigest()
    whole = files_sha256([b, a], tmp_path)
    assert files_sha256([a, b], tmp_path) == whole
    a.write_bytes(b"two")
    b.write_bytes(b"one")
    assert files_sha256([a, b], tmp_path) != whole


def test_the_rooms_whose_code_names_a_part_are_all_there() -> None:
    """A room that was renamed would drop out of the digest in silence."""
    assert [room for room in PIXEL_ROOMS if not (PACKAGE / room).exists()] == []


def test_every_room_that_a_block_passes_through_is_in_its_name() -> None:
    """Whatever load_cube, segment_cube and take_looks import, directly or not, decides what is in a part."""
    waiting, seen = ["imagery", "model", "looks"], set[str]()
    while waiting:
        room = waiting.pop()
        if room in seen:
            continue
        seen.add(room)
        home = PACKAGE / room
        for path in home.rglob("*.py") if home.is_dir() else [PACKAGE / f"{room}.py"]:
            waiting += [name for name in _rooms(path) if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()]
    named = {room.removesuffix(".py") for room in PIXEL_ROOMS}
    assert seen - named - NO_PIXELS == set()


def _rooms(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("acreline."):
            names.append(str(node.module).split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "acreline":
            names += [alias.name for alias in node.names]
    return names


def test_another_line_of_code_is_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "looks.py").write_text("a = 1\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "net.py").write_text("b = 1\n")
    monkeypatch.setattr(hashing, "__file__", str(tmp_path / "hashing.py"))
    before = pixel_code_digest()
    assert pixel_code_digest() == before
    (tmp_path / "model" / "net.py").write_text("b = 2\n")
    assert pixel_code_digest() != before
