# SPDX-License-Identifier: Apache-2.0
"""A chain of lines: whatever is edited, taken out, put in or moved is found, and its line is named."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest

from acreline.chain import MOST_FAULTS, START, Chain, check_chain, extend_chain, seal_all
from acreline.errors import StoreError

ROWS = [{"farm_id": f"F-{k}", "limit": k * 100, "note": "土"} for k in range(1, 9)]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def lines() -> list[str]:
    return [line.rstrip("\n") for line in seal_all(ROWS, Chain())]


def test_a_line_is_its_content_and_a_hash_of_all_before_it(lines: list[str], tmp_path: Path) -> None:
    first = json.dumps(ROWS[0], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    told = hashlib.sha256((START + first).encode()).hexdigest()
    assert lines[0] == f'{first[:-1]},"chain":"{told}"}}'
    assert json.loads(lines[1])["chain"] != told
    found = check_chain(write(tmp_path / "t.jsonl", lines), head=json.loads(lines[-1])["chain"], lines=8)
    assert (found.faults, found.lines, found.head) == ([], 8, json.loads(lines[-1])["chain"])


def test_an_edit_a_deletion_an_insertion_and_a_move_are_named(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    head = json.loads(lines[-1])["chain"]
    touched = {
        "edited": [lines[0], lines[1], lines[2].replace("300", "900"), *lines[3:]],
        "taken out": [*lines[:2], *lines[3:]],
        "put in": [*lines[:2], lines[5], *lines[2:]],
        "moved": [*lines[:2], lines[3], lines[2], *lines[4:]],
    }
    for what, changed in touched.items():
        found = check_chain(write(path, changed), head=head, lines=8)
        assert any("line 3 does not follow" in fault for fault in found.faults), what
        assert not any("line 1 " in fault or "line 2 " in fault for fault in found.faults), what
    only = check_chain(write(path, touched["edited"])).faults
    assert len(only) == 1  # later lines still follow from what stands there
    assert "(F-3)" in only[0]


def test_what_is_missing_at_the_end_shows_in_the_head_kept_elsewhere(lines: list[str], tmp_path: Path) -> None:
    path, head = tmp_path / "t.jsonl", json.loads(lines[-1])["chain"]
    found = check_chain(write(path, lines[:-1]), head=head, lines=8)
    assert [fault.split(":")[1].strip()[:7] for fault in found.faults] == ["7 lines", "line 7 "]
    assert check_chain(path).faults == []  # without the head nobody could tell
    forged = [line.rstrip("\n") for line in seal_all([{**row, "limit": 1} for row in ROWS], Chain())]
    assert "ends the chain in" in check_chain(write(path, forged), head=head).faults[0]


def test_a_line_without_a_chain_and_a_torn_one_are_named(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write(path, [*lines[:3], json.dumps({"farm_id": "F-9"}), *lines[3:]])
    assert check_chain(path).faults == ["t.jsonl: line 4 has no chain: it was edited or put in (F-9)"]
    path.write_text("\n".join(lines)[:-40], encoding="utf-8")
    assert check_chain(path).faults[0] == "t.jsonl: line 8 was cut short"
    with pytest.raises(StoreError, match="cannot be read"):
        check_chain(tmp_path / "none.jsonl")


def test_many_faults_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", ["{}"] * 50)
    found = check_chain(path)
    assert (len(found.faults), found.more) == (MOST_FAULTS, 50 - MOST_FAULTS)


def test_a_chain_goes_on_where_it_ended(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for row in ROWS:
        path.write_text(extend_chain(path, row), encoding="utf-8")
    assert path.read_text(encoding="utf-8").splitlines() == lines


def test_a_hundred_thousand_lines_are_walked_in_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(seal_all(({"farm_id": f"F-{k}", "words": "x" * 600} for k in range(100_000)), Chain()))
    start = time.perf_counter()
    assert check_chain(path).lines == 100_000
    assert time.perf_counter() - start < 20  # about 0.2 s on one idle core: a loop over JSON would take many times that
