"""Which eye: by name, by the disc's place; and the field of view on which that rests."""

import numpy as np
import pytest

from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.photographs.field import find_field
from fundus_plugins.photographs.laterality import eye_of_name, eye_of_place, patient_of_name
from tests.conftest import disk


@pytest.mark.parametrize(
    "name, eye",
    [
        ("P12_OD", "OD"), ("left-3", "OS"), ("7R", "OD"), ("RightEye 2", ""), ("right eye 2", "OD"), ("IMG_0042", ""),
        ("OD_OS", ""), ("drishtiGS_001", ""), ("L (2)", "OS"), ("1006_left", "OS"), ("od.od", "OD"), ("", ""),
        ("re-scan_12", ""), ("eye_r2", ""), ("le_12", ""), ("scan 3 r", "OD"), ("r", ""), ("rl", ""),
        ("r2_Im301", ""), ("R0001", ""), ("L12", ""), ("x7k9r", ""), ("P12R", ""), ("l_12", "OS"),
        ("12-R", "OD"), ("7l", "OS"), ("(R) 12", "OD"),
    ],
)  # fmt: skip
def test_names(name, eye):
    assert eye_of_name(name) == eye


@pytest.mark.parametrize(
    "name, patient",
    [
        ("P12_OD", "P12"), ("P12-os", "P12"), ("right eye 2", "eye 2"), ("L", ""), ("IMG_0042", ""), ("od_os_3", ""),
        ("Anna (left) 3", "Anna 3"), ("1006_right", "1006"),
    ],
)  # fmt: skip
def test_patients_by_name(name, patient):
    assert patient_of_name(name) == patient


def test_the_field_of_a_round_photograph():
    photograph = np.zeros((300, 400, 3), np.uint8)
    photograph[disk(300, 400, 150, 210, 120)] = (180, 90, 40)
    field = find_field(photograph)
    assert field.middle == pytest.approx((210, 150), abs=2)
    assert (field.width, field.height) == pytest.approx((241, 241), abs=4)
    assert field.fill == pytest.approx(np.pi / 4, abs=0.03)
    assert field.share == pytest.approx(np.pi * 120**2 / 120000, abs=0.02)
    paper = np.where(photograph == 0, np.uint8(255), photograph)
    assert find_field(paper).middle == pytest.approx((210, 150), abs=2) and find_field(paper).fill < 0.85
    burnt = photograph.copy()
    burnt[130:170, 190:230] = 255  # white within is the eye's
    assert find_field(burnt) == field
    assert find_field(np.full((40, 50, 3), 5, np.uint8)) is None
    assert find_field(np.full((40, 50, 3), 255, np.uint8)) is None
    full = find_field(np.full((40, 50, 3), 90, np.uint8))
    assert full.box == (0, 0, 50, 40) and full.fill == full.share == 1


def test_the_disc_is_on_the_side_of_the_nose():
    field = find_field(np.full((100, 200, 3), 90, np.uint8))
    assert eye_of_place(170, field) == ("OD", pytest.approx(0.7))
    assert eye_of_place(30, field) == ("OS", pytest.approx(0.7))
    assert eye_of_place(110, field)[0] == ""


def test_drawn_eyes():
    told = 0
    for seed in range(12):
        rng = np.random.default_rng((5, seed))
        parameters = sample_parameters(rng, "normal", "macula")
        phantom = draw_phantom(parameters, 200, rng)
        x = np.flatnonzero(phantom.disc.any(axis=0)).mean()
        side = eye_of_place(x, find_field(phantom.image))[0]
        mirrored = eye_of_place(199 - x, find_field(np.ascontiguousarray(phantom.image[:, ::-1])))[0]
        assert {side, mirrored} in ({"OD", "OS"}, {""})
        told += side != ""
    assert told > 6
