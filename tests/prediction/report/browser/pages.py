"""A report's page in a browser, opened as a file and without a network: what is looked at, and how."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

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
# What a test in the browser is marked with.
IN_CHROMIUM = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")]


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
