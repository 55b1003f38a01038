"""Masks as pictures: coding, names, sizes, photographs with nothing found."""

import cv2
import numpy as np
import pytest

from fundus_plugins.evaluation import RefugeMaskWriter
from tests.conftest import disk
from tests.evaluation.test_disc_cup import HEIGHT, WIDTH, perfect


def image(name):
    return {"file_name": f"/eyes/{name}", "image_id": 1, "height": HEIGHT, "width": WIDTH}


@pytest.mark.parametrize("suffix", ["bmp", "png"])
def test_masks(tmp_path, suffix):
    writer = RefugeMaskWriter(str(tmp_path / "masks"), suffix)
    for _ in range(2):  # as when a training evaluates twice
        writer.reset()
        writer.process(
            [image("V0001.jpg"), image("V0002.jpg")], [{"instances": x} for x in (perfect(0), perfect(0)[:0])]
        )
        assert writer.evaluate() is None
    assert {path.name for path in (tmp_path / "masks").iterdir()} == {f"V0001.{suffix}", f"V0002.{suffix}"}
    disc, cup = disk(HEIGHT, WIDTH, 40, 45, 20), disk(HEIGHT, WIDTH, 40, 45, 10)
    found = cv2.imread(str(tmp_path / "masks" / f"V0001.{suffix}"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, np.where(cup, 0, np.where(disc, 128, 255)))
    assert (cv2.imread(str(tmp_path / "masks" / f"V0002.{suffix}"), cv2.IMREAD_UNCHANGED) == 255).all()


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="TEST.SAVE_MASKS 'jpg': expected one of bmp, png"):
        RefugeMaskWriter(str(tmp_path), "jpg")
    writer = RefugeMaskWriter(str(tmp_path), "bmp")
    writer.process([image("a.jpg")], [{"instances": perfect(0)}])
    with pytest.raises(ValueError, match="/eyes/a.jpg and /eyes/a.png would give one mask a"):
        writer.process([image("a.png")], [{"instances": perfect(0)}])
