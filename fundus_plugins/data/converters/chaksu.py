"""Chákṣu: 1,345 photographs of three cameras, disc and cup and a decision by five experts, official splits.

    {Train,Test}/1.0_Original_Fundus_Images/{Bosch,Forus,Remidio}/Image101.jpg
    {Train,Test}/4.0_OD_CO_Fusion_Images/Expert {1..5}/{Bosch,Forus,Remidio}/Image101.tif      0, 127 rim, 255 cup
    {Train,Test}/6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_Bosch_majority.csv         NORMAL, GLAUCOMA SUSPECT

The grade is the majority's: normal or suspicious, none is glaucoma. `P12` in a name is a patient; else every
photograph counts as one. The other folders hold the same masks in parts, or what was made of them.
"""

import re
from pathlib import Path

from fundus_plugins.data.converters import readings
from fundus_plugins.data.converters.graded import DRAW_OPTIONS
from fundus_plugins.data.converters.label_sheets import read_labels
from fundus_plugins.data.converters.layout import PICTURE, SPLITS, Key, Layout, Source, list_layout
from fundus_plugins.data.converters.readers import expert_option
from fundus_plugins.data.converters.record import Converter, Listing

READERS = ("1", "2", "3", "4", "5")
_SPLIT = r"(?:^|/)(?P<split>train|test)/(?:.*/)?"
_CAMERA = r"(?P<part>bosch|forus|remidio)"


def _patient(key: Key) -> str:
    match = re.search(r"(?:^|[^a-z])p(\d+)", key[2])
    return f"{key[1]} P{match[1]}" if match else ""


LAYOUT = Layout(
    title="Chaksu",
    photographs=rf"{_SPLIT}1\.0_original_fundus_images/{_CAMERA}/(?P<id>[^/]+){PICTURE}",
    sources=(
        Source(
            "4.0_OD_CO_Fusion_Images",
            # Expert 4 calls three of them 22glsusp.
            rf"{_SPLIT}4\.0_od_co_fusion_images/expert[ _](?P<reader>[1-5])/{_CAMERA}/"
            rf"(?P<id>[^/]+?)(?:glsusp)?{PICTURE}",
            readings.rim_127_cup_255,
        ),
    ),
    looked_for="Train/1.0_Original_Fundus_Images/Bosch/*.jpg and Train/4.0_OD_CO_Fusion_Images/Expert 1/Bosch/*.tif",
    readers=READERS,
    ignored=(
        r"(?:^|/)[235]\.0_|(?:^|/)6\.0_glaucoma_decision/"
        r"|(?:^|/)4\.0_od_co_fusion_images/(?:bosch|forus|rem[ie]dio)/(?:majority|mean|median|staple)/"
    ),
    patient=_patient,
)


def list_records(root: Path, *, expert: str, test_percent: float, val_percent: float, seed: int) -> Listing:
    """Photographs with the five experts' masks, and the majority's decision, below `root`. Raises NotThisDataset."""
    return list_layout(
        LAYOUT, root, _about, expert=expert, test_percent=test_percent, val_percent=val_percent, seed=seed
    )


def _about(root, files, listing):
    return read_labels(
        root,
        files,
        listing,
        title="Glaucoma_Decision_Comparison_Bosch_majority.csv",
        pattern=rf"{_SPLIT}6\.0_glaucoma_decision/glaucoma_decision_[a-z]+_{_CAMERA}_majority\.",
        names={"images"},
        grades={"majoritydecision", "glaucomadecision"},
        values={"normal": "normal", "glaucomasuspect": "suspicious", "glaucomasusupect": "suspicious"},
        key=lambda stem, match: (match["split"].lower(), match["part"].lower(), stem),
    )


CONVERTER = Converter("chaksu", "Chaksu", SPLITS, list_records, expert_option(READERS) | DRAW_OPTIONS)
