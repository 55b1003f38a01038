"""The page of `fundus web` in headless Chromium: seconds a photograph, and how far it is from FundusPredictor.

    python docs/scripts/measure_web.py [PHOTOGRAPHS]... [KEY VALUE]...

Builds the page with those keys. Without photographs it draws phantoms, four each of 600, 1500 and 3000 pixels.
"""

import csv
import io
import os
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright
from processor import processor
from tabulate import tabulate

import fundus_plugins
from fundus_plugins.cli.main import main as fundus
from fundus_plugins.cli.pseudo_masks import list_photographs
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.masks import decode_refuge_mask
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.web_server import page_server
from fundus_plugins.provenance import current_commit

SIZES, EACH = (600, 1500, 3000), 4
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
MINUTE = 60_000


def draw(folder: Path) -> list[Path]:
    files = []
    for size in SIZES:
        for seed in range(EACH):
            rng = np.random.default_rng(seed)
            image = draw_phantom(sample_parameters(rng, "normal"), size, rng).image
            files.append(folder / f"{size}_{seed}.jpg")
            cv2.imwrite(str(files[-1]), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    return files


def outlined(address: str, files: list[Path]) -> tuple[list[dict], list[np.ndarray]]:
    """The page's table and coded masks."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#engine[data-state=ready]", timeout=MINUTE)
        page.set_input_files("#files", files)
        done = "n => document.querySelectorAll('tr[data-state=done]').length === n"
        page.wait_for_function(done, arg=len(files), timeout=MINUTE * len(files))
        found = []
        for button in ("#download-table", "#download-masks"):
            with page.expect_download() as download:
                page.click(button)
            found.append(Path(download.value.path()).read_bytes())
        browser.close()
    masks = zipfile.ZipFile(io.BytesIO(found[1]))
    decoded = [cv2.imdecode(np.frombuffer(masks.read(x), np.uint8), cv2.IMREAD_UNCHANGED) for x in masks.namelist()]
    return list(csv.DictReader(io.StringIO(found[0].decode()))), decoded


def distances(files: list[Path], rows: list[dict], masks: list[np.ndarray]) -> list[float]:
    """The lowest Dice of disc and of cup, and the largest difference of the ratio."""
    predictor = fundus_plugins.FundusPredictor()
    found = []
    for path, row, mask in zip(files, rows, masks):
        expected = predictor(read_photograph(path))
        disc, cup = decode_refuge_mask(mask)
        assert expected.disc.any() == disc.any() and row["reason"] == "; ".join(expected.flags), path
        if disc.any():
            ratio = abs(float(row["vcdr"]) - expected.vcdr)
            found.append([dice(disc, expected.disc), dice(cup, expected.cup), -ratio])
    lowest = np.min(found, axis=0)
    return [*lowest[:2], -lowest[2]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        built, drawn = Path(folder, "page"), Path(folder, "phantoms")
        drawn.mkdir()
        files = list_photographs([Path(x) for x in sys.argv[1:]]) if sys.argv[1:] else draw(drawn)
        assert fundus(["web", "--build", "--folder", str(built)]) == 0
        lines = []
        with page_server(built, 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            for threads in (1, 2):
                address = f"http://127.0.0.1:{server.server_port}/?engine=wasm&threads={threads}"
                rows, masks = outlined(address, files)
                for width in sorted({int(row["width"]) for row in rows}):
                    seconds = [float(row["seconds"]) for row in rows if int(row["width"]) == width]
                    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
                    lines.append([threads, width, len(seconds), f"{np.median(seconds):.2f}", spread])
            server.shutdown()
        print(tabulate(lines, ["threads", "width", "photographs", "seconds, median", "range"], tablefmt="github"))
        disc, cup, ratio = distances(files, rows, masks)
        print(
            f"\n{len(files)} photographs: Dice with FundusPredictor at least {disc:.4f} (disc) and {cup:.4f} (cup), ",
            end="",
        )
        print(f"ratios at most {ratio:.4f} apart.")
        print(f"{processor()}; load {os.getloadavg()[0]:.1f}; commit {current_commit()}.")


if __name__ == "__main__":
    main()
