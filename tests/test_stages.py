# SPDX-License-Identifier: Apache-2.0
"""Growth stages in farmers' words: every crop, every stage, both languages; and every event has its words."""

from __future__ import annotations

import pytest

from acreline.config import packaged_crops
from acreline.events import list_detectors
from acreline.report.stages import COMMON, GROUPS, OWN, stage_words
from acreline.report.words import word
from acreline.seasons.dates import STAGES


def test_every_stage_has_words_for_every_crop() -> None:
    assert set(COMMON) == set(STAGES)
    for crop in [*packaged_crops(), "unknown", None]:
        for stage in STAGES:
            english, chinese = stage_words(crop, stage)
            assert english
            assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese)


def test_groups_are_of_known_crops_and_stages() -> None:
    crops = [crop for names in GROUPS.values() for crop in names]
    assert len(crops) == len(set(crops))
    assert set(crops) <= set(packaged_crops())
    assert set(OWN) <= set(GROUPS)
    assert all(set(words) <= set(STAGES) for words in OWN.values())


@pytest.mark.parametrize(
    ("crop", "stage", "words"),
    [
        ("winter_cereal", "peak", ("heading", "抽穗期")),
        ("maize", "emerging", ("seedling", "苗期")),
        ("grassland", "permanent", ("standing all year", "常年生长")),
        (None, None, ("not known", "未知")),
        ("maize", "odd_one", ("odd one", "odd one")),
    ],
)
def test_stages_are_told_as_farmers_say(crop: str | None, stage: str | None, words: tuple[str, str]) -> None:
    assert stage_words(crop, stage) == words


@pytest.mark.parametrize("event", list_detectors())
def test_every_event_has_words(event: str) -> None:
    for group, code in (("event", event), ("flag", f"event_{event}")):
        english, chinese = word(group, code)
        assert english != code.replace("_", " ") or event in ("flood", "drought", "frost")
        assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese), (group, code)
