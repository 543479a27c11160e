# SPDX-License-Identifier: Apache-2.0
"""What people ask of a run once it is done."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from acreline.codes import all_codes, split_codes
from acreline.credit import decision_from_json
from acreline.desk import (
    KINDS,
    count_lines,
    decide_again,
    decision_rows,
    explain_farm,
    farm_rows,
    list_kind,
    read_farms,
)
from acreline.errors import ConfigError, StoreError
from acreline.report.doubts import read_codes, read_parcels

pytestmark = pytest.mark.xdist_group("river")


@pytest.fixture
def publication(demo_run: Path) -> Path:
    return (demo_run / "latest").resolve()


def own_policy(repo: Path, folder: Path, share: float, **changes: Any) -> str:
    """The demo policy with every cap multiplied, as a file of one's own."""
    raw = yaml.safe_load((repo / "configs" / "policies" / "demo.yaml").read_text(encoding="utf-8"))
    for rule in raw["rules"]:
        numbers = rule.get("settings", {})
        if rule["rule"] == "crop_cap_per_mu":
            numbers["caps_per_mu"] = {crop: cap * share for crop, cap in numbers["caps_per_mu"].items()}
        if rule["rule"] == "capacity":
            numbers["share"] *= share
        if rule["rule"] == "person_cap":
            numbers["amount"] *= share
    path = folder / "half.yaml"
    path.write_text(yaml.safe_dump({**raw, "id": "half", **changes}), encoding="utf-8")
    return str(path)


def test_the_farms_of_a_run_come_back(publication: Path) -> None:
    farms, day = read_farms(publication)
    assert day == date(2018, 12, 15)
    manifest = json.loads((publication / "manifest.json").read_text())
    assert len(farms) == manifest["counts"]["farms"]["in"]
    assert sum(len(farm.parcel_ids) for farm in farms) == manifest["counts"]["parcels"]["in"]


def test_the_same_policy_decides_the_same(publication: Path) -> None:
    before, after = decide_again(publication, "demo")
    assert after == before


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_smaller_caps_never_give_more(publication: Path, repo: Path, tmp_path: Path, share: float) -> None:
    before, after = decide_again(publication, own_policy(repo, tmp_path, share))
    assert [d.farm_id for d in after] == [d.farm_id for d in before]
    pairs = list(zip(before, after, strict=True))
    both = [(old.limit, new.limit) for old, new in pairs if old.limit is not None and new.limit is not None]
    assert all(new <= old for old, new in both)
    fewer = any(new < old for old, new in both) or any(old.limit and new.limit is None for old, new in pairs)
    assert fewer or share == 0.5  # what was asked for may bind more than half a cap
    assert all(new.outcome == "refer" for old, new in pairs if old.outcome == "refer")
    assert {d.policy_id.split("@")[0] for d in after} == {"half"}
    assert decide_again(publication, "demo")[0] == before  # asking changes nothing


@pytest.mark.parametrize(("pack", "currency", "rate"), [("china", "CNY", None), ("kcc", "INR", Decimal("11.7"))])
def test_the_packs_decide_the_demo_region(publication: Path, pack: str, currency: str, rate: Decimal | None) -> None:
    before, after = decide_again(publication, pack, rate=rate)
    told = {d.farm_id: d for d in after}
    approved = [d.farm_id for d in after if d.outcome == "approve"]
    assert approved == [d.farm_id for d in before if d.outcome == "approve"]  # where enough was seen, as under demo
    assert {d.currency for d in after} == {currency}
    assert told["F-004"].reasons == ("requested",)
    assert all(d.policy_id.startswith(f"{pack}-2017@") for d in after)  # the file that held on the day of the run


def test_the_county_of_a_publication_chooses_its_amounts(publication: Path, tmp_path: Path, repo: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(publication, there)
    manifest = json.loads((there / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["county"] is None  # the region file names none
    (there / "manifest.json").write_text(json.dumps(manifest | {"county": "karnal"}), encoding="utf-8")
    raw = yaml.safe_load((repo / "configs" / "policies" / "kcc" / "2017.yaml").read_text(encoding="utf-8"))
    raw["rules"][1]["settings"]["counties"] = {"karnal": {"grassland": 50_000}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    found = [decide_again(one, str(path), rate=Decimal(100))[1] for one in (publication, there)]
    limits = [{d.farm_id: d.limit for d in decisions}["F-005"] for decisions in found]
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[1] * 10 > limits[0] * 19  # twice the amount, before rounding


def test_another_policy_in_two_columns(publication: Path) -> None:
    before, _ = decide_again(publication, "demo")
    rows = decision_rows(before)
    assert [row["farm_id"] for row in rows] == [d.farm_id for d in before]
    referred = [row["words"] for row, d in zip(rows, before, strict=True) if d.outcome == "refer"]
    assert set(referred) == {"refer"}
    approved = [row["words"] for row, d in zip(rows, before, strict=True) if d.outcome == "approve"]
    assert all(words.startswith("approve ") and words.endswith(" CNY") for words in approved)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_one_row_for_each_farm(publication: Path, lang: str) -> None:
    farms, _ = read_farms(publication)
    before, _ = decide_again(publication, "demo")
    rows = list(farm_rows(farms, before, lang))
    assert [row[0] for row in rows] == [farm.farm_id for farm in farms]
    for row, farm, decision in zip(rows, farms, before, strict=True):
        assert len(row) == 9
        assert row[1] == str(len(farm.parcel_ids))
        assert float(row[2]) == pytest.approx(15 * float(row[3]), abs=0.15)
        assert (row[6] == "-") == (decision.outcome == "refer")
        assert row[8]
    with pytest.raises(ValueError):
        list(farm_rows(farms, before[:-1]))


@pytest.mark.parametrize(("lang", "words"), [("en", ["Reason: ", "Policy demo-1"]), ("zh", ["原因：", "人工复核"])])
def test_a_trail_is_told_in_both_languages(publication: Path, lang: str, words: list[str]) -> None:
    farms, _ = read_farms(publication)
    for farm in farms:
        told = explain_farm(publication, farm.farm_id, lang)
        assert told[0].startswith(farm.farm_id)
        text = "\n".join(told)
        assert "{" not in text
        for word in words:
            assert word in text, farm.farm_id


def test_every_code_of_a_run_has_words_and_an_action(publication: Path) -> None:
    rows = [row for rows in read_codes(publication).values() for row in rows]
    found = {code for row in rows for code in split_codes(row["code"])}
    for farm in read_farms(publication)[0]:
        found |= {*farm.flags, *split_codes(farm.reason), *(stand.code for stand in farm.stands if stand.code)}
        for parcel in read_parcels(publication, farm.farm_id):
            found |= {*split_codes(parcel["reason"])}
    assert len(found) > 5
    assert found <= set(all_codes())


def test_what_cannot_be_explained(publication: Path) -> None:
    farm_id = read_farms(publication)[0][0].farm_id
    with pytest.raises(ConfigError, match="no farm 'nobody'") as caught:
        explain_farm(publication, "nobody", "en")
    assert farm_id in caught.value.hint
    with pytest.raises(ConfigError, match="'fr' is not spoken"):
        explain_farm(publication, farm_id, "fr")
    with pytest.raises(ConfigError, match="'dmeo' is not known") as caught:
        decide_again(publication, "dmeo")
    assert "did you mean 'demo'" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty trail"),
        ("{\n", "line 1"),
        ("[1]\n", "line 1"),
        ("{}\n{", "line 2"),
        ("{}\n", "holds no farm"),
        ('{"farm": {"farm_id": "a"}}\n', "holds no farm"),
        (b"\xff\n", "damaged"),
        (None, "no trail"),
    ],
)
def test_a_damaged_trail_is_a_storage_matter(tmp_path: Path, text: str | bytes | None, words: str) -> None:
    if text is not None:
        (tmp_path / "trail.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StoreError, match=words):
        read_farms(tmp_path)


def test_a_trail_that_lost_its_last_bytes_is_refused(publication: Path, tmp_path: Path) -> None:
    copy = tmp_path / "trail.jsonl"
    shutil.copyfile(publication / "trail.jsonl", copy)
    copy.write_bytes(copy.read_bytes()[:-20])
    with pytest.raises(StoreError, match="damaged: line"):
        read_farms(tmp_path)


def test_a_farm_whose_name_breaks_lines_elsewhere_is_one_line_here(publication: Path, tmp_path: Path) -> None:
    """JSON leaves U+2028 and U+0085 as they are, and Python's splitlines would cut there."""
    odd = "F\u2028\x85\x0b1"
    shutil.copytree(publication, tmp_path, ignore=shutil.ignore_patterns("maps", "report"), dirs_exist_ok=True)
    line = json.loads((publication / "trail.jsonl").read_text(encoding="utf-8").split("\n")[0])
    line["farm_id"] = line["farm"]["farm_id"] = odd
    (tmp_path / "trail.jsonl").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    farms, _ = read_farms(tmp_path)
    assert [farm.farm_id for farm in farms] == [odd]
    assert explain_farm(tmp_path, odd, "en")
    assert decision_from_json(line).farm_id == odd


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_with_what_comes_next(kind: str) -> None:
    *lines, follow = list_kind(kind)
    assert follow.startswith("next: ")
    assert lines
    assert all(line.strip() for line in lines)
    assert sorted(lines, key=lambda line: line.split()[0]) == lines
    known = {"crops": "maize", "providers": "earth-search", "rules": "evidence_bar", "policies": "demo"}
    known |= {"events": "flood", "models": "acrenet-s", "regions": "flanders-2018", "counties": "sim-county"}
    known |= {"exports": "gpkg", "reasons": "seen_on_visit"}
    assert known[kind] in {line.split()[0] for line in lines}


def test_models_say_whether_they_come_with_weights() -> None:
    told = dict(line.split(maxsplit=1) for line in list_kind("models")[:-1])
    assert told["acrenet-s"] == told["acrenet-toa"] == "packaged"
    assert told["acrenet-xs"] == told["acrenet-m"] == "to be trained"


def test_an_unknown_kind() -> None:
    with pytest.raises(ConfigError, match="'crop' is no kind") as caught:
        list_kind("crop")
    assert "crops, providers" in caught.value.hint


def test_what_struck_is_explained(publication: Path, tmp_path: Path) -> None:
    farm = read_farms(publication)[0][0]
    copy = tmp_path / "publication"
    shutil.copytree(publication, copy)
    days = {name: pd.Timestamp(day, tz="UTC") for name, day in (("not_before", "2018-06-16"), ("start", "2018-06-20"))}
    struck = {
        "parcel_id": farm.parcel_ids[0], "event": "flood", **days, "end": days["start"], "share": 0.4, "severity": 0.3,
        "confirmed": False, "evidence": "[]", "could_be": "pond", "code": "suspected",
    }  # fmt: skip
    other = struck | {"parcel_id": "of nobody"}
    pd.DataFrame([struck, other]).to_parquet(copy / "events.parquet")
    told = explain_farm(copy, farm.farm_id, "en")
    at = told.index("Events:")
    assert told[at + 1].startswith(f"- {farm.parcel_ids[0]} Flood (suspected, ")
    assert "between 2018-06-16 and 2018-06-20; 40% of the parcel, severity 0.30; could also be: a pond." in told[at + 1]
    assert told[at + 1].endswith("nothing else confirms them yet.")
    assert not any("of nobody" in line for line in told)
    assert "灾害事件：" in explain_farm(copy, farm.farm_id, "zh")


def test_what_was_not_looked_for_is_explained(publication: Path, tmp_path: Path) -> None:
    farm = read_farms(publication)[0][0]
    copy = tmp_path / "publication"
    shutil.copytree(publication, copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8")) | {"not_looked_for": ["frost"]}
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    words = "not looked for: frost; that none is told is no sign of health"
    assert words in explain_farm(copy, farm.farm_id, "en")
    assert "未查找的灾害：霜冻；未提及不等于未发生" in explain_farm(copy, farm.farm_id, "zh")
    (copy / "manifest.json").write_text(json.dumps(manifest | {"not_looked_for": []}), encoding="utf-8")
    assert words not in explain_farm(copy, farm.farm_id, "en")


def test_the_counts_of_a_run_say_whose_they_are() -> None:
    counts = {"parcels": {"in": 3, "ok": 3}, "farms": {"in": 2, "approve": 1, "refer": 1, "decline": 0}, "scenes": {}}
    assert count_lines(counts)[:2] == ["parcels: 3 in, 3 ok", "farms, by the machine: 2 in, 1 approve, 1 refer"]
    assert count_lines(counts, acted=True)[1] == (
        "farms, by the machine: 2 in, 1 approve, 1 refer (the table: what stands after people acted)"
    )
