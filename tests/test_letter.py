# SPDX-License-Identifier: Apache-2.0
"""The letter and its drawing: what a farmer is handed says what was decided, why, and what can be done."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from acreline.codes import all_codes
from acreline.credit.actions import RULE_ACTIONS, reason_action
from acreline.credit.rules import load_rules
from acreline.errors import ConfigError, StoreError
from acreline.report.letter import render_letter, write_letter
from acreline.report.waterfall import waterfall_bars, waterfall_lines, waterfall_svg

pytestmark = pytest.mark.xdist_group("demo")


def step(rule: str, before: str | None, after: str | None, would_be: str | None = None) -> dict[str, Any]:
    evidence = [] if would_be is None else [["indicative_limit", would_be, would_be]]
    return {"rule": rule, "before": before, "after": after, "evidence": evidence}


FARM = {
    "outcome": "approve",
    "trail": [
        step("evidence_bar", None, None),
        step("crop_cap_per_mu", None, "6000"),
        step("capacity", "6000", "4500.5"),
        step("requested", "4500.5", "4500.5"),
        step("policy", "4500.5", "4500"),
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
    assert set(RULE_ACTIONS) <= {code for rule in load_rules().values() for code in rule.reasons} | set(all_codes())


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
        "  4,500 CNY  The policy as a whole (-0.5 CNY)",
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
    assert "stroke-dasharray" in waterfall_svg(bars, "CNY", zh=True, refers=True)
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
    text = render_letter(publication, "F-004", lang, reason_action)
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
    referred = render_letter(publication, "F-008", lang, reason_action)
    assert {"en": "A person decides.", "zh": "由工作人员决定。"}[lang] in referred
    assert "strong" not in re.sub(r"<style>.*?</style>", "", referred, flags=re.S)


def test_letters_that_cannot_be_written(demo_run: Path, tmp_path: Path) -> None:
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    with pytest.raises(ConfigError, match="no farm 'F-999' in this run"):
        render_letter(publication, "F-999", "en", reason_action)
    with pytest.raises(ConfigError, match="'fr' is not spoken"):
        render_letter(publication, "F-004", "fr", reason_action)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_letter(publication, "F-004", "en", tmp_path / "file" / "letter.html", reason_action)


def test_a_letter_as_pdf(demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weasyprint")
    publication = (demo_run / "latest").resolve() if (demo_run / "latest").exists() else demo_run
    page, paper = write_letter(publication, "F-004", "zh", tmp_path / "letters" / "F-004.html", reason_action, pdf=True)
    assert page.read_text(encoding="utf-8") == render_letter(publication, "F-004", "zh", reason_action)
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 10_000
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(ConfigError, match="a PDF needs WeasyPrint"):
        write_letter(publication, "F-004", "zh", tmp_path / "again.html", reason_action, pdf=True)
