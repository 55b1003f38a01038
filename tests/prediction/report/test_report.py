"""Records to a page: it is whole, safe and strict, whatever they hold. What a browser makes of it: test_browser."""

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fundus_plugins.measures.morphometry import shown_ratio
from fundus_plugins.prediction.report import page as report_page
from fundus_plugins.prediction.report import write_report
from fundus_plugins.prediction.report.assets import SCRIPTS, STYLES, script, style
from fundus_plugins.prediction.report.histogram import vcdr_bins
from fundus_plugins.prediction.report.records import read_records
from fundus_plugins.prediction.report.summary import summarise
from tests.prediction.report.eyes import BARE, HOSTILE, drawn_records

VOID = {"meta", "link", "input", "line", "rect"}


class Page(HTMLParser):
    """The elements of a page, their attributes and the texts in them; it asserts that what is opened is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[tuple[str, dict]] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, dict, str]] = []
        self.comments = 0
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.texts.append((*(self.open or [("", {})])[-1], data))

    def handle_comment(self, data):
        self.comments += 1

    def text(self, **attributes) -> str:
        """Of the element with these attributes."""
        return "".join(text for _, found, text in self.texts if attributes.items() <= found.items())

    def data(self, name: str) -> dict:
        return json.loads(self.text(id=name))

    def policy(self) -> dict[str, list[str]]:
        content = next(a["content"] for _, a in self.elements if a.get("http-equiv") == "Content-Security-Policy")
        return {name: values for name, *values in (rule.split() for rule in content.split("; "))}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("report")
    return folder, drawn_records(folder)


def written(folder: Path, records, **options) -> Page:
    path = write_report(folder, records, **options)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_all_that_a_record_says_is_in_the_page(drawn):
    folder, records = drawn
    page = written(folder, iter(records), title="Clinic & day", facts={"Weights": "<mine>"})
    rows = page.data("rows")["eyes"]
    assert [row["id"] for row in rows] == [record["id"] for record in records]
    assert [text for tag, _, text in page.texts if tag in ("title", "h1")][:2] == ["Clinic & day"] * 2
    assert "<mine>" in [text for _, _, text in page.texts]
    for i, record in enumerate(records):
        for key in set(record) - {"pictures", "contours", "rim_profile", "compared"}:
            assert rows[i][key] == record[key], key
    details = page.data("eye-0")
    assert details["rim_profile"] == records[0]["rim_profile"] and details["contours"] == records[0]["contours"]
    assert details["disc_box"] == records[0]["pictures"]["disc_box"]
    corrected = page.data("eye-5")["compared"]
    assert corrected["vcdr"] == records[5]["compared"]["vcdr"]
    there = np.array(corrected["contours"]["disc"][0]) - records[5]["compared"]["contours"]["disc"][0]
    assert np.abs(there).max() <= 0.05 + 1e-9  # rounded to a tenth of a pixel


def test_names_can_do_no_harm(drawn):
    folder, records = drawn
    text = write_report(folder, records, title=HOSTILE, facts={HOSTILE: HOSTILE}).read_text(encoding="utf-8")
    page = Page(text)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert len(scripts) == 2 + len(records) and page.comments == 0
    assert [a.get("type") for a in scripts] == ["application/json"] * (len(records) + 1) + [None]
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)
    assert not any(tag == "img" for tag, _ in page.elements)
    assert page.data("rows")["eyes"][-2]["patient"] == HOSTILE
    assert text.count("<!--") == 0 and text.lower().count("</script>") == len(scripts)


def test_reasons_and_grades_can_do_no_harm(tmp_path):
    reason = f"{HOSTILE}<img src=x onerror=alert(1)>"
    grade = {"name": reason, "probabilities": {reason: 1.0}}
    page = written(tmp_path, [dict(id="a", flagged=True, reasons=[reason], status=HOSTILE, grade=grade)])
    assert not any(tag == "img" for tag, _ in page.elements)
    choices = [a["data-value"] for _, a in page.elements if a.get("data-filter") == "reason"]
    assert choices == [reason]


def test_the_policy_permits_this_script_this_style_and_nothing_else(drawn):
    folder, records = drawn
    for split, sources in ((False, ["data:"]), (True, ["data:", "'self'", "file:"])):
        page = written(folder, records, split=split)
        policy = page.policy()
        assert policy.pop("img-src") == sources
        for kind, tag in (("script-src", "script"), ("style-src", "style")):
            text = next(text for name, a, text in page.texts if name == tag and not a)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert policy.pop(kind) == [f"'sha256-{digest}'"]
        assert policy == {"default-src": ["'none'"], "base-uri": ["'none'"], "form-action": ["'none'"]}
        # Nothing that leads out of the page.
        for tag, attributes in page.elements:
            links = {key: value for key, value in attributes.items() if key in ("href", "src", "srcset", "action")}
            assert all(value.startswith(("#", "data:")) for value in links.values()), (tag, links)
    addresses = re.findall(r"https?://[^\"')]*", script() + style())
    assert addresses == ["http://www.w3.org/2000/svg"]  # SVG's name, which nothing fetches


def test_assets_are_all_used_and_end_no_element():
    folder = Path(report_page.__file__).parent
    assert {path.stem for path in (folder / "scripts").iterdir()} == set(SCRIPTS)
    assert {path.stem for path in (folder / "styles").iterdir()} == set(STYLES)
    for text in (script(), style()):
        assert "</" not in text and "<!--" not in text and "\r" not in text
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch("):
        assert dangerous not in script()


def test_pictures_are_in_the_page_or_beside_it(drawn, monkeypatch):
    folder, records = drawn
    inside = written(folder, records, split=False).data("eye-2")["pictures"]
    head, data = inside["photograph"].split(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == (folder / records[2]["pictures"]["photograph"]).read_bytes()
    assert inside["cam"] is None

    beside = written(folder, records, split=True).data("eye-2")["pictures"]
    assert beside["photograph"] == "pictures/clinic/%237%20100%25%3F%20%27%C3%A9%27.jpg"

    assert written(folder, records).data("eye-0")["pictures"]["disc"].startswith("data:")
    monkeypatch.setattr(report_page, "EMBEDDED_BYTES", 1000)
    assert written(folder, records).data("eye-0")["pictures"]["disc"].startswith("discs/")


@pytest.mark.parametrize("split", [False, True])
def test_pictures_that_are_not_there_or_not_below_the_folder_are_none(tmp_path, split):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    folder = tmp_path / "report"
    (folder / "folder.jpg").mkdir(parents=True)
    (folder / "page.html").write_bytes(b"<script>alert(1)</script>")
    (folder / "a:b.jpg").write_bytes(b"picture")
    names = ["missing.jpg", "../outside.jpg", str(outside), "folder.jpg", "page.html", "x\0.jpg", "x" * 5000 + ".jpg"]
    records = [dict(id=name[:30], pictures={"photograph": name, "disc": None}) for name in [*names, "a:b.jpg"]]
    page = written(folder, records, split=split)
    urls = [page.data(f"eye-{i}")["pictures"]["photograph"] for i in range(len(records))]
    assert urls[:-1] == [None] * len(names)
    assert urls[-1] == ("a%3Ab.jpg" if split else "data:image/jpeg;base64," + base64.b64encode(b"picture").decode())


def test_what_is_missing_or_not_finite_is_null(tmp_path):
    nan, numbers = float("nan"), np.float32([0.5, np.inf])
    record = dict(id=BARE, vcdr=nan, hcdr=np.float32(0.25), ddls=np.int64(3), isnt=np.bool_(True), patient=0)
    page = written(tmp_path, [record | dict(rim_profile=numbers, reasons=None, pictures=None, contours=None)])
    (row,) = page.data("rows")["eyes"]
    assert row["vcdr"] is None and row["hcdr"] == 0.25 and row["ddls"] == 3 and row["isnt"] is True
    assert row["patient"] == "0" and row["reasons"] == [] and row["flagged"] is False and row["status"] == ""
    details = page.data("eye-0")
    assert details["rim_profile"] == [0.5, None] and details["contours"] == {"disc": [], "cup": []}
    disc = [
        [[0, 0], [5.04, 0], [5, nan], [5, 5]],
        [[1, 1]],
        np.int32([[[1, 2]], [[3, 4]], [[5, 6]]]),
    ]  # OpenCV's, the last
    page = written(tmp_path, [{"id": "a", "contours": {"disc": disc, "cup": None}}])
    polygons = [[[0, 0], [5, 0], [5, 5]], [[1, 2], [3, 4], [5, 6]]]
    assert page.data("eye-0")["contours"] == {"disc": polygons, "cup": []}
    assert written(tmp_path, [{"id": "a", "vcdr": 0.4}]).data("rows")["eyes"][0]["status"] == "measured"


def test_no_eyes_make_a_page_too(tmp_path):
    page = written(tmp_path, [])
    assert page.data("rows") == {"eyes": [], "sentences": {}}
    assert "No eye was measured." in "".join(text for _, _, text in page.texts)


@pytest.mark.parametrize("records", [[{}], [{"id": ""}], [{"id": None}], [{"id": "a"}, {"id": "a"}]])
def test_every_eye_has_an_id_of_its_own(tmp_path, records):
    (tmp_path / "report.html").write_text("an earlier one")
    with pytest.raises(ValueError, match="id"):
        write_report(tmp_path, records)
    assert (tmp_path / "report.html").read_text() == "an earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_name_that_is_not_utf_8_is_shown(tmp_path):
    page = written(tmp_path, [{"id": "a\udcff.jpg", "path": "b\udcff"}])
    assert page.data("rows")["eyes"][0]["id"] == "a\\udcff.jpg"


def test_only_columns_with_something_in_them_are_there(tmp_path):
    def columns(*records):
        return [a["data-column"] for _, a in written(tmp_path, records).elements if "data-column" in a]

    assert columns({"id": "a", "vcdr": 0.4}) == ["id", "vcdr", "doubts", "status"]
    rest = dict(patient="p", eye="OD", rim_narrowest=0.1, isnt=False, ddls=0, grade={"name": "normal"})
    everything = ["id", "patient", "eye", "vcdr", "rim_narrowest", "isnt", "ddls", "grade", "doubts", "status"]
    assert columns({"id": "a"}, {"id": "b", **rest}) == everything


def rows_of(*records):
    return [eye.row for eye in read_records(dict(record, id=str(i)) for i, record in enumerate(records))]


def test_the_summary_counts_each_eye_once_for_each_reason():
    disagree, dark = "views disagree", "too dark"
    rows = rows_of(
        dict(vcdr=0.4, flagged=True, reasons=[disagree, disagree, "no shape"]),
        dict(vcdr=0.6, flagged=True, reasons=[disagree]),
        dict(vcdr=0.8),
        dict(vcdr=0.1, status="ungradable", flagged=True, reasons=[dark]),
        dict(status="failed", error="no picture"),
    )
    summary = summarise(rows)
    assert (summary.eyes, summary.doubtful) == (5, 3)
    assert dict(summary.by_status) == {"measured": 3, "ungradable": 1, "failed": 1}
    assert summary.reasons == [(disagree, 2), ("no shape", 1), (dark, 1)]
    assert summary.vcdr == pytest.approx((0.4, 0.5, 0.6, 0.7, 0.8))
    assert summarise([]).vcdr is None


def test_bins_hold_the_ratios_as_they_are_shown():
    values = [0.0, 0.0499, 0.044, 0.15, 0.349, 0.35, 0.949, 0.999, 1.0, 1.2]
    bins = vcdr_bins(rows_of(*[dict(vcdr=value) for value in values]))
    assert len(bins) == 20 and sum(b.eyes for b in bins) == len(values)
    assert [(b.low, b.eyes) for b in bins if b.eyes] == [(0, 2), (0.05, 1), (0.15, 1), (0.35, 2), (0.95, 4)]
    assert bins[-1].high is None and bins[-1].share == 1 and bins[1].words == "vCDR 0.05 to below 0.10: 1 eye"


def test_ratios_have_two_digits():
    assert shown_ratio(45 / 72) == 0.63 and shown_ratio(198 / 307) == 0.65 and shown_ratio(float("nan")) is None
    assert shown_ratio(0.125) == 0.13 and shown_ratio(0.5549) == 0.55 and shown_ratio(None) is None
    assert all(math.isclose(shown_ratio(i / 100), i / 100) for i in range(101))


def test_text_is_legible_in_both_schemes():
    """Contrast of at least 4.5, WCAG's AA, of each colour of text on each ground that it stands on."""
    blocks = style().split("@media screen and (prefers-color-scheme: dark)")
    assert len(blocks) == 2
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block.split("}")[0])) for block in blocks)
    assert light["ground"] != dark["ground"]
    pairs = [(ink, ground) for ink in ("ink", "soft", "bad", "accent") for ground in ("ground", "card", "wash")]
    pairs += [("doubt", "card"), ("doubt", "wash"), ("doubt", "doubt-wash"), ("accent", "accent-wash")]
    pairs += [("ink", "accent-wash"), ("soft", "accent-wash"), ("doubt", "accent-wash"), ("bad", "accent-wash")]
    for colours in (light, light | dark):
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        # Marks and lines that carry meaning: 3.
        for mark in ("accent", "fill", "doubt"):
            assert contrast(colours[mark], colours["card"]) >= 3, mark


def contrast(a: str, b: str) -> float:
    def light(colour: str) -> float:
        values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
