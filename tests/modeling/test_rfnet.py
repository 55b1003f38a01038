"""The whole of RF-Net: outputs, gradients, edges, and Detectron2's own tools on what it gives."""

import numpy as np
import pytest
import torch
from detectron2.data import MetadataCatalog
from detectron2.modeling import GeneralizedRCNNWithTTA, build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage
from detectron2.utils.visualizer import Visualizer

from tests.conftest import small_config, training_input


@pytest.fixture
def model(small_cfg):
    torch.manual_seed(0)
    return build_model(small_cfg)


def losses_of(model, inputs):
    with EventStorage():
        return model(inputs)


def assert_trains(model, inputs):
    losses = losses_of(model, inputs)
    assert set(losses) == {"loss_cls", "loss_box_reg", "loss_mask", "loss_rpn_cls", "loss_rpn_loc"}
    assert all(torch.isfinite(x) for x in losses.values()), losses
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []
    return losses


@pytest.mark.parametrize("pooling", ["fusion", "pyramid"])
def test_every_parameter_gets_a_gradient(small_cfg, pooling):
    small_cfg.MODEL.RFNET.POOLING = pooling
    torch.manual_seed(0)
    model = build_model(small_cfg)
    losses = losses_of(model, [training_input(), training_input(seed=1)])
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_bfloat16_autocast_trains_with_float32_losses(model):
    with torch.autocast("cpu", torch.bfloat16):
        losses = assert_trains(model.to(memory_format=torch.channels_last), [training_input(), training_input(seed=1)])
    assert all(x.dtype == torch.float32 for x in losses.values())


def test_image_without_cup_annotation_teaches_the_disc_alone(model):
    losses = assert_trains(model, [training_input(cup_known=False)])
    assert losses["loss_mask"] > 0
    weight = model.roi_heads.mask_head.predictor.weight.grad
    assert weight[0].any() and not weight[1].any()


def test_image_without_a_disc(model):
    losses = assert_trains(model, [training_input(disc=False)])
    assert losses["loss_mask"] == 0
    assert assert_trains(model, [training_input(disc=False), training_input()])["loss_mask"] > 0


def test_no_proposals(model):
    model.roi_heads.proposal_append_gt = False
    features = model.backbone(torch.zeros(1, 3, 128, 128))
    nothing = Instances((128, 128), proposal_boxes=Boxes(torch.zeros(0, 4)), objectness_logits=torch.zeros(0))
    with EventStorage():
        _, losses = model.roi_heads(None, features, [nothing], [training_input()["instances"]])
    assert all(torch.isfinite(x) for x in losses.values())
    sum(losses.values()).backward()
    model.eval()
    with torch.no_grad():
        (detected,), _ = model.roi_heads(None, features, [nothing])
    assert len(detected) == 0 and detected.pred_masks.shape == (0, 1, 56, 56)


def test_mask_rois_are_capped_per_image(small_cfg, monkeypatch):
    small_cfg.MODEL.RFNET.MASK_ROIS_PER_IMAGE = 1
    model = build_model(small_cfg)
    seen = []
    layers = model.roi_heads.mask_head.layers
    monkeypatch.setattr(model.roi_heads.mask_head, "layers", lambda *maps: seen.append(len(maps[0])) or layers(*maps))
    losses_of(model, [training_input(), training_input(seed=1)])
    assert seen == [2]


def test_detection_branch_knows_one_class_and_one_box_for_all(model):
    assert model.roi_heads.num_classes == 1
    assert model.roi_heads.box_predictor.cls_score.out_features == 2
    assert model.roi_heads.box_predictor.bbox_pred.out_features == 4


@pytest.fixture(scope="module")
def trained():
    """A few steps: enough to detect the one disc of `training_input` with a score above the threshold."""
    torch.manual_seed(0)
    model = build_model(small_config())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    inputs = [training_input(), training_input(seed=1)]
    with EventStorage():
        for _ in range(12):
            optimizer.zero_grad()
            sum(model(inputs).values()).backward()
            optimizer.step()
    return model.eval()


def test_output_is_standard_instances_and_detectron2_draws_them(trained):
    with torch.no_grad():
        instances = trained([training_input()])[0]["instances"]
    assert len(instances) > 0 and len(instances) % 2 == 0
    assert instances.image_size == (220, 256) and instances.pred_masks.shape[1:] == (220, 256)
    assert instances.pred_classes.tolist() == [0, 1] * (len(instances) // 2)
    assert torch.equal(instances.pred_boxes.tensor[::2], instances.pred_boxes.tensor[1::2])
    assert torch.equal(instances.scores[::2], instances.scores[1::2])
    assert (instances.scores.diff() <= 0).all()
    assert not (instances.pred_masks[1::2] & ~instances.pred_masks[::2]).any()
    MetadataCatalog.get("drawn_by_test").thing_classes = ["optic_disc", "optic_cup"]
    drawn = Visualizer(np.zeros((220, 256, 3), np.uint8), MetadataCatalog.get("drawn_by_test"))
    assert drawn.draw_instance_predictions(instances).get_image().any()


def test_mask_branch_runs_once_for_a_disc_and_its_cup(trained, monkeypatch):
    seen = []
    layers = trained.roi_heads.mask_head.layers
    monkeypatch.setattr(trained.roi_heads.mask_head, "layers", lambda *maps: seen.append(len(maps[0])) or layers(*maps))
    with torch.no_grad():
        instances = trained([training_input()])[0]["instances"]
    assert seen == [len(instances) // 2]


def test_two_images_give_what_each_gives_alone(trained):
    inputs = [training_input(), training_input(seed=5, height=90)]
    with torch.no_grad():
        together = trained(inputs)
        alone = [trained([x])[0] for x in inputs]
    for a, b in zip(together, alone):
        assert len(a["instances"]) == len(b["instances"])
        assert (a["instances"].pred_masks == b["instances"].pred_masks).float().mean() > 0.999


def test_detectron2_tta(trained, small_cfg):
    small_cfg.TEST.AUG.MIN_SIZES = (96, 128)
    small_cfg.TEST.AUG.MAX_SIZE = 128
    image = training_input()
    image.pop("instances")
    with torch.no_grad():
        instances = GeneralizedRCNNWithTTA(small_cfg, trained)([image])[0]["instances"]
    classes = instances.pred_classes.tolist()
    assert 0 in classes and 1 in classes
    assert instances.pred_masks.shape[1:] == (220, 256)
    best = [instances[instances.pred_classes == c][0] for c in (0, 1)]
    assert torch.equal(best[0].pred_boxes.tensor, best[1].pred_boxes.tensor)
    assert not (best[1].pred_masks & ~best[0].pred_masks).any()
