"""The report's page as a whole: small screens, dark and light, paper, names and the keyboard."""

import pytest

from fundus_plugins.prediction.report import write_report
from tests.prediction.report.browser.pages import (
    CORRECTED,
    IN_CHROMIUM,
    OVERFLOW,
    ROWS,
    SECOND,
    look_at,
    names,
    opened,
    wait,
)
from tests.prediction.report.eyes import HOSTILE, many_records

pytestmark = IN_CHROMIUM


@pytest.mark.parametrize("width", [360, 768, 1000])
def test_nothing_is_wider_than_a_small_screen(browser, report, width):
    with opened(browser, report, width, 740, has_touch=True, is_mobile=width < 500) as page:
        assert page.evaluate(OVERFLOW) <= 0
        for eye in (SECOND, CORRECTED, HOSTILE):
            look_at(page, eye)
            assert page.evaluate("document.getElementById('dialog').scrollWidth - innerWidth") <= 0, eye
            assert page.locator("#viewer").bounding_box()["width"] > 0.5 * min(width, 900)
        page.click("#close")
        if width == 360:
            page.select_option("#sort-by", "vcdr down")
            assert names(page)[0] == CORRECTED


def test_dark_and_light(browser, report):
    grounds = {}
    for scheme in ("light", "dark"):
        with opened(browser, report, color_scheme=scheme) as page:
            colours = page.evaluate(
                "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
            )
            grounds[scheme] = [sum(map(int, colour[4:-1].split(", "))) for colour in colours]
            page.emulate_media(media="print", color_scheme=scheme)
            ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
            assert sum(map(int, ink[4:-1].split(", "))) < 200  # paper is white
    assert grounds["light"][0] > grounds["light"][1] and grounds["dark"][0] < grounds["dark"][1]


def test_paper_gets_all_rows_or_the_open_eye(browser, drawn):
    folder, records = drawn
    address = write_report(folder / "paper", many_records(records, 250), facts={"Weights": "mine"}).as_uri()
    with opened(browser, address, 720, 1000) as page:
        page.emulate_media(media="print")
        wait(page, f"{ROWS} === 250")
        assert page.is_visible(".summary") and page.is_visible(".about dl") and page.is_hidden("#filters")
        assert page.evaluate(OVERFLOW) <= 0
        page.emulate_media(media="screen")
        page.evaluate("location.hash = 'eye=eye%203'")
        page.wait_for_selector("#dialog[open]")
        page.emulate_media(media="print")
        assert page.is_hidden(".summary") and page.is_hidden("#eyes") and page.is_hidden(".eye-nav")
        assert page.is_visible("#vcdr") and page.is_visible(".measures")


def test_controls_have_names_and_the_keyboard_reaches_them(page):
    look_at(page, SECOND)
    nameless = """[...document.querySelectorAll("button, input, select, a, [role=button], [tabindex='0']")].filter(
        (x) => !(x.getAttribute("aria-label") || x.textContent.trim() || x.labels?.length)).map((x) => x.outerHTML)"""
    assert page.evaluate(nameless) == []
    reached = set()
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"previous", "next", "close", "viewer", "to-whole", "zoom-in", "show-cup", "small-eye"} <= reached
