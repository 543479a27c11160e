# SPDX-License-Identifier: Apache-2.0
"""The portfolio of ten thousand farms in a real browser: how long it opens, sorts, filters and shows a farm.

    python benchmarks/pages.py RUN [RUN ...] [--farms 10000] [--keep DIR]

The farms of a run are laid side by side under new names until there are so many (facts, reasons and outlines are those
of the run), and the page is driven in headless Chromium without a network. Times are of the machine that runs it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rows import Row, make_row, write_rows

from acreline.report.page import render_told
from acreline.report.portfolio import tell_queues
from acreline.report.read import read_manifest, read_rows
from acreline.report.tell import tell_page, tell_totals
from acreline.store import open_publication

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

COMMAND = "python benchmarks/pages.py RUN"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
CHANGE = "const s = document.getElementById('f-{}'); s.value = '{}'; s.dispatchEvent(new Event('change'))"
ACTS = {
    "sort by limit": "document.querySelector('th.c-limit button').click()",
    "sort by farm": "document.querySelector('th.c-id button').click()",
    "sort by reason": "document.querySelector('th.c-reason button').click()",
    "filter by outcome": CHANGE.format("outcome", "refer"),
    "clear the filters": "document.getElementById('clear').click()",
    "queue of referrals": "document.querySelector(\"[data-queue='refer']\").click()",
    "switch to Chinese": "document.querySelector(\"[data-set-lang='zh']\").click()",
}
TIMES = 5
LAG_MS = 100
"""Below it an answer feels immediate (Nielsen 1993, Usability Engineering, chapter 5)."""


def repeat_farms(told: Row, count: int) -> Row:
    """A page's farms over and over under new names, each copy of the land beside the last, until there are enough.

    Args:
        told: from `tell_page`.
        count: farms that are wanted.
    """
    farms: list[Row] = []
    parcels: list[Row] = []
    outlines = [ring for parcel in told["parcels"] for rings in parcel["rings"] for ring in rings]
    corners = np.array([point for ring in outlines for point in ring])
    high, wide = 1.1 * np.ptp(corners, axis=0)
    across = max(round((count / len(told["farms"])) ** 0.5), 1)
    while len(farms) < count:
        turn = len(farms) // len(told["farms"])
        east, north = float(wide * (turn % across)), float(high * (turn // across))
        offset = len(parcels)
        names = {farm["id"]: f"F{turn:04d}-{place:02d}" for place, farm in enumerate(told["farms"])}
        for parcel in told["parcels"]:
            moved = [[[[y + north, x + east] for y, x in ring] for ring in rings] for rings in parcel["rings"]]
            parcels.append(
                {**parcel, "id": f"{parcel['id']}-{turn}", "farm": names.get(parcel["farm"]), "rings": moved}
            )
        for farm in told["farms"]:
            mine = [offset + place for place in farm["parcels"]]
            mu = None if farm["mu"] is None else farm["mu"] + turn / 100
            farms.append({**farm, "id": names[farm["id"]], "parcels": mine, "mu": mu})
    farms = farms[:count]
    return {**told, "farms": farms, "parcels": parcels, "totals": tell_totals(farms, parcels)}


def measure(driver: WebDriver, script: str) -> float:
    """Milliseconds until the page has answered and painted."""
    timed = f"""const done = arguments[0]; const start = performance.now(); {script};
    document.body.offsetHeight; requestAnimationFrame(() => done(performance.now() - start));"""
    return float(driver.execute_async_script(timed))


def open_page(driver: WebDriver, page: Path, view: str = "") -> float:
    """Open a page and wait until it is ready; seconds from the start of the navigation."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get(f"{page.as_uri()}?lang=en{view}")
    WebDriverWait(driver, 120).until(lambda d: d.find_elements("css selector", "body[data-ready='true']"))
    return float(driver.execute_script("return performance.now()")) / 1000


def page_rows(driver: WebDriver, page: Path, where: str, farms: int) -> list[Row]:
    """What one page takes: to open, to answer, to show its last farm; on a phone's screen too."""
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def row(what: str, value: float, unit: str, target: str = "", baseline: str = "none") -> Row:
        return make_row(what, where, value, unit, n=farms, target=target, baseline=baseline, command=COMMAND)

    rows = [
        row("size of the portfolio page", round(page.stat().st_size / 1e6, 1), "MB"),
        row("portfolio page opens", round(open_page(driver, page), 2), "s", "<= 10", "until it answers"),
    ]
    figures = [int(one.text.replace(",", "")) for one in driver.find_elements("css selector", ".count .figure")]
    rows.append(
        row("farms that the counts leave over", figures[0] - sum(figures[1:]), "farms", "<= 0", "0: they add up")
    )
    for what, script in ACTS.items():
        told = [measure(driver, script) for _ in range(TIMES)]
        rows.append(
            row(what, round(float(np.median(told)), 1), "ms", f"<= {LAG_MS}", f"worst of {TIMES}: {max(told):.0f}")
        )
    open_page(driver, page)
    driver.execute_script("document.querySelector('#farms tbody tr[data-farm]').focus()")
    driver.switch_to.active_element.send_keys(Keys.END)
    last = driver.switch_to.active_element
    name = last.find_element("css selector", "td.c-id").text
    start = float(driver.execute_script("return performance.now()"))
    last.send_keys(Keys.ENTER)
    WebDriverWait(driver, 60).until(lambda d: d.find_elements("css selector", "#panel[aria-busy='false'] .verdict"))
    shown = driver.find_element("css selector", ".panel-head h2").text
    spent = float(driver.execute_script("return performance.now()")) - start
    rows.append(row("the last farm opens", round(spent), "ms", "<= 1000", f"{name}; shown {shown}"))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    rows.append(row("portfolio page opens on a phone's screen", round(open_page(driver, page), 2), "s", "<= 10"))
    wider = driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
    rows.append(row("how far it is wider than a phone", float(wider), "px", "<= 0"))
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    complaints = driver.get_log("browser")
    rows.append(row("errors that the browser reports", len(complaints), "errors", "<= 0"))
    return rows


def main() -> None:
    """Make the pages, drive them, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs")
    parser.add_argument("--farms", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="leave the pages here")
    asked = parser.parse_args()
    browser, server = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or server is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as made:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*FLAGS, "--window-size=1400,900", f"--user-data-dir={made}/profile"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        with webdriver.Chrome(options=options, service=Service(executable_path=server)) as driver:
            driver.set_page_load_timeout(120)
            driver.set_script_timeout(60)
            for run in asked.runs:
                publication = open_publication(run)
                manifest = read_manifest(publication)
                told = repeat_farms(tell_page(publication), asked.farms)
                told |= {"queues": tell_queues(told["farms"], None, []), "base": ""}
                folder = asked.keep or Path(made)
                folder.mkdir(parents=True, exist_ok=True)
                page = folder / f"{manifest['region']}.html"
                page.write_text(render_told(told, manifest, read_rows(publication, "scenes")), encoding="utf-8")
                data = "; on simulated data" if manifest.get("simulated") else ""
                where = f"{manifest['region']}, its {manifest['counts']['farms']['in']} farms repeated{data}"
                rows += page_rows(driver, page, where, asked.farms)
    for one in rows:
        print(f"{one['quantity']}: {one['value']} {one['unit']} ({one['setting']}) {one['target']}", flush=True)
    write_rows("pages", rows)


if __name__ == "__main__":
    main()
