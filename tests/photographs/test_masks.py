"""One reader of masks: every coding is recognised by where its values lie, and what no eye has is refused."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fundus_plugins.photographs.anatomy import border_share, cup_within_disc, hole_share, is_within, refuse_impossible
from fundus_plugins.photographs.masks import encode_refuge_mask, read_disc_and_cup, read_mask, read_structure
from fundus_plugins.photographs.problems import BadInput
from tests.conftest import disk

SHAPE = (60, 70)
DISC, CUP = disk(*SHAPE, 30, 35, 20), disk(*SHAPE, 28, 37, 9)


def write(path, codes, palette=None, suffix="PNG"):
    image = Image.fromarray(codes.astype(np.uint8))
    if palette is not None:
        image = Image.fromarray(codes.astype(np.uint8)).convert("P")
        image.putdata(codes.ravel().tolist())
        image.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    image.save(path, suffix)
    return path


def labels(background, rim, cup):
    return np.where(CUP, cup, np.where(DISC, rim, background))


@pytest.mark.parametrize("codes", [(255, 128, 0), (0, 1, 2), (0, 2, 1), (250, 121, 9)])
def test_disc_and_cup_of_every_coding(tmp_path, codes):
    disc, cup = read_disc_and_cup(write(tmp_path / "m.png", labels(*codes)), SHAPE)
    np.testing.assert_array_equal([disc, cup], [DISC, CUP])


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(3)), st.permutations([(255, 0, 0), (0, 255, 0), (0, 0, 0)]), st.booleans())
def test_colours_in_any_order(tmp_path_factory, codes, colours, as_palette):
    path = tmp_path_factory.mktemp("m") / "m.png"
    if as_palette:
        write(path, labels(*codes), colours)
    else:
        Image.fromarray(np.array(colours, np.uint8)[labels(*codes)]).save(path)
    np.testing.assert_array_equal(read_disc_and_cup(path, SHAPE), [DISC, CUP])
    two = np.where(DISC, codes[0], codes[1])
    write(path, two, colours) if as_palette else Image.fromarray(np.array(colours, np.uint8)[two]).save(path)
    np.testing.assert_array_equal(read_structure(path, SHAPE), DISC)


@pytest.mark.parametrize("inside, outside", [(255, 0), (0, 255), (1, 0), (0, 1), (128, 255), (7, 9)])
def test_one_structure_of_either_polarity(tmp_path, inside, outside):
    path = write(tmp_path / "m.png", np.where(DISC, inside, outside))
    np.testing.assert_array_equal(read_structure(path, SHAPE), DISC)


@pytest.mark.parametrize("mode", ["1", "RGB", "RGBA", "LA"])
def test_one_structure_in_every_mode(tmp_path, mode):
    Image.fromarray(DISC).convert("L").convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_structure(tmp_path / "m.png", SHAPE), DISC)


def test_blurred_borders_are_let_through_and_other_codings_are_not(tmp_path):
    large = disk(300, 300, 150, 150, 80)
    grey = np.where(large, 255, 0).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "m.jpg"), grey)
    assert np.count_nonzero(read_structure(tmp_path / "m.jpg", None) ^ large) < 60
    with pytest.raises(BadInput, match="expected 0 and one other value, found 0, 128, 255"):
        read_structure(write(tmp_path / "m.png", labels(0, 128, 255)), SHAPE)
    with pytest.raises(BadInput, match="expected 0 and one other value, found 0, 1, 2"):
        read_structure(write(tmp_path / "m.png", labels(0, 1, 2)), SHAPE)


def test_an_orientation_turns_a_mask_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(DISC * np.uint8(255)).save(tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_structure(tmp_path / "m.png", SHAPE[::-1]), np.rot90(DISC, -1))


REFUSED = {
    "inverted": (labels(0, 128, 255), "most of the border would be disc"),
    "one structure": (np.where(DISC, 0, 255), "found 0, 255"),
    "one structure, inverted": (np.where(DISC, 255, 0), "found 0, 255"),
    "all cup": (labels(0, 0, 0), "found 0 everywhere"),
    "all disc": (labels(128, 128, 128), "most of the border would be disc"),
    "a cup around the rim": (labels(255, 0, 128), "found a cup around the rim"),
    "other values": (labels(255, 60, 30), "found 30, 60, 255"),
    "side by side": (np.where(DISC, 1 + (np.arange(70) > 35)[None], 0), "neither surrounds the other"),
    "no background": (labels(1, 1, 2), "found 1, 2"),
}


@pytest.mark.parametrize("codes, message", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_coding_of_disc_and_cup(tmp_path, codes, message):
    with pytest.raises(BadInput) as caught:
        read_disc_and_cup(write(tmp_path / "m.png", codes), SHAPE)
    assert caught.value.problem.kind == "unknown mask values" and message in str(caught.value)


def test_nothing_found_is_a_prediction(tmp_path):
    disc, cup = read_disc_and_cup(write(tmp_path / "m.png", labels(255, 255, 255)), SHAPE)
    assert not disc.any() and not cup.any()
    assert not read_structure(write(tmp_path / "m.png", DISC * 0), SHAPE).any()
    with pytest.raises(BadInput, match="255 everywhere"):
        read_structure(write(tmp_path / "m.png", DISC * 0 + 255), SHAPE)


def test_size_depth_and_colours(tmp_path):
    path = write(tmp_path / "m.png", labels(255, 128, 0))
    with pytest.raises(BadInput, match="expected the photograph's 60 x 70 pixels, found 70 x 60 pixels"):
        read_mask(path, SHAPE[::-1])
    Image.fromarray(DISC.astype(np.uint16) * 999).save(path)
    with pytest.raises(BadInput, match="8 bits per pixel"):
        read_mask(path, SHAPE)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 70, 3), dtype=np.uint8)).save(path)
    with pytest.raises(BadInput, match="at most 8 colours, found 4200 colours"):
        read_mask(path, SHAPE)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(3, 25), st.floats(0.2, 0.9), st.integers(0, 360), st.sampled_from([(255, 128, 0), (0, 1, 2), (0, 2, 1)])
)
def test_every_eye_comes_back(tmp_path_factory, radius, ratio, angle, codes):
    shift = (1 - ratio) * radius * 0.8 * np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    disc = disk(*SHAPE, 30, 35, radius)
    cup = disk(*SHAPE, 30 + shift[0], 35 + shift[1], ratio * radius) & disc
    if not cup.any() or not (disc & ~cup).any():
        return
    path = tmp_path_factory.mktemp("m") / "m.png"
    write(path, np.where(cup, codes[2], np.where(disc, codes[1], codes[0])))
    try:
        found = read_disc_and_cup(path, SHAPE)
    except BadInput:  # a cup of a pixel or two, or a rim of a few, is not told from the other
        assert codes != (255, 128, 0) and (disc & ~cup).sum() < 40
        return
    np.testing.assert_array_equal(found, [disc, cup])
    assert not refuse_impossible(path, disc, cup)
    np.testing.assert_array_equal(encode_refuge_mask(disc, cup) == 0, cup)


def test_anatomy_worked_by_hand(tmp_path):
    ring = np.zeros((10, 10), bool)
    ring[2:8, 2:8] = True
    ring[4:6, 4:6] = False
    assert (
        hole_share(ring) == pytest.approx(4 / 36) and hole_share(~ring[4:6, 4:6]) == 0 and hole_share(ring & False) == 0
    )
    assert border_share(~ring) == 1 and border_share(ring) == 0
    inner = np.zeros((10, 10), bool)
    inner[4:6, 4:6] = True
    assert is_within(inner, ring) and not is_within(ring, inner) and not is_within(inner, ring & False)
    for disc, cup, kind in ((ring, None, "disc"), (None, ring, "cup"), (~inner, None, "disc")):
        with pytest.raises(BadInput, match=f"impossible {kind}"):
            refuse_impossible(tmp_path, disc, cup)
    whole = ring | inner
    cup = inner.copy()
    cup[1, 4] = True
    with pytest.raises(BadInput, match="1 of 5 pixels outside"):
        cup_within_disc(tmp_path, whole, cup)
    same, problem = cup_within_disc(tmp_path, whole, inner)
    assert same is inner and problem is None
    clipped, problem = cup_within_disc(tmp_path, disk(200, 200, 100, 100, 90), disk(200, 200, 100, 100, 90.4))
    assert problem is not None and problem.repaired and not (clipped & ~disk(200, 200, 100, 100, 90)).any()


def test_a_mask_in_the_alpha_channel_is_refused(tmp_path):
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    pixels[..., 3] = DISC * 255
    Image.fromarray(pixels).save(tmp_path / "m.png")
    with pytest.raises(BadInput, match="a mask in the alpha channel"):
        read_structure(tmp_path / "m.png", SHAPE)


def test_what_is_about_a_disc_beyond_the_picture_is_no_disc(tmp_path):
    with pytest.raises(BadInput, match="a structure on three sides or more"):
        read_structure(write(tmp_path / "m.png", disk(96, 96, 48, 48, 60) * 255), None)


def test_a_third_value_in_a_region_of_its_own_is_no_blur(tmp_path):
    large = disk(200, 200, 100, 100, 70)
    with pytest.raises(BadInput, match="expected 0 and one other value"):
        read_structure(write(tmp_path / "m.png", np.where(disk(200, 200, 100, 100, 8), 128, large * 255)), None)
