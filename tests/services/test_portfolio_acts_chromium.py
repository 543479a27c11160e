# SPDX-License-Identifier: Apache-2.0
"""The portfolio after people acted, in a real browser: what stands beside the machine's word, and counts of both."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from acreline.report import write_map_page
from acreline.report.page import write_portfolio
from acreline.report.standing import NowStands, PeopleActs
from acreline.report.tell import tell_page
from tests.made_publication import make_publication
from tests.services.test_portfolio_chromium import _figures, _find, _names, _open, _silent, _text, _wait_open

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("made") / "publication")


@pytest.fixture(scope="module")
def acted(publication: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The thirteen farms after people acted: one limit lowered, one under appeal, one referral granted."""
    farms = tell_page(publication)["farms"]
    lowered, appealed = [farm["id"] for farm in farms if farm["outcome"] == "approve"][:2]
    granted = next(farm["id"] for farm in farms if farm["outcome"] == "refer")
    role = ("a credit officer", "信贷员")
    stands = {
        lowered: NowStands("approve", Decimal(100), True, False, (("lowered <b>", "下调"),), state="changed", by=role,
                           day="2019-01-02"),
        appealed: NowStands("refer", None, True, False, (("under review", "复核中"),), state="appealed",
                            by=("appeal A-0001", "申诉A-0001"), day="2019-01-05"),
        granted: NowStands("approve", Decimal("250.50"), True, True, (("granted", "核定"),), state="changed", by=role,
                           day="2019-01-03"),
    }  # fmt: skip
    case = {"case": "A-0001", "farm": appealed, "opened": "2019-01-05", "due": "2019-02-04", "state": "open",
            "about_en": "appeal", "about_zh": "申诉"}  # fmt: skip
    people = PeopleActs(stands, [case])
    return write_portfolio(publication, tmp_path_factory.mktemp("acted") / "page.html", people=people)


def _standing(driver: WebDriver) -> dict[str, int]:
    return {str(one.get_attribute("data-stands")): int(one.text) for one in _find(driver, "#stands [data-stands]")}


def test_what_stands_is_told_beside_the_machines_decision_and_both_add_up(driver: WebDriver, acted: Path) -> None:
    _open(driver, acted)
    came_in, approved, referred, declined = _figures(driver)
    now = _standing(driver)
    assert came_in == approved + referred + declined == sum(now.values()) == 13
    assert now == {"approve": approved, "refer": referred, "decline": declined}  # one to a person, one from a person
    assert "by the machine" in _text(driver, ".count.outcome-approve")
    assert "last act 2019-01-05" in _text(driver, "#stands")
    buttons = {one.get_attribute("data-state"): one.text for one in _find(driver, "#stands button")}
    assert buttons == {"changed": "Changed by people: 2", "appealed": "under appeal: 1"}
    marked = {row.text.split("\n")[0].split(" ")[0]: row.text for row in _find(driver, "#farms tbody tr[data-farm]")
              if "✎" in row.text}  # fmt: skip
    assert len(marked) == 3
    assert any("100 CNY" in text and "a credit officer, 2019-01-02" in text for text in marked.values())
    driver.find_element("css selector", "#stands [data-state='changed']").click()
    assert len(_names(driver)) == 2
    assert sum(_standing(driver).values()) == _figures(driver)[0] == 2
    assert "(350.50 CNY)" in _text(driver, "#stands")
    assert "acts=changed" in driver.current_url
    driver.find_element("css selector", "#stands [data-state='changed']").click()
    driver.find_element("css selector", "[data-queue='refer']").click()
    assert len(_names(driver)) == referred  # who waits now, not who waited when the run was published
    assert "Under appeal" in _text(driver, "#panel")
    driver.find_element("css selector", "[data-queue='acts']").click()
    rows = [row.text for row in _find(driver, ".queued")]
    assert ["2019-01-05" in rows[0], "2019-01-03" in rows[1], "2019-01-02" in rows[2]] == [True] * 3
    assert "lowered <b>" in rows[2]
    _find(driver, ".queued button")[2].click()
    _wait_open(driver)
    assert "Stands now: 100 CNY" in _text(driver, ".acted")
    assert "by the machine" in _text(driver, ".decision")
    _silent(driver)


def test_a_page_that_was_published_says_that_it_is_the_machines(driver: WebDriver, publication: Path) -> None:
    page = publication / "report" / "index.html"
    if not page.is_file():
        page = write_map_page(publication)
    _open(driver, page)
    assert "Decisions here are the machine's" in _text(driver, "#stands")
    assert "acreline report RUN --out FILE" in _text(driver, "#stands")
    for queue in ("acts", "appeal", "ask"):
        assert _text(driver, f"[data-queue='{queue}'] b") == "–"
        driver.find_element("css selector", f"[data-queue='{queue}']").click()
        assert "does not know what people did since" in _text(driver, "#panel")
    _silent(driver)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_stands_is_seen_on_a_phone(phone: WebDriver, acted: Path, lang: str) -> None:
    for view in ("", "#queue=acts", "#acts=changed"):
        _open(phone, acted, f"lang={lang}{view}")
        assert phone.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390], view
    cell = next(cell for cell in _find(phone, "#farms td.c-now") if "100" in cell.text)
    assert cell.is_displayed()
    assert cell.location["x"] + cell.size["width"] <= 390
