"""Public data sets with several readers, outlines or sheets, drawn in their layouts and in repacks of them."""

import hashlib
import io
import itertools
import json
import re
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.data.folders import SHAPE

from .drawing import Data, codes_of, draw_eye, noise_picture, saved
from .mutated_bytes import one


def mask_stem(stem: str) -> str:
    """Of the photograph that a mask of one of these sets belongs to by its name, in lower case without suffix."""
    if match := re.fullmatch(r"(image\d+)-[1-6]", stem):
        return f"{match[1]}prime"
    if match := re.fullmatch(r"anotexpert[12]_(\d+)", stem):
        return f"image_{match[1]}"
    return re.sub(r"_(disc|cup)_exp[12]$|(-\d)?-(disc|cup)-exp[12]$|_od$|_gt$|(?<=\d)glsusp$", "", stem)


def outline_of(mask: np.ndarray) -> np.ndarray:
    """(N, 2) x and y along the outermost pixels."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return contours[0][:, 0]


def lines_of(mask: np.ndarray, between: str = " ") -> bytes:
    return "\n".join(f"{x}{between}{y}" for x, y in outline_of(mask)).encode()


def grade_of(number: int) -> str:
    return "glaucoma" if number % 3 == 0 else "normal"


def draw_origa(data: Data) -> None:
    how = one(data.rng, ["masks", "masks", "matlab"])
    rows: dict[str, list] = {"Eye": [], "Filename": [], "ExpCDR": [], "Set": [], "Glaucoma": []}
    for number in range(1, 9):
        stem, part, grade = f"{number:03d}", "AB"[number % 2], grade_of(number)
        eye = data.photograph(f"Images/{stem}.jpg", {"A": "train", "B": "test"}[part], grade)
        if how == "masks":
            data.mask(f"Masks/{stem}.png", eye, codes_of(eye, "012"), "disc", "cup")
        else:
            file = io.BytesIO()
            savemat(file, {"mask": codes_of(eye, "012")})
            data.outline(f"Semi-automatic-annotations/{stem}.mat", eye, file.getvalue(), "disc", "cup")
        for column, cell in zip(rows, ("OD", f"{stem}.jpg", 0.5, part, int(grade == "glaucoma"))):
            rows[column].append(cell)
        data.label(stem, grade)
    data.sheet("OrigaList.csv", rows)
    data.known.sheets.append("OrigaList.csv")
    data.options = ["--val-percent", "0"]


def draw_g1020(data: Data) -> None:
    outlines = data.rng.random() < 0.5
    rows: dict[str, list] = {"imageID": [], "binaryLabels": []}
    for number in (0, 1, 3, 6, 7, 10, 12, 14, 16, 18):
        stem, grade = f"image_{number}", grade_of(number)
        eye = data.photograph(f"Images/{stem}.jpg", "", grade)
        if outlines:
            shapes = [
                {"label": name, "shape_type": "polygon", "points": outline_of(mask).tolist()}
                for name, mask in eye.masks.items()
            ]
            shapes.append({"label": "discLoc", "shape_type": "rectangle", "points": [[5, 5], [30, 30]]})
            about = {"imagePath": f"{stem}.jpg", "imageHeight": SHAPE[0], "imageWidth": SHAPE[1], "shapes": shapes}
            data.outline(f"Images/{stem}.json", eye, json.dumps(about).encode(), "disc", "cup")
        else:
            data.mask(f"Masks/{stem}.png", eye, codes_of(eye, "012"), "disc", "cup")
        rows["imageID"].append(f"{stem}.jpg")
        rows["binaryLabels"].append(int(grade == "glaucoma"))
        data.label(stem, grade)
    data.sheet("G1020.csv", rows)
    data.known.sheets.append("G1020.csv")


def draw_papila(data: Data) -> None:
    root = one(data.rng, ["", "PapilaDB-PAPILA-17f8fa7/"])
    rows: dict[str, list[tuple]] = {"od": [], "os": []}
    for number, side in itertools.product((2, 4, 5, 11), ("od", "os")):
        stem, grade = f"RET{number:03d}{side.upper()}", ("normal", "glaucoma", "suspicious")[number % 3]
        eye = data.photograph(f"{root}FundusImages/{stem}.jpg", "", grade, readers=("1", "2"))
        for reader, masks in eye.readers.items():
            for name, mask in masks.items():
                file = f"{root}ExpertsSegmentations/Contours/{stem}_{name}_exp{reader}.txt"
                data.outline(file, eye, lines_of(mask), name, reader=reader)
        rows[side].append((f"#{number:03d}", 60, 0, {"normal": 0, "glaucoma": 1, "suspicious": 2}[grade]))
        data.label(stem, grade)
    for side, cells in rows.items():
        heads = [(None, "Age", "Gender", "Diagnosis"), (None, None, None, None), ("ID", None, None, None)]
        columns = dict(zip("abcd", map(list, zip(*heads, *cells))))
        data.sheet_without_headings(f"{root}ClinicalData/patient_data_{side}.xlsx", columns)
        data.known.sheets.append(f"{root}ClinicalData/patient_data_{side}.xlsx")


def draw_chaksu(data: Data) -> None:
    numbers = itertools.count(101)
    for split, camera in itertools.product(("Train", "Test"), ("Bosch", "Remidio")):
        rows: dict[str, list] = {"Images": [], **{f"Expert.{n}": [] for n in range(1, 6)}, "Majority Decision": []}
        for number in itertools.islice(numbers, 2):
            stem, grade = f"Image{number}", "suspicious" if number % 2 else "normal"
            name = f"{split}/1.0_Original_Fundus_Images/{camera}/{stem}.jpg"
            eye = data.photograph(name, split.lower(), grade, readers="12345")
            for reader, masks in eye.readers.items():
                codes = np.where(masks["cup"], 255, np.where(masks["disc"], 127, 0)).astype(np.uint8)
                file = f"{split}/4.0_OD_CO_Fusion_Images/Expert {reader}/{camera}/{stem}.tif"
                data.mask(file, eye, codes, "disc", "cup", reader=reader)
            word = {"suspicious": "GLAUCOMA SUSPECT", "normal": "NORMAL"}[grade]
            for column in rows:
                rows[column].append(f"{stem}.jpg-{stem}-1.jpg" if column == "Images" else word)
            data.label(stem, grade)
        name = f"{split}/6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_{camera}_majority.csv"
        data.sheet(name, rows)
        data.known.sheets.append(name)
    data.options = ["--val-percent", "0"]


def draw_riga(data: Data) -> None:
    folders = ("MESSIDOR", "BinRushed/BinRushed1-Corrected", "Magrabia/MagrabiFemale")
    for folder, number in itertools.product(folders, (1, 2)):
        stem = f"image{10 * folders.index(folder) + number}"
        eye = data.photograph(f"{folder}/{stem}prime.tif", readers="123456", apart=5)
        plain = np.asarray(Image.open(data.known.root / f"{folder}/{stem}prime.tif"))
        for reader, masks in eye.readers.items():
            lines = np.zeros(SHAPE, bool)
            for mask in masks.values():
                cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
                lines |= mask & (cv2.erode(mask.astype(np.uint8), cross) == 0)
            drawn = np.where(lines[..., None], plain + np.uint8(128), plain)
            data.outline(f"{folder}/{stem}-{reader}.tif", eye, saved(drawn, "PNG"), "disc", "cup", reader=reader)


def draw_smdg(data: Data) -> None:
    twice = data.rng.random() < 0.5
    rows: dict[str, list] = {"names": [], "types": [], "fundus": [], "original_name": []}
    for number in range(1, 13):
        stem, grade = f"{('BEH', 'PAPILA')[number % 2]}-{number}", ("normal", "glaucoma", "suspicious")[number % 3]
        eye = data.photograph(_nested("full-fundus", stem, twice), "", grade)
        if number % 4:
            for name, mask in eye.masks.items():
                data.mask(_nested(f"optic-{name}", stem, twice), eye, mask * np.uint8(255), name)
        rows["names"].append(stem)
        rows["types"].append({"normal": 0, "glaucoma": 1, "suspicious": -1}[grade])
        rows["fundus"].append(f"/full-fundus/{stem}.png")
        rows["original_name"].append(f"RET{number // 2:03d}{('OD', 'OS')[number % 2]}.jpg")
        data.label(stem, grade)
    data.sheet("metadata - standardized.csv", rows)
    data.known.sheets.append("metadata - standardized.csv")


def _nested(folder: str, stem: str, twice: bool) -> str:
    return f"{folder}/{folder}/{stem}.png" if twice else f"{folder}/{stem}.png"


def draw_gamma(data: Data) -> None:
    rows: dict[str, list] = {"data": [], "non": [], "early": [], "mid_advanced": []}
    graded = data.rng.random() < 0.7
    for number in range(1, 10):
        stem, grade = f"{number:04d}", ("normal", "suspicious", "glaucoma")[number % 3]
        folder = f"grading/multi-modality_images/{stem}" if graded else "task3/training/fundus color images"
        eye = data.photograph(f"{folder}/{stem}.jpg", "", grade if graded else None)
        data.mask(f"task3/training/Disc_Cup_Mask/{stem}.png", eye, codes_of(eye), "disc", "cup")
        for column, cell in zip(rows, (number, *(int(number % 3 == n) for n in range(3)))):
            rows[column].append(cell)
        if graded:
            data.label(stem, grade)
    if graded:
        data.sheet("grading/glaucoma_grading_training_GT.xlsx", rows)


def draw_drions_db(data: Data) -> None:
    for number in range(1, 8):
        eye = data.photograph(f"images/image_{number:03d}.jpg", readers=("1", "2"))
        for reader, masks in eye.readers.items():
            file = f"experts_anotation/anotExpert{reader}_{number:03d}.txt"
            data.outline(file, eye, lines_of(masks["disc"], " , "), "disc", reader=reader)


def _draw_discs(data: Data, names: list[tuple[str, str, str]], inside: int = 255) -> None:
    """(photograph, mask, split)"""
    for name, mask, split in names:
        eye = data.photograph(name, split)
        codes = np.where(eye.masks["disc"], inside, 255 - inside).astype(np.uint8)
        data.mask(mask, eye, codes, "disc")
    data.options = ["--val-percent", "0"]


def draw_rim_one_r3_stereo(data: Data) -> None:
    of_pair = one(data.rng, [True, False])
    for letter, number in itertools.product("NGS", (1, 2, 3)):
        stem, grade = (
            f"{letter}-{number}-{'LR'[number % 2]}",
            {"N": "normal", "G": "glaucoma", "S": "suspicious"}[letter],
        )
        folder = "Healthy" if letter == "N" else "Glaucoma and suspects"
        eye = draw_eye(data.rng, stem, "", grade, ("1", "2"))
        views = np.concatenate([noise_picture(data.rng), noise_picture(data.rng)], 1)
        data.write(f"{folder}/Stereo Images/{stem}.jpg", saved(views, "PNG"))
        # The file that the conversion writes.
        data.known.eyes[hashlib.sha256(saved(views[:, : SHAPE[1]], "PNG")).hexdigest()] = eye
        for reader, masks in eye.readers.items():
            for name, mask in masks.items():
                codes = mask * np.uint8(255)
                codes = np.concatenate([codes, 0 * codes], 1) if of_pair else codes
                file = f"{folder}/Expert{reader}_masks/{stem}-1-{name.capitalize()}-exp{reader}.png"
                data.mask(file, eye, codes, name, reader=reader)
        data.label(stem, grade)


def draw_drive(data: Data) -> None:
    names = [f"{n:02d}_{'test' if n < 21 else 'training'}" for n in (1, 2, 3, 21, 22, 23)]
    photographs = [f"DRIVE/{x[3:]}/images/{x}.tif" for x in names]
    splits = ["train" if "training" in x else "test" for x in names]
    _draw_discs(data, list(zip(photographs, [f"OD_Segmentation/{x}_gt.tif" for x in names], splits)))


def draw_idrid(data: Data) -> None:
    names = []
    for number, (folder, split) in enumerate(3 * [("a. Training Set", "train"), ("b. Testing Set", "test")], start=1):
        stem = f"IDRiD_{number:02d}"
        masks = f"A. Segmentation/2. All Segmentation Groundtruths/{folder}/5. Optic Disc"
        names.append((f"A. Segmentation/1. Original Images/{folder}/{stem}.jpg", f"{masks}/{stem}_OD.tif", split))
    _draw_discs(data, names)


def draw_palm(data: Data) -> None:
    names = []
    if one(data.rng, [True, False]):
        for folder, split, letter in (("Training", "train", "P"), ("Validation", "val", "V"), ("Testing", "test", "T")):
            stems = [f"{letter}000{n}" for n in (1, 2)]
            names += [(f"PALM/{folder}/Images/{x}.jpg", f"PALM/{folder}/Disc Masks/{x}.bmp", split) for x in stems]
    else:
        for stem in ("P0001", "H0002", "N0003"):
            folder = "PALM-Training400/PALM-Training400-Annotation-D&F/Disc_Masks"
            names.append((f"PALM-Training400/PALM-Training400/{stem}.jpg", f"{folder}/{stem}.bmp", "train"))
        for stem in ("V0001", "V0002"):
            names.append((f"PALM-Validation400/{stem}.jpg", f"PALM-Validation-GT/Disc_Masks/{stem}.bmp", "val"))
    _draw_discs(data, names, inside=0)


SETS: dict[str, Callable[[Data], None]] = {
    "origa": draw_origa,
    "papila": draw_papila,
    "g1020": draw_g1020,
    "chaksu": draw_chaksu,
    "riga": draw_riga,
    "smdg": draw_smdg,
    "gamma": draw_gamma,
    "drions_db": draw_drions_db,
    "drive": draw_drive,
    "idrid": draw_idrid,
    "palm": draw_palm,
    "rim_one_r3_stereo": draw_rim_one_r3_stereo,
}
