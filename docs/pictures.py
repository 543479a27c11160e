# SPDX-License-Identifier: Apache-2.0
"""The pictures of the README, of the demo region: `python docs/pictures.py`. Needs Chromium and its driver."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from acreline import Store, open_publication, read_region, run_region

HERE = Path(__file__).parent
REPO = HERE.parent
FARM = "F-004"


def main() -> None:
    """Run the demo and take the portfolio with a farm opened, and the way to that farm's limit."""
    with tempfile.TemporaryDirectory() as folder:
        run_region(read_region(REPO / "configs" / "regions" / "flanders-2018.yaml"), Store(Path(folder) / "run"))
        report = open_publication(Path(folder) / "run") / "report"
        options = webdriver.ChromeOptions()
        for word in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ):
            options.add_argument(word)
        options.binary_location = shutil.which("chromium") or ""
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            (HERE / "images").mkdir(exist_ok=True)
            driver.set_window_size(1280, 1000)
            driver.get(f"{(report / 'index.html').as_uri()}#farm={FARM}")
            driver.save_screenshot(str(HERE / "images" / "portfolio.png"))
            driver.set_window_size(900, 1400)
            driver.get((report / "farms" / f"{FARM}.html").as_uri())
            shown = [one for one in driver.find_elements(By.CSS_SELECTOR, "svg.waterfall") if one.is_displayed()]
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", shown[0])
            shown[0].screenshot(str(HERE / "images" / "waterfall.png"))
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
