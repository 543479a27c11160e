# SPDX-License-Identifier: Apache-2.0
"""The page of each farm: what it tells, that it asks the net for nothing, and when it is made at all."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from acreline import tables
from acreline.config import read_region
from acreline.errors import ContractError, StoreError
from acreline.plan import Plan, plan_run
from acreline.publish import publish_run
from acreline.report import write_farm_pages, write_map_page
from acreline.report.curve import place_curve
from acreline.report.farm_page import money
from acreline.report.png import colour_png
from acreline.report.read import farm_files
from acreline.report.tell import tell_page
from acreline.store import Store
from tests.made_publication import ODD_FARM, farm_name, make_pictures, make_publication
from tests.test_publish import NOTHING, made_facts
from tests.test_report import Elements

pytestmark = pytest.mark.xdist_group("publish")


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    write_farm_pages(folder, make_pictures())
    return folder


def add_early_crop(folder: Path) -> tuple[str, str]:
    """Give the first parcel of one stand of maize a stand of winter cereal before it; its id and its farm's."""
    stands = pd.read_parquet(folder / "stands.parquet")
    late = stands[stands["crop"] == "maize"].iloc[[0]]
    early = late.assign(slot="A", crop="winter_cereal", crop_set="winter_cereal|none", crop_confidence=0.71)
    both = pd.concat([stands, early]).sort_values(["farm_id", "parcel_id", "slot"], kind="stable")
    tables.write_table(both, folder / "stands.parquet")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["classes"]["crop"]["9"] = ["none", "#cbbfa8", "空闲", "no crop"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return str(late["parcel_id"].iloc[0]), str(late["farm_id"].iloc[0])


def page(publication: Path, farm: str) -> str:
    return (publication / "report" / "farms" / farm_files([farm])[farm]).read_text(encoding="utf-8")


def english(text: str) -> str:
    """The page as an English reader sees it, without markup."""
    text = re.sub(r"<(style|script).*?</\1>", " ", text, flags=re.DOTALL)
    text = re.sub(r'<(span|text)[^>]* ?lang="zh".*?</\1>', "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def chinese(text: str) -> str:
    """The page as a Chinese reader sees it, without markup."""
    text = re.sub(r"<(style|script|svg).*?</\1>", " ", text, flags=re.DOTALL)
    text = re.sub(r'<span lang="en".*?</span>', "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


# --- the pages as files -------------------------------------------------------------------------------------------
def test_every_farm_has_a_page_and_the_map_page_links_to_it(publication: Path) -> None:
    folder = publication / "report" / "farms"
    told = tell_page(publication)["farms"]
    assert {farm["page"] for farm in told} == {f"farms/{path.name}" for path in folder.iterdir()}
    assert next(farm["page"] for farm in told if farm["id"] == "F-004") == "farms/F-004.html"
    for farm in told:
        [back] = [a["href"] for tag, a in Elements(page(publication, farm["id"])).tags if tag == "a"]
        assert back is not None
        assert back.startswith("../index.html#farm=")


def test_two_crops_a_year_are_both_told_with_their_slots(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    parcel, farm = add_early_crop(folder)
    told = tell_page(folder)
    [row] = [row for row in told["parcels"] if row["id"] == parcel and row["status"] != "rejected"]
    assert [(stand["slot"], stand["crop"], stand["crop_set"]) for stand in row["stands"]] == [
        ("A", "winter_cereal", ["winter_cereal", "none"]),
        ("B", "maize", ["maize"]),
    ]
    write_farm_pages(folder, make_pictures())
    text = english(page(folder, farm))
    assert "first crop: Winter cereal or no crop confidence 71%" in text
    assert "second crop: Maize confidence" in text
    assert "第一季" in page(folder, farm)
    [other] = [row for row in told["parcels"] if len(row["stands"]) == 1][:1]
    assert "first crop" not in english(page(folder, other["farm"]))


def test_the_confidence_in_a_farms_main_crop_is_that_of_its_stands(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    before = {farm["id"]: farm["confidence"] for farm in tell_page(folder)["farms"]}
    _, farm = add_early_crop(folder)
    after = {row["id"]: row["confidence"] for row in tell_page(folder)["farms"]}
    assert after[farm] == before[farm]  # another crop on the same land says nothing of it


def test_without_pages_the_map_page_has_no_links(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    assert {farm["page"] for farm in tell_page(folder)["farms"]} == {None}
    assert "report" in write_map_page(folder).parts


def test_pages_of_simulated_land_say_so(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"simulated": True}), encoding="utf-8")
    text = write_farm_pages(folder, make_pictures())[0].read_text(encoding="utf-8")
    assert "on simulated data" in text
    assert "模拟数据" in text
    assert "Copernicus" not in text


def test_same_publication_and_pictures_same_bytes(publication: Path, tmp_path: Path) -> None:
    again = make_publication(tmp_path / "elsewhere")
    for path in write_farm_pages(again, make_pictures()):
        assert path.read_bytes() == (publication / "report" / "farms" / path.name).read_bytes()


@pytest.mark.parametrize("farm", ["F-003", "F-004", "F-006", ODD_FARM])
def test_nothing_on_a_page_points_to_the_net(publication: Path, farm: str) -> None:
    text = page(publication, farm)
    elements = Elements(text)
    for _, attributes in elements.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        for name in ("src", "href", "action", "srcset", "poster"):
            if name in attributes:
                assert str(attributes[name]).startswith(("data:image/png;base64,", "../index.html#farm="))
    assert not re.search(r"https?:|url\(|@import", text)


def test_content_policy_names_exactly_the_script_and_the_style(publication: Path) -> None:
    elements = Elements(page(publication, "F-004"))
    [policy] = [a["content"] for tag, a in elements.tags if tag == "meta" and "http-equiv" in a]
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
        for tag, _, body in elements.inside
    }
    assert policy == (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_a_farm_called_script_stays_text(publication: Path) -> None:
    text = page(publication, ODD_FARM)
    assert "<script>alert" not in text
    assert [tag for tag, _ in Elements(text).tags].count("script") == 1
    assert "&lt;script&gt;alert" in text


def test_names_of_files_are_safe_and_never_collide() -> None:
    odd = ["../../etc/passwd", "a/b", "张三", "", "F 1", "con", "x-1", "A" * 65, "Farm", "farm"]
    files = farm_files(["F-001", "f_2", *odd])
    assert (files["F-001"], files["f_2"]) == ("F-001.html", "f_2.html")
    assert all(re.fullmatch(r"x-[0-9a-f]{16}\.html", files[name]) for name in odd)
    assert len({name.lower() for name in files.values()}) == len(files)


# --- what a page tells --------------------------------------------------------------------------------------------
def test_a_page_tells_outcome_limit_reasons_facts_and_trail(publication: Path) -> None:
    text = english(page(publication, "F-004"))
    farm = next(farm for farm in tell_page(publication)["farms"] if farm["id"] == "F-004")
    for part in (
        *("Approve", money(farm["limit"], "CNY")[0], "The limit is 60 % of the low end of the harvest value."),
        *(f"{farm['mu']:.1f} mu", f"{farm['ha']:.2f} ha", "Maize", "Normal", f"Clear looks{farm['looks']}"),
        *(farm["last"], "(5–95 %)", "Enough evidence", "Amount per mu", "CNY 900 per mu", "health: not validated"),
    ):
        assert part in text
    assert "额度为预计产值下限的60%。" in page(publication, "F-004")
    told = english(page(publication, "F-001"))
    assert "Drought (suspected, nothing else says so): between 2018-06-16 and 2018-06-20" in told
    assert "80% of the parcel, severity 0.40" in told
    assert "There may have been drought on this plot: signs were seen, and nothing else confirms them yet." in told
    assert re.search(r"suspected: model and neighbours disagree on its health\s*· Vigour: usual", told)
    assert "could also be: natural ripening, sown late" in told
    assert "Vigour: usual beside the same crop nearby, very weak beside earlier years" in english(
        page(publication, "F-001")
    )
    assert "长势" in page(publication, "F-001")


def test_chinese_words_are_parted_by_chinese_marks(publication: Path) -> None:
    farms = [farm["id"] for farm in tell_page(publication)["farms"]]
    wrong = {
        mark
        for farm in farms
        for mark in re.findall(r"[\u4e00-\u9fff）](?:[:;,] |\.(?= |$)| \((?=P))", chinese(page(publication, farm)))
    }
    assert wrong == set()
    assert "：" in chinese(page(publication, "F-004"))
    assert "Curve: " in english(page(publication, "F-004")), "an English page keeps its own"


def test_each_parcel_is_shown_with_date_scene_and_curve(publication: Path) -> None:
    text = page(publication, "F-004")
    images = [a for tag, a in Elements(text).tags if tag == "img"]
    assert len(images) == 4  # two parcels, two pictures each
    assert {base64.b64decode(str(a["src"]).partition(",")[2])[:8] for a in images} == {b"\x89PNG\r\n\x1a\n"}
    assert text.count("S2A_31UDS_20180802_0_L2A") == 2
    assert text.count('class="outline"') == 4
    assert "reflectance 0 to 0.25 from black to white, gamma 1.8" in text
    curves = [parcel["curve"] for parcel in tell_page(publication)["parcels"] if parcel["farm"] == "F-004"]
    assert text.count('<circle class="clear"') == sum(curve[3::4].count(1) for curve in curves)
    assert text.count('<line class="cloudy"') == sum(curve[3::4].count(0) for curve in curves)


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (2, "No picture (2018-08-02): the scene could not be read again."),
        (6, "no look saw the whole parcel clear; this one 72 %"),
        (9, "No picture: the parcel was refused – outline encloses no land."),
    ],
)
def test_what_cannot_be_shown_says_why(publication: Path, owner: int, words: str) -> None:
    assert words in english(page(publication, farm_name(owner)))


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        ("overlapping_claim", "41.0% of it is also parcel P99 of theirs"),
        ("few_clear_looks", "3 clear looks; was claimed_before_by_other; 41.0% of it lay with farm P99"),
    ],
)
def test_a_farmers_page_names_no_other_farm(tmp_path: Path, reason: str, detail: str) -> None:
    folder = make_publication(tmp_path / "publication")
    parcels = pq.read_table(folder / "parcels.parquet")
    hit = np.array(parcels["farm_id"].to_pylist()) == "F-004"
    for name, value in (("reason", reason), ("detail", detail)):
        old = parcels[name].to_pylist()
        new = [value if here else was for here, was in zip(hit, old, strict=True)]
        parcels = parcels.set_column(parcels.schema.get_field_index(name), name, [new])
    pq.write_table(parcels, folder / "parcels.parquet")
    write_farm_pages(folder, make_pictures())
    text = page(folder, "F-004")
    assert "P99" not in text
    assert next(parcel["detail"] for parcel in tell_page(folder)["parcels"] if parcel["farm"] == "F-004") == detail


def test_a_parcel_without_a_clear_look_says_so(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    write_farm_pages(folder, {})
    text = english(page(folder, "F-004"))
    assert text.count("No picture: on no pass was at least half of the parcel seen without cloud or haze.") == 2


def test_a_refused_twin_does_not_show_the_picture_of_its_namesake(publication: Path) -> None:
    """P02 stands twice: measured, and refused as a double."""
    text = page(publication, farm_name(1))
    assert len([tag for tag, _ in Elements(text).tags if tag == "img"]) == 2
    assert "the parcel was refused – parcel id stands twice" in english(text)


def test_a_curve_by_hand() -> None:
    """Days 0, 50 and 100 of a season of 100: clear at 0.5, cloudy, set aside at 1.0."""
    season = ["2018-03-01", "2018-06-09"]
    passes = ["2018-03-01", "2018-04-20", "2018-06-09"]
    told: dict[str, Any] = {"curve": [0, 5000, 100, 1, 1, None, 0, 0, 2, 10_000, 90, 2], "events": []}
    told["stages"] = [{"slot": "B", "crop": "maize", "stage": "harvested", "peak": ["2018-04-20", None]}]
    curve = place_curve(told, passes, season, "2018-04-20")
    assert curve is not None
    left, right, middle = curve["left"], curve["right"], (curve["left"] + curve["right"]) / 2
    depth = curve["floor"] - curve["top"]
    assert curve["dots"] == [(left, pytest.approx(curve["top"] + depth * 0.5 / 1.1, abs=0.06), "2018-03-01 NDVI 0.50")]
    assert curve["aside"] == [(right, curve["top"], "2018-06-09 NDVI 1.00")]
    assert curve["cloudy"] == [middle]
    assert curve["shown"] == middle
    assert curve["stages"] == [(middle, 1.5, middle, "middle", "peak", "峰值", 24)]
    assert [label for _, label, _ in curve["months"]] == ["Mar", "May"]
    assert place_curve({**told, "curve": []}, passes, season, "") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("8000.00", ("8,000 CNY", "8,000元")),
        ("10314.45", ("10,314.45 CNY", "10,314.45元")),
        ("0.00", ("0 CNY", "0元")),
        (None, ("", "")),
    ],
)
def test_money_keeps_its_cents(text: str | None, told: tuple[str, str]) -> None:
    assert money(text, "CNY") == told


def test_a_picture_must_be_red_green_blue_and_opacity() -> None:
    import numpy as np

    with pytest.raises(ContractError, match=r"a picture must be uint8 \(y, x, 4\); found float64 \(2, 2\)"):
        colour_png(np.zeros((2, 2)))  # type: ignore[arg-type]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "publication")
    (folder / "looks.parquet").unlink()
    with pytest.raises(StoreError, match=r"looks\.parquet: no such file"):
        write_farm_pages(folder, {})


# --- when pages are made ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


def test_pages_are_made_up_to_a_number_of_farms_and_only_for_news(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr("acreline.report.write_catalog", lambda folder: None)
    monkeypatch.setattr("acreline.report.write_map_page", lambda folder: None)
    monkeypatch.setattr("acreline.report.write_farm_pages", lambda folder, pictures, earlier: None)
    monkeypatch.setattr("acreline.pictures.picture_parcels", lambda *given: read.append(1))

    def publish(most: int, name: str) -> bool:
        chosen = replace(plan, region=plan.region.model_copy(update={"farm_pages": most}))
        return publish_run(chosen, made_facts(), NOTHING, Store(tmp_path / name))[1]

    assert plan.region.farm_pages == 200
    assert publish(1, "few")  # two farms are more than one
    assert publish(0, "none")
    assert read == []
    assert publish(2, "two")
    assert not publish(2, "two")  # no news: nothing is read again
    assert read == [1]
    assert publish(2, "none")  # asked for later: that is news
    assert read == [1, 1]
