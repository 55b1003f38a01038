"""timm networks as Detectron2 backbones: one suite over several, and their weights."""

import pytest
import timm
import torch
import torch.nn.functional as F
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import FPN
from detectron2.structures import ImageList
from safetensors.torch import save_file

from fundus_plugins.modeling.backbone import TimmBackbone, build_fundus_timm_fpn_backbone
from tests.conftest import SHARED

NAMES = ["mobilenetv1_100", "resnet18", "mobilenetv3_small_100"]


@pytest.mark.parametrize("name", NAMES)
def test_features_are_finite_of_the_promised_shape_and_every_parameter_learns(name):
    backbone = TimmBackbone(name=name)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # timm starts ResNet's last ones at 0, which hides what lies before
    features = backbone(torch.randn(2, 3, 64, 96))
    for key, spec in backbone.output_shape().items():
        assert features[key].shape == (2, spec.channels, 64 // spec.stride, 96 // spec.stride)
        assert torch.isfinite(features[key]).all()
    assert [spec.stride for spec in backbone.output_shape().values()] == [4, 8, 16, 32]
    sum(x.square().mean() for x in features.values()).backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [2, 4])
def test_frozen_up_to_a_level(name, level):
    torch.manual_seed(0)
    backbone = TimmBackbone(name=name, freeze_at=level).train()
    x = torch.randn(2, 3, 64, 64)
    first, second = backbone(x), backbone(x)
    for key, features in second.items():
        frozen = int(key[3:]) <= level
        assert features.requires_grad != frozen
        # Statistics stay as they are in the frozen part alone, so its maps depend on nothing else in the batch.
        assert torch.allclose(features[:1], backbone(x[:1])[key], atol=1e-4) == frozen
    before = {k: v.clone() for k, v in backbone.state_dict().items() if "running" in k}
    backbone(x)
    moved = [not torch.equal(v, backbone.state_dict()[k]) for k, v in before.items()]
    assert not moved[0] and moved[-1] and sorted(moved) == moved
    torch.testing.assert_close(first[f"res{level}"], second[f"res{level}"])


def test_freezing_an_unknown_level():
    with pytest.raises(ValueError, match="MODEL.FUNDUS_TIMM.FREEZE_AT 1: expected 0, or 2 to 5"):
        TimmBackbone(name="resnet18", freeze_at=1)


def test_fpn_gives_p2_to_p5_padded_to_a_square(small_cfg):
    fpn = build_fundus_timm_fpn_backbone(small_cfg, ShapeSpec(channels=3))
    assert list(fpn.output_shape()) == ["p2", "p3", "p4", "p5"]
    side = small_cfg.MODEL.FPN.SQUARE_PAD
    assert fpn(torch.zeros(1, 3, 64, 96))["p2"].shape[-2:] == (side // 4, side // 4)


def test_what_is_larger_than_the_square_is_not_cropped(small_cfg):
    side = small_cfg.MODEL.FPN.SQUARE_PAD
    fpn = build_fundus_timm_fpn_backbone(small_cfg, ShapeSpec(channels=3)).eval()
    image = torch.rand(3, side + 40, side)
    images = ImageList.from_tensors([image], fpn.size_divisibility, padding_constraints=fpn.padding_constraints)
    assert torch.equal(images[0], image)
    features = fpn(images.tensor)
    assert features["p2"].shape[-2:] == ((side + 64) // 4, side // 4)
    # As Detectron2's own FPN gives it without a square, and as this one gives what fits, within the square.
    whole = FPN(fpn.bottom_up, ["res2", "res3", "res4", "res5"], 16).eval()
    whole.load_state_dict(fpn.state_dict())
    torch.testing.assert_close(features["p2"], whole(images.tensor)["p2"])
    torch.testing.assert_close(
        fpn(images.tensor[:, :, :side, : side - 32])["p3"],
        whole(F.pad(images.tensor[:, :, :side, : side - 32], (0, 32)))["p3"],
    )


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_local_weights_in_timm_names_as_float16(tmp_path, ending):
    whole = timm.create_model("mobilenetv1_100", num_classes=7)  # with a classifier, which the backbone leaves alone
    state = {key: value.half() if value.is_floating_point() else value for key, value in whole.state_dict().items()}
    path = str(tmp_path / f"weights.{ending}")
    (save_file if ending == "safetensors" else torch.save)(state, path)
    backbone = TimmBackbone(name="mobilenetv1_100", weights=path)
    loaded = backbone.body.state_dict()
    assert loaded["conv_stem.weight"].dtype == torch.float32
    for key, value in loaded.items():
        torch.testing.assert_close(value, state[key].to(value.dtype))


def test_weights_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="MODEL.FUNDUS_TIMM.WEIGHTS.*nowhere"):
        TimmBackbone(name="resnet18", weights="nowhere.pth")
    path = str(tmp_path / "other.safetensors")
    save_file(timm.create_model("resnet18").state_dict(), path)
    with pytest.raises(RuntimeError, match="other.safetensors does not fit mobilenetv1_100"):
        TimmBackbone(name="mobilenetv1_100", weights=path)
    state = timm.create_model("mobilenetv1_100").state_dict()
    save_file({key: value for key, value in state.items() if "conv_stem" not in key}, path)
    with pytest.raises(RuntimeError, match="1 tensors missing, among them .*conv_stem.weight"):
        TimmBackbone(name="mobilenetv1_100", weights=path)


def test_pretrained_without_a_network_says_what_to_do(monkeypatch):
    create = timm.create_model

    def offline(name, **kwargs):
        if kwargs.get("pretrained"):
            raise ConnectionError("no network")
        return create(name, **kwargs)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConnectionError, match="no network.*MODEL.FUNDUS_TIMM.WEIGHTS"):
        TimmBackbone(name="resnet18", pretrained=True)


def test_model_without_the_four_strides_is_refused():
    with pytest.raises(ValueError, match="strides"):
        TimmBackbone(name="vit_tiny_patch16_224")


def test_imagenet_weights_give_sharp_features():
    path = SHARED / "weights" / "mobilenetv1_100_imagenet.safetensors"
    if not path.exists():
        pytest.skip("the ImageNet weights of MobileNet-v1 are not at hand")
    backbone = TimmBackbone(name="mobilenetv1_100", weights=str(path)).eval()
    assert torch.isfinite(backbone(torch.randn(1, 3, 64, 64))["res5"]).all()


def test_packaged_weights():
    backbone = TimmBackbone(name="mobilenetv1_100", weights="fundus://mobilenetv1_100_imagenet.safetensors")
    stem = backbone.body.conv_stem.weight
    assert float(stem.abs().max()) == pytest.approx(0.8765, abs=1e-4)  # a fresh one is a third of that
    with pytest.raises(FileNotFoundError, match="MODEL.FUNDUS_TIMM.WEIGHTS: no file 'fundus://nothing"):
        TimmBackbone(name="mobilenetv1_100", weights="fundus://nothing.safetensors")
