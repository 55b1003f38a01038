"""RF-Net as an ONNX file: PyTorch's boxes, scores and masks, whatever the view's size; what the file tells."""

import json
import re

import cv2
import numpy as np
import pytest
import torch

import fundus_plugins
from fundus_plugins.cli.main import main
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.prediction.export import exportable, half_and_factor, write_onnx
from fundus_plugins.prediction.release import write_release
from fundus_plugins.prediction.settings import FLIPS
from fundus_plugins.prediction.torch_engine import TorchEngine, load_model
from tests.conftest import ROOT, SIDE

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SIZES = [(384, 384), (512, 384), (300, 341), (96, 96)]  # height, width


def run(path, image: torch.Tensor) -> list[np.ndarray]:
    """What onnxruntime gives of a (3, H, W) uint8 view."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image[None].numpy()})


def phantom(seed: int, size: tuple[int, int]) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    drawn = draw_phantom(sample_parameters(rng, "normal"), 512, rng).image
    return torch.from_numpy(cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_AREA)).permute(2, 0, 1)


def model_of(cfg) -> torch.nn.Module:
    cfg.TEST.PRECISION = "float32"
    return load_model(cfg)


def check(outputs: list, model: torch.nn.Module, image: torch.Tensor, flips: str = "none") -> bool:
    """Whether a disc was seen, in which case PyTorch sees the same."""
    (expected,) = TorchEngine(model, flips, "RGB").look([image.permute(1, 2, 0).numpy()])
    box, score, masks, *agreement = (torch.as_tensor(x) for x in outputs)
    assert box.shape == (1, 4) and score.shape == (1,) and masks.shape[:2] == (1, 2)
    if expected is None:
        assert not box.any() and not score.any() and not masks.any()
        return False
    torch.testing.assert_close(box[0], torch.from_numpy(expected.box).float(), atol=0.05, rtol=0)
    assert score.item() == pytest.approx(expected.score, abs=1e-3)
    torch.testing.assert_close(masks[0], torch.from_numpy(expected.masks), atol=1e-3, rtol=0)
    assert [x.item() for x in agreement] == [pytest.approx(expected.agreement, abs=0.005)] * (len(FLIPS[flips]) > 1)
    return True


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The packaged RF-Net as the command writes it, and its model in PyTorch."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    assert main(["export", "--output", str(path), "--flips", "none"]) == 0
    return path, model_of(fundus_plugins.release_cfg())


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_packaged_weights_give_what_pytorch_gives(released, size):
    path, model = released
    seen = [check(run(path, image), model, image) for image in (phantom(seed, size) for seed in range(3))]
    assert all(seen) or size == SIZES[-1]


@pytest.mark.slow
def test_black_shows_nothing_and_other_inputs_are_refused(released):
    path, model = released
    black = torch.zeros(3, 256, 256, dtype=torch.uint8)
    assert not check(run(path, black), model, black)
    with pytest.raises(Exception, match="(?i)unexpected input data type"):
        run(path, black.float())


@pytest.mark.slow
def test_the_file_tells_how_it_is_used_and_nothing_of_this_machine(released):
    path, _ = released
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {x.domain for x in model.opset_import} == {""}
    metadata = {x.key: x.value for x in model.metadata_props}
    settings = json.loads(metadata["settings"])
    assert settings["box_scale"] == 1.25 and settings["crop"] == 0.375 and settings["crop_side"] == 256
    assert settings["flips"] == "none" and settings["side"] is None
    assert "commit" in json.loads(metadata["facts"]) and metadata["version"] == fundus_plugins.__version__
    assert "RFNetROIHeads" in metadata["config"]
    assert str(ROOT).encode() not in path.read_bytes() and b"site-packages" not in path.read_bytes()


@pytest.mark.slow
def test_the_page_s_example_outlines_a_photograph(released, tmp_path):
    """As it stands there, and as FundusPredictor does in one look, which resizes the photograph in another way."""
    rng = np.random.default_rng(5)
    drawn = draw_phantom(sample_parameters(rng, "normal"), 1000, rng)
    cv2.imwrite(str(tmp_path / "photograph.jpg"), drawn.image[..., ::-1])
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 36 and "torch" not in code and "fundus_plugins" not in code
    code = code.replace('"model.onnx"', repr(str(released[0])))
    code = code.replace('"photograph.jpg"', repr(str(tmp_path / "photograph.jpg")))
    found: dict = {}
    exec(code.replace('"outlined.png"', repr(str(tmp_path / "outlined.png"))), found)
    one_look = ["TEST.FLIPS", "none", "TEST.CROP", 0.0, "TEST.REGULAR_SHAPE", False, "TEST.PRECISION", "float32"]
    expected = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg(opts=one_look))(drawn.image)
    for seen, there in ((found["disc"], expected.disc), (found["cup"], expected.cup)):
        assert 2 * (seen & there).sum() / (seen.sum() + there.sum()) > 0.97
    assert cv2.imread(str(tmp_path / "outlined.png")).shape == drawn.image.shape


@pytest.mark.slow
def test_a_small_model_in_several_flips(detecting_cfg, tmp_path, photograph):
    detecting_cfg.TEST.PRECISION = "float32"
    write_onnx(detecting_cfg, tmp_path / "model.onnx", flips="horizontal")
    model = model_of(detecting_cfg)
    for height, width in ((SIDE, SIDE), (70, 127)):  # both are padded to MODEL.FPN.SQUARE_PAD
        image = torch.from_numpy(cv2.resize(photograph, (width, height))).permute(2, 0, 1).contiguous()
        assert check(run(tmp_path / "model.onnx", image), model, image, "horizontal")


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("options", [[], ["MODEL.RFNET.POOLING", "pyramid"], ["INPUT.FORMAT", "BGR"]])
def test_the_module_itself_gives_what_the_model_gives(detecting_cfg, photograph, threshold, flips, options):
    detecting_cfg.merge_from_list([*options, "MODEL.ROI_HEADS.SCORE_THRESH_TEST", threshold])
    image = torch.from_numpy(cv2.resize(photograph, (SIDE, 100))).permute(2, 0, 1).contiguous()
    with torch.inference_mode():
        outputs = exportable(detecting_cfg, flips)(image[None])
    order = slice(None, None, -1) if "BGR" in options else slice(None)
    given = torch.from_numpy(image.numpy()[order].copy())
    assert check(outputs, model_of(detecting_cfg), given, flips) == (threshold == 0)


@pytest.mark.slow
def test_released_weights_take_half_the_room_and_lose_nothing(detecting_cfg, tmp_path, photograph):
    """As they are in half precision; where batch norms are folded into them, with a factor for each filter."""
    write_onnx(detecting_cfg, tmp_path / "full.onnx")
    write_release(detecting_cfg, tmp_path / "released.safetensors", {})
    released = fundus_plugins.release_cfg(str(tmp_path / "released.safetensors"))
    write_onnx(released, tmp_path / "half.onnx")
    graph = onnx.load(tmp_path / "half.onnx").graph
    stored = [(x.data_type, np.prod(x.dims)) for x in graph.initializer]
    full, half = (sum(size for kind, size in stored if kind == wanted) for wanted in (1, 10))  # float32, float16
    assert full < 0.05 * half
    assert (tmp_path / "half.onnx").stat().st_size < 0.7 * (tmp_path / "full.onnx").stat().st_size
    image = torch.from_numpy(cv2.resize(photograph, (SIDE, SIDE))).permute(2, 0, 1).contiguous()
    with torch.inference_mode():
        expected = exportable(released)(image[None])
    for found, wanted in zip(run(tmp_path / "half.onnx", image), expected):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-3)


def test_only_what_loses_nothing_is_stored_in_half_precision():
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=(2, 6, 3, 3, 3)).astype(np.float16).astype(np.float32)
    folded = own * rng.uniform(0.2, 3, (6, 1, 1, 1)).astype(np.float32)
    half, factor = half_and_factor(folded, own)
    assert half.dtype == np.float16 and factor.shape == (6, 1, 1, 1)
    np.testing.assert_allclose(half * factor, folded, rtol=1e-6)
    half, factor = half_and_factor(own, None)
    assert (factor == 1).all() and np.array_equal(half, own)
    assert half_and_factor(folded, other) is None and half_and_factor(folded, None) is None
    assert half_and_factor(folded, folded) is None  # float32's weights stay float32


def test_what_cannot_be_exported_is_told(detecting_cfg, tmp_path, monkeypatch, capsys):
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="flips 'diagonal': expected one of none, horizontal, both"):
        write_onnx(detecting_cfg, path, flips="diagonal")
    with pytest.raises(ValueError, match="side 129: expected 64 to 128 pixels"):
        write_onnx(detecting_cfg, path, side=SIDE + 1)
    detecting_cfg.MODEL.ROI_HEADS.NAME = "StandardROIHeads"
    detecting_cfg.MODEL.ROI_MASK_HEAD.NAME = "MaskRCNNConvUpsampleHead"
    with pytest.raises(ValueError, match="only RF-Net can be exported"):
        write_onnx(detecting_cfg, path)
    assert main(["export", "--output", str(tmp_path / "model.pt")]) == 2
    assert "expected a .onnx file" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'fundus-plugins\[onnx\]'"):
        write_onnx(detecting_cfg, path)
    assert not list(tmp_path.glob("model.*nnx"))
