"""The report in a browser, opened as a file: what is seen, sorted, chosen and printed, all of it without a network."""

import copy
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from fundus_plugins.prediction.report import write_report
from tests.prediction.report.eyes import BARE, HOSTILE, drawn_records, many_records

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync".split()
FIRST, SECOND, CORRECTED, UNKNOWN, DARK = (
    "clinic/anna od.jpg",
    "clinic/anna os.jpg",
    "corrected.jpg",
    "which eye.jpg",
    7,
)
ROWS = "document.querySelectorAll('#body tr').length"
SHOWN = "id => document.getElementById('eye-id').textContent === id"
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("report # 100%")
    return folder, drawn_records(folder)


@pytest.fixture(scope="module")
def report(drawn) -> str:
    """The page's address."""
    folder, records = drawn
    return write_report(folder, records, facts={"Date": "today"}).as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def opened(browser, address: str, width: int = 1300, height: int = 900, **options) -> Iterator:
    """A page that at the end has neither said an error nor asked for anything but files and pictures in it."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    said: list[str] = []
    asked: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def page(browser, report):
    with opened(browser, report) as page:
        yield page


def link(eye: str) -> str:
    return "#eye=" + quote(eye, safe="!~*'()")  # as encodeURIComponent does


def names(page) -> list[str]:
    return page.eval_on_selector_all("#body .eye-link", "links => links.map((link) => link.textContent)")


def column(page, name: str) -> list[str]:
    return page.eval_on_selector_all(f"#body .cell-{name}", "cells => cells.map((cell) => cell.innerText)")


def wait(page, condition: str, argument: object = None) -> None:
    """Until a condition holds. Playwright's wait_for_function makes code of text, which the page's policy forbids."""
    end = time.monotonic() + 30
    while not page.evaluate(condition, argument):
        assert time.monotonic() < end, f"never {condition}"
        page.wait_for_timeout(10)


def look_at(page, eye: str) -> None:
    page.evaluate("hash => { location.hash = hash }", link(eye))
    wait(page, SHOWN, eye)


# ---- the table


def test_every_eye_is_listed_with_what_is_known(page, drawn):
    _, records = drawn
    assert names(page) == [record["id"] for record in records]
    first = page.locator("#body tr").first
    record = records[0]
    assert f"{record['vcdr']:.2f}" in first.inner_text()
    assert f"{record['vcdr_low']:.2f}–{record['vcdr_high']:.2f}" in first.inner_text()
    ratios = column(page, "vcdr")
    assert ratios[DARK] == "too dark" and ratios[-1] == "–"
    assert column(page, "doubts")[-3] == "The file is cut off."
    assert set(column(page, "rim_narrowest")[DARK:]) == {"–"}
    text = page.inner_text("body")
    assert "NaN" not in text and "undefined" not in text and "null" not in text
    assert "For research. It is not a medical device." in text


def test_names_are_text_and_nothing_else(page):
    assert HOSTILE in names(page) and page.locator("#body img[src='x']").count() == 0
    look_at(page, HOSTILE)
    assert "<img src=x onerror=alert(2)>" in page.inner_text("#facts")
    assert page.locator("#facts img").count() == 0


def test_heads_sort_up_and_down_and_what_is_missing_comes_last(page, drawn):
    _, records = drawn
    measured = {r["id"]: r["vcdr"] for r in records if r.get("status") == "measured"}
    head = page.locator("th[data-column=vcdr]")
    rising = sorted(measured, key=measured.get)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending" and names(page)[: len(rising)] == rising
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending" and names(page)[: len(rising)] == rising[::-1]
    assert names(page)[-1] == BARE
    page.click("th[data-column=status] button")
    assert head.get_attribute("aria-sort") == "none"
    assert column(page, "status")[:2] == ["failed", "failed"]
    assert page.locator("#body td.cell-vcdr").first.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
    numbers = "cell => getComputedStyle(cell).fontVariantNumeric"
    assert page.locator("#body td.cell-vcdr").first.evaluate(numbers) == "tabular-nums"


def test_search_and_filters_choose_eyes(page):
    page.fill("#search", "P-001 OS")
    assert names(page) == [SECOND] and page.inner_text("#shown") == "1 of 12 eyes"
    page.fill("#search", "no such eye")
    assert names(page) == [] and page.is_visible("#none")
    page.click("#clear")
    wait(page, f"{ROWS} === 12")
    page.select_option("#status", "failed")
    assert names(page) == ["broken.jpg", HOSTILE]
    page.select_option("#status", "")
    page.select_option("#doubt", "yes")
    assert len(names(page)) == 4
    page.select_option("#doubt", "")
    page.fill("#from", "0.7")
    page.fill("#below", "0.8")
    assert all(0.7 <= float(text.split()[0]) < 0.8 for text in column(page, "vcdr")) and len(names(page)) == 2


def test_reasons_tiles_and_bars_choose_and_are_pressed(page):
    reason = page.locator(".reason[data-value='views disagree']")
    reason.click()
    assert names(page) == ["two looks.jpg"] and reason.get_attribute("aria-pressed") == "true"
    assert page.input_value("#reason") == "views disagree"
    reason.click()
    assert len(names(page)) == 12
    page.click(".tile[data-value=ungradable]")
    assert column(page, "status") == ["ungradable"]
    page.click(".tile[data-filter='']")
    assert len(names(page)) == 12
    total = 0
    for bar in page.locator(".bar").all():
        bar.press("Enter")
        count = int(bar.get_attribute("aria-label").split(": ")[1].split()[0])
        assert bar.get_attribute("aria-pressed") == "true" and len(names(page)) == count
        total += count
        bar.press(" ")
    assert total == 7 and len(names(page)) == 12


def test_a_large_table_is_drawn_as_it_is_scrolled_and_sorts_all_of_it(browser, drawn):
    folder, records = drawn
    many = many_records(records, 450)
    address = write_report(folder / "many", many, split=True).as_uri()  # their pictures are not there
    with opened(browser, address) as page:
        assert page.evaluate(ROWS) == 100
        page.mouse.wheel(0, 1e6)
        wait(page, f"{ROWS} > 100")
        page.click("th[data-column=vcdr] button")
        assert names(page)[0] == min(many, key=lambda record: record["vcdr"])["id"]
        page.focus("#show-all")
        page.keyboard.press("Enter")
        assert page.evaluate(ROWS) == 450 and page.is_hidden("#more")
        assert names(page)[-1] == max(many, key=lambda record: record["vcdr"])["id"]
        assert page.evaluate("document.activeElement.className") == "eye-link"


# ---- one eye


def test_an_eye_opens_closes_and_has_an_address(page, drawn):
    _, records = drawn
    page.locator("#body .eye-link").first.press("Enter")
    wait(page, SHOWN, FIRST)
    assert page.is_visible("#dialog") and page.url.endswith(link(FIRST))
    assert page.inner_text("#vcdr") == f"{records[0]['vcdr']:.2f}"
    facts = page.inner_text("#facts")
    assert f"{round(records[0]['disc_height'])} px" in facts.replace("\u00a0", " ")
    assert f"{records[0]['disc_height_mm']:.2f} mm" in facts.replace("\u00a0", " ")
    assert "The scale comes from: the camera's list." in facts and "No doubts." in facts
    assert "Right eye (OD), as the list says" in page.inner_text("#eye-line")
    assert "0.91" in facts
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog", state="hidden")
    wait(page, "!location.hash")
    assert page.evaluate("document.activeElement.textContent") == FIRST
    page.click("#body tr:nth-child(2) .cell-vcdr")
    wait(page, SHOWN, SECOND)
    page.go_back()
    page.wait_for_selector("#dialog", state="hidden")


@pytest.mark.parametrize("eye", ["clinic/#7 100%? 'é'.jpg", HOSTILE])
def test_an_address_leads_to_an_eye(browser, report, eye):
    with opened(browser, report + link(eye)) as page:
        assert page.is_visible("#dialog") and page.inner_text("#eye-id") == eye


@pytest.mark.parametrize("end", ["#eye=nobody", "#eye=%E0%A4%A", "#eye=__proto__", "#eyes"])
def test_an_address_of_no_eye_leads_to_the_table(browser, report, end):
    with opened(browser, report + end) as page:
        assert page.is_hidden("#dialog") and len(names(page)) == 12


def test_arrow_keys_go_through_the_eyes_in_the_tables_order(page):
    page.click("th[data-column=id] button")
    order = names(page)
    page.locator("#body .eye-link").first.click()
    wait(page, SHOWN, order[0])
    for name in order[1:]:
        page.keyboard.press("ArrowRight")
        assert page.inner_text("#eye-id") == name and page.url.endswith(link(name))
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#eye-id") == order[-1] and page.is_disabled("#next")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#eye-id") == order[-2]
    page.click("#previous")
    assert page.inner_text("#eye-id") == order[-3] and page.inner_text("#place") == "10 of 12"


def test_outlines_lie_on_the_photograph_and_can_be_hidden(page, drawn):
    _, records = drawn
    look_at(page, FIRST)
    box = page.locator("#layer-disc .line.disc").evaluate(
        "path => { const b = path.getBBox(); return [b.x, b.y, b.width]; }"
    )
    points = np.array(records[0]["contours"]["disc"][0])
    assert box == pytest.approx([*points.min(0), np.ptp(points[:, 0])], abs=0.1)
    colours = [
        page.locator(f"#layer-{n} .line.{n}").evaluate("p => getComputedStyle(p).stroke") for n in ("disc", "cup")
    ]
    assert colours == ["rgb(0, 220, 0)", "rgb(255, 210, 0)"]
    for name in ("disc", "cup"):
        line = page.locator(f"#layer-{name} .line.{name}")
        assert line.is_visible()
        page.uncheck(f"#show-{name}")
        assert not line.is_visible()
        page.check(f"#show-{name}")
        assert line.is_visible()
    assert page.is_hidden(".toggle.model") and page.is_hidden(".toggle.cam")
    look_at(page, SECOND)
    cam = page.locator("#layer-cam image")
    assert not cam.is_visible()
    page.check("#show-cam")
    assert cam.is_visible()


def test_where_a_persons_outlines_come_first_the_models_are_beside_them(page, drawn):
    _, records = drawn
    look_at(page, CORRECTED)
    said = page.inner_text("#facts")
    own, model = round(records[5]["vcdr"], 2), round(records[5]["compared"]["vcdr"], 2)
    assert page.inner_text("#vcdr") == f"{own:.2f}" and "The outlines are a person's." in said
    assert f"The model's vCDR is {model:.2f}; the person's is {model - own:.2f} lower." in said
    dashed = page.locator("#layer-model .line.cup")
    assert dashed.evaluate("path => getComputedStyle(path).strokeDasharray") != "none"
    page.uncheck("#show-model")
    assert not dashed.is_visible()


def test_zoom_pan_and_the_two_places(page):
    scale = "Number(/scale\\((.*)\\)/.exec(document.getElementById('world').getAttribute('transform'))[1])"
    shift = "document.getElementById('world').getAttribute('transform').match(/-?[\\d.]+/g).slice(0, 2).map(Number)"
    look_at(page, FIRST)
    disc = page.evaluate(scale)
    page.click("#to-whole")
    whole = page.evaluate(scale)
    assert whole < disc and page.get_attribute("#to-whole", "aria-pressed") == "true"
    page.keyboard.press("+")
    assert page.evaluate(scale) == pytest.approx(whole * 1.4)
    page.keyboard.press("-")
    assert page.evaluate(scale) == pytest.approx(whole)
    page.click("#to-disc")
    assert page.evaluate(scale) == pytest.approx(disc)

    box = page.locator("#viewer").bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    page.mouse.move(x, y)
    before = page.evaluate(shift)
    page.mouse.wheel(0, -300)
    wait(page, f"{scale} > {disc * 1.2}")
    near, after = page.evaluate(scale), page.evaluate(shift)
    for axis, place in ((0, x - box["x"]), (1, y - box["y"])):  # what is under the pointer stays there
        assert (place - before[axis]) / disc == pytest.approx((place - after[axis]) / near, abs=1)
    page.mouse.down()
    page.mouse.move(x + 40, y + 25, steps=4)
    page.mouse.up()
    assert np.subtract(page.evaluate(shift), after) == pytest.approx([40, 25], abs=1)
    page.keyboard.press("Shift+ArrowLeft")
    assert page.evaluate(shift)[0] == pytest.approx(after[0] + 100, abs=1)
    assert page.inner_text("#eye-id") == FIRST
    page.mouse.wheel(0, 1e6)
    wait(page, f"{scale} < {whole}")  # no farther than a little beyond the whole
    assert page.evaluate(scale) > whole / 2


def test_two_fingers_zoom(browser, report):
    scale = "Number(/scale\\((.*)\\)/.exec(document.getElementById('world').getAttribute('transform'))[1])"
    with opened(browser, report + link(FIRST), 360, 740, has_touch=True, is_mobile=True) as page:
        box = page.locator("#viewer").bounding_box()
        middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        before = page.evaluate(scale)
        session = page.context.new_cdp_session(page)
        for kind, far in (("touchStart", 30), ("touchMove", 50), ("touchMove", 60)):
            points = [{"x": middle - far, "y": y, "id": 0}, {"x": middle + far, "y": y, "id": 1}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.evaluate(scale) == pytest.approx(2 * before, rel=0.05)


def profile_points(page) -> np.ndarray:
    line = page.get_attribute(".profile-line", "d").replace("M", "L").strip("L").split("L")
    return np.array([[float(v) for v in point.split()] for point in line])


@pytest.mark.parametrize(
    ("eye", "angles", "letters"),
    [
        (FIRST, [(180 - 10 * i) % 360 for i in range(37)], ["T", "S", "N", "I", "T"]),
        (SECOND, [10 * i % 360 for i in range(37)], ["T", "S", "N", "I", "T"]),
        (UNKNOWN, [10 * i % 360 for i in range(37)], ["right", "superior", "left", "inferior", "right"]),
    ],
)
def test_the_rim_is_drawn_from_the_temple_over_the_top(page, drawn, eye, angles, letters):
    _, records = drawn
    record = next(record for record in records if record["id"] == eye)
    look_at(page, eye)
    points = profile_points(page)
    expected = np.array([record["rim_profile"][angle // 10] for angle in angles])
    # Heights in the plot are a straight line of the widths, wider being higher.
    slope, start = np.polyfit(expected, points[:, 1], 1)
    assert slope < 0 and np.abs(slope * expected + start - points[:, 1]).max() < 0.2
    assert (np.diff(points[:, 0]) > 0).all()
    assert page.locator(".profile .letter").all_text_contents() == letters
    words = page.inner_text("#facts") + page.inner_text(".viewer")
    assert ("nasal" in words.lower()) == (eye != UNKNOWN) == ("temporal" in words.lower())
    mark = float(page.get_attribute(".profile-mark", "d").split()[0].strip("M"))
    assert mark == pytest.approx(points[angles.index(record["rim_narrowest_angle"]), 0], abs=0.2)
    if eye != UNKNOWN:
        sides = [page.inner_text("#side-left"), page.inner_text("#side-right")]
        assert sides == (["temporal", "nasal"] if record["eye"] == "OD" else ["nasal", "temporal"])


def test_both_eyes_stand_side_by_side_with_their_difference(page, drawn):
    _, records = drawn
    for eye in (FIRST, SECOND):
        look_at(page, eye)
        places = [page.locator(f".of-eye[data-side={side}]").bounding_box()["x"] for side in ("OD", "OS")]
        assert places[0] < places[1]
        difference = abs(round(records[0]["vcdr"], 2) - round(records[1]["vcdr"], 2))
        assert f"Difference of vCDR {difference:.2f}." in page.inner_text("#patient")
        assert page.locator(".small-eye[aria-current]").get_attribute("href") == link(eye)
    page.locator(".small-eye").first.click()
    wait(page, SHOWN, FIRST)
    look_at(page, UNKNOWN)
    assert page.is_hidden("#patient")


def test_patients_of_one_name_in_two_folders_are_two(browser, drawn):
    """The id of a photograph is of the folder that was named in its run, and a name is no register of patients."""
    folder, records = drawn
    one, other, third = (dict(copy.deepcopy(records[i]), id="abc"[i], patient="P1") for i in range(3))
    one |= {"eye": "OD", "patient_source": "name", "path": "/photographs/a/P1_OD.jpg"}
    other |= {"eye": "OS", "patient_source": "name", "path": "/photographs/b/P1_OS.jpg"}
    third |= {"eye": "OS", "patient_source": "list", "path": "/photographs/a/x.jpg"}
    with opened(browser, write_report(folder / "named", [one, other, third]).as_uri() + "#eye=a") as page:
        assert page.is_hidden("#patient")
    other["path"] = "/photographs/a/P1_OS.jpg"
    with opened(browser, write_report(folder / "one", [one, other, third]).as_uri() + "#eye=a") as page:
        assert "Difference of vCDR" in page.inner_text("#patient") and page.locator(".small-eye").count() == 2


def test_there_is_no_asymmetry_where_it_cannot_be_told(browser, drawn):
    folder, records = drawn
    eyes = [dict(copy.deepcopy(records[0]), id="a", eye="OD"), dict(copy.deepcopy(records[1]), id="b", eye="")]
    with opened(browser, write_report(folder / "two", eyes).as_uri() + "#eye=a") as page:
        assert "No asymmetry" in page.inner_text("#patient") and "Eye not known" in page.inner_text("#patient")


def test_an_ungradable_eye_says_why_and_no_ratio(page):
    look_at(page, "dark.jpg")
    said = page.inner_text("#facts")
    assert "Ungradable" in said and "The photograph is too dark" in said and page.locator("#vcdr").count() == 0
    look_at(page, "two looks.jpg")
    doubts = page.locator(".doubts li").all_inner_texts()
    assert doubts[0].startswith("Two looks at the same photograph") and len(doubts) == 2
    assert "judged by the picture (0.93 sure)" in page.inner_text("#eye-line")
    assert "No millimetres" in page.inner_text("#facts")
    look_at(page, "broken.jpg")
    assert "The file is cut off." in page.inner_text("#facts") and page.is_visible("#no-picture")


def test_pictures_beside_the_page_are_shown(browser, drawn):
    folder, records = drawn
    shown = "[...document.images].filter((image) => image.complete && image.naturalWidth > 0).length"
    address = write_report(folder, records, split=True).as_uri()
    try:
        with opened(browser, address, height=2400) as page:
            wait(page, f"{shown} === 9")
            look_at(page, "clinic/#7 100%? 'é'.jpg")
            href = page.get_attribute("#layer-photograph image", "href")
            size = "async url => { const i = new Image(); i.src = url; await i.decode(); return i.naturalWidth; }"
            assert page.evaluate(size, href) == 640
    finally:
        write_report(folder, records, facts={"Date": "today"})


# ---- where it is seen


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
