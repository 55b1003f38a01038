"""Records of drawn eyes, as `fundus predict` makes them of photographs: sound, doubtful, failed and hostile ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio, vertical_diameter

SIZE = 640  # pixels of the longer side
MM_PER_PIXEL = 0.0125
HOSTILE = "</script><!--<script>alert('id')</script>\u2028\"onerror=alert(1) x='"
BARE = "bare"


def drawn_records(output: Path) -> list[dict[str, Any]]:
    """Twelve records, and their pictures below `output`."""
    od = dict(patient="P-001", eye="OD", eye_source="list", mm_per_pixel=MM_PER_PIXEL, scale_source="the camera's list")
    records = [
        _drawn(output, 1, "clinic/anna od.jpg", "normal", **od, grade=_grade("normal", 0.91), isnt=True, ddls=2),
        _drawn(output, 2, "clinic/anna os.jpg", "glaucoma", **{**od, "eye": "OS"}, isnt=False, ddls=6, cam=True),
        _drawn(output, 3, "clinic/#7 100%? 'é'.jpg", "suspicious", patient="P-002", eye="OD", eye_source="name"),
        _drawn(output, 4, "two looks.jpg", "normal", eye="OS", eye_source="image", eye_confidence=0.934),
        _drawn(output, 5, "at the edge.jpg", "suspicious", patient="P-003", eye="OD", eye_source="header"),
        _drawn(output, 6, "corrected.jpg", "glaucoma", patient="P-003", eye="OS", eye_source="header"),
        _drawn(output, 7, "which eye.jpg", "normal"),
    ]
    records[1]["grade"] = _grade("glaucoma", 0.66, contradiction=True)
    records[3] |= dict(flagged=True, reasons=["views disagree", "not the shape of a disc"], agreement=0.61)
    records[4] |= dict(flagged=True, reasons=["cut off by the edge"], vcdr_low=None, vcdr_high=None)
    model = {"vcdr": records[5]["vcdr"] + 0.08, "contours": _larger(records[5]["contours"])}
    records[5] |= dict(outlines="person", compared=model, vcdr_low=None, vcdr_high=None)
    dark = _drawn(output, 8, "dark.jpg", "normal", patient="P-004", light=0.12)
    empty = _drawn(output, 9, "no disc here.jpg", "normal", light=0.5)
    for record, status, reason in ((dark, "ungradable", "too dark"), (empty, "no disc", "no disc")):
        pictures = {"photograph": record["pictures"]["photograph"]}
        kept = {key: record[key] for key in ("id", "path", "patient", "eye", "width", "height")}
        records.append(dict(kept, status=status, flagged=True, reasons=[reason], gradability=0.21, pictures=pictures))
    failed = dict(id="broken.jpg", path="photographs/broken.jpg", status="failed", error="The file is cut off.")
    hostile = dict(id=HOSTILE, patient=HOSTILE, status="failed", error=f"<img src=x onerror=alert(2)>{HOSTILE}")
    return [*records, failed, hostile, {"id": BARE}]


def many_records(records: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    """So many records, with the pictures of a few."""
    rng = np.random.default_rng(0)
    sources = [record for record in records if record.get("status") == "measured"]
    made = []
    for i, vcdr in enumerate(np.clip(rng.normal(0.5, 0.15, number), 0.05, 0.95).tolist()):
        eye = "OD" if i % 2 else "OS"
        made.append(dict(sources[i % len(sources)], id=f"eye {i}", patient=f"P-{i // 2}", eye=eye, vcdr=vcdr))
        made[-1] |= dict(vcdr_low=vcdr - 0.05, vcdr_high=vcdr + 0.05, rim_narrowest=float(rng.uniform(0, 0.3)))
        if i % 10 == 0:
            made[-1] |= dict(flagged=True, reasons=["views disagree"])
    return made


def _drawn(output: Path, seed: int, name: str, kind: str, *, light: float = 1.0, cam: bool = False, **given) -> dict:
    """A record of one phantom, whose outlines are the true ones."""
    rng = np.random.default_rng(seed)
    side = "left" if given.get("eye") == "OS" else "right"
    phantom = draw_phantom(replace(sample_parameters(rng, kind, "disc"), eye=side), SIZE, rng)
    image = (phantom.image * light).astype(np.uint8)
    height, width = phantom.disc.shape
    rows, columns = np.nonzero(phantom.disc)
    reach = int(0.9 * np.ptp(rows))
    x, y = int(columns.mean()), int(rows.mean())
    box = [max(x - reach, 0), max(y - reach, 0), min(x + reach, width), min(y + reach, height)]
    pictures = {"photograph": f"pictures/{name}", "disc": f"discs/{name}", "disc_box": box, "cam": None}
    _write(output / pictures["photograph"], image)
    _write(output / pictures["disc"], cv2.resize(image[box[1] : box[3], box[0] : box[2]], (256, 256)))
    if cam:
        pictures["cam"] = f"cams/{name}"
        _write(output / pictures["cam"], _heat(phantom.disc))
    vcdr = vertical_cup_to_disc_ratio(phantom.disc, phantom.cup)
    record = dict(id=name, path=f"photographs/{name}", patient="", eye="", eye_source="", width=width, height=height)
    record |= dict(status="measured", flagged=False, reasons=[], gradability=0.97, outlines="model", seconds=0.41)
    record |= dict(vcdr=vcdr, vcdr_low=vcdr - 0.06, vcdr_high=vcdr + 0.05, agreement=0.967, ellipse=0.981, score=0.998)
    record |= _sizes(phantom.disc, phantom.cup, given.get("mm_per_pixel"))
    record |= _rim(phantom.disc, phantom.cup, given.get("eye", ""))
    record |= dict(contours={"disc": _polygons(phantom.disc), "cup": _polygons(phantom.cup)}, pictures=pictures)
    return record | dict(weights="rfnet_any_camera 0a1b2c3d", version="0.2.0", **given)


def _sizes(disc: np.ndarray, cup: np.ndarray, mm: float | None) -> dict[str, float]:
    sizes: dict[str, float] = {}
    for name, mask in (("disc", disc), ("cup", cup)):
        measured = dict(height=vertical_diameter(mask), width=vertical_diameter(mask.T), area=int(mask.sum()))
        for key, value in measured.items():
            sizes[f"{name}_{key}"] = value
            if mm:
                sizes[f"{name}_{key}_mm"] = value * mm ** (2 if key == "area" else 1)
    ratios = dict(
        hcdr=sizes["cup_width"] / sizes["disc_width"],
        acdr=sizes["cup_area"] / sizes["disc_area"],
        disc_tilt=0.93,
        disc_orientation=84.2,
    )
    return sizes | ratios


def _rim(disc: np.ndarray, cup: np.ndarray, eye: str) -> dict[str, Any]:
    """Widths along rays from the disc's middle."""
    y, x = np.argwhere(disc).mean(axis=0)
    steps = np.arange(0, disc.shape[0] / 2, 0.5)
    profile, ratios = [], []
    for angle in np.radians(np.arange(0, 360, 10)):
        rows, columns = y - steps * np.sin(angle), x + steps * np.cos(angle)
        inside = (rows >= 0) & (rows < disc.shape[0]) & (columns >= 0) & (columns < disc.shape[1])
        place = rows[inside].astype(int), columns[inside].astype(int)
        outer, inner = (steps[inside][mask[place]].max(initial=0) for mask in (disc, cup))
        profile.append(float(max(outer - inner, 0) / vertical_diameter(disc)))
        ratios.append(float(max(outer - inner, 0) / (2 * outer)))
    narrowest = int(np.argmin(ratios))
    means = {name: float(np.mean(np.roll(profile, 4 - i * 9)[:9])) for i, name in enumerate(("r", "s", "l", "i"))}
    rim = dict(rim_superior=means["s"], rim_inferior=means["i"], rim_left=means["l"], rim_right=means["r"])
    rim |= dict(rim_narrowest=ratios[narrowest], rim_narrowest_angle=10 * narrowest, rim_profile=profile)
    if eye:
        nasal, temporal = ("r", "l") if eye == "OD" else ("l", "r")
        rim |= dict(rim_nasal=means[nasal], rim_temporal=means[temporal])
    return rim


def _polygons(mask: np.ndarray) -> list[list[list[int]]]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0].tolist() for contour in contours]


def _larger(contours: dict[str, list]) -> dict[str, list]:
    made = {}
    for name, polygons in contours.items():
        points = [np.array(polygon, float) for polygon in polygons]
        made[name] = [(p.mean(0) + 1.08 * (p - p.mean(0))).tolist() for p in points]
    return made


def _grade(name: str, probability: float, contradiction: bool = False) -> dict[str, Any]:
    other = "normal" if name == "glaucoma" else "glaucoma"
    return dict(name=name, probabilities={name: probability, other: 1 - probability}, contradiction=contradiction)


def _heat(disc: np.ndarray) -> np.ndarray:
    heat = cv2.GaussianBlur(disc.astype(np.float32), (0, 0), disc.shape[0] / 16)
    colours = cv2.applyColorMap((255 * heat / heat.max()).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(colours[..., ::-1])


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))[1].tobytes())
