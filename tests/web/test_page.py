"""The page in a browser: FundusPredictor's masks and ratios, corrections, downloads, all of it without a network."""

import base64
import csv
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import fundus_plugins
from fundus_plugins.cli.main import main
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.photographs.masks import decode_refuge_mask
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.result import HARD
from tests.conftest import ROOT

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NODE, CHROMIUM = shutil.which("npm"), shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NODE, reason="npm, which builds the page, is not installed"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
]

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync".split()
PATIENCE = 120_000  # milliseconds
DROP = """([name, data]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(atob(data), (x) => x.charCodeAt(0))], name));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    built = tmp_path_factory.mktemp("page")
    assert main(["web", "--build", "--folder", str(built)]) == 0
    return built


@pytest.fixture
def server(folder):
    command = [sys.executable, "-m", "fundus_plugins", "web", "--folder", str(folder), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        process.address = process.stdout.readline().split()[0]
        yield process
        process.terminate()


@pytest.fixture
def page(server):
    """The page, ready; at the end neither an error nor a request to another place."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        opened = browser.new_page()
        said: list[str] = []
        asked: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("dialog", lambda dialog: dialog.accept())
        opened.context.on("request", lambda request: asked.append(request.url))
        opened.goto(f"{server.address}?engine=wasm")
        opened.wait_for_selector("#engine[data-state=ready]", timeout=PATIENCE)
        yield opened
        assert not said
        assert [url for url in asked if not url.startswith((server.address, "blob:"))] == []
        browser.close()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> list[Path]:
    """Phantoms as cameras and phones write them: small and large, PNG and JPEG, one turned by its EXIF data; a black
    picture."""
    root = tmp_path_factory.mktemp("photographs")
    drawn = []
    for seed, (kind, size) in enumerate([("normal", 700), ("glaucoma", 1300), ("suspicious", 2000), ("normal", 900)]):
        rng = np.random.default_rng(seed)
        drawn.append(Image.fromarray(draw_phantom(sample_parameters(rng, kind), size, rng).image))
    drawn[0].save(root / "small.png")
    drawn[1].save(root / "a, b.jpg", quality=95)
    wide = Image.new("RGB", (drawn[2].width + 1000, drawn[2].height))
    wide.paste(drawn[2], (500, 0))
    wide.save(root / "wide.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn[3].transpose(Image.Transpose.ROTATE_90).save(root / "turned.jpg", quality=95, exif=exif)
    Image.new("RGB", (600, 500)).save(root / "black.png")
    return sorted(root.iterdir())


def give(page, files: list[Path]) -> None:
    page.set_input_files("#files", files)
    page.wait_for_function(
        "n => document.querySelectorAll('tr[data-state=done], tr[data-state=failed]').length === n",
        arg=len(files),
        timeout=PATIENCE,
    )


def downloaded(page, button: str) -> bytes:
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def table(page) -> dict[str, dict]:
    rows = csv.DictReader(io.StringIO(downloaded(page, "#download-table").decode()))
    return {row["file_name"]: row for row in rows}


def mask_in(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert values.ndim == 2 and set(np.unique(values)) <= {0, 128, 255}
    return decode_refuge_mask(values)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else 1.0


def test_masks_ratios_and_flags_are_those_of_the_predictor(page, photographs):
    give(page, photographs)
    rows = table(page)
    masks = zipfile.ZipFile(io.BytesIO(downloaded(page, "#download-masks")))
    assert masks.testzip() is None and masks.namelist() == [
        f"{path.stem}_{path.suffix[1:]}.png" for path in photographs
    ]
    predictor = fundus_plugins.FundusPredictor()
    for path in photographs:
        expected, row = predictor(read_photograph(path)), rows[path.name]
        disc, cup = mask_in(masks.read(f"{path.stem}_{path.suffix[1:]}.png"))
        assert disc.shape == expected.disc.shape == (int(row["height"]), int(row["width"])), path
        assert dice(disc, expected.disc) >= 0.995 and dice(cup, expected.cup) >= 0.995, path
        judged = {HARD, *expected.flags[: expected.ungradable]}  # the page does not judge (docs/web.md)
        assert row["reason"] == "; ".join(x for x in expected.flags if x not in judged), path
        named = ("vcdr", "vcdr_low", "vcdr_high", "agreement", "ellipse", "score")
        measured = (expected.vcdr, *expected.vcdr_interval, expected.agreement, expected.ellipse, expected.score)
        for name, value in zip(named, measured):
            assert float(row[name]) == pytest.approx(value, abs=0.01, nan_ok=True), (path, name)
        assert 0 < float(row["seconds"]) < 60 and row["corrected"] == "0"
        assert row["version"] == fundus_plugins.__version__ and len(row["weights"]) == 12


def test_what_is_no_photograph_is_told_and_the_others_are_outlined(page, photographs, tmp_path):
    (tmp_path / "notes.jpg").write_text("not a picture")
    (tmp_path / "cut.jpg").write_bytes((photographs[0]).read_bytes()[:20000])
    give(page, [tmp_path / "notes.jpg", tmp_path / "cut.jpg", photographs[-1]])
    said = page.inner_text("#rows")
    assert "This browser cannot read it." in said and "The file is cut off" in said
    assert list(table(page)) == [photographs[-1].name]


def test_an_outline_is_corrected_by_hand(page, photographs):
    small = next(path for path in photographs if path.name == "small.png")
    give(page, [small])
    before = page.inner_text("#vcdr")
    page.locator("label:has([name=correct][value=cup])").click()
    assert page.locator(".handle").count() == 14
    top = page.locator(".handle").first.bounding_box()
    x, y = top["x"] + top["width"] / 2, top["y"] + top["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 15, steps=3)
    page.mouse.move(x, y + 30, steps=3)
    page.mouse.up()
    dragged = page.inner_text("#vcdr")
    assert float(dragged) < float(before) and page.inner_text("#doubts") == "Corrected"
    assert page.inner_text("#vcdr-interval") == ""
    for _ in range(3):
        page.locator(".handle").first.press("Shift+ArrowUp")
    nudged = page.inner_text("#vcdr")
    assert float(nudged) > float(dragged)

    row = table(page)["small.png"]
    disc, cup = mask_in(downloaded(page, "#download-mask"))
    assert row["corrected"] == "1" and row["vcdr_low"] == "nan"
    assert float(row["vcdr"]) == pytest.approx(vertical_cup_to_disc_ratio(disc, cup), abs=1e-4)
    assert int(row["disc_pixels"]) == disc.sum() and int(row["cup_pixels"]) == cup.sum()

    for _ in range(3):
        page.click("#undo")
    assert page.inner_text("#vcdr") == dragged
    page.keyboard.press("Control+z")
    assert page.inner_text("#vcdr") == before and page.is_disabled("#undo")
    page.locator(".handle").first.press("ArrowDown")
    page.click("#reset")
    assert page.inner_text("#vcdr") == before and page.inner_text("#doubts") != "Corrected"


def test_a_disc_that_was_not_found_is_drawn_by_hand(page, photographs):
    black = next(path for path in photographs if path.name == "black.png")
    page.evaluate(DROP, [black.name, base64.b64encode(black.read_bytes()).decode()])
    page.wait_for_selector("tr[data-state=done]", timeout=PATIENCE)
    assert "No disc found" in page.inner_text("#doubts")
    for structure in ("disc", "cup"):
        page.locator(f"label:has([name=correct][value={structure}])").click()
    assert 0.3 < float(page.inner_text("#vcdr")) < 0.7


def test_it_works_without_a_network(page, server, photographs):
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=PATIENCE)
    server.terminate()
    server.wait()
    page.reload()
    page.wait_for_selector("#engine[data-state=ready]", timeout=PATIENCE)
    assert page.evaluate("crossOriginIsolated")
    give(page, photographs[-1:])
    assert float(page.inner_text("#vcdr")) > 0


def test_a_newer_page_is_offered_and_taken(page, folder):
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=PATIENCE)
    worker = folder / "sw.js"
    before = worker.read_text(encoding="utf-8")
    worker.write_text(before.replace('"fundus-', '"fundus-newer-'), encoding="utf-8")
    try:
        page.reload()
        page.wait_for_selector("#renew", timeout=PATIENCE)
        page.click("#renew")
        page.wait_for_selector("#renew", state="hidden", timeout=PATIENCE)
        page.wait_for_selector("#engine[data-state=ready]", timeout=PATIENCE)
        kept = "() => caches.keys().then(names => names.length === 1 && names[0].startsWith('fundus-newer-'))"
        page.wait_for_function(kept, timeout=PATIENCE)
    finally:
        worker.write_text(before, encoding="utf-8")
