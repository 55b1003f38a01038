"""The meta-architecture: what it learns from, and that its instances are such as RF-Net's."""

import numpy as np
import pytest
import torch
from detectron2.modeling import META_ARCH_REGISTRY, build_model
from torch import nn

import fundus_plugins
from fundus_plugins.modeling.losses import dice_loss
from fundus_plugins.modeling.segmentation.instances import at_photograph_size, disc_cup_instances
from fundus_plugins.modeling.segmentation.network import Maps
from fundus_plugins.modeling.segmentation.objective import Objective
from fundus_plugins.modeling.segmentation.segmentor import DiscCupSegmentor
from fundus_plugins.modeling.segmentation.targets import edges_of, full_masks
from tests.conftest import SIDE, disk, training_input
from tests.modeling.segmentation.networks import network_config


class Given(nn.Module):
    """A network that gives the logits it was given, as many as there are pictures."""

    size_divisibility = 32

    def __init__(self, logits: torch.Tensor):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x):
        return Maps(self.logits[: len(x), :, : x.shape[2], : x.shape[3]])


def segmentor(logits, **options):
    options = {"objective": Objective(dice_loss), "pixel_mean": [127.5] * 3, "pixel_std": [127.5] * 3} | options
    return DiscCupSegmentor(network=Given(logits), **options)


def round_maps(disc_radius=24, cup_radius=12, side=SIDE):
    masks = np.stack([disk(side, side, 50, 60, r) for r in (disc_radius, cup_radius)])
    return torch.from_numpy(masks).float() * 20 - 10


def test_is_registered():
    assert META_ARCH_REGISTRY.get("DiscCupSegmentor") is DiscCupSegmentor is fundus_plugins.DiscCupSegmentor


def test_instances_have_what_rf_nets_have(small_cfg):
    small_cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    small_cfg.TEST.DETECTIONS_PER_IMAGE = 1
    torch.manual_seed(0)
    item = training_input()
    with torch.no_grad():
        (theirs,) = build_model(small_cfg).eval()([item])
        (ours,) = segmentor(round_maps()[None]).eval()([item])
    theirs, ours = theirs["instances"], ours["instances"]
    assert ours.image_size == theirs.image_size == (220, 256)
    assert ours.get_fields().keys() == theirs.get_fields().keys()
    for name, field in theirs.get_fields().items():
        own = ours.get(name)
        assert type(own) is type(field) and len(own) == len(field) == 2
        if isinstance(field, torch.Tensor):
            assert own.dtype == field.dtype and own.shape == field.shape
    assert ours.pred_classes.tolist() == theirs.pred_classes.tolist() == [0, 1]
    assert torch.equal(ours.pred_boxes.tensor[0], ours.pred_boxes.tensor[1])
    assert ours.scores[0] == ours.scores[1]


def test_masks_are_those_of_the_photograph():
    """Twice as large as the picture, without what was padded."""
    (found,) = segmentor(round_maps()[None]).eval()([training_input()])
    disc, cup = found["instances"].pred_masks.numpy()
    true = [disk(220, 256, 100.5, 120.5, radius) for radius in (48.5, 24.5)]
    assert (disc != true[0]).mean() < 0.005 and (cup != true[1]).mean() < 0.005
    box = found["instances"].pred_boxes.tensor[0].tolist()
    assert box == pytest.approx([72, 52, 170, 150], abs=1.01)
    assert found["instances"].scores[0].item() > 0.97


def test_the_cup_never_leaves_the_disc():
    torch.manual_seed(0)
    maps = nn.functional.interpolate(torch.randn(6, 2, 8, 8), (SIDE, SIDE), mode="bicubic") * 4
    model = segmentor(maps).eval()
    for item in model([training_input() | {"height": 77, "width": 301}] * 6):
        disc, cup = item["instances"].pred_masks
        assert not (cup & ~disc).any() and disc.any()


def test_only_the_largest_region_counts():
    probabilities = torch.full((2, 40, 60), 0.1)
    probabilities[0, 5:15, 5:15] = 0.9
    probabilities[1, 6:8, 6:8] = 0.9  # a cup in the smaller region
    probabilities[0, 20:36, 30:50] = 0.8
    probabilities[1, 22:26, 32:36] = probabilities[1, 30:32, 40:42] = 0.7
    found = disc_cup_instances(probabilities)
    assert found.pred_boxes.tensor.tolist() == [[30, 20, 50, 36]] * 2
    assert found.pred_masks.sum((1, 2)).tolist() == [16 * 20, 16]
    assert found.scores.tolist() == pytest.approx([0.8, 0.8])


def test_no_disc_gives_no_rows():
    found = disc_cup_instances(torch.tensor([0.4, 0.9])[:, None, None].expand(2, 20, 30))
    assert len(found) == 0 and found.pred_masks.shape == (0, 20, 30) and found.pred_boxes.tensor.shape == (0, 4)
    assert found.pred_masks.dtype == torch.bool and found.pred_classes.dtype == torch.int64


def test_a_disc_without_a_cup_has_an_empty_one():
    probabilities = torch.zeros(2, 20, 30)
    probabilities[0, 4:9, 5:11] = 1
    found = disc_cup_instances(probabilities)
    assert found.pred_classes.tolist() == [0, 1] and found.pred_masks.sum((1, 2)).tolist() == [30, 0]


def test_pixels_are_those_of_rf_net(small_cfg):
    """The same normalisation, the same padding to the same square."""
    items = [training_input(), training_input(height=SIDE, width=90)]
    theirs = build_model(small_cfg).preprocess_image(items)
    ours = build_model(network_config("unet_drishti")).preprocess_image(items)
    height, width = theirs.tensor.shape[-2:]
    assert ours.tensor.shape == (2, 3, SIDE, SIDE) and ours.image_sizes == theirs.image_sizes
    torch.testing.assert_close(ours.tensor[..., :height, :width], theirs.tensor, rtol=0, atol=0)
    assert not ours.tensor[..., height:, :].any() and not ours.tensor[..., width:].any()


def test_squares_about_the_disc_are_not_padded():
    model = build_model(network_config("unet_drishti", "INPUT.DISC_CROP.ABOUT", "true"))
    item = training_input(height=64, width=64)
    assert model.preprocess_image([item]).tensor.shape == (1, 3, 64, 64)


def test_a_cup_that_is_not_annotated_teaches_nothing():
    model = segmentor(torch.zeros(1, 2, SIDE, SIDE)).train()
    sum(model([training_input(cup_known=False)]).values()).backward()
    assert model.network.logits.grad[0, 0].any() and not model.network.logits.grad[0, 1].any()


def test_a_picture_without_a_disc_teaches_that_there_is_none():
    model = segmentor(torch.zeros(1, 2, SIDE, SIDE)).train()
    sum(model([training_input(disc=False)]).values()).backward()
    assert (model.network.logits.grad > 0).all()  # all probabilities fall


def test_full_masks_are_padded_and_know_what_is_annotated():
    items = [training_input(), training_input(disc=False), training_input(cup_known=False)]
    masks, known = full_masks([x["instances"] for x in items], (SIDE, SIDE))
    assert masks.shape == (3, 2, SIDE, SIDE) and masks.dtype == torch.uint8
    assert known.tolist() == [[True, True], [True, True], [True, False]]
    assert masks.sum((2, 3)).tolist() == [[1793, 441], [0, 0], [1793, 0]] and not masks[:, :, 110:].any()


def test_edges_by_hand():
    mask = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 1, 1, 1, 1]])
    edges = edges_of(mask[None, None])[0, 0]
    # One pixel outside and one inside; where the mask reaches the picture's edge there is none.
    assert edges.tolist() == [[1] * 5, [1] * 5, [1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]


def test_the_objective_is_a_weighted_sum():
    generator = torch.Generator().manual_seed(0)
    logits, side, edges = (torch.randn(3, 2, 16, 16, generator=generator) for _ in range(3))
    masks = (torch.rand(3, 2, 16, 16, generator=generator) > 0.5).to(torch.uint8)
    known = torch.tensor([[True, True], [True, False], [True, True]])
    objective = Objective(
        dice_loss, class_weights=(0.25, 2), prediction_weight=3, side_weight=0.5, edge_weight=0.1
    )  # fmt: skip
    losses = objective(Maps(logits, (side, side), edges), masks, known)

    def expected(x, target):
        parts = (dice_loss(x[:, k : k + 1], target[:, k : k + 1], known[:, k : k + 1]) for k in (0, 1))
        return sum(weight * part for weight, part in zip((0.25, 2), parts))

    torch.testing.assert_close(losses["loss_mask"], 3 * expected(logits, masks))
    torch.testing.assert_close(losses["loss_sides"], expected(side, masks))
    torch.testing.assert_close(losses["loss_edges"], 0.1 * expected(edges, edges_of(masks)))
    assert Objective(dice_loss)(Maps(logits, (side,), edges), masks, known).keys() == {"loss_mask"}


def test_a_part_of_a_photograph_goes_back_to_its_place():
    maps = round_maps(side=SIDE).sigmoid()
    matrix = torch.tensor([[2.0, 0, -100], [0, 2.0, -60]], dtype=torch.float64)
    full = at_photograph_size(maps, (120, 140), matrix)
    true = disk(120, 140, (50.5 + 60) / 2 - 0.5, (60.5 + 100) / 2 - 0.5, 12)
    assert ((full[0] > 0.5).numpy() != true).sum() <= 12
    assert not full[:, :, :49].any() and not full[:, 95:].any()  # beyond the picture


def test_polar_pictures_are_squares_without_padding():
    model = segmentor(torch.zeros(1, 2, SIDE, SIDE), polar=True)
    with pytest.raises(ValueError, match="expected pictures whose sides are multiples of 32"):
        model([training_input()])


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("unet_drishti", ["INPUT.TARGETS", "instances"], "learns from INPUT.TARGETS disc_cup, found instances"),
        (
            "unet_drishti",
            ["MODEL.RFNET.CLASSES", ["disc"]],
            "outlines disc and cup; found MODEL.RFNET.CLASSES",
        ),
        ("mnet_drishti", ["MODEL.SEGMENTOR.POLAR", True], "POLAR wants the disc in the middle"),
        ("unet_drishti", ["MODEL.SEGMENTOR.LOSS", "l2"], "mask loss 'l2': expected one of .*lovasz"),
    ],
)
def test_what_does_not_fit(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_model(network_config(name, *options))


def test_a_square_that_the_network_cannot_halve_is_refused():
    model = segmentor(torch.zeros(1, 2, SIDE, SIDE), square_pad=100)
    with pytest.raises(ValueError, match="SQUARE_PAD 100: expected a multiple of 32"):
        model([training_input()])
