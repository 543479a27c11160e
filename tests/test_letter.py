# SPDX-License-Identifier: Apache-2.0
"""The letter and its drawing: what a farmer is handed says what was decided, why, and what can be done."""

from __future__ import annotations

import html
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from acreline.codes import ACTIONS, all_codes
from acreline.credit.actions import ASKED, advise, reason_action
from acreline.credit.rules import load_rules
from acreline.credit.words import reason_words
from acreline.desk import explain_farm, read_farms
from acreline.errors import ConfigError, StoreError
from acreline.report.advice import advice_line, advise_reasons
from acreline.report.letter import render_letter, write_letter
from acreline.report.sketch import land_sketch
from acreline.report.waterfall import print_amount, waterfall_bars, waterfall_lines, waterfall_svg

pytestmark = pytest.mark.xdist_group("demo")


def step(
    rule: str, before: str | None, after: str | None, would_be: str | None = None, code: str | None = None
) -> dict[str, Any]:
    evidence = [] if would_be is None else [["indicative_limit", would_be, would_be]]
    return {"rule": rule, "code": code or rule, "before": before, "after": after, "evidence": evidence}


FARM = {
    "outcome": "approve",
    "trail": [
        step("evidence_bar", None, None),
        step("crop_cap_per_mu", None, "6000"),
        step("capacity", "6000", "4500.5"),
        step("requested", "4500.5", "4500.5"),
        step("policy", "4500.5", "4500", code="rounded_down"),
    ],
}


HOLDS_NOTHING = {
    "evidence_met", "minimum_met", "concentration_met", "too_few_to_judge", "no_event", "small_event", "health_normal",
    "household_addition", "insurance_addition", "maintenance_addition", "yearly_increase", "first_year",
    "no_limit_to_compare", "nothing_requested",
}  # fmt: skip
"""Codes of steps that neither lower a limit nor refer: never a reason."""


def test_every_reason_of_a_rule_says_what_can_be_done() -> None:
    for rule in load_rules().values():
        for code in rule.reasons:
            if code in HOLDS_NOTHING or (code in all_codes() and all_codes()[code].action == "none"):
                continue
            for lang in ("en", "zh"):
                assert reason_action(code, lang), (rule.name, code, lang)
                assert "{" not in reason_action(code, lang)
    assert reason_action("small_parcel", "zh").endswith("。")
    assert reason_action("no_weather") == ""


def test_the_very_paper_is_asked_for_and_nothing_else_where_another_act_settles_it() -> None:
    assert reason_action("overlapping_claim").startswith("Bring the paper that shows where your land ends")
    assert advise("debt_unknown", "zh").text == "写明已有债务；没有债务也请注明。"
    assert advise("overlapping_claim", "en", "visit").text == ASKED["visit"][1][0]

    assert set(ASKED) == set(ACTIONS)
    for rule in load_rules().values():
        assert set(rule.actions) <= set(rule.reasons), rule.name


def test_bars_are_what_each_rule_left() -> None:
    bars = waterfall_bars(FARM)
    assert [(bar.kind, bar.before, bar.after) for bar in bars] == [
        ("first", Decimal(6000), Decimal(6000)),
        ("falls", Decimal(6000), Decimal("4500.5")),
        ("falls", Decimal("4500.5"), Decimal(4500)),
        ("limit", Decimal(4500), Decimal(4500)),
    ]
    assert waterfall_lines(bars, "CNY", zh=False) == [
        "  6,000 CNY  Amount per mu",
        "4,500.5 CNY  Share of the harvest's worth (-1,499.5 CNY)",
        "  4,500 CNY  Rounded down (-0.5 CNY)",
        "  4,500 CNY  Limit",
    ]


def test_what_a_referral_would_have_been_is_an_outline() -> None:
    farm = {
        "outcome": "refer",
        "trail": [step("crop_cap_per_mu", None, None, "6,000 CNY"), step("requested", None, None)],
    }
    bars = waterfall_bars(farm)
    assert [(bar.kind, bar.after, bar.name[0]) for bar in bars] == [
        ("first", Decimal(6000), "Amount per mu"),
        ("limit", Decimal(6000), "Would be"),
    ]
    english, chinese = (waterfall_svg(bars, "CNY", zh=zh, refers=True) for zh in (False, True))
    assert "stroke-dasharray" in chinese
    assert english.count('fill="url(#would-be-en)"') == chinese.count('fill="url(#would-be-zh)"') == 2
    assert "no limit stands yet" in english
    assert "尚未核定额度" in chinese
    assert waterfall_bars({"outcome": "refer", "trail": [step("evidence_bar", None, None)]}) == []
    assert waterfall_svg([], "CNY", zh=False) == ""


def test_additions_rise_and_the_drawing_is_sound_xml() -> None:
    trail = [step("scale_of_finance", None, "1000"), step("household_addition", "1000", "1100")]
    bars = waterfall_bars({"outcome": "approve", "trail": trail})
    assert [bar.kind for bar in bars] == ["first", "rises", "limit"]
    drawing = ElementTree.fromstring(waterfall_svg(bars, "<INR>", zh=False))
    assert drawing.tag == "svg"
    widths = [float(one.attrib["width"]) for one in drawing.iter() if one.tag == "rect"]
    assert widths[1] + widths[2] == pytest.approx(widths[3], abs=0.2)
    assert widths[0] / widths[3] == pytest.approx(1000 / 1100, rel=0.01)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_letter_says_all_that_a_farmer_needs(demo_run: Path, lang: str) -> None:
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    text = render_letter(publication, "F-004", lang, advise)
    said = {
        "en": (
            "You may borrow up to",
            "8,000",
            "What you can do",
            "Your rights",
            "mu",
            "maize",
            "How the limit came about",
        ),
        "zh": ("您可借款的额度为", "8,000", "您可以", "您的权利", "亩", "玉米", "额度的计算过程"),
    }
    assert all(words in text for words in said[lang])
    assert f'<html lang="{lang}">' in text
    assert "<script" not in text
    assert not re.search(r"(src|href)=", text)
    assert "default-src 'none'" in html.unescape(text)
    assert "{" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S)
    other = {"en": "额度", "zh": "You may"}[lang]
    assert other not in text
    assert text.count("<svg") == 3  # the amounts, for paper and for a telephone, and the parcels
    referred = render_letter(publication, "F-008", lang, advise)
    assert {"en": "A person decides.", "zh": "由工作人员决定。"}[lang] in referred
    plain = re.sub(r"</?span[^>]*>", "", referred)
    assert {"en": "What you can do (by 2019-01-14): Send", "zh": "您可以（2019-01-14前）：提供"}[lang] in plain
    assert {"en": "18% left 5 m inside (needs 40%)", "zh": "向内 5 米后剩余 18%"}[
        lang
    ] in referred  # why it was not judged
    assert "strong" not in re.sub(r"<style>.*?</style>", "", referred, flags=re.S)


def test_a_letter_says_which_plot_a_reason_speaks_of_and_whom_to_ask(demo_run: Path) -> None:
    publication = (demo_run / "latest").resolve()
    english, chinese = (html.unescape(render_letter(publication, "F-001", lang, advise)) for lang in ("en", "zh"))
    assert re.search(r"<b>Plot \d: </b>A plot is too small", english)
    assert re.search(r"<b>第\d块：</b>地块太小", chinese)
    assert "Ask: demo bank, any branch (invented)" in english
    assert "请咨询：演示银行各网点（虚构）" in chinese
    single = next(farm.farm_id for farm in read_farms(publication)[0] if len(farm.parcel_ids) == 1)
    alone = html.unescape(render_letter(publication, single, "en", advise))
    assert "<b>Plot" not in alone  # where all plots are meant none is named


def test_every_code_says_what_to_do_in_both_languages() -> None:
    reasons = {code for rule in load_rules().values() for code in rule.reasons} | set(all_codes())
    for code in sorted(reasons):
        for lang in ("en", "zh"):
            for action in (None, *ACTIONS):
                text, when = advise(code, lang, action)
                assert when in ("papers", "wait", "none")
                assert "{" not in text + reason_words(code, lang)
                assert not text or text.endswith("。" if lang == "zh" else ".")
                assert bool(re.search("[一-鿿]", text)) == (lang == "zh" and bool(text)), (code, text)


@pytest.mark.parametrize(
    ("code", "settled", "en", "zh"),
    [
        ("capacity", [], "by 2018-10-01", "2018-10-01前"),
        ("requested", [], "", ""),
        ("no_weather", [], "", ""),
        ("few_clear_looks", [], "until the season ends, 2018-12-15", "至本季结束，2018-12-15"),
        ("few_clear_looks", [("wait", "2018-09-20")], "until about 2018-09-20", "约至2018-09-20"),
        ("few_clear_looks", [("photo", None)], "by 2018-10-01", "2018-10-01前"),  # no more pictures come
    ],
)
def test_advice_has_a_day_where_one_is_known(
    code: str, settled: list[tuple[str, str | None]], en: str, zh: str
) -> None:
    rows = [{"action": action, "until": until, "codes": [[code, ["P1"]]]} for action, until in settled]
    for lang, by in (("en", en), ("zh", zh)):
        told = advise_reasons([code], rows, date(2018, 9, 1), date(2018, 12, 15), lang, advise)
        assert told[code][1] == by
        line = advice_line(*told[code], lang)
        assert by in line
        assert bool(line) == bool(told[code][0])
    after = advise_reasons(["few_clear_looks"], [], date(2018, 12, 15), date(2018, 12, 15), "en", advise)
    assert after["few_clear_looks"][1] == ""  # the season is over: no day to wait for


def test_amounts_are_told_as_each_language_does() -> None:
    assert print_amount(Decimal("12300.50"), "CNY", zh=False) == "12,300.5 CNY"
    assert print_amount(Decimal("12300.50"), "CNY", zh=True) == "12,300.5元"
    assert print_amount(Decimal(-3), "XAU", zh=True, signed=True) == "-3 XAU"


def test_parcels_are_drawn_as_they_lie() -> None:
    """Two squares of 0.001 degrees at the equator, one north-east of the other: 111 m sides, 334 m in all."""
    square = [[0.0, 0.0], [0.0, 0.001], [0.001, 0.001], [0.001, 0.0]]
    other = [[lat + 0.002, lon + 0.002] for lat, lon in square]
    drawing = ElementTree.fromstring(land_sketch([{"rings": [[square]]}, {"rings": []}, {"rings": [[other]]}], zh=True))
    marks = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in drawing.iter() if one.tag == "circle"]
    (x, y), (right, up) = marks
    assert right - x == pytest.approx(168 * 2 / 3, abs=0.2)
    assert y - up == pytest.approx(168 * 2 / 3, abs=0.2)
    assert [one.text for one in drawing.iter() if one.tag == "text"] == ["1", "3", "100 m", "北 ↑"]
    assert land_sketch([{"rings": []}], zh=False) == ""


def test_explain_begins_with_what_was_seen_and_lays_amounts_below_each_other(demo_run: Path) -> None:
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    lines = explain_farm(publication, "F-004", "en")
    assert lines[0] == "F-004, 2018-12-15. Approved: limit 8,000 CNY."
    assert re.match(
        r"Seen: 94\.\d mu of land \(6\.\d\d ha\); .* mu planted .*; main crop: maize; health: normal;", lines[1]
    )
    assert lines[2].startswith("Reason: The limit is the amount you asked for. What you can do: Ask for more")
    at = lines.index("From the first amount to the limit:")
    amounts = lines[at + 1 : lines.index(next(line for line in lines if line.startswith("Policy ")))]
    assert len({line.index(" CNY") for line in amounts}) == 1
    assert amounts[-1].split() == ["8,000", "CNY", "Limit"]
    told = explain_farm(publication, "F-008", "zh")
    assert told[1].startswith("观测到：土地113.2亩")
    assert "您可以（2019-01-14前）：提供带日期和位置的田间照片。" in told[2]


def test_letters_that_cannot_be_written(demo_run: Path, tmp_path: Path) -> None:
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    with pytest.raises(ConfigError, match="no farm 'F-999' in this run"):
        render_letter(publication, "F-999", "en", advise)
    with pytest.raises(ConfigError, match="'fr' is not spoken"):
        render_letter(publication, "F-004", "fr", advise)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_letter(publication, "F-004", "en", tmp_path / "file" / "letter.html", advise)


def test_a_letter_as_pdf(demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weasyprint")
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    page, paper = write_letter(publication, "F-004", "zh", tmp_path / "letters" / "F-004.html", advise, pdf=True)
    assert page.read_text(encoding="utf-8") == render_letter(publication, "F-004", "zh", advise)
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 10_000
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(ConfigError, match="a PDF needs WeasyPrint"):
        write_letter(publication, "F-004", "zh", tmp_path / "again.html", advise, pdf=True)
