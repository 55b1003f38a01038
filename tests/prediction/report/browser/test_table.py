"""The report's table in a browser: what is listed, sorted, searched and chosen."""

from fundus_plugins.prediction.report import write_report
from tests.prediction.report.browser.pages import DARK, IN_CHROMIUM, ROWS, SECOND, column, look_at, names, opened, wait
from tests.prediction.report.eyes import BARE, HOSTILE, many_records

pytestmark = IN_CHROMIUM


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
