"""The form page in a browser: errors appear beside their fields, and the page shows a submission become a lead."""

import shutil
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.integration.dev.running_profile import RunningProfile

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1100,1300",
)


# The words of a page's text outside of what scrolls, as ranges; a hyphen, a dot and the like end a word.
WORDS = """
const words = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    if (walker.currentNode.parentElement.closest("pre")) continue;
    for (const match of walker.currentNode.data.matchAll(/[A-Za-z0-9]+/g)) {
      if (match[0].length === 64) continue; // a digest fits on no line of a phone
      const range = document.createRange();
      range.setStart(walker.currentNode, match.index);
      range.setEnd(walker.currentNode, match.index + match[0].length);
      found.push(range);
    }
  }
  return found;
};
const broken = (range) => new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size > 1;
"""
BROKEN = "return words().filter(broken).map(range => `${range}`)"


@pytest.fixture(scope="module")
def profile(make_profile: Callable[..., RunningProfile]) -> RunningProfile:
    running = make_profile()
    running.start()
    return running


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip("Debian's packages chromium and chromium-driver are not installed")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    with Chrome(options, Service(CHROMEDRIVER)) as browser:
        yield browser


def test_a_submission_is_corrected_sent_and_seen_to_become_a_lead(
    profile: RunningProfile, browser: Chrome
) -> None:
    browser.get(profile.address)
    browser.find_element(By.ID, "example").click()
    Select(field(browser, "/request/location/state")).select_by_value("CA")
    replace(field(browser, "/contact/email"), "maria at example")
    submit(browser)

    until(browser, lambda: "email address" in error(browser, "/contact/email"))
    assert error(browser, "/request/location/state").startswith("We only serve TX")
    assert field(browser, "/contact/email").get_attribute("aria-invalid") == "true"
    assert browser.switch_to.active_element == field(browser, "/contact/email")

    replace(field(browser, "/contact/email"), "maria@example.com")
    submit(browser)
    until(browser, lambda: "TX" in error(browser, "/request/location/state"))
    assert error(browser, "/contact/email") == ""

    Select(field(browser, "/request/location/state")).select_by_value("TX")
    browser.find_element(By.ID, "consent").click()
    submit(browser)
    until(browser, lambda: is_done(browser))
    assert "committed and acknowledged" in browser.find_element(By.ID, "step-queued").text
    intake_id = browser.find_element(By.ID, "intake-id").text
    stored = profile.query(f"SELECT email, state FROM app.leads WHERE intake_id = '{intake_id}'")
    assert stored == [("maria@example.com", "TX")]
    evidence = profile.query(f"SELECT channel, granted FROM app.consents WHERE intake_id = '{intake_id}'")
    assert evidence == [("email", True)]
    # The console shows each 4xx; it would also show a script error or a violation of the page's policy.
    assert [entry["message"] for entry in browser.get_log("browser") if "422" not in entry["message"]] == []


def test_a_new_try_hides_the_earlier_success_and_an_untouched_box_is_no_consent(
    profile: RunningProfile, browser: Chrome
) -> None:
    browser.get(profile.address)
    browser.find_element(By.ID, "example").click()
    submit(browser)
    until(browser, lambda: is_done(browser))
    intake_id = browser.find_element(By.ID, "intake-id").text
    assert profile.query(f"SELECT granted FROM app.consents WHERE intake_id = '{intake_id}'") == [(False,)]
    replace(field(browser, "/contact/email"), "maria at example")
    submit(browser)
    until(browser, lambda: error(browser, "/contact/email") != "")
    assert not browser.find_element(By.ID, "progress").is_displayed()


def test_what_the_chosen_way_of_replying_needs_is_not_marked_optional(
    profile: RunningProfile, browser: Chrome
) -> None:
    browser.get(profile.address)

    def optional() -> list[bool]:
        labels = [field(browser, f"/contact/{name}").get_attribute("id") for name in ("email", "phone")]
        return [
            browser.find_element(By.CSS_SELECTOR, f"label[for='{label}'] .optional").is_displayed()
            for label in labels
        ]

    reply = Select(field(browser, "/contact/preferred_contact_method"))
    assert optional() == [False, True]
    reply.select_by_value("call")
    assert optional() == [True, False]
    reply.select_by_value("email")
    assert optional() == [False, True]


def test_the_flags_of_a_lead_are_shown_and_explained_in_the_docs(profile: RunningProfile, browser: Chrome) -> None:
    browser.get(profile.address)
    browser.find_element(By.ID, "example").click()
    submit(browser)
    until(browser, lambda: is_done(browser))
    assert not browser.find_element(By.ID, "flags").is_displayed()

    replace(field(browser, "/contact/phone"), "ask my wife")
    replace(field(browser, "/request/expected_hours"), "4")
    submit(browser)
    until(browser, lambda: is_done(browser))
    flags = browser.find_element(By.ID, "flags")
    assert flags.text == "Flags below_minimum_shift, phone_unreadable"
    flags.find_element(By.TAG_NAME, "a").click()
    until(browser, lambda: browser.current_url == f"{profile.address}/lead/docs#flags")
    assert "below_minimum_shift" in browser.find_element(By.TAG_NAME, "main").text


def test_the_page_leads_to_the_docs(profile: RunningProfile, browser: Chrome) -> None:
    browser.get(profile.address)
    browser.find_element(By.LINK_TEXT, "like any client").click()
    until(browser, lambda: browser.current_url == f"{profile.address}/lead/docs")


def test_the_same_text_sent_again_after_a_lost_answer_is_one_lead(
    profile: RunningProfile, browser: Chrome
) -> None:
    browser.get(profile.address)
    browser.execute_script(
        # The request arrives and its answer is lost, once.
        "const real = window.fetch; let lost = false;"
        "window.fetch = async (...args) => {"
        "  const answer = await real(...args);"
        "  if (!lost) { lost = true; throw new TypeError('lost'); }"
        "  return answer; };"
    )
    browser.find_element(By.ID, "example").click()
    replace(field(browser, "/contact/full_name"), "Sent Twice")
    submit(browser)
    until(browser, lambda: is_done(browser))
    assert profile.query("SELECT count(*) FROM app.leads WHERE full_name = 'Sent Twice'") == [(1,)]


def test_every_field_has_a_label_and_the_page_is_not_wider_than_a_phone(
    profile: RunningProfile, browser: Chrome
) -> None:
    browser.get(profile.address)
    browser.set_window_size(500, 900)  # headless Chromium makes no narrower window
    for element in browser.find_elements(By.CSS_SELECTOR, "input, select, textarea"):
        assert browser.execute_script("return arguments[0].labels.length", element) == 1, element.get_attribute(
            "id"
        )
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("path", ["/lead/docs", "/lead/problems", "/lead/problems/idempotency-key-in-use"])
def test_no_word_of_the_documentation_is_broken_or_cut_off(
    profile: RunningProfile, browser: Chrome, path: str, width: int
) -> None:
    screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == 390}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(profile.address + path)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.execute_script("return window.innerWidth") == width
    assert browser.execute_script(WORDS + "return words().length") > 50
    assert browser.execute_script(WORDS + BROKEN) == []


def test_a_word_that_is_broken_is_found(profile: RunningProfile, browser: Chrome) -> None:
    browser.get(f"{profile.address}/lead/problems")
    browser.execute_script(
        "for (const code of document.querySelectorAll('code')) { code.style.width = '3rem';"
        "code.style.display = 'block'; code.style.overflowWrap = 'anywhere'; }"
    )
    assert "unauthorized" in browser.execute_script(
        WORDS + "return words().filter(broken).map(range => `${range}`)"
    )


def test_the_page_answers_to_names_of_this_machine_only(profile: RunningProfile) -> None:
    def ask(host: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", profile.port)
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    for port in (f":{profile.port}", ""):
        status, text = ask(f"localhost{port}")
        assert status == 200
        assert "mcl_" in text
        status, text = ask(f"evil.example{port}")
        assert status == 404
        assert "mcl_" not in text


def test_everything_the_page_loads_comes_from_its_own_address(profile: RunningProfile, browser: Chrome) -> None:
    browser.get(profile.address)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(loaded) >= 2
    assert all(name.startswith((profile.address, "data:")) for name in loaded)


def field(browser: Chrome, pointer: str) -> WebElement:
    return browser.find_element(By.NAME, pointer)


def error(browser: Chrome, pointer: str) -> str:
    return browser.find_element(By.ID, "error" + pointer.replace("/", "-")).text


def replace(element: WebElement, text: str) -> None:
    element.clear()
    element.send_keys(text)


def submit(browser: Chrome) -> None:
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()


def is_done(browser: Chrome) -> bool:
    """Whether the lead sent last is in the database: while it is sent, nothing of the one before is shown."""
    step = browser.find_element(By.ID, "step-done")
    return step.is_displayed() and step.get_attribute("data-state") == "reached"


def until(browser: Chrome, condition: Callable[[], bool]) -> None:
    WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())
