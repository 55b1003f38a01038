"""Public data sets in folders that the tests draw: what lands in the JSON, whose masks count, and what is refused."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from pycocotools import mask as mask_util

from fundus_plugins.cli.main import main
from fundus_plugins.data.checks.check import check_sets
from fundus_plugins.data.checks.findings import ERROR
from fundus_plugins.data.converters import CONVERTERS, readers, readings
from fundus_plugins.data.registration import require_dataset
from fundus_plugins.photographs.masks import read_disc_and_cup
from fundus_plugins.photographs.problems import BadInput
from tests.data.folders import SHAPE
from tests.fuzz import folder_cases as fuzz
from tests.fuzz.drawing import Data, codes_of, draw_eye, saved
from tests.fuzz.public_sets import SETS

SPLITS = ("train", "val", "test")


def drawn(kind: str, root: Path, seed: int = 3) -> Data:
    root.mkdir()
    data = Data(np.random.default_rng(seed), root)
    SETS[kind](data)
    return data


def convert(data: Data, kind: str, *options) -> tuple[int, Path]:
    output = data.known.root.parent / "out"
    words = [*data.options, *options, "--root", data.known.root, "--output", output, "--processes", "1"]
    return main(["convert", kind, *map(str, words)]), output


def documents(output: Path, ending: str = "") -> list[dict]:
    paths = [output / f"{split}{ending}.json" for split in SPLITS]
    return [json.loads(path.read_text()) for path in paths if path.is_file()]


def masks(output: Path, ending: str = "") -> dict[str, dict[str, np.ndarray]]:
    """Photograph's stem -> disc, cup."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for document in documents(output, ending):
        stems = {image["id"]: Path(image["file_name"]).stem for image in document["images"]}
        for x in document["annotations"]:
            name = {1: "disc", 2: "cup"}[x["category_id"]]
            found.setdefault(stems[x["image_id"]], {})[name] = mask_util.decode(x["segmentation"]) > 0
    return found


def stems(output: Path, ending: str = "") -> dict[str, dict]:
    return {Path(x["file_name"]).stem: x for document in documents(output, ending) for x in document["images"]}


def path_of(data: Data, pattern: str) -> Path:
    return next(iter(sorted(data.known.root.rglob(pattern))))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", SETS)
def test_every_layout_as_it_is(tmp_path, kind, seed):
    data = drawn(kind, tmp_path / "in", seed)
    data.known.sound = True
    code, output = convert(data, kind, "--preview", tmp_path / "sheet.png")
    assert code == 0
    files = sorted(output.glob("*.json"))
    there = [x for path in files for x in fuzz.check_json(path, kind, data.known)]
    assert set(there) == set(data.known.eyes)  # every photograph, with its own masks, grade and split
    assert Image.open(tmp_path / "sheet.png").size[0] == 1280
    wanted = CONVERTERS[kind].options.get("expert", {}).get("choices", ())[2:]
    assert {path.stem.rpartition("_")[2] for path in files if "_reader_" in path.stem} == set(wanted)


def test_papila_has_each_experts_masks_and_whoever_is_asked_for(tmp_path):
    data = drawn("papila", tmp_path / "in")
    (path_of(data, "RET002OD_cup_exp2.txt").with_name("RET002OD_cup_exp2 2.txt")).write_text("a stray\n")
    of = {}
    for expert in ("1", "2", "consensus"):
        assert convert(data, "papila", "--expert", expert)[0] == 0
        of[expert] = masks(tmp_path / "out")
        assert documents(tmp_path / "out")[0]["info"]["options"]["expert"] == expert
    output = tmp_path / "out"
    for reader in ("1", "2"):
        theirs = masks(output, f"_reader_{reader}")
        assert len(theirs) == 8
        for stem, found in theirs.items():
            assert all(np.array_equal(mask, of[reader][stem][name]) for name, mask in found.items())
            both = [masks(output, f"_reader_{x}")[stem]["disc"] for x in ("1", "2")]
            np.testing.assert_array_equal(of["consensus"][stem]["disc"], both[0] & both[1])
    [document, *_] = documents(output, "_reader_2")
    assert {x["reader"] for x in document["annotations"]} == {"2"} and document["info"]["reader"] == "2"
    own = stems(output)
    assert {stem: x["id"] for stem, x in stems(output, "_reader_2").items()} == {s: x["id"] for s, x in own.items()}
    # Both eyes of a patient are in one split, and 1 is glaucoma, 2 suspicious.
    patients = [{image["patient"] for image in document["images"]} for document in documents(output)]
    assert sorted(x for some in patients for x in some) == ["ret002", "ret004", "ret005", "ret011"]
    assert own["RET002OS"]["grade"] == own["RET011OD"]["grade"] == "suspicious"
    assert own["RET004OD"]["grade"] == "glaucoma"


def test_readers_of_one_split_are_no_two_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("FUNDUS_PHOTOGRAPHS", str(tmp_path))
    output = convert(drawn("papila", tmp_path / "in"), "papila")[1]

    def errors(*names: str) -> set[str]:
        paths = [str(output / name) for name in names]
        for path in paths:
            require_dataset(path)
        return {finding.kind for finding in check_sets(paths).of(ERROR)}

    assert not errors("train.json", "train_reader_1.json", "train_reader_2.json", "test_reader_1.json")
    (output / "val_reader_1.json").write_bytes((output / "train_reader_2.json").read_bytes())
    assert errors("train_reader_1.json", "val_reader_1.json") == {"photograph in two sets", "patient in two sets"}


def test_readers_who_are_missing_or_not_usable_are_listed(tmp_path, capsys):
    data = drawn("chaksu", tmp_path / "in")
    root = data.known.root / "Train/4.0_OD_CO_Fusion_Images"
    whole = stems(convert(data, "chaksu")[1])
    (root / "Expert 1/Bosch/Image101.tif").unlink()
    Image.new("L", SHAPE[::-1], 255).save(root / "Expert 2/Bosch/Image101.tif", "PNG")
    for reader in "123":
        (root / f"Expert {reader}/Bosch/Image102.tif").write_bytes(b"no picture")
    code, output = convert(data, "chaksu")
    errors = capsys.readouterr().err
    assert code == 1 and set(stems(output)) == set(whole) - {"Image102"}
    assert "expected a mask of its disc by reader 1" in errors and "Expert 2/Bosch/Image101.tif" in errors
    assert "too few readers" in errors and "expected usable masks of 3 readers or more, found 4, 5" in errors
    assert "Image101" not in stems(output, "_reader_2") and "Image101" in stems(output, "_reader_3")
    # Of the three that are left, the middle one.
    np.testing.assert_array_equal(masks(output)["Image101"]["cup"], masks(output, "_reader_4")["Image101"]["cup"])
    code, output = convert(data, "chaksu", "--expert", "2")
    assert code == 1 and "expected usable masks of reader 2, found 3, 4, 5" in capsys.readouterr().err
    assert not {"Image101", "Image102"} & set(stems(output))


def test_expert_4s_other_names_and_the_majoritys_decision(tmp_path):
    data = drawn("chaksu", tmp_path / "in")
    mask = path_of(data, "Expert 4/Bosch/Image101.tif")
    mask.rename(mask.with_name("Image101glsusp.tif"))
    code, output = convert(data, "chaksu")
    assert code == 0 and stems(output)["Image101"]["grade"] == "suspicious"
    sheet = path_of(data, "Train/6.0_Glaucoma_Decision/*Bosch_majority.csv")
    sheet.write_text(sheet.read_text().replace("GLAUCOMA SUSPECT", "PERHAPS"))
    code, output = convert(data, "chaksu")
    assert code == 1 and stems(output)["Image101"]["grade"] is None


def test_lines_that_touch_are_refused_and_so_is_another_picture(tmp_path, capsys):
    data = drawn("riga", tmp_path / "in")
    first = path_of(data, "image11-1.tif")
    plain = np.asarray(Image.open(first.with_name("image11prime.tif")))
    touching = np.array(Image.open(first))
    touching[:, 19:22] = plain[:, 19:22] + np.uint8(128)  # a bar across both
    Image.fromarray(touching).save(first, "PNG")
    Image.fromarray(np.roll(plain, 5, 0)).save(first.with_name("image11-2.tif"), "PNG")
    Image.fromarray(plain).save(first.with_name("image11-3.tif"), "PNG")
    code, output = convert(data, "riga")
    errors = capsys.readouterr().err
    assert code == 1 and "3 x unreadable outlines" in errors and "of the picture differs from image11prime" in errors
    assert "image11prime" not in stems(output) and len(stems(output)) == 5


def test_origa_of_matlab_files_and_without_its_sheet(tmp_path, capsys):
    data = drawn("origa", tmp_path / "in", 0)
    for folder in ("Masks", "Semi-automatic-annotations"):
        for path in (data.known.root / folder).glob("*"):
            path.unlink()
    from scipy.io import savemat

    matlab = data.known.root / "Semi-automatic-annotations"
    matlab.mkdir(exist_ok=True)
    for eye in data.known.eyes.values():
        savemat(matlab / f"{eye.stem}.mat", {"mask": codes_of(eye, "012")})
    savemat(matlab / "001.mat", {"mask": np.zeros((3, 4), np.uint8)})
    savemat(matlab / "002.mat", {"other": np.zeros(SHAPE)})
    (data.known.root / "OrigaList.csv").unlink()
    code, output = convert(data, "origa")
    errors = capsys.readouterr().err
    assert code == 1 and len(stems(output)) == 6 and len(documents(output)) == 2  # a test is drawn
    assert (
        "001.mat: expected the photograph's 40 x 44 pixels, found 4 x 3" in errors and "with the array mask" in errors
    )
    assert documents(output)[0]["info"]["masks_from"] == "Semi-automatic-annotations/001.mat"


def test_g1020_keeps_photographs_without_a_cup(tmp_path):
    made = (drawn("g1020", tmp_path / f"in{seed}", seed) for seed in range(9))  # some have masks instead
    data = next(x for x in made if any(x.known.root.rglob("*.json")))
    path = path_of(data, "image_0.json")
    document = json.loads(path.read_text())
    document["shapes"] = [x for x in document["shapes"] if x["label"] != "cup"]
    path.write_text(json.dumps(document))
    code, output = convert(data, "g1020")
    assert code == 0 and set(masks(output)["image_0"]) == {"disc"} and stems(output)["image_0"]["vcdr"] is None
    patients = {stem: image["patient"] for stem, image in stems(output).items()}
    assert patients["image_6"] == patients["image_7"] == "from 6" and patients["image_10"] == "from 10"


def test_smdg_types_patients_soft_maps_and_photographs_without_masks(tmp_path, capsys):
    data = drawn("smdg", tmp_path / "in")
    code, output = convert(data, "smdg")
    assert code == 0
    graded, masked = stems(output, "_grading"), stems(output)
    assert len(graded) == 12 and len(masked) == 9 and "BEH-4" not in masked
    assert all(graded[stem]["id"] == image["id"] for stem, image in masked.items())
    assert graded["PAPILA-3"]["patient"] == "papila ret001" and graded["BEH-2"]["grade"] == "suspicious"

    sheet = path_of(data, "metadata*.csv")
    frame = pandas.read_csv(sheet)
    frame.assign(types=frame.types.map({0: 0, 1: 2, -1: 1})).to_csv(sheet, index=False)  # as older copies have it
    code, output = convert(data, "smdg")
    assert code == 0 and {s: x["grade"] for s, x in stems(output, "_grading").items()} == {
        stem: x["grade"] for stem, x in graded.items()
    }
    frame.assign(types=frame.types.map({0: 0, 1: 2, -1: -1})).to_csv(sheet, index=False)
    assert convert(data, "smdg")[0] == 1 and "found both -1 and 2" in capsys.readouterr().err

    path, eye = path_of(data, "optic-disc/**/BEH-2.png"), next(x for x in data.known.eyes.values() if x.stem == "BEH-2")
    inner = np.roll(eye.masks["disc"], 2, 0) & eye.masks["disc"]
    Image.fromarray(eye.masks["disc"] * np.uint8(100) + inner * np.uint8(155)).save(path)
    frame.to_csv(sheet, index=False)
    assert convert(data, "smdg")[0] == 0
    np.testing.assert_array_equal(masks(output)["BEH-2"]["disc"], inner)


def test_gamma_has_masks_with_and_without_its_sheet(tmp_path, capsys):
    data = drawn("gamma", tmp_path / "in", 1)
    assert convert(data, "gamma")[0] == 0
    (path_of(data, "Disc_Cup_Mask/0003.png")).unlink()
    code, output = convert(data, "gamma")
    assert code == 1 and "expected a mask Disc_Cup_Mask/0003.png" in capsys.readouterr().err
    assert len(stems(output)) == 8
    for path in data.known.root.rglob("*.jpg"):
        target = data.known.root / "task3/training/fundus color images" / path.name
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    for path in data.known.root.rglob("*.xlsx"):
        path.unlink()
    assert convert(data, "gamma")[0] == 1 and "no sheet of grades was found" in capsys.readouterr().out
    assert {image["grade"] for image in stems(output).values()} == {None}


def test_a_stereo_pair_gives_its_left_view(tmp_path, capsys):
    data = drawn("rim_one_r3_stereo", tmp_path / "in")
    assert convert(data, "rim_one_r3_stereo")[0] == 0
    output = tmp_path / "out"
    image = stems(output)["G-1-R"]
    pair = np.asarray(Image.open(path_of(data, "G-1-R.jpg")))
    np.testing.assert_array_equal(np.asarray(Image.open(output / image["file_name"])), pair[:, : SHAPE[1]])
    assert image["grade"] == "glaucoma" and image["width"] == SHAPE[1] and image["patient"] == "g-1"
    Image.fromarray(pair[:, : SHAPE[1]]).save(path_of(data, "G-1-R.jpg"), "PNG")
    code = main(
        ["convert", "rim_one_r3_stereo", "--root", str(data.known.root), "--output", str(tmp_path / "new"), "--strict"]
    )
    assert code == 2 and not (tmp_path / "new").exists() and "1 x no stereo pair" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"1 2\n3 4\n", "2 different points"),
        (b"1 2 3\n4 5 6\n7 8 9\n", "two numbers"),
        (b"1 2\n3\n5 6\n", "two numbers"),
        (b"a b\nc d\ne f\n", "could not convert"),
        (b"", "two numbers"),
        (b"1 nan\n3 4\n5 6\n", "two numbers"),
        (b"\xff\xfe\x00", "decode"),
        (b"5 5\n900 5\n900 30\n", "points from"),
        (b"10 10\n30 10\n11 11\n30 30\n10 30\n12 20\n", "of its convex hull"),
    ],
)
def test_outlines_that_are_none(tmp_path, text, expected):
    path = tmp_path / "a.txt"
    path.write_bytes(text)
    with pytest.raises(BadInput) as error:
        readings.contour(path, path, SHAPE)
    assert expected in str(error.value) and str(path) in str(error.value)


def test_an_outline_of_which_lines_were_lost(tmp_path):
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    lines = [f"{20 + 12 * np.cos(x):.2f}; {20 + 12 * np.sin(x):.2f}" for x in angles]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    assert readings.contour(path, path, SHAPE).sum() == pytest.approx(np.pi * 12**2, rel=0.1)
    path.write_text("\n".join(lines[:45]))
    with pytest.raises(BadInput, match="a gap of 18 pixels: are lines missing"):
        readings.contour(path, path, SHAPE)
    path.write_text("\n".join(lines[::12]))  # few points are no gap
    assert readings.contour(path, path, SHAPE).any()


@pytest.mark.parametrize("kind", SETS)
def test_another_folder_is_none_of_them(tmp_path, capsys, kind):
    (tmp_path / "in/some").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "in/some/picture.jpg")
    assert main(["convert", kind, "--root", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "does not hold" in error and "looked for" in error and len(error.splitlines()) == 1


def test_labels_in_a_jpeg_are_refused_and_those_far_apart_are_read(tmp_path):
    eye = draw_eye(np.random.default_rng(0), "eye")
    path = tmp_path / "mask.jpg"
    for quality in (100, 95, 75):
        Image.fromarray(codes_of(eye, "012")).save(path, quality=quality)
        with pytest.raises(BadInput, match="unknown mask values"):
            read_disc_and_cup(path, SHAPE)
    path.write_bytes(saved(np.zeros(SHAPE, np.uint8), "JPEG"))
    with pytest.raises(BadInput, match="in a JPEG, which loses small differences"):
        read_disc_and_cup(path, SHAPE)
    Image.fromarray(codes_of(eye)).save(path, quality=95)
    found = read_disc_and_cup(path, SHAPE)
    for mask, truth in zip(found, eye.masks.values(), strict=True):
        assert (mask ^ truth).sum() <= 0.1 * truth.sum()


def test_majority_and_votes():
    one, two, three = (np.arange(6) < n for n in (2, 3, 5))
    assert readers.count_votes([one, two, three]).tolist() == [3, 3, 2, 1, 1, 0]
    assert readers.majority([one, two, three]).tolist() == two.tolist()
    assert readers.majority([one, three]).tolist() == one.tolist()  # of two, what both have
    disc, cup = readers.fuse([(three, one), (three, two), (two, None)], readers.majority)
    assert disc.tolist() == three.tolist() and cup.tolist() == one.tolist()
    assert readers.fuse([(one, None)], readers.majority)[1] is None


def test_staple_weighs_readers_or_says_what_it_needs(tmp_path, capsys, monkeypatch):
    data = drawn("papila", tmp_path / "in")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "SimpleITK", None)
        assert convert(data, "papila", "--expert", "staple")[0] == 2
    assert 'pip install "fundus-plugins[staple]"' in capsys.readouterr().err
    pytest.importorskip("SimpleITK")
    assert convert(data, "papila", "--expert", "staple")[0] == 0
    rows, columns = np.mgrid[:60, :60]
    disk = (rows - 30) ** 2 + (columns - 30) ** 2 <= 15**2
    careless = np.roll(disk, 9, 1)
    found = readers.staple([disk, disk, disk, careless])
    np.testing.assert_array_equal(found, disk)
    np.testing.assert_array_equal(readers.staple([disk]), disk)
    assert not readers.staple([np.zeros((4, 4), bool)] * 2).any()
