"""One report, and one browser that opens it."""

from pathlib import Path

import pytest

from fundus_plugins.prediction.report import write_report
from tests.prediction.report.browser.pages import CHROMIUM, FLAGS, opened
from tests.prediction.report.eyes import drawn_records


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
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, report):
    with opened(browser, report) as page:
        yield page
