# SPDX-License-Identifier: Apache-2.0
"""The figures behind a parcel's status in both languages: each sentence that a stage writes has its Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acreline.report.detail_words import SENTENCES, detail_said

PACKAGE = Path(__file__).parents[1] / "pipeline" / "acreline"
EXAMPLES = {
    "in the season to 2017-12-15 40.0% of it lay with farm Wang": "截至 2017-12-15 的季节中，40.0% 属于农户 Wang",
    "in the season to 2017-12-15 20.0% of it lay with farm X, and parts with 1 more":
        "截至 2017-12-15 的季节中，20.0% 属于农户 X，另有部分属于其他 1 户",
    "drawn 12000 m2, registered 10000 m2 (+20.0%)": "所画面积 12000 平方米，登记面积 10000 平方米（+20.0%）",
    "water on 9 of 10 clear looks, 33% of its pixels in the middle of them":
        "10 次清晰观测中 9 次有水，水面像元占比中位数 33%",
    "road, roof or wood on 8 of 100 full pixels (7% by probability)":
        "100 个完整像元中有 8 个为道路、建筑或林木（按概率 7%）",
    "drawn 9804 m2, its pixels cover 10000 m2 (+2.0%)": "所画面积 9804 平方米，像元覆盖 10000 平方米（+2.0%）",
    "drawn on 2018-11-20, 40 days after the harvest of about 2018-10-11":
        "勾绘于 2018-11-20，约在 2018-10-11 收获后 40 天",
    "12.0% of it is also parcel F-003": "12.0% 与地块 F-003 重叠",
    "90.0% of it is also parcel p 03, and 1 more": "90.0% 与地块 p 03 重叠，另与 1 个地块重叠",
    "4 clear looks (needs 6)": "4 次清晰观测（需 6 次）",
    "newest clear look on 2018-07-01, older than 60 days": "最近清晰观测为 2018-07-01，已超过 60 天",
    "7 full pixels (needs 8), 35% left 5 m inside (needs 40%)":
        "7 个完整像元（需 8 个），向内 5 米后剩余 35%（需 40%）",
    "a block under it could not be measured": "其所在分块未能测定",
    "no block measured it": "没有分块测定过该地块",
    "scenes_lost 2": "2 景覆盖影像无法读取",
    "no value in column 'id'": "'id' 列没有值",
    "another row has the same id": "另一行编号相同",
    "column 'mu' holds no area above zero": "'mu' 列不是大于零的面积",
    "column 'day' holds no day such as 2025-06-01": "'day' 列不是日期（例：2025-06-01）",
    "the row has no outline": "该行没有边界",
    "the outline's bytes cannot be read as a shape": "边界数据无法识别",
    "the outline is a point": "边界不是面，而是 point",
    "2000001 vertices, the limit is 100000": "2000001 个顶点，上限为 100000",
    "a coordinate is not a finite number": "坐标不是有限数值",
    "0.0 m2 as drawn, 3920.4 m2 repaired": "所画面积 0.0 平方米，修复后 3920.4 平方米",
    "less than 1 m2": "小于 1 平方米",
    "14000 ha, the limit is 10000 ha": "14000 公顷，上限为 10000 公顷",
    "only partly inside tile 31UDS": "仅部分位于分幅 31UDS 内",
    "no scene's tile reaches it": "没有影像分幅覆盖该地块",
}  # fmt: skip


@pytest.mark.parametrize("english", EXAMPLES)
def test_a_figure_is_told_in_chinese(english: str) -> None:
    told = detail_said(english)
    assert told is not None
    assert told[1] == EXAMPLES[english]
    assert told[0] == ("2 scenes over it could not be read" if english.startswith("scenes_lost") else english)


def test_every_sentence_has_an_example() -> None:
    unused = [pattern for pattern, _ in SENTENCES if not any(re.fullmatch(pattern, text) for text in EXAMPLES)]
    assert unused == []


def test_every_sentence_is_one_that_a_room_writes() -> None:
    """A room that puts a figure in other words brings their Chinese along."""
    rooms = ("claims.py", "farms/judge.py", "blocks.py", "geo.py", "parcels/read.py", "parcels/overlaps.py")
    text = "".join((PACKAGE / room).read_text(encoding="utf-8") for room in rooms)
    for pattern, _ in SENTENCES:
        plain = max(re.split(r"\(.*?\)|\\.", pattern), key=len).rstrip("(?:").strip()
        assert plain in text, pattern


def test_parts_are_told_one_after_the_other_and_an_unknown_one_as_it_is() -> None:
    assert detail_said(None) is None
    assert detail_said("") is None
    told = detail_said("8 clear looks (needs 10); was overlapping_claim; 9% of it is also parcel x; who knows {0}")
    assert told == (
        "8 clear looks (needs 10); also: two farms claim the same ground; 9% of it is also parcel x; who knows {0}",
        "8 次清晰观测（需 10 次）；另有：两户申报同一地块；9% 与地块 x 重叠；who knows {0}",
    )
