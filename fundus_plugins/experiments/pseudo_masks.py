"""Pseudo masks: what a trained model is sure of in photographs that nobody outlined, as COCO JSON to train on.

Of a noisy student (Xie et al., CVPR 2020) this is the teacher's part; the student trains on the JSON as on any other.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fundus_plugins.boxes import window_of
from fundus_plugins.data.coco import AnnotatedImage, build_segmentation, mask_to_rle, write_json
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.morphometry import vertical_diameter
from fundus_plugins.prediction.predictor import FundusPredictor
from fundus_plugins.prediction.result import FundusPrediction

_DARK = 20  # of 255: beyond the field of view, and what shows too little of it


@dataclass(frozen=True)
class Limits:
    """What a pseudo mask must be like.

    Attributes:
        agreement: of the views' masks, at least.
        ellipse: IoU of the disc with the ellipse of its moments, at least.
        score: of the detection, at least.
        diameters: smallest and largest vertical diameter of the disc, parts of the field's.
        lit: part of the field's box that is not dark, at least; a round field fills 0.79 of it.
    """

    agreement: float = 0.93
    ellipse: float = 0.95
    score: float = 0.9
    diameters: tuple[float, float] = (0.07, 0.3)
    lit: float = 0.6

    def doubts(self, image: np.ndarray, found: FundusPrediction) -> list[str]:
        """Why this prediction for an (H, W, 3) uint8 photograph is not to be learned from; empty where it is."""
        if not found.disc.any():
            return ["no disc"]
        lit = image.max(2) > _DARK
        within = lit[window_of(lit)]
        share = within.mean() if within.size else 0
        diameter = vertical_diameter(found.disc) / max(*within.shape, 1)
        smallest, largest = self.diameters
        reasons = {
            "views disagree": not found.agreement >= self.agreement,
            "not the shape of a disc": not found.ellipse >= self.ellipse,
            "low score": not found.score >= self.score,
            "not the size of a disc": not smallest <= diameter <= largest,
            "dark": share < self.lit,
            "no cup": not found.cup.any(),
            "ungradable": found.ungradable,
            "cut off by the edge": "cut off by the edge" in found.flags,
        }
        return [reason for reason, there in reasons.items() if there]


def write_pseudo_masks(
    predictor: FundusPredictor, photographs: Iterable[Path], output: Path, limits: Limits, facts: Mapping[str, object]
) -> tuple[Counter, list[str]]:
    """Predict for photographs, and write those without a doubt as COCO JSON; `info.source` is `pseudo`.

    What was done is kept in `<output>.<hash of the settings>.part` until all is: the same call goes on from there.

    Args:
        facts: who the teacher is, for `info` of the JSON; with other facts or limits nothing is gone on from.

    Returns:
        how many were kept (`kept`), and left out for which first doubt; a line for each file that could not be read.
    """
    settings = {"limits": asdict(limits), **facts}
    fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    kept_file = output.with_name(f"{output.name}.{fingerprint}.part")
    photographs = list(photographs)
    done = _read_part(kept_file, settings)
    failures = []
    with atomic_write(kept_file) as file:  # without what a kill cut off
        file.writelines(f"{json.dumps(row)}\n" for row in (settings, *done.values()))
    with open(kept_file, "a", encoding="utf-8") as file:
        waiting = [path for path in photographs if str(path) not in done]
        for path, image, found in predictor.predict_files(waiting):
            row: dict = {"path": str(path)}
            if isinstance(found, Exception) or image is None:
                failures.append(f"{path}: {found}")
                continue
            row["doubts"] = limits.doubts(image, found)
            if not row["doubts"]:
                row |= {"size": image.shape[:2], "vcdr": found.vcdr}
                row |= {"disc": mask_to_rle(found.disc), "cup": mask_to_rle(found.cup)}
            print(json.dumps(row), file=file, flush=True)
            done[str(path)] = row
    rows = [done[path] for path in sorted(set(map(str, photographs)) & done.keys())]
    images = [
        AnnotatedImage(
            photograph=Path(row["path"]).resolve(),
            height=row["size"][0],
            width=row["size"][1],
            disc=row["disc"],
            cup=row["cup"],
            vcdr=row["vcdr"],
            grade=None,
        )
        for row in rows
        if not row["doubts"]
    ]
    counts = Counter(row["doubts"][0] if row["doubts"] else "kept" for row in rows)
    info = {"source": "pseudo", **settings, "counts": dict(sorted(counts.items()))}
    write_json({output: build_segmentation(images, output.resolve().parent, info)})
    if not failures:
        kept_file.unlink()
    return counts, failures


def _read_part(path: Path, settings: dict) -> dict[str, dict]:
    """What an interrupted call has done, by path; a last line that a kill cut off is left out."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    if not rows or rows[0] != json.loads(json.dumps(settings)):
        return {}
    return {row["path"]: row for row in rows[1:]}
