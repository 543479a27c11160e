# SPDX-License-Identifier: Apache-2.0
"""The map page in a real browser without a network: drawn, clicked, read in both languages, its console silent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from acreline.report import write_farm_pages, write_map_page
from tests.made_publication import ODD_FARM, make_pictures, make_publication

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytestmark = pytest.mark.service
BLANK_PNG_BYTES = 20_000  # an empty page at this size is some 5 kB, a drawn one above 100 kB


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("made") / "publication")
    write_farm_pages(folder, make_pictures())
    write_map_page(folder)
    return folder


@pytest.fixture
def page(driver: WebDriver, publication: Path) -> WebDriver:
    _open(driver, publication, "lang=en")
    return driver


def _open(driver: WebDriver, publication: Path, query: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get(f"{(publication / 'report' / 'index.html').as_uri()}?{query}")
    WebDriverWait(driver, 20).until(lambda d: _find(d, "body[data-ready='true']"))


def _find(driver: WebDriver, selector: str) -> list[Any]:
    return driver.find_elements("css selector", selector)


def _text(driver: WebDriver, selector: str) -> str:
    return str(driver.find_element("css selector", selector).text)


def _row(driver: WebDriver, name: str) -> Any:
    return next(row for row in _find(driver, "#farms tbody tr[data-farm]") if name in row.text)


def _clear_looks(publication: Path, parcel: str) -> int:
    table = pq.read_table(publication / "parcels.parquet", columns=["id", "status", "clear_looks"]).to_pylist()
    [row] = [row for row in table if row["id"] == parcel and row["status"] != "rejected"]
    return int(row["clear_looks"])


def test_page_draws_every_parcel_and_its_console_is_silent(page: WebDriver) -> None:
    assert page.title == "acreline made-square ok 21"
    assert len(_find(page, "path.parcel")) == 20  # the twin of P02 came without an outline
    assert len(_find(page, "#farms tbody tr[data-farm]")) == 13
    assert len(_find(page, ".leaflet-image-layer")) == 2
    assert len(page.get_screenshot_as_png()) > BLANK_PNG_BYTES
    assert page.get_log("browser") == []


def test_a_row_opens_the_farm_with_facts_curve_and_trail(page: WebDriver, publication: Path) -> None:
    _row(page, "F-004").click()
    panel = _text(page, "#panel")
    for part in ("F-004", "Approve", "mu", "ha", "acres", "Maize", "P04", "P05", "Last clear look", "5–95 %"):
        assert part in panel
    [limit] = [cell.text for cell in _find(page, "#farms tr.chosen td.c-limit")]
    assert f"CNY {limit}" in _text(page, ".verdict")
    assert len(_find(page, ".curve circle.clear")) == _clear_looks(publication, "P04")
    assert len(_find(page, ".curve line.cloudy")) == 88 - _clear_looks(publication, "P04")
    steps = [step.text for step in _find(page, ".trail .step")]
    titles = ["Enough evidence", "Share of the harvest's worth", "Amount per mu", "round"]
    assert [step.split("\n")[0] for step in steps] == titles
    assert "The limit is 60 % of the low end of the harvest value." in steps[1]
    assert steps[-1].count("CNY") >= 2
    _find(page, ".parcels tr[data-parcel]")[1].click()
    assert "P05" in _text(page, ".parcel-box h3")
    assert len(_find(page, ".curve circle.clear")) == _clear_looks(publication, "P05")
    assert page.get_log("browser") == []


def test_a_parcel_on_the_map_opens_its_farm(page: WebDriver) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    shape = next(
        path for path in _find(page, "path.parcel") if path.get_attribute("data-parcel") == _index(page, "P10")
    )
    ActionChains(page).move_to_element(shape).perform()
    assert "P10" in _text(page, ".leaflet-tooltip")
    shape.click()
    assert _text(page, ".panel-head h2") == "F-008"
    assert "P10" in _text(page, ".parcel-box h3")
    assert "#farm=F-008" in page.current_url


def _index(page: WebDriver, parcel: str) -> str:
    script = (
        "return JSON.parse(document.getElementById('data').textContent).parcels.findIndex(p => p.id === arguments[0])"
    )
    return str(page.execute_script(script, parcel))


def test_colours_follow_the_mode_and_the_legend_says_what_is_shown(page: WebDriver) -> None:
    def fills() -> list[str | None]:
        return [path.get_attribute("fill") for path in _find(page, "path.parcel")]

    crop = fills()
    assert "Maize" in _text(page, "#legend")
    page.find_element("css selector", "[data-mode='outcome']").click()
    outcome = fills()
    assert outcome != crop
    assert set(outcome) <= {"#2475b0", "#e39a1b", "#6a5a7d"}  # blue, amber, violet: told apart by the colour-blind too
    assert "To a person" in _text(page, "#legend")
    assert not page.find_element("css selector", "#fader").is_enabled()
    page.find_element("css selector", "[data-mode='health']").click()
    assert "#d08b2c" in fills()
    assert "Drought" in _text(page, "#legend")
    assert "Flood" not in _text(page, "#legend")  # a class of the table that stands nowhere on the map
    shown = [image.value_of_css_property("opacity") for image in _find(page, ".leaflet-image-layer")]
    assert shown == ["0", "0.3"]


def test_pixel_map_fades_in_over_the_parcels(page: WebDriver) -> None:
    page.execute_script(
        "const f = document.getElementById('fader'); f.value = 100; f.dispatchEvent(new Event('input'));"
    )
    assert _find(page, ".leaflet-image-layer")[0].value_of_css_property("opacity") == "1"
    assert _find(page, "path.parcel")[0].get_attribute("fill-opacity") == "0"


def test_a_referral_is_a_person_and_never_a_refusal(page: WebDriver) -> None:
    _row(page, "F-005").click()
    box = _text(page, ".decision")
    assert "To a person" in box
    assert "This is not a refusal." in box
    assert "Decline" not in box


def test_chinese_by_address_and_by_button(driver: WebDriver, publication: Path) -> None:
    _open(driver, publication, "lang=zh")
    assert driver.execute_script("return document.documentElement.lang") == "zh-CN"
    _row(driver, "F-004").click()
    assert "额度为预计产值下限的60%。" in _text(driver, "#panel")
    assert "玉米" in _text(driver, "#farms")
    assert "演示政策" in _text(driver, ".notices")
    assert "Season" not in _text(driver, ".top")
    driver.find_element("css selector", "[data-set-lang='en']").click()
    assert "The limit is 60 % of the low end" in _text(driver, "#panel")
    assert "Season" in _text(driver, ".top")
    assert driver.get_log("browser") == []


def test_table_sorts_and_searches(page: WebDriver) -> None:
    page.find_element("css selector", "th.c-limit button").click()
    limits = [cell.text for cell in _find(page, "td.c-limit")]
    numbers = [-1 if text == "–" else int(text.replace(",", "")) for text in limits]
    assert numbers == sorted(numbers, reverse=True)
    assert page.find_element("css selector", "th.c-limit").get_attribute("aria-sort") == "descending"
    page.find_element("css selector", "#search").send_keys("potato")
    rows = _find(page, "#farms tbody tr[data-farm]")
    assert 0 < len(rows) < 13
    assert all("Potato" in row.text for row in rows)
    page.find_element("css selector", "#search").send_keys(" nothing such")
    assert _text(page, "#farms tbody") == "No farm matches the search."


def test_keyboard_chooses_a_farm_and_an_address_opens_it(page: WebDriver, publication: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    _row(page, "F-003").send_keys(Keys.ENTER)
    assert _text(page, ".panel-head h2") == "F-003"
    _open(page, publication, "lang=en#farm=F-009")
    assert _text(page, ".panel-head h2") == "F-009"


def test_a_hostile_farm_name_is_only_text(page: WebDriver) -> None:
    _row(page, "<script>").click()
    assert _text(page, ".panel-head h2") == ODD_FARM
    assert page.get_log("browser") == []


def test_pointing_at_the_curve_reads_a_date_and_a_value(page: WebDriver) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    _row(page, "F-004").click()
    curve = page.find_element("css selector", ".curve")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", curve)
    dot = _find(page, ".curve circle.clear")[5]
    ActionChains(page).move_to_element(dot).perform()
    assert _text(page, ".readout") == dot.get_attribute("textContent")
    assert "NDVI" in _text(page, ".readout")


def _pictures(driver: WebDriver) -> list[int]:
    """How wide each picture of a farm's page is, in its own pixels; 0 for one that was not drawn."""
    return [driver.execute_script("return arguments[0].naturalWidth", image) for image in _find(driver, ".frame img")]


def test_a_farm_has_a_page_of_its_own_and_the_way_back(page: WebDriver) -> None:
    _row(page, "F-004").click()
    page.find_element("css selector", "a.page-link").click()
    assert _text(page, "h1") == "F-004"
    assert "Approve" in _text(page, ".decision")
    assert _pictures(page) == [24, 24, 24, 24]
    assert all(image.size["width"] > 100 for image in _find(page, ".frame img"))
    assert len(_find(page, "svg.curve")) == 2
    assert len(page.get_screenshot_as_png()) > BLANK_PNG_BYTES
    page.find_element("css selector", "[data-set-lang='zh']").click()
    assert "批准" in _text(page, ".decision")
    assert "Approve" not in _text(page, "body")
    page.find_element("css selector", "a.back").click()
    assert _text(page, ".panel-head h2") == "F-004"
    assert page.execute_script("return document.documentElement.lang") == "zh-CN"
    assert page.get_log("browser") == []


def test_the_page_of_a_hostile_farm_name_opens_and_leads_back(page: WebDriver) -> None:
    _row(page, "<script>").click()
    page.find_element("css selector", "a.page-link").click()
    assert _text(page, "h1") == ODD_FARM
    page.find_element("css selector", "a.back").click()
    assert _text(page, ".panel-head h2") == ODD_FARM
    assert page.get_log("browser") == []


@pytest.mark.slow
def test_the_page_of_the_real_demo(driver: WebDriver, demo_run: Path) -> None:
    publication = (demo_run / "latest").resolve()
    _open(driver, publication, "lang=en")
    assert driver.title == "acreline flanders-2018 ok 19"
    assert len(_find(driver, "path.parcel")) == 19
    farms = pq.read_table(publication / "decisions.parquet").to_pylist()
    assert len(_find(driver, "#farms tbody tr[data-farm]")) == len(farms)
    approved = next(farm for farm in farms if farm["outcome"] == "approve")
    _row(driver, approved["farm_id"]).click()
    told = driver.find_element("tag name", "body").text
    for part in (approved["farm_id"], f"{approved['limit']:,.0f}", "mu", "ha", "acres", "health: not validated"):
        assert part in told
    driver.find_element("css selector", "a.page-link").click()
    assert _text(driver, "h1") == approved["farm_id"]
    assert _pictures(driver)
    assert all(_pictures(driver))
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_farms_page_is_no_wider_than_a_phone(driver: WebDriver, publication: Path) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for path in sorted((publication / "report" / "farms").iterdir()):
            for lang in ("en", "zh"):
                driver.get(f"{path.as_uri()}?lang={lang}")
                widths = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
                assert widths == [390, 390], path.name
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
