# SPDX-License-Identifier: Apache-2.0
"""The portfolio in a real browser without a network: counts, filters, queues, ten thousand farms, phone, keyboard."""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acreline.report.page import render_told, write_portfolio
from acreline.report.portfolio import tell_queues
from acreline.report.read import read_manifest, read_rows
from acreline.report.tell import tell_page
from tests.made_publication import make_publication

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.service
MANY = 10_000
MOST_MS = 300
CASES = [
    {
        "case": "A-2",
        "farm": "F-005",
        "opened": "2018-12-01",
        "due": "2018-12-22",
        "about_en": "Crop",
        "about_zh": "作物",
    },
    {"case": "A-1", "farm": "F-004", "opened": "2018-11-01", "due": "2018-11-22", "about_en": "Outline"},
    {"case": "A-0", "farm": "F-004", "opened": "2018-10-01", "due": "2018-10-22", "state": "closed"},
    {"case": "A-3", "farm": "GONE", "opened": "2018-12-02"},
]
WATCH = (
    "farm_id,signals,outcome_then,limit_then,outcome_now,limit_now,exposed,currency,value_low_then,value_low_now,"
    "words_en,words_zh\n"
    "F-008,new_event,approve,5000.00,refer,,3000.00,CNY,1,1,P10 flood seen,P10 水淹\n"
)


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("made") / "publication")


@pytest.fixture(scope="module")
def small(publication: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The thirteen farms, one of them to be watched, two with an open appeal."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "watch.csv").write_text(WATCH, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(CASES), encoding="utf-8")
    return write_portfolio(publication, folder / "page.html", watch=folder / "watch.csv", cases=folder / "cases.json")


@pytest.fixture(scope="module")
def many(publication: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        told = importlib.import_module("pages").repeat_farms(copy.copy(tell_page(publication)), MANY)
    told |= {"queues": tell_queues(told["farms"], None, []), "base": ""}
    page = tmp_path_factory.mktemp("many") / "many.html"
    page.write_text(render_told(told, read_manifest(publication), read_rows(publication, "scenes")), encoding="utf-8")
    return page


def _open(driver: WebDriver, page: Path, query: str = "lang=en") -> WebDriver:
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get(f"{page.as_uri()}?{query}")
    WebDriverWait(driver, 60).until(lambda d: _find(d, "body[data-ready='true']"))
    return driver


def _wait_open(driver: WebDriver) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 20).until(lambda d: _find(d, "#panel[aria-busy='false'] .verdict"))


def _find(driver: WebDriver, selector: str) -> list[Any]:
    return driver.find_elements("css selector", selector)


def _text(driver: WebDriver, selector: str) -> str:
    return str(driver.find_element("css selector", selector).text)


def _figures(driver: WebDriver) -> list[int]:
    return [int(one.text.replace(",", "")) for one in _find(driver, ".count .figure")]


def _choose(driver: WebDriver, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(driver.find_element("css selector", f"#f-{name}")).select_by_value(value)


def _names(driver: WebDriver) -> list[str]:
    return [cell.text for cell in _find(driver, "#farms tbody td.c-id")]


def _silent(driver: WebDriver) -> None:
    assert driver.get_log("browser") == []


def test_counts_add_up_to_the_manifest_and_with_every_filter(driver: WebDriver, small: Path, publication: Path) -> None:
    _open(driver, small)
    came_in, *decided = _figures(driver)
    assert came_in == 13 == sum(decided)
    outcomes = tell_page(publication)["totals"]["outcomes"]
    assert decided == [outcomes["approve"], outcomes["refer"], outcomes["decline"]]
    for name in ("reason", "crop", "status", "size", "health", "event"):
        options = [one.get_attribute("value") for one in _find(driver, f"#f-{name} option")][1:]
        assert options, name
        for value in options:
            _choose(driver, name, value)
            chosen, *parts = _figures(driver)
            assert 0 < chosen == sum(parts), (name, value)
            [label] = [one.text for one in _find(driver, f"#f-{name} option") if one.get_attribute("value") == value]
            assert label.endswith(f"({chosen})")
            assert len(_names(driver)) == chosen
        _choose(driver, name, "")
    assert _figures(driver)[0] == 13
    _silent(driver)


def test_money_in_is_the_money_of_all_decisions(driver: WebDriver, small: Path) -> None:
    _open(driver, small)
    farms = "JSON.parse(document.getElementById('data').textContent).farms"
    rows = driver.execute_script(f"return {farms}.map(f => [f.outcome, f.requested, f.limit])")
    cards = {card.get_attribute("data-outcome"): card.text for card in _find(driver, ".count")}
    asked = {code: sum(float(a or 0) for o, a, _ in rows if o == code) for code in ("approve", "refer", "decline")}
    limits = sum(float(limit or 0) for _, _, limit in rows)
    assert limits > 0
    assert f"{limits:,.0f} CNY" in cards[None]
    assert f"{limits:,.0f} CNY" in cards["approve"]
    for code, total in asked.items():
        assert (f" {total:,.0f} CNY" in cards[code]) == bool(total)
    if sum(asked.values()):
        assert f"{sum(asked.values()):,.0f} CNY" in cards[None]


def test_a_card_filters_and_the_address_keeps_the_choice(driver: WebDriver, small: Path) -> None:
    _open(driver, small)
    driver.find_element("css selector", ".count[data-outcome='refer']").click()
    refers = _figures(driver)[2]
    assert len(_names(driver)) == refers
    assert _text(driver, "#shown") == f"{refers} / 13"
    assert "outcome=refer" in driver.current_url
    assert {badge.text for badge in _find(driver, "#farms tbody .badge")} == {"To a person"}
    faint = [path for path in _find(driver, "path.parcel") if path.get_attribute("fill-opacity") == "0.04"]
    assert faint  # what was not chosen steps back on the map
    driver.get("about:blank")
    _open(driver, small, "lang=en#outcome=refer")
    assert len(_names(driver)) == refers
    driver.find_element("css selector", "#clear").click()
    assert len(_names(driver)) == 13
    assert not driver.find_element("css selector", "#clear").is_displayed()


def test_referrals_stand_by_reason_with_the_cheapest_way(driver: WebDriver, small: Path) -> None:
    _open(driver, small)
    driver.find_element("css selector", "[data-queue='refer']").click()
    groups = _find(driver, ".group")
    counts = [int(group.find_element("css selector", ".group-head b").text) for group in groups]
    assert sum(counts) == _figures(driver)[2] == len(_names(driver))
    assert counts == sorted(counts, reverse=True)
    assert all(group.find_element("css selector", ".way").text.startswith("→ ") for group in groups)
    groups[0].find_element("css selector", ".group-head").click()
    assert len(_names(driver)) >= counts[0]  # farms that have it as a later reason too
    _silent(driver)


def test_watch_and_appeal_queues_open_their_farms(driver: WebDriver, small: Path) -> None:
    _open(driver, small)
    driver.find_element("css selector", "[data-queue='watch']").click()
    assert _names(driver) == ["F-008"]
    assert "money at stake 3,000 CNY" in _text(driver, "#panel")
    assert "P10 flood seen" in _text(driver, "#panel")
    driver.find_element("css selector", "[data-queue='appeal']").click()
    assert "Appeals 3" in _text(driver, "#queues")  # one is closed
    rows = [row.text for row in _find(driver, ".queued")]
    assert [row.split("\n")[0] for row in rows] == ["F-004", "F-005", "GONE"]
    assert "(overdue)" in rows[0]
    assert "overdue" not in rows[1]
    assert "not in this run" in rows[2]
    driver.find_element("css selector", "[data-set-lang='zh']").click()
    assert "A-2: 作物" in _text(driver, "#panel")
    assert "A-1: Outline" in _text(driver, "#panel")
    driver.find_element("css selector", ".queued button").click()
    _wait_open(driver)
    assert _text(driver, ".panel-head h2") == "F-004"
    _silent(driver)


def test_without_a_list_the_watch_queue_says_how_to_make_one(driver: WebDriver, many: Path) -> None:
    _open(driver, many, "lang=en#queue=watch")
    assert _text(driver, "#farms tbody") == "No farm matches the search."
    assert "acreline watch RUN --since EARLIER" in _text(driver, "#panel")
    driver.find_element("css selector", "[data-queue='appeal']").click()
    assert "No appeal is open." in _text(driver, "#panel")


def test_land_is_told_in_the_unit_that_was_chosen(driver: WebDriver, small: Path) -> None:
    def land() -> dict[str, float]:
        pairs = zip(_find(driver, "#farms td.c-id"), _find(driver, "#farms td.c-mu"), strict=True)
        return {name.text: float(cell.text.replace(",", "")) for name, cell in pairs if cell.text != "–"}

    _open(driver, small)
    mu = land()
    assert _text(driver, "#farms th.c-mu") == "Land, mu"
    driver.find_element("css selector", "[data-set-unit='ha']").click()
    assert _text(driver, "#farms th.c-mu") == "Land, ha"
    ha = land()
    assert ha.keys() == mu.keys()
    assert all(ha[name] == pytest.approx(mu[name] / 15, abs=0.01) for name in mu)
    assert any(" ha" in option.text for option in _find(driver, "#f-size option"))
    _open(driver, small, "lang=zh&unit=ha#farm=F-004")
    _wait_open(driver)
    assert "公顷" in _text(driver, ".facts-grid dd")


def _measure(driver: WebDriver, script: str) -> float:
    """Milliseconds until the page has answered and painted."""
    timed = f"""const done = arguments[0]; const start = performance.now(); {script};
    document.body.offsetHeight; requestAnimationFrame(() => done(performance.now() - start));"""
    return float(driver.execute_async_script(timed))


def _wait_painted(driver: WebDriver, farms: int) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 10).until(lambda d: _find(d, f"body[data-painted='{farms}']"))


def test_ten_thousand_farms_filter_sort_and_scroll_without_lag(driver: WebDriver, many: Path) -> None:
    _open(driver, many)
    assert _text(driver, "#shown") == "10,000"
    assert _figures(driver)[0] == MANY == sum(_figures(driver)[1:])
    assert len(_find(driver, "#farms tbody tr[data-farm]")) < 80
    change = "const s = document.getElementById('f-{}'); s.value = '{}'; s.dispatchEvent(new Event('change'))"
    times = {
        "sort by limit": _measure(driver, "document.querySelector('th.c-limit button').click()"),
        "sort by name": _measure(driver, "document.querySelector('th.c-id button').click()"),
        "sort by reason": _measure(driver, "document.querySelector('th.c-reason button').click()"),
        "filter": _measure(driver, change.format("outcome", "refer")),
        "filter again": _measure(driver, change.format("crop", "maize")),
        "clear": _measure(driver, "document.getElementById('clear').click()"),
        "scroll": _measure(driver, "document.getElementById('farm-rows').scrollTop = 150000"),
        "search": _measure(
            driver,
            "const s = document.getElementById('search'); s.value = 'F0700'; s.dispatchEvent(new Event('input'))",
        ),
    }
    _wait_painted(driver, 13)  # the map follows the table
    print({name: round(time, 1) for name, time in times.items()})
    assert max(times.values()) < MOST_MS, times
    assert len(_names(driver)) == 13
    assert all(name.startswith("F0700") for name in _names(driver))
    _silent(driver)


def test_the_last_of_ten_thousand_is_sorted_scrolled_to_and_opened(driver: WebDriver, many: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    _open(driver, many)
    driver.find_element("css selector", "th.c-mu button").click()
    driver.execute_script("document.querySelector('#farms tbody tr[data-farm]').focus()")
    driver.switch_to.active_element.send_keys(Keys.END)
    row = driver.switch_to.active_element
    assert row.get_attribute("aria-rowindex") == str(MANY + 1)
    assert driver.find_element("css selector", "#farms").get_attribute("aria-rowcount") == str(MANY + 1)
    name = row.find_element("css selector", "td.c-id").text
    row.send_keys(Keys.ENTER)
    _wait_open(driver)
    assert _text(driver, ".panel-head h2") == name
    assert _find(driver, ".trail .step")  # its details were packed away
    assert f"#farm={name}" in driver.current_url
    _silent(driver)


def test_the_keyboard_alone_skips_to_the_table_sorts_and_opens_a_farm(driver: WebDriver, small: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    _open(driver, small)
    driver.find_element("tag name", "body").send_keys(Keys.TAB)
    skip = driver.switch_to.active_element
    assert skip.text == "Skip to the table"
    skip.send_keys(Keys.ENTER)
    assert driver.execute_script("return document.activeElement.id") == "farm-rows"
    driver.switch_to.active_element.send_keys(Keys.TAB)
    head = driver.switch_to.active_element
    assert head.text.startswith("Farm")
    assert driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    head.send_keys(Keys.ENTER)
    assert driver.find_element("css selector", "th.c-id").get_attribute("aria-sort") == "descending"
    assert _names(driver) == sorted(_names(driver), reverse=True)
    for _ in range(9):
        driver.switch_to.active_element.send_keys(Keys.TAB)
    assert driver.switch_to.active_element.get_attribute("data-farm") is not None
    driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    row = driver.switch_to.active_element
    name = row.find_element("css selector", "td.c-id").text
    assert name == _names(driver)[1]
    row.send_keys(Keys.ENTER)
    assert _text(driver, ".panel-head h2") == name
    driver.find_element("css selector", ".back").send_keys(Keys.ESCAPE)
    assert driver.switch_to.active_element.get_attribute("aria-rowindex") == row.get_attribute("aria-rowindex")
    assert not _find(driver, ".verdict")
    _silent(driver)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_page_is_wider_than_a_phone(phone: WebDriver, small: Path, lang: str) -> None:
    width = "return [document.documentElement.scrollWidth, innerWidth]"
    for view in ("", "#queue=refer", "#queue=watch", "#queue=appeal", "#farm=F-004", "#farm=F-005"):
        _open(phone, small, f"lang={lang}{view}")
        phone.find_element("css selector", "#filter-box summary").click()
        assert phone.execute_script(width) == [390, 390], view
    rows = _find(phone, "#farms tbody tr[data-farm]")
    assert all(row.size["height"] >= 44 for row in rows)  # wide enough for a thumb
