"""Every network that a packaged config names: shapes, gradients, and what only one of them has."""

import sys

import pytest
import torch
from detectron2.modeling import build_model

from fundus_plugins.modeling.segmentation import DISC_CUP_NETWORK_REGISTRY, Maps, MNet, UNet
from fundus_plugins.modeling.segmentation.etnet import DecodingBlock, EdgeGuidance, WeightedAggregation, WeightedBlock
from fundus_plugins.modeling.segmentation.mnet import mean_probability_logits
from fundus_plugins.modeling.segmentation.network import build_disc_cup_network
from tests.conftest import SIDE, training_input
from tests.modeling.segmentation.networks import NAMES, network_config

pytest.importorskip("segmentation_models_pytorch")


def square_input(**options):
    return training_input(height=SIDE, **options)


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_as_large_as_the_picture(name):
    torch.manual_seed(0)
    network = build_disc_cup_network(network_config(name)).eval()
    side = 2 * network.size_divisibility
    with torch.no_grad():
        maps = network(torch.randn(2, 3, side, side + network.size_divisibility))
    assert isinstance(maps, Maps)
    everything = [maps.logits, *maps.sides, *([] if maps.edges is None else [maps.edges])]
    assert len(everything) == {"MNet": 5, "ETNet": 2}.get(type(network).__name__, 1)
    for x in everything:
        assert x.shape == (2, 2, side, side + network.size_divisibility) and x.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    model = build_model(network_config(name))
    losses = model([square_input(), square_input(seed=1)])
    assert all(x.dtype == torch.float32 and x.ndim == 0 and x.isfinite() for x in losses.values())
    expected = {"mnet": {"loss_sides"}, "etnet": {"loss_edges"}}.get(name.split("_")[0], set())
    assert losses.keys() == {"loss_mask"} | expected
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["unet_drishti", "mnet_polar_drishti", "etnet_drishti"])
def test_half_precision_gives_losses_in_float32(name):
    torch.manual_seed(0)
    model = build_model(network_config(name))
    batch = [square_input()] * 2
    exact = {key: value.item() for key, value in model(batch).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model(batch)
    assert all(x.dtype == torch.float32 for x in losses.values())
    assert {key: x.item() for key, x in losses.items()} == pytest.approx(exact, rel=0.1)


def parameters(network):
    return sum(x.numel() for x in network.parameters())


def convolution(kernel, before, after):
    return kernel**2 * before * after + after


def test_the_u_net_is_the_papers_layer_by_layer():
    """Figure 1 of Ronneberger et al. 2015, but for three channels in; 23 convolutional layers."""
    down = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024)]
    up = [(1024, 512), (512, 512), (512, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64)]
    expected = sum(convolution(3, *x) for x in [*down, (1024, 1024), *up]) + convolution(1, 64, 2)
    expected += sum(convolution(2, 2 * x, x) for x in (512, 256, 128, 64))
    assert parameters(UNet(channels=(64, 128, 256, 512, 1024))) == expected


def test_m_net_is_the_authors_layer_by_layer():
    """Their published network: 32 channels first, and an input convolution at three smaller scales."""
    down = [
        (3, 32),
        (32, 32),
        (96, 64),
        (64, 64),
        (192, 128),
        (128, 128),
        (384, 256),
        (256, 256),
        (256, 512),
        (512, 512),
    ]
    up = [(512, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64), (64, 32), (32, 32)]
    expected = sum(convolution(3, *x) for x in [*down, *up, (3, 64), (3, 128), (3, 256)])
    expected += sum(convolution(2, 2 * x, x) + convolution(1, x, 2) for x in (256, 128, 64, 32))
    assert parameters(MNet(width=32)) == expected


def test_m_net_predicts_the_mean_probability_of_its_side_outputs():
    torch.manual_seed(0)
    network = MNet(width=4)
    maps = network(torch.randn(1, 3, 64, 64))
    mean = torch.stack(maps.sides).sigmoid().mean(0)
    torch.testing.assert_close(maps.logits.sigmoid(), mean)


def test_logits_of_a_mean_probability_neither_over_nor_underflow():
    logits = [torch.tensor([100.0, -100.0, 100.0]), torch.tensor([100.0, -100.0, -100.0])]
    assert mean_probability_logits(logits).tolist() == pytest.approx([100, -100, 0])


def test_the_modules_of_et_net():
    torch.manual_seed(0)
    first, second = torch.randn(2, 6, 16, 24), torch.randn(2, 10, 8, 12)
    logits, features = EdgeGuidance([6, 10], 4)(first, second)
    assert logits.shape == (2, 2, 16, 24) and features.shape == (2, 4, 16, 24)
    assert DecodingBlock(6, 10)(first, second).shape == first.shape
    assert WeightedAggregation([10, 6], 4)([second, first], features).shape == (2, 2, 16, 24)


def test_a_weighted_block_scales_whole_channels_down():
    torch.manual_seed(0)
    block = WeightedBlock(6, 4).eval()
    x = torch.randn(2, 6, 8, 8)
    ratio = block(x) / block.features(x).clamp(min=1e-12)
    for channel in ratio.flatten(0, 1):
        seen = channel[channel > 0]
        assert not len(seen) or (seen.max() - seen.min() < 1e-5 and 0 < seen.min() and seen.max() < 1)


def test_encoders_start_from_a_file(tmp_path):
    """The same as RF-Net's backbone, whichever decoder is above."""
    options = ["MODEL.FUNDUS_TIMM.WEIGHTS", "fundus://mobilenetv1_100_imagenet.safetensors"]
    smp = build_disc_cup_network(network_config("unet_smp_drishti", *options)).network.encoder.model
    ours = build_disc_cup_network(network_config("etnet_drishti", *options)).backbone.body
    weight = ours.state_dict()["conv_stem.weight"]
    torch.testing.assert_close(smp.state_dict()["conv_stem.weight"], weight, rtol=0, atol=0)
    torch.manual_seed(0)
    scratch = build_disc_cup_network(network_config("etnet_drishti")).backbone.body
    assert not torch.equal(scratch.state_dict()["conv_stem.weight"], weight)
    torch.save({"conv_stem.weight": weight}, tmp_path / "half.pth")
    with pytest.raises(RuntimeError, match="does not fit tu-mobilenetv1_100: .* tensors missing"):
        build_disc_cup_network(
            network_config("unet_smp_drishti", "MODEL.FUNDUS_TIMM.WEIGHTS", str(tmp_path / "half.pth"))
        )


@pytest.mark.parametrize(
    "options, message",
    [
        (["MODEL.SMP.ARCHITECTURE", "wnet"], "MODEL.SMP: Wrong architecture type `wnet`"),
        (["MODEL.SMP.ENCODER", "mit_b9"], "MODEL.SMP: Wrong encoder name `mit_b9`"),
        (["MODEL.FUNDUS_TIMM.FREEZE_AT", 2], "FREEZE_AT 2: SMPNetwork trains all of its encoder"),
        (["MODEL.FUNDUS_TIMM.NAME", "hf-hub:x/y"], "nothing is fetched"),
    ],
)
def test_what_smp_has_not(options, message):
    with pytest.raises(ValueError, match=message):
        build_disc_cup_network(network_config("unet_smp_drishti", *options))


def test_smp_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ImportError, match=r"pip install 'fundus-plugins\[segmentation\]'"):
        build_disc_cup_network(network_config("unet_smp_drishti"))


def test_networks_are_registered_by_name():
    assert {"UNet", "MNet", "ETNet", "SMPNetwork"} <= {name for name, _ in DISC_CUP_NETWORK_REGISTRY}
