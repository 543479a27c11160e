# SPDX-License-Identifier: Apache-2.0
"""Trails that earlier code wrote: made again byte for byte, a real difference told, and still opened for a reader."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acreline.credit import EDITION, earlier
from acreline.credit.actions import advise
from acreline.desk import explain_farm
from acreline.lineage import LINEAGE_FILE, deciding_code, read_lineage
from acreline.replay import replay_lines, replay_run
from acreline.report.farm_page import render_farm
from acreline.report.letter import render_letter
from acreline.report.words import WORDS
from tests.made_evidence import edit_line
from tests.made_trail import FIRST, TRAILS, kept_trails
from tests.test_cli import Acreline, acreline, refused

__all__ = ["acreline"]  # the fixture
LINES = {"F-004": 3, "F-007": 6}
"""Of the first kept trail: one who gets what was asked for, one who declared other crops than were seen."""
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(FIRST, tmp_path / "copied"))
    (folder / "manifest.json").write_text("{}", encoding="utf-8")  # which makes a folder a publication
    return folder


def changed(publication: Path) -> dict[str, tuple[str, ...]]:
    return {one.farm_id: one.changes for one in replay_run(publication, whole=True).decisions if not one.same}


# --- the same ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kept", kept_trails(), ids=lambda path: "/".join(path.parts[-2:]))
def test_a_kept_trail_of_every_edition_is_made_again_byte_for_byte(kept: Path) -> None:
    """Red where a fact was renamed or put in other words: `credit/earlier.py` wants a row, and a new trail is kept."""
    assert changed(kept) == {}


def test_a_trail_of_each_edition_is_kept_and_says_which_it_is() -> None:
    assert sorted({path.parts[-2] for path in kept_trails()}) == [str(edition) for edition in range(EDITION + 1)]
    for path in kept_trails():
        assert earlier.edition_of(read_lineage(path)["code"]) == int(path.parts[-2])
    assert [row.edition for row in earlier.RENAMED] == list(range(1, EDITION + 1))
    assert deciding_code() not in earlier.UNNUMBERED
    assert TRAILS in FIRST.parents


def test_the_first_publication_of_the_demo_is_told_with_what_was_renamed(copy: Path, acreline: Acreline) -> None:
    done = acreline("replay", copy, "--all")
    assert done.code == 0, done.err
    assert done.out.splitlines()[1:] == [
        "trail: written before 2026-11-27, when evidence_bar showed declared_but_seen as declared, seen;"
        " compared by those names",
        "7 of 7 decisions: same, byte for byte (7 in the trail)",
    ]
    assert replay_lines(replay_run(TRAILS / "0" / "flanders"))[2] == (
        "trail: written before 2026-11-27, when evidence_bar did not show declared, seen, could_be yet;"
        " compared without"
    )


# --- a real difference ------------------------------------------------------------------------------------------------
def other_crop_seen(raw: dict[str, Any]) -> None:
    raw["trail"][0]["evidence"]["seen"] = "maize, wheat"


def other_sentence(raw: dict[str, Any]) -> None:
    step = next(step for step in raw["trail"] if step["code"] == "declared_crop_differs")
    step["text_zh"] = step["text_zh"].replace("申报", "申请")


def other_limit(raw: dict[str, Any]) -> None:
    raw["limit"] = "90"


def other_reasons(raw: dict[str, Any]) -> None:
    raw["reasons"] = raw["reasons"][1:]


def other_fact_of_the_farm(raw: dict[str, Any]) -> None:
    for stand in raw["farm"]["stands"]:
        stand["crop"] = "maize" if stand["crop"] == "grassland" else stand["crop"]


@pytest.mark.parametrize(
    ("farm_id", "change", "told"),
    [
        ("F-007", other_crop_seen, "evidence_bar, seen: maize, wheat -> maize, grassland"),
        ("F-007", other_sentence, "evidence_bar: declared_crop_differs: "),
        ("F-004", other_limit, "limit: 90 -> "),
        ("F-007", other_reasons, "reasons: crop_doubtful, mixed_parcel -> declared_crop_differs"),
        ("F-007", other_fact_of_the_farm, "evidence_bar, seen: maize, grassland -> "),
    ],
)
def test_a_difference_that_no_row_explains_is_told_though_the_chain_was_forged(
    copy: Path, acreline: Acreline, farm_id: str, change: Change, told: str
) -> None:
    edit_line(copy, LINES[farm_id], change, reseal=True)
    done = acreline("replay", copy, "--all")
    refused(done, 6, "1 of 7 decisions are not made again as published")
    assert f"{farm_id}: not the same" in done.out.splitlines()
    assert any(line.strip().startswith(told) for line in done.out.splitlines()), done.out


def test_a_row_is_needed(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "RENAMED", earlier.RENAMED[:1])
    found = changed(copy)
    assert sorted(found) == ["F-002", "F-006", "F-007"]
    assert "evidence_bar, declared_but_seen: none -> pulses declared, grassland seen" in found["F-002"]


def test_a_row_speaks_of_older_trails_alone(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old names in a trail that says it is of the new edition are a difference."""
    monkeypatch.setitem(earlier.UNNUMBERED, read_lineage(copy)["code"]["decides"], EDITION)
    assert "evidence_bar, seen: grassland -> none" in changed(copy)["F-002"]


def test_a_trail_of_code_to_come_is_noted(copy: Path) -> None:
    path = copy / LINEAGE_FILE
    lineage = json.loads(path.read_text(encoding="utf-8"))
    lineage["code"]["trail"] = EDITION + 1
    path.write_text(json.dumps(lineage), encoding="utf-8")
    words = (
        f"trail: of edition {EDITION + 1}, newer than this code knows ({EDITION}): compare with the code that made it"
    )
    assert words in replay_run(copy).notes


# --- for a reader -----------------------------------------------------------------------------------------------------
def test_every_fact_of_a_kept_trail_has_its_words() -> None:
    names = {
        name
        for path in kept_trails()
        for line in (path / "trail.jsonl").read_text(encoding="utf-8").splitlines()
        for step in json.loads(line)["trail"]
        for name in step["evidence"]
    }
    assert {"declared", "seen", "declared_but_seen"} <= names
    assert names - set(WORDS["fact"]) == set()


def test_an_old_trail_is_explained_written_as_a_letter_and_shown_on_the_farms_page(
    demo_run: Path, tmp_path: Path
) -> None:
    publication = Path(shutil.copytree(demo_run / "latest", tmp_path / "old"))
    for name in (LINEAGE_FILE, "trail.jsonl"):
        shutil.copy(FIRST / name, publication / name)
    assert any("Declared: pulses; seen: grassland." in line for line in explain_farm(publication, "F-002", "en"))
    for lang, said in (("en", "Declared: pulses; seen: grassland."), ("zh", "申报：豆类；看到：草地。")):
        assert said in html.unescape(render_letter(publication, "F-002", lang, advise))
    shutil.rmtree(publication / "report")  # of new code
    page = html.unescape(render_farm(publication, "F-002"))
    assert "Declared: pulses; seen: grassland." in page
    assert "看到" in page
