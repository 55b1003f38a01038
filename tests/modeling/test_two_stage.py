"""Two stages: stage 1 is frozen, its mask filter times the photograph is what stage 2 reads."""

import pytest
import torch
from detectron2.modeling import build_model

from fundus_plugins.modeling.disc_window import disc_windows
from fundus_plugins.modeling.ranking_cnn import RankingCNN, SoftmaxCNN
from fundus_plugins.modeling.two_stage import has_stage1
from tests.conftest import grading_config
from tests.modeling.test_ranking_cnn import pictures

NAMES = {"2sranking_cnn": RankingCNN, "2s_cnn": SoftmaxCNN}


@pytest.mark.parametrize("name", NAMES)
def test_stage_1_is_frozen_and_every_parameter_of_stage_2_learns(name):
    torch.manual_seed(0)
    model = build_model(grading_config(name))
    assert not any(m.training for m in model.stage1.modules())
    model.train()
    assert type(model.stage1) is type(model.stage2) is NAMES[name]
    assert model.training and model.stage2.training and not any(m.training for m in model.stage1.modules())
    before = {key: value.clone() for key, value in model.stage1.state_dict().items()}
    losses = model(pictures())
    sum(losses.values()).backward()
    assert all(p.grad is None for p in model.stage1.parameters())
    assert [n for n, p in model.stage2.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(torch.equal(value, before[key]) for key, value in model.stage1.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_stage_2_reads_the_photograph_times_the_mask(name):
    torch.manual_seed(0)
    model = build_model(grading_config(name)).eval()
    read = []
    model.stage2.networks[0].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    batch = pictures(2)
    with torch.no_grad():
        outputs = model(batch)
        images = torch.stack([x["image"] for x in batch]).float()
        grades, mask, _ = model.stage1.mask_filters(images)
        again = model.stage2.grade_images(images * mask, batch)
    torch.testing.assert_close(read[0], images * mask)
    assert [x["stage1_grade"] for x in outputs] == grades.grade.tolist()
    assert [x["loss"] for x in outputs] == [x["loss"] for x in again]


def test_stage_1_comes_from_its_own_training(tmp_path):
    torch.manual_seed(0)
    first = build_model(grading_config("ranking_cnn", "MODEL.GRADING.FC_DIM", 0))
    path = tmp_path / "stage1.pth"
    torch.save({"model": first.state_dict()}, path)
    model = build_model(grading_config("2sranking_cnn", "MODEL.GRADING.STAGE1_WEIGHTS", str(path)))
    assert all(torch.equal(value, first.state_dict()[key]) for key, value in model.stage1.state_dict().items())
    with pytest.raises(FileNotFoundError, match="MODEL.GRADING.STAGE1_WEIGHTS: no file 'nowhere.pth'"):
        build_model(grading_config("2sranking_cnn", "MODEL.GRADING.STAGE1_WEIGHTS", "nowhere.pth"))
    with pytest.raises(RuntimeError, match="stage1.pth does not fit"):
        build_model(grading_config("2s_cnn", "MODEL.GRADING.STAGE1_WEIGHTS", str(path)))


def test_stage_2_may_start_from_the_trunks_of_stage_1():
    torch.manual_seed(0)
    for start in ("timm", "stage1"):
        model = build_model(grading_config("2sranking_cnn", "MODEL.GRADING.STAGE2_START", start))
        pairs = list(zip(model.stage1.networks, model.stage2.networks, strict=True))
        assert all(torch.equal(a.mean, b.mean) for a, b in pairs)
        for first, second in pairs:
            state = first.trunk.state_dict()
            same = [torch.equal(value, state[key]) for key, value in second.trunk.named_parameters() if value.ndim > 1]
            assert all(same) if start == "stage1" else not any(same)
            assert all(x.requires_grad for x in second.parameters())
    with pytest.raises(ValueError, match="STAGE2_START 'stage2': expected one of timm, stage1"):
        build_model(grading_config("2sranking_cnn", "MODEL.GRADING.STAGE2_START", "stage2"))


def with_discs(batch):
    return [x | {"disc_box": torch.tensor([20.0, 16.0, 36.0, 40.0]), "file_name": "eye.png"} for x in batch]


@pytest.mark.parametrize("mask", ["disc", "both", "none", "crop"])
def test_what_may_stand_in_the_place_of_the_activation_maps(mask):
    torch.manual_seed(0)
    model = build_model(grading_config("2sranking_cnn", "MODEL.GRADING.MASK", mask)).eval()
    assert (model.stage1 is None) == (mask != "both")
    read = []
    model.stage2.networks[0].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    batch = with_discs(pictures(2))
    with torch.no_grad():
        outputs = model(batch)
        images = torch.stack([x["image"] for x in batch]).float()
        expected = torch.ones(2, 1, 64, 64)
        if mask in ("disc", "both"):
            expected = disc_windows(torch.stack([x["disc_box"] for x in batch]), 2.0, 64)
        if mask == "both":
            expected = expected * model.stage1.mask_filters(images)[1]
    torch.testing.assert_close(read[0], images * expected)
    assert all(("stage1_grade" in x) == (mask == "both") for x in outputs)
    assert has_stage1(grading_config("2sranking_cnn", "MODEL.GRADING.MASK", mask)) == (mask == "both")
    model.train()
    sum(model(batch).values()).backward()
    assert [n for n, p in model.stage2.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_masks_that_make_no_sense():
    with pytest.raises(ValueError, match="MODEL.GRADING.MASK 'cup': expected one of cam, disc, both, crop, none"):
        build_model(grading_config("2sranking_cnn", "MODEL.GRADING.MASK", "cup"))
    with pytest.raises(ValueError, match="MASK disc: a window wants a two-stage META_ARCHITECTURE"):
        build_model(grading_config("ranking_cnn", "MODEL.GRADING.MASK", "disc"))
    keys = ["MODEL.GRADING.MASK", "disc", "MODEL.GRADING.STAGE2_START", "stage1"]
    with pytest.raises(ValueError, match="MASK disc: there is no stage 1 to start from"):
        build_model(grading_config("2sranking_cnn", *keys))
    model = build_model(grading_config("2sranking_cnn", "MODEL.GRADING.MASK", "disc")).eval()
    with pytest.raises(ValueError, match="eye.png: no disc_box, which MODEL.GRADING.MASK wants"):
        model([x | {"file_name": "eye.png"} for x in pictures(2)])


def test_bfloat16_autocast():
    model = build_model(grading_config("2sranking_cnn")).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(pictures())
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())
