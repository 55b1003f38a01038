"""Phantom photographs: exact, varied, reproducible, and not to be solved by a threshold."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fundus_plugins.data.phantom import GRADES, PARTS, draw_phantom, sample_parameters, write_refuge_layout
from fundus_plugins.data.phantom.outline import DiscOutline
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio

ROOT = Path(__file__).parents[2]


def draw(seed: int, grade: str = "glaucoma", size: int = 128, **changes):
    rng = np.random.default_rng(seed)
    parameters = dataclasses.replace(sample_parameters(rng, grade), **changes)
    return parameters, draw_phantom(parameters, size, rng)


def sampled(grade: str, count: int = 300):
    return [sample_parameters(np.random.default_rng((7, i)), grade) for i in range(count)]


def largest_column(mask: np.ndarray) -> int:
    return int(mask.sum(0).max())


@pytest.fixture(scope="module")
def phantoms():
    return [draw(seed, GRADES[seed % 3]) for seed in range(60)]


def test_same_seed_same_bytes():
    (first_parameters, first), (second_parameters, second) = draw(3), draw(3)
    assert first_parameters == second_parameters
    for name in ("image", "disc", "cup"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert draw(4)[1].image.tobytes() != first.image.tobytes()


def test_image_and_masks_are_well_formed(phantoms):
    for parameters, phantom in phantoms:
        height, width, channels = phantom.image.shape
        assert (max(height, width), channels, phantom.image.dtype) == (128, 3, np.uint8)
        assert phantom.disc.shape == phantom.cup.shape == (height, width)
        assert phantom.disc.dtype == phantom.cup.dtype == bool
        assert phantom.cup.any() and (phantom.disc & ~phantom.cup).any()
        assert not (phantom.cup & ~phantom.disc).any()
        assert phantom.grade == parameters.grade
        # The disc is in the field, so it is brighter than the dark surround.
        assert (phantom.image[phantom.disc].max(1) > 12).mean() > 0.98
        # The dark surround: the picture's corners, unless the field reaches them.
        assert phantom.image[0, 0].max() < 40


def test_each_mask_is_one_piece_without_holes(phantoms):
    for _, phantom in phantoms:
        for mask in (phantom.disc, phantom.cup):
            assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2
            # A hole would be a second piece of the outside.
            outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
            assert cv2.connectedComponents(outside, connectivity=4)[0] == 2


def test_smallest_cup_is_not_empty():
    for seed in range(8):
        _, phantom = draw(seed, "normal", 64, vcdr=0.16, disc_diameter=0.1, field_diameter=0.7)
        assert phantom.cup.any() and not (phantom.cup & ~phantom.disc).any()


def test_vcdr_and_disc_diameter_are_those_drawn():
    for grade in GRADES:
        for parameters in sampled(grade, 25):
            parameters = dataclasses.replace(parameters, disc_x=0.0, disc_y=0.0)
            # The outlines alone, 1000 pixels across the disc.
            x, y = np.meshgrid((np.arange(1400) - 699.5) / 1000, (np.arange(1400) - 699.5) / 1000)
            disc, cup = DiscOutline(parameters).radii(x[:, ::8], y[:, ::8])
            height = largest_column(disc <= 1)
            assert height == pytest.approx(1000, abs=4)
            assert largest_column(cup <= 1) / height == pytest.approx(parameters.vcdr, abs=0.006)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_masks_do_not_depend_on_noise_and_agree_between_sizes(size):
    parameters, phantom = draw(5, "suspicious", size)
    other = draw_phantom(parameters, size, np.random.default_rng(99))
    assert (other.image != phantom.image).any()
    assert (other.disc == phantom.disc).all() and (other.cup == phantom.cup).all()
    disc, cup = largest_column(phantom.disc), largest_column(phantom.cup)
    width = phantom.image.shape[1]
    assert disc == pytest.approx(parameters.disc_diameter * parameters.field_diameter * width, abs=1.5)
    assert cup == pytest.approx(parameters.vcdr * disc, abs=2)


def test_picture_is_the_same_at_another_size_but_for_noise():
    _, small = draw(11, size=256, noise=0.0, jpeg_quality=100)
    _, large = draw(11, size=512, noise=0.0, jpeg_quality=100)
    shrunk = cv2.resize(large.image, small.image.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(shrunk - small.image).mean() < 3


def test_vcdr_orders_the_grades():
    means = {grade: np.mean([p.vcdr for p in sampled(grade)]) for grade in GRADES}
    assert 0.37 < means["normal"] < 0.43
    assert means["normal"] + 0.1 < means["suspicious"] < means["glaucoma"] - 0.1
    # Overlapping: no threshold tells suspicious from its neighbours.
    assert max(p.vcdr for p in sampled("normal")) > min(p.vcdr for p in sampled("suspicious"))
    assert max(p.vcdr for p in sampled("suspicious")) > min(p.vcdr for p in sampled("glaucoma"))


def test_both_eyes_occur_and_are_mirrored():
    eyes = [p.eye for p in sampled("normal")]
    assert 100 < eyes.count("left") < 200 and set(eyes) == {"left", "right"}
    macula_centred = dict(disc_x=0.3, disc_y=0.0, field_x=0.0)
    for eye, sign in (("right", 1), ("left", -1)):
        _, phantom = draw(2, eye=eye, **macula_centred)
        middle = phantom.image.shape[1] / 2
        assert sign * (np.nonzero(phantom.disc)[1].mean() - middle) > 20
        assert sign * (phantom.fovea[0] - middle) < 20


def test_disc_stands_out_but_not_always_as_the_brightest_blob(phantoms):
    brighter, found = [], []
    for _, phantom in phantoms:
        green = cv2.GaussianBlur(phantom.image[..., 1], (0, 0), 1)
        field = phantom.image.max(2) > 15
        around = cv2.dilate(phantom.disc.astype(np.uint8), np.ones((9, 9))).astype(bool) & ~phantom.disc & field
        brighter.append(green[phantom.disc].mean() > green[around].mean())
        bright = (green >= np.percentile(green[field], 97)) & field
        _, labels, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
        blob = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
        found.append((blob & phantom.disc).sum() > 0.5 * blob.sum())
    assert np.mean(brighter) > 0.85
    assert 0.2 < np.mean(found) < 0.8


def test_unknown_grade_and_tiny_size_are_refused():
    with pytest.raises(ValueError, match="normal, suspicious, glaucoma, found 'severe'"):
        sample_parameters(np.random.default_rng(0), "severe")
    with pytest.raises(ValueError, match="at least 64 pixels, found 20"):
        draw(0, size=20)


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    root = tmp_path_factory.mktemp("layout") / "refuge"
    write_refuge_layout(root, train=6, val=2, test=4, size=96, seed=5)
    return root


def files_below(root: Path) -> dict[str, bytes]:
    """Contents by path; sheets are left out: they name all photographs, and some hold the time of writing."""
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in (".xlsx", ".csv"))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_layout_is_refuges(layout):
    # Two of six are glaucoma: 0.3, rounded, spread evenly.
    names = {
        *(f"Training400/Glaucoma/g000{i}.jpg" for i in (1, 2)),
        *(f"Training400/Non-Glaucoma/n000{i}.jpg" for i in (1, 2, 3, 4)),
        *(f"Annotation-Training400/Disc_Cup_Masks/Glaucoma/g000{i}.bmp" for i in (1, 2)),
        *(f"Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n000{i}.bmp" for i in (1, 2, 3, 4)),
        *(f"REFUGE-Validation400/V000{i}.jpg" for i in (1, 2)),
        *(f"REFUGE-Validation400-GT/Disc_Cup_Masks/V000{i}.bmp" for i in (1, 2)),
        *(f"Test400/T000{i}.jpg" for i in (1, 2, 3, 4)),
        *(f"REFUGE-Test-GT/Disc_Cup_Masks/{folder}/T000{i}.bmp" for i, folder in zip((1, 2, 3, 4), "NGNN")),
    }
    assert set(files_below(layout)) == names
    assert [path.name for path in layout.parent.iterdir()] == ["refuge"]  # no temporary folder left
    for name in names:
        image = cv2.imread(str(layout / name), cv2.IMREAD_UNCHANGED)
        assert max(image.shape) == 96
        if name.endswith(".bmp"):
            assert image.ndim == 2 and set(np.unique(image)) == {0, 128, 255}


def test_layouts_sheets(layout):
    grades = pd.read_csv(layout / "phantom_grades.csv")
    assert list(grades.columns) == ["ImgName", "Grade"] and len(grades) == 12
    for name, grade in grades.itertuples(index=False):
        assert (grade == "glaucoma") == (name[0] == "g" or name in ("V0002.jpg", "T0002.jpg"))
    validation = pd.read_excel(layout / "REFUGE-Validation400-GT" / "Fovea_locations.xlsx")
    assert list(validation.ImgName) == ["V0001.jpg", "V0002.jpg"]
    assert list(validation["Glaucoma Label"]) == [0, 1]
    test = pd.read_excel(layout / "REFUGE-Test-GT" / "Glaucoma_label_and_Fovea_location.xlsx")
    assert list(test["Label(Glaucoma=1)"]) == [0, 1, 0, 0]
    train = pd.read_excel(layout / "Annotation-Training400" / "Fovea_location.xlsx")
    assert list(train.columns) == ["ID", "ImgName", "Fovea_X", "Fovea_Y"] and len(train) == 6
    assert np.isfinite(train[["Fovea_X", "Fovea_Y"]].to_numpy()).all()


def test_photograph_does_not_depend_on_how_many_are_drawn(layout, tmp_path):
    write_refuge_layout(tmp_path / "fewer", train=3, val=1, test=0, size=96, seed=5)
    fewer, all_files = files_below(tmp_path / "fewer"), files_below(layout)
    assert len(fewer) == 8
    for name, content in fewer.items():
        assert all_files[name] == content


def test_existing_files_are_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="new or empty folder, found mine.txt"):
        write_refuge_layout(tmp_path, train=1, val=0, test=0, size=96, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_excel", full)
    with pytest.raises(OSError, match="No space left"):
        write_refuge_layout(tmp_path / "new", train=1, val=0, test=0, size=96, seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"val": -1},
        {"size": 10},
        {"glaucoma_fraction": 1.5},
        {"processes": 0},
        {"train": 0},
        {"seed": -1},
        {"without": ["eyes"]},
    ],
)
def test_senseless_numbers_are_refused(tmp_path, wrong):
    arguments = {"train": 1, "val": 0, "test": 0, "size": 96, "seed": 0} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_refuge_layout(tmp_path / "new", **arguments)
    assert not list(tmp_path.iterdir())


def test_tool_writes_the_same_set_once(layout, tmp_path):
    output = tmp_path / "drawn"
    command = [sys.executable, str(ROOT / "tools" / "draw_phantoms.py"), "--output", str(output), "--size", "96"]
    command += ["--seed", "5", "--train", "6", "--val", "2", "--test", "4"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "6 train, 2 val and 4 test" in done.stdout
    assert files_below(output) == files_below(layout)


@pytest.mark.slow
def test_processes_do_not_change_the_set(layout, tmp_path):
    write_refuge_layout(tmp_path / "two", train=6, val=2, test=4, size=96, seed=5, processes=2)
    assert files_below(tmp_path / "two") == files_below(layout)


def test_a_crop_is_a_square_about_the_disc():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        phantom = draw_phantom(sample_parameters(rng, "normal", "crop"), 128, rng)
        assert phantom.image.shape == (128, 128, 3) and phantom.image.max(2).min() > 0  # no dark surround
        rows, columns = (np.flatnonzero(phantom.disc.any(axis)) for axis in (1, 0))
        assert 128 * 0.25 < len(rows) < 128 * 0.6
        assert all(abs(where.mean() - 63.5) < 20 for where in (rows, columns))


def test_myopic_eyes_are_hard_and_their_masks_exact():
    """Tilted discs, atrophy that reaches further than elsewhere and is paler, some discs at the field's edge."""
    drawn = {
        view: [sample_parameters(np.random.default_rng(seed), "normal", view) for seed in range(60)]
        for view in ("mixed", "myopic")
    }
    means = {
        key: [np.mean([getattr(p, key) for p in drawn[view]]) for view in ("mixed", "myopic")]
        for key in ("atrophy", "atrophy_lift", "choroid", "scar_size", "disc_aspect")
    }
    assert all(mixed < myopic for mixed, myopic in (means[key] for key in list(means)[:-1]))
    assert means["disc_aspect"][0] > means["disc_aspect"][1]
    at_edge = [np.hypot(p.disc_x, p.disc_y) + p.disc_diameter / 2 > 0.485 for p in drawn["myopic"]]
    assert 0.1 < np.mean(at_edge) < 0.4
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parameters = sample_parameters(rng, "glaucoma", "myopic")
        phantom = draw_phantom(parameters, 256, rng)
        assert not (phantom.cup & ~phantom.disc).any()
        assert vertical_cup_to_disc_ratio(phantom.disc, phantom.cup) == pytest.approx(parameters.vcdr, abs=0.08)


def test_distinct_grades_do_not_overlap():
    ratios = {
        grade: [sample_parameters(np.random.default_rng(s), grade, "mixed", distinct=True).vcdr for s in range(60)]
        for grade in GRADES
    }
    assert max(ratios["normal"]) < min(ratios["suspicious"]) < max(ratios["suspicious"]) < min(ratios["glaucoma"])


def test_view_decides_where_the_disc_lies():
    offsets = {}
    for view in ("disc", "macula"):
        drawn = [sample_parameters(np.random.default_rng(seed), "normal", view) for seed in range(40)]
        offsets[view] = np.mean([abs(parameters.disc_x) for parameters in drawn])
    assert offsets["disc"] < 0.1 < 0.2 < offsets["macula"]
    with pytest.raises(ValueError, match="view: expected one of mixed, disc, macula, crop, myopic, found 'side'"):
        sample_parameters(np.random.default_rng(0), "normal", "side")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_left_out_changes_nothing_else(part):
    differ = []
    for seed in range(6):
        whole = sample_parameters(np.random.default_rng(seed), "glaucoma")
        without = sample_parameters(np.random.default_rng(seed), "glaucoma", without=[part])
        assert dataclasses.replace(without, **{key: getattr(whole, key) for key in PARTS[part]}) == whole
        picture, other = (draw_phantom(p, 128, np.random.default_rng(seed)) for p in (whole, without))
        differ.append((picture.image != other.image).any())
        assert ((picture.disc == other.disc).all() and (picture.cup == other.cup).all()) == (part != "outlines")
    assert any(differ)  # some photographs have no lesions


def test_set_without_parts(tmp_path):
    write_refuge_layout(tmp_path / "whole", train=2, val=0, test=0, size=96, seed=5)
    write_refuge_layout(tmp_path / "less", train=2, val=0, test=0, size=96, seed=5, without=["vessels", "lesions"])
    whole, less = (sorted((tmp_path / name).rglob("*.[jb][pm][gp]")) for name in ("whole", "less"))
    same = {a.suffix: a.read_bytes() == b.read_bytes() for a, b in zip(whole, less, strict=True)}
    assert same == {".jpg": False, ".bmp": True}
