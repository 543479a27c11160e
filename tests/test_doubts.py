# SPDX-License-Identifier: Apache-2.0
"""What is open about parcels and farms, where people read it: `acreline explain`, the farm pages and the map page."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acreline import tables
from acreline.codes import Seen, all_codes
from acreline.desk import explain_farm
from acreline.errors import StoreError
from acreline.report import write_farm_pages, write_map_page
from acreline.report.doubts import (
    Doubt,
    Frame,
    farm_doubts,
    open_farm,
    parcel_doubts,
    read_codes,
    read_frame,
    settle,
)
from acreline.report.tell import tell_page
from tests.made_publication import farm_name, make_pictures, make_publication

FRAME = Frame(date(2018, 1, 1), date(2018, 12, 15), date(2018, 4, 11))
QUIET = open_farm(None, (), 4, ())


def parcel(**changes: Any) -> dict[str, Any]:
    return {"id": "P1", "status": "ok", "reason": None, "detail": None, "looks": 4} | changes


def codes(doubts: list[Doubt]) -> list[str]:
    return [doubt.code for doubt in doubts]


# --- by hand ------------------------------------------------------------------------------------------------------
def test_a_parcels_codes_come_from_every_table_each_once() -> None:
    rows = [
        {"code": "peak_not_reached|few_pixels", "crop": "maize"},
        {"code": "in_season|no_weather|few_pixels", "crop": "maize"},
        {"code": None},
        {"code": "suspected", "event": "drought"},
        {"code": "outside_growth", "event": "flood"},
    ]
    told = parcel_doubts(parcel(), rows, QUIET, FRAME)
    assert codes(told) == ["few_pixels", "in_season", "no_weather", "suspected", "event_drought", "outside_growth"]
    by_code = {doubt.code: doubt.seen for doubt in told}
    assert by_code["in_season"] == Seen(FRAME.as_of, FRAME.start, FRAME.end, 4, None, "5 Sep to 15 Oct")
    assert settle(told) == [
        {"action": "wait", "until": "2018-09-05", "codes": [["in_season", ["P1"]]]},
        {
            "action": "photo",
            "until": None,
            "codes": [["few_pixels", ["P1"]], ["suspected", ["P1"]], ["event_drought", ["P1"]]],
        },
    ]


def test_of_a_parcel_that_may_not_be_judged_only_the_reason_is_told() -> None:
    row = [{"code": "few_pixels", "crop": "maize"}]
    poor = parcel(
        status="insufficient",
        reason="few_clear_looks",
        detail="4 clear looks (needs 6); was overlapping_claim; 3 % of it is also parcel P2; scenes_lost 2",
    )
    told = parcel_doubts(poor, row, QUIET, FRAME)
    assert codes(told) == ["few_clear_looks", "overlapping_claim", "scenes_lost"]
    assert [(one["action"], one["until"]) for one in settle(told)] == [
        ("rerun", None),
        ("wait", "2018-05-31"),  # two more looks, one every 25 days
        ("documents", None),
    ]


def test_a_doubtful_crop_is_told_where_it_stands_whatever_the_policy_takes() -> None:
    row = [{"code": "crop_doubtful", "crop": "maize"}]
    for farm in (QUIET, open_farm(None, (), 4, [("crop_doubtful", "refer", {})])):
        theirs = parcel_doubts(parcel(), row, farm, FRAME)
        assert [(doubt.code, doubt.parcel_id) for doubt in farm_doubts(farm, theirs, FRAME)] == [
            ("crop_doubtful", "P1")
        ]
    idle = [{"code": "no_crop", "crop": "none"}]
    assert codes(parcel_doubts(parcel(), idle, QUIET, FRAME)) == ["no_crop"]


def test_what_was_declared_and_differs_is_told_of_its_parcel() -> None:
    told = parcel_doubts(parcel(code="planted_area_differs"), [], QUIET, FRAME)
    assert codes(told) == ["planted_area_differs"]
    assert settle(told) == [{"action": "photo", "until": None, "codes": [["planted_area_differs", ["P1"]]]}]


def test_a_farm_adds_what_no_parcel_says_and_waits_for_the_slowest() -> None:
    steps = [("few_clear_looks", "refer", {"min_clear_looks": "6 times"}), ("capacity", None, {})]
    farm = open_farm("few_clear_looks", ("debt_unknown",), 2, steps)
    assert (farm.codes, farm.looks, farm.wanted) == (("few_clear_looks", "debt_unknown"), 2, 6)
    theirs = [
        *parcel_doubts(parcel(reason="few_clear_looks", status="insufficient"), [], farm, FRAME),
        *parcel_doubts(parcel(id="P2", reason="few_clear_looks", status="insufficient", looks=3), [], farm, FRAME),
    ]
    told = settle(farm_doubts(farm, theirs, FRAME))
    assert told == [
        {"action": "wait", "until": "2018-07-20", "codes": [["few_clear_looks", ["P1", "P2"]]]},  # 3 more, 100/3 days
        {"action": "documents", "until": None, "codes": [["debt_unknown", []]]},
    ]


def test_a_flag_that_a_parcels_code_raised_is_told_with_the_parcel() -> None:
    farm = open_farm(None, ("event_late_failed",), 4, ())
    theirs = parcel_doubts(parcel(), [{"code": "weak_peak", "crop": "maize"}], farm, FRAME)
    assert [(doubt.code, doubt.parcel_id) for doubt in farm_doubts(farm, theirs, FRAME)] == [("weak_peak", "P1")]
    assert codes(farm_doubts(farm, [], FRAME)) == ["event_late_failed"]


def test_without_the_days_of_the_run_no_day_is_told() -> None:
    assert read_frame({"as_of": "2018-04-11"}) is None
    assert read_frame({"season": {"start": "2018-01-01", "end": None}, "as_of": "2018-04-11"}) is None
    assert read_frame({"season": {"start": "2018-01-01", "end": "2018-12-15"}, "as_of": "2018-04-11"}) == FRAME
    [told] = settle(parcel_doubts(parcel(reason="stale_look", status="insufficient"), [], QUIET, None))
    assert told == {"action": "wait", "until": None, "codes": [["stale_look", ["P1"]]]}


# --- in a publication ---------------------------------------------------------------------------------------------
AS_OF = "2018-07-01"


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn publication as it was known in summer: one parcel too cloudy, one still growing, one of two crops."""
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8")) | {"as_of": AS_OF}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    stands = pd.read_parquet(folder / "stands.parquet")
    stands.loc[stands["parcel_id"] == "P18", "code"] = "in_season"
    stands.loc[stands["parcel_id"] == "P17", "code"] = "few_neighbours"
    tables.write_table(stands, folder / "stands.parquet")
    parcels = pq.read_table(folder / "parcels.parquet")
    texts, names = parcels["detail"].to_pylist(), parcels["id"].to_pylist()
    texts[names.index("P06")] = "8 clear looks (needs 10)"
    counts = parcels["clear_looks"].to_pylist()
    counts[names.index("P06")] = 8
    for name, values in (("detail", texts), ("clear_looks", counts)):
        at = parcels.schema.get_field_index(name)
        parcels = parcels.set_column(at, parcels.field(at), pa.array(values, type=parcels.field(at).type))
    pq.write_table(parcels, folder / "parcels.parquet")
    write_farm_pages(folder, make_pictures())
    write_map_page(folder)
    return folder


def test_every_code_in_its_tables_is_known(publication: Path) -> None:
    found = {
        code for rows in read_codes(publication).values() for row in rows for code in (row["code"] or "").split("|")
    }
    assert found - {""} == {"in_season", "few_neighbours", "suspected"}
    assert found - {""} <= set(all_codes())


def test_explain_says_what_would_settle_a_referral(publication: Path) -> None:
    lines = explain_farm(publication, farm_name(4), "en")
    assert lines[lines.index("Noted:") + 1] == "- P06 too few clear looks: 8 clear looks (needs 10)"
    at = lines.index("What would settle it, cheapest first:")
    # 8 clear looks in 273 days, two more are wanted: 2 x 273 / 8 = 68.25 days, so the 69th
    assert lines[at + 1 :] == ["- wait for more clear pictures, until about 2018-09-08: too few clear looks (P06)"]
    told = explain_farm(publication, farm_name(4), "zh")
    assert told[told.index("备注：") + 1] == "- P06 清晰观测不足：8 次清晰观测（需 10 次）"
    assert told[-2:] == [
        "可消除疑点的办法，花费最少的在前：",
        "- 等待更多清晰影像，约至 2018-09-08：清晰观测不足（P06）",
    ]


def test_explain_names_the_parcels_of_each_doubt(publication: Path) -> None:
    """Farm 12: P18 grows still, P19 lies on ground that another farm claims."""
    lines = explain_farm(publication, farm_name(12), "en")
    told = lines[lines.index("What would settle it, cheapest first:") + 1 :]
    assert [line.split(":")[0].split(",")[0] for line in told] == [
        "- wait for more clear pictures",
        "- the figure or paper that is missing",
    ]
    assert told[1].endswith("two farms claim the same ground (P19)")
    assert "peak not reached yet (P18)" in told[0]


def test_explain_of_a_farm_with_nothing_open_ends_with_what_grew(publication: Path) -> None:
    told = explain_farm(publication, farm_name(3), "en")
    grown = (
        "Maize: harvested, up 2018-05-19 ± 4 days, fullest 2018-07-28 ± 4 days, ripening from 2018-09-16 ± 4 days, "
        "cut 2018-10-06 ± 4 days; crops seen this year: 1"
    )
    closing = "You may ask at any time that a person looks at this again."
    assert told[-3:] == ["Stage:", f"- P04 {grown}", f"- P05 {grown}"]
    assert told[told.index(closing) + 1] == "Areas:"
    assert explain_farm(publication, farm_name(3), "zh")[-1] == (
        "- P05 玉米：已收获，出苗2018-05-19 ± 4天，最茂盛2018-07-28 ± 4天，"
        "开始成熟2018-09-16 ± 4天，收割2018-10-06 ± 4天；"
        "全年种植季数：1"
    )
    assert explain_farm(publication, farm_name(11), "en")[-2:] == [
        "Noted:",
        "- too few fields of the crop to compare with (P17)",  # a note asks for nothing
    ]
    assert explain_farm(publication, farm_name(11), "zh")[-2:] == ["备注：", "- 可比田块过少（P17）"]


def test_explain_names_a_few_parcels_and_counts_the_others(publication: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.report.explain.MOST_NAMED", 1)
    monkeypatch.setattr(
        "acreline.report.explain.read_parcels",
        lambda folder, farm: [parcel(id=name, status="failed", reason="block_failed") for name in ("A", "B", "C")],
    )
    assert "its pixels could not be read (A and 2 more)" in "\n".join(explain_farm(publication, farm_name(3), "en"))
    assert "像元读取失败（A等3块）" in "\n".join(explain_farm(publication, farm_name(3), "zh"))
    assert "What would make it surer, cheapest first:" in explain_farm(publication, farm_name(3), "en")
    assert "可使结论更确切的办法，花费最少的在前：" in explain_farm(publication, farm_name(3), "zh")


def test_explain_of_a_publication_that_lost_a_table_is_refused(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    (folder / "growth.parquet").unlink()
    with pytest.raises(StoreError, match=r"growth\.parquet: no such file"):
        explain_farm(folder, farm_name(3), "en")


def test_the_pages_are_told_codes_actions_and_days(publication: Path) -> None:
    told = tell_page(publication)
    rows = {(row["id"], row["status"]): row for row in told["parcels"]}
    assert rows["P06", "insufficient"]["settle"] == [
        {"action": "wait", "until": "2018-09-08", "codes": [["few_clear_looks", ["P06"]]]}
    ]
    assert rows["P17", "ok"]["notes"] == ["few_neighbours"]
    assert rows["P17", "ok"]["settle"] == []
    assert rows["P02", "rejected"]["settle"] == [
        {"action": "documents", "until": None, "codes": [["duplicate_id", ["P02"]]]}
    ]
    farm = next(farm for farm in told["farms"] if farm["id"] == farm_name(12))
    assert [one["action"] for one in farm["settle"]] == ["wait", "documents"]
    assert set(told["words"]["action"]) == {"rerun", "wait", "photo", "boundary", "documents", "visit", "none"}


def test_a_farm_page_says_of_each_parcel_what_is_open(publication: Path) -> None:
    text = (publication / "report" / "farms" / "F-013.html").read_text(encoding="utf-8")
    parts = text.split('<article class="parcel">')
    assert len(parts) == 3
    for part, english, han in (
        (parts[1], "wait for more clear pictures", "尚未达到峰值"),
        (parts[2], "the figure or paper that is missing", "两户申报同一地块"),
    ):
        listed = part[part.index('<ul class="settle">') : part.index("</ul>")]
        assert english in listed
        assert han in listed
    assert "What would settle it" in parts[0]
    for lang, other, told in (("en", "zh", "(P19)"), ("zh", "en", "（P19）")):
        read = re.sub(r"<[^>]+>", "", re.sub(rf'<span lang="{other}">.*?</span>', "", parts[0]))
        assert told in read, lang
    note = (publication / "report" / "farms" / "F-012.html").read_text(encoding="utf-8")
    assert "too few fields of the crop to compare with" in note
    assert "可比田块过少" in note
    assert "What would" not in note


def test_a_gap_and_a_doubtful_boundary_are_told_on_both_pages_and_explained(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    seasons = pd.read_parquet(folder / "seasons.parquet")
    seasons.loc[seasons["parcel_id"] == "P18", "code"] = "mixed_parcel|long_gap"
    tables.write_table(seasons, folder / "seasons.parquet")
    write_farm_pages(folder, make_pictures())
    rows = {(row["id"], row["status"]): row for row in tell_page(folder)["parcels"]}
    assert rows["P18", "ok"]["settle"] == [
        {"action": "photo", "until": None, "codes": [["long_gap", ["P18"]]]},
        {"action": "boundary", "until": None, "codes": [["mixed_parcel", ["P18"]]]},
    ]
    page = (folder / "report" / "farms" / "F-013.html").read_text(encoding="utf-8")
    for lang in ("en", "zh"):
        explained = "\n".join(explain_farm(folder, farm_name(12), lang))
        for code in ("long_gap", "mixed_parcel"):
            words = all_codes()[code].short[lang == "zh"]
            assert words in page
            assert words in explained


def test_what_one_parcel_says_is_not_said_twice_on_its_farms_page(publication: Path) -> None:
    text = (publication / "report" / "farms" / "F-005.html").read_text(encoding="utf-8")
    assert text.count('<ul class="settle">') == 1
