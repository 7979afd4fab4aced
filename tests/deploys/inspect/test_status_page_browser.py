"""The page of the state in a browser: on a phone and on a desk, light and dark, without a fault in its console."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from deploys.inspect import status_page
from tests.deploys.inspect.hosts import AWAY, DAY, ILL, NOW, WELL

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--hide-scrollbars"),
)
SIZES = {"phone": 390, "desk": 1440}  # pixels wide
# By the WCAG: how much lighter one of two colours is than the other, for each text that a person reads.
FAINT = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const below = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour !== "rgba(0, 0, 0, 0)" || !element.parentElement ? colour : below(element.parentElement);
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const [one, other] = [light(getComputedStyle(element).color), light(below(element))].sort((a, b) => b - a);
  if ((one + 0.05) / (other + 0.05) < 4.5) found.push(walker.currentNode.data.trim());
}
return found;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("Debian's packages chromium and chromium-driver are not installed")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    with Chrome(options=options, service=Service(CHROMEDRIVER)) as driver:
        yield driver


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_read_it(browser: Chrome, tmp_path: Path, size: str, scheme: str) -> None:
    page = tmp_path / "status.html"
    seen = [(WELL, DAY), (ILL, DAY), (AWAY, None)]
    page.write_text(status_page.render("inventories/prod.py", [status_page.Seen(*each) for each in seen], NOW))
    screen = {"width": SIZES[size], "height": 900, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") == SIZES[size]
    assert browser.execute_script(FAINT) == []
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)") == []
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 22, 28)"}[scheme]
