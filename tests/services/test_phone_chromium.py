# SPDX-License-Identifier: Apache-2.0
"""Pages on a telephone of 390 px in a real browser: the text of drawings is tall enough, nothing is cut in silence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acreline.credit.actions import advise
from acreline.report import write_farm_pages
from acreline.report.farm_page import render_farm
from acreline.report.letter import render_letter
from acreline.review.page import LineSeries, Page, Section, bars, line_chart, render_page
from tests.made_publication import make_pictures, make_publication
from tests.test_farm_history import in_season

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.service
FARM = "F-004"
LEAST_PX = 11.0
TEXTS = """
return [...document.querySelectorAll(arguments[0])].filter((svg) => svg.getClientRects().length).map((svg) => {
  const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll("text")].filter((text) => text.getClientRects().length).map((text) => {
    const at = text.getBoundingClientRect();
    return {text: text.textContent, px: parseFloat(getComputedStyle(text).fontSize) * scale,
            box: [at.left, at.right, at.top, at.bottom], inside: at.left >= box.left - 1 && at.right <= box.right + 1};
  });
});
"""
"""The texts of each drawing that is shown: what they say, how tall they are, where they stand."""
WIDTHS = "return [document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    write_farm_pages(folder, make_pictures())
    return folder


def open_page(driver: WebDriver, folder: Path, text: str, query: str = "") -> None:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    driver.get(f"{path.as_uri()}{query}")
    assert driver.execute_script(WIDTHS) == [390, 390]


def overlap(one: Any, other: Any) -> bool:
    (left, right, top, bottom), (left2, right2, top2, bottom2) = one["box"], other["box"]
    return bool(min(right, right2) - max(left, left2) > 0.5 and min(bottom, bottom2) - max(top, top2) > 3)


def check_drawings(driver: WebDriver, selector: str, *, drawings: int) -> list[list[dict[str, Any]]]:
    shown: list[list[dict[str, Any]]] = driver.execute_script(TEXTS, selector)
    assert len(shown) == drawings, selector
    for texts in shown:
        assert texts
        assert [one for one in texts if one["px"] < LEAST_PX or not one["inside"]] == []
        both = [(a["text"], b["text"]) for k, a in enumerate(texts) for b in texts[k + 1 :] if overlap(a, b)]
        assert both == []
    return shown


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_way_to_the_limit_is_read_on_the_farms_page_and_in_the_letter(
    phone: WebDriver, publication: Path, tmp_path: Path, lang: str
) -> None:
    open_page(phone, tmp_path, render_farm(publication, FARM), f"?lang={lang}")
    [on_page] = check_drawings(phone, "svg.waterfall", drawings=1)
    check_drawings(phone, "svg.curve", drawings=2)
    open_page(phone, tmp_path, render_letter(publication, FARM, lang, advise))
    [in_letter] = check_drawings(phone, "svg.waterfall", drawings=1)
    check_drawings(phone, "svg.sketch", drawings=1)
    assert [one["text"] for one in in_letter] == [one["text"] for one in on_page]
    assert {"en": "Limit", "zh": "额度"}[lang] in [one["text"] for one in on_page]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_earlier_seasons_are_told_as_cards_with_the_name_of_each_figure(
    phone: WebDriver, publication: Path, tmp_path: Path, lang: str
) -> None:
    past = [in_season(publication, tmp_path / str(year), year) for year in (2016, 2017)]
    open_page(phone, tmp_path, render_farm(publication, FARM, past), f"?lang={lang}")
    cells = phone.find_elements("css selector", ".history td")
    assert len(cells) == 2 * 8
    assert all(cell.rect["x"] >= 0 and cell.rect["x"] + cell.rect["width"] <= 390 for cell in cells)
    assert cells[0].text.splitlines() == [{"en": "Season", "zh": "生长季"}[lang], "2016-10-01 … 2017-12-15"]
    assert [cell.text.splitlines()[0] for cell in cells[1:3]] == {
        "en": ["Main crop", "Planted, mu"], "zh": ["主要作物", "种植面积, 亩"]
    }[lang]  # fmt: skip
    phone.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert cells[0].text == "2016-10-01 … 2017-12-15"  # a table with one head where there is room


def test_charts_of_reviews_are_read_and_a_table_that_goes_on_shows_it(phone: WebDriver, tmp_path: Path) -> None:
    rate, change = ("changed", "变更"), ("change", "变化")
    officers = [("zhang.wei@county-office", [12.5]), ("li.na", [100.0]), ("wang.fang", [0.0])]
    months = [LineSeries(f"2024-Q{k}", [(m, m * k / 4) for m in range(1, 37)]) for k in (1, 2, 3)]
    lines = line_chart(months, x=("months on book", "账龄（月）"), unit=" %")
    wide = [(f"column {k}", f"第{k}列") for k in range(12)]
    sections = [
        Section(("By officer", "按人员"), wide, [["12,345.6"] * 12], chart=bars(officers, [rate], unit=" %")),
        Section(("Up and down", "升降"), chart=bars([("a", [5.0]), ("b", [-123.0])], [change])),
        Section(("Ever 30 days past due", "曾逾期30天"), lines=lines),
    ]
    open_page(phone, tmp_path, render_page(Page(("Review", "复核"), ("under", "副题"), (), sections)))
    first, second, third = check_drawings(phone, "svg.drawing", drawings=3)
    assert [one["text"] for one in first] == ["zhang.wei@county-office", "12.5 %", "li.na", "100 %", "wang.fang", "0 %"]
    assert "-123" in [one["text"] for one in second]
    assert "months on book 账龄（月）" in [one["text"] for one in third]
    table = phone.find_element("css selector", ".wide")
    assert phone.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", table)
    shade = str(table.value_of_css_property("background-attachment"))
    assert shade == "local, local, scroll, scroll"  # the shade at an edge goes when the edge of the table is reached
