"""The report's page in a real browser: Chromium without a window, and without a network.

Needs the programs chromium and chromedriver and Python's selenium; says loudly where they are not.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.events import Done, Failed, Planned, Skipped, Started, Summary
from colorize_media.options import ColorizeOptions
from colorize_media.report.page import Pair, encoded, page, script_json
from colorize_media.report.thumbnails import thumbnail
from colorize_media.report.writing import Report

MANY = 10_000
ODD = os.fsdecode(b'"><img src=x onerror=window.pwned=1> #?%41\n\xff.png')
PROGRAMS = ("chromium", "chromedriver")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the report's page was NOT tested in a browser")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: page NOT tested")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking",
        "hide-scrollbars", f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_window_size(1280, 900)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of six files, of the real pictures that its large view shows."""
    base = tmp_path_factory.mktemp("page")
    (base / "in" / "1954").mkdir(parents=True)
    out = base / "out"
    out.mkdir()
    plan, events = [], []
    for number, name in enumerate(["a.png", "1954/b.jpg", ODD, "colour.jpg", "broken.jpg", "1954/last.png"]):
        source, target = base / "in" / name, out / f"{number}.png"
        pixels = np.roll(data.coffee(), 40 * number, axis=1)
        grey = Image.fromarray(pixels).convert("L")
        (grey if name != "colour.jpg" else Image.fromarray(pixels)).save(source)
        plan.append(Planned(source, target, "photo", "colorize", "", out, base / "in"))
        if name == "colour.jpg":
            events.append(Skipped(source, "already in colour: its colours differ", "color"))
        elif name == "broken.jpg":
            events.append(Failed(source, "the picture is damaged", "<b>it ends early</b>", "copy it again"))
        else:
            Image.fromarray(pixels).save(target)
            events += [Started(source, target, "photo", 1, "neutral: grey", "neutral"), Done(source, target, 1, 0.5)]
    report = Report(None, plan, ColorizeOptions())
    for event in [*events, Summary(4, 1, 1, 3.0)]:
        report(event)
    report.write()
    return report.path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of ten thousand pairs of thumbnails, about as large as one of so many real pictures."""
    base = tmp_path_factory.mktemp("large")
    Image.fromarray(data.coffee()).save(base / "a.png")
    Image.fromarray(data.coffee()).convert("L").save(base / "b.png")
    after, before = (encoded(thumbnail(base / name, 160, ColorizeOptions())) for name in ("a.png", "b.png"))
    folders = [f"Photos/{year}/{month:02d}" for year in range(1920, 2000) for month in range(1, 13)]
    rows = [
        {
            "name": f"IMG_{number:05d}.jpg", "folder": number * len(folders) // MANY, "kind": "photo", "earlier": False,
            "status": "failed" if number % 50 == 7 else "done", "decision": "neutral", "reason": "neutral: grey",
            "source": f"/in/IMG_{number:05d}.jpg", "before": f"in/{number}.jpg",
        }
        for number in range(MANY)
    ]  # fmt: skip
    counts = {"done": MANY - MANY // 50, "left": 0, "present": 0, "failed": MANY // 50}
    totals = {"files": MANY, **counts, "earlier": dict.fromkeys(counts, 0), "warned": 0}
    facts = {"title": "Many", "written": "", "options": "", "notes": [], "took": "", "totals": totals}
    pairs = (Pair(f"{number:016x}", before, after) for number in range(MANY))
    with (base / "large.html").open("wb") as file:
        for piece in page(facts, folders, rows, pairs):
            file.write(piece)
    return base / "large.html"


def show(browser: Any, path: Path) -> None:
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(path.as_uri())


def until(condition: Callable[[], Any], what: str) -> Any:
    for _ in range(200):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what}")


def css(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


def names(browser: Any) -> list[str]:
    # In one go: the list may be drawn anew between two questions.
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('.card .name')].map((e) => e.textContent)"
    )
    return found


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def assert_quiet(browser: Any) -> None:
    """Nothing was refused by the page's own policy, nothing failed, nothing came from elsewhere."""
    assert browser.get_log("browser") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert not [name for name in fetched if not name.startswith(("file:", "data:"))]


def test_names_are_shown_as_text_and_nothing_of_them_runs(browser: Any, small: Path) -> None:
    show(browser, small)
    assert len(names(browser)) == 6
    assert '"><img src=x onerror=window.pwned=1> #?%41\\n\\udcff.png' in names(browser)
    assert browser.execute_script("return window.pwned") is None
    assert "<b>it ends early</b>" in css(browser, "details.failures td")[1].text
    until(lambda: browser.execute_script("return [...document.images].every((i) => i.naturalWidth)"), "thumbnails")
    assert_quiet(browser)


def test_filters(browser: Any, small: Path) -> None:
    from selenium.webdriver.support.select import Select

    show(browser, small)
    texts = [button.text for button in css(browser, "#statuses button")]
    assert texts == ["All 6", "Coloured 4", "Left alone 1", "Failed 1"]
    css(browser, "#statuses button")[3].click()
    assert names(browser) == ["broken.jpg"]
    css(browser, "#statuses button")[0].click()
    Select(css(browser, "#folder")[0]).select_by_visible_text("in/1954 (2)")
    assert names(browser) == ["b.jpg", "last.png"]
    Select(css(browser, "#folder")[0]).select_by_index(0)
    Select(css(browser, "#decision")[0]).select_by_visible_text("In colour")
    assert names(browser) == ["colour.jpg"]
    Select(css(browser, "#decision")[0]).select_by_index(0)
    css(browser, "#find")[0].send_keys("1954 LAST")
    until(lambda: names(browser) == ["last.png"], "the name is found")
    assert css(browser, "#count")[0].text == "1 of 6 files"
    css(browser, "#find")[0].send_keys(" nothing like it")
    until(lambda: css(browser, "#empty")[0].is_displayed(), "it says that there is nothing")
    assert_quiet(browser)


def test_the_divider_by_keyboard(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, small)
    browser.execute_script("document.getElementById('list').focus()")
    press(browser, Keys.TAB)
    slider = browser.switch_to.active_element
    assert slider.get_attribute("type") == "range"
    assert slider.get_attribute("aria-label") == "Before and after of a.png"
    for _ in range(10):
        press(browser, Keys.ARROW_RIGHT)
    assert slider.get_attribute("value") == "60"
    assert slider.get_attribute("aria-valuetext") == "40 % in colour"
    after = css(browser, ".card .after")[0]
    assert "60%" in after.value_of_css_property("clip-path")
    picture = css(browser, ".card .picture")[0]
    assert picture.value_of_css_property("outline-style") == "solid"  # the focus can be seen
    press(browser, Keys.TAB)
    assert browser.switch_to.active_element.text == "a.png"
    everywhere = css(browser, "#everywhere")[0]
    everywhere.send_keys(Keys.HOME)
    assert {element.get_attribute("value") for element in css(browser, ".card input")} == {"0"}


def test_the_large_view_shows_the_files_themselves(browser: Any, small: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, small)
    css(browser, ".card .name")[2].click()  # the odd one
    assert "onerror" in css(browser, "#viewer-name")[0].text
    wide = "return [...document.querySelectorAll('#viewer img')].map((i) => i.naturalWidth)"
    until(lambda: browser.execute_script(wide) == [600, 600], "both files are shown at their own size")
    links = [link.get_attribute("href") for link in css(browser, "#viewer a")]
    assert len(links) == 2
    assert all(link.startswith("file:///") for link in links)
    press(browser, Keys.ARROW_LEFT)
    assert css(browser, "#viewer input")[0].get_attribute("value") == "49"
    press(browser, "n", "n")
    assert css(browser, "#viewer-name")[0].text == "broken.jpg"
    assert "copy it again" in css(browser, "#viewer .facts")[0].text
    press(browser, "p", Keys.ESCAPE)
    until(lambda: not css(browser, "#viewer[open]"), "Escape closes it")
    assert browser.switch_to.active_element.text == "colour.jpg"
    assert_quiet(browser)


@pytest.mark.parametrize(("width", "scheme"), [(500, "light"), (1280, "dark")])
def test_narrow_windows_and_dark_ones(browser: Any, small: Path, width: int, scheme: str) -> None:
    emulate = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulate)
    browser.set_window_size(width, 900)
    try:
        show(browser, small)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        cards = css(browser, ".card")
        assert cards[0].rect["x"] >= 0
        assert len({card.rect["x"] for card in cards}) == (1 if width < 640 else 4)
        ground = css(browser, "body")[0].value_of_css_property("background-color")
        dark = all(int(part) < 60 for part in ground.partition("(")[2].rstrip(")").split(",")[:3])
        assert dark == (scheme == "dark")
    finally:
        browser.set_window_size(1280, 900)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_ten_thousand_rows(browser: Any, large: Path) -> None:
    """Only what is in sight exists, and the last row is as near as the first."""
    assert large.stat().st_size > 50_000_000
    show(browser, large)
    heap = browser.execute_script("return performance.memory.usedJSHeapSize")
    assert heap < 60_000_000
    assert 0 < len(css(browser, ".card")) < 60
    browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
    until(lambda: names(browser)[-1:] == [f"IMG_{MANY - 1:05d}.jpg"], "the last picture")
    assert len(css(browser, ".card")) < 60
    until(lambda: browser.execute_script("return [...document.images].every((i) => i.naturalWidth)"), "thumbnails")
    last = css(browser, ".card")[-1]
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == str(MANY)
    css(browser, "#find")[0].send_keys("1954/07")
    inside = sum(number * 960 // MANY == (1954 - 1920) * 12 + 6 for number in range(MANY))
    until(lambda: css(browser, "#count")[0].text == f"{inside} of {MANY} files", "found by its folder")
    assert_quiet(browser)


# --- without a browser


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)", "<!--<script>", "a & b > c", "\u2028\udcff", 'quote " \\']
)
def test_data_cannot_leave_its_element(text: str) -> None:
    out = script_json({"text": text})
    assert not set("<>&") & set(out)
    assert out.isascii()
    assert json.loads(out) == {"text": text}
