"""An eye in the report's page: its address, outlines, zoom, rim, and the other eye."""

import copy

import numpy as np
import pytest

from fundus_plugins.prediction.report import write_report
from tests.prediction.report.browser.pages import (
    CORRECTED,
    FIRST,
    IN_CHROMIUM,
    SECOND,
    SHOWN,
    UNKNOWN,
    link,
    look_at,
    names,
    opened,
    wait,
)
from tests.prediction.report.eyes import HOSTILE

pytestmark = IN_CHROMIUM


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
