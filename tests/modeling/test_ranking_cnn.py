"""The grading models with one stage: the rule of the grade, losses by hand, gradients, every size and network."""

import math

import pytest
import torch
import torch.nn.functional as F
from detectron2.modeling import build_model
from hypothesis import given, settings
from hypothesis import strategies as st

from fundus_plugins.modeling.grade_classifier import GradeClassifier
from fundus_plugins.modeling.ranking_cnn import RankingCNN, SoftmaxCNN, number_of_successes
from tests.conftest import SHARED, grading_config

GRADES = ["normal", "suspicious", "glaucoma"]


def pictures(number=4, side=64, graded=True):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (number, 3, side, side), generator=generator, dtype=torch.uint8)
    return [{"image": image} | ({"grade": i % 3} if graded else {}) for i, image in enumerate(images)]


def logits_of(*probabilities):
    """Two logits whose softmax gives that probability of "yes"."""
    return [torch.tensor([[0.0, math.log(p / (1 - p))]]) for p in probabilities]


def ranking(grades=GRADES):
    return RankingCNN(networks=[GradeClassifier(name="resnet18", num_classes=2) for _ in grades[1:]], grades=grades)


@pytest.mark.parametrize("answers, grade", [((0.2, 0.1), 0), ((0.8, 0.3), 1), ((0.9, 0.7), 2), ((0.3, 0.8), 1)])
def test_the_grade_is_the_number_of_positive_answers(answers, grade):
    found = ranking().decide(logits_of(*answers))
    assert found.grade.tolist() == [grade]
    torch.testing.assert_close(found.above, torch.tensor([answers]))
    p, q = answers
    expected = [(1 - p) * (1 - q), p * (1 - q) + q * (1 - p), p * q]
    torch.testing.assert_close(found.scores, torch.tensor([expected]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=5))
def test_scores_are_a_distribution_whose_mean_is_the_sum_of_the_answers(probabilities):
    scores = number_of_successes(torch.tensor([probabilities]))[0]
    assert (scores >= 0).all() and scores.sum().item() == pytest.approx(1, abs=1e-5)
    assert (scores * torch.arange(len(scores))).sum().item() == pytest.approx(sum(probabilities), abs=1e-4)


def test_losses_by_hand():
    truth = torch.tensor([0, 1, 2])
    yes = [torch.tensor([0.2, 0.6, 0.9]), torch.tensor([0.1, 0.4, 0.7])]
    logits = [torch.stack([(1 - p).log(), p.log()], 1) for p in yes]
    losses = ranking().losses(logits, truth)
    assert list(losses) == ["loss_above_normal", "loss_above_suspicious"]
    torch.testing.assert_close(losses["loss_above_normal"], -torch.tensor([0.8, 0.6, 0.9]).log())
    torch.testing.assert_close(losses["loss_above_suspicious"], -torch.tensor([0.9, 0.6, 0.7]).log())


def test_softmax_decision():
    scores = torch.tensor([[0.2, 0.5, 0.3]])
    model = SoftmaxCNN(networks=[GradeClassifier(name="resnet18", num_classes=3)], grades=GRADES)
    found = model.decide([scores.log()])
    assert found.grade.tolist() == [1]
    torch.testing.assert_close(found.above, torch.tensor([[0.8, 0.3]]))
    torch.testing.assert_close(
        model.losses([scores.log()], torch.tensor([2]))["loss_grade"], -torch.tensor([0.3]).log()
    )


def test_mask_filter_rule():
    three = ranking()  # the paper's: (network, class), class 1 is "above"
    assert [three.sides(g) for g in range(3)] == [[(0, 0)], [(0, 1), (1, 0)], [(1, 1)]]
    five = ranking(list("abcde"))
    assert [five.sides(g) for g in range(5)] == [
        [(0, 0)],
        [(0, 1), (1, 0)],
        [(1, 1), (2, 0)],
        [(2, 1), (3, 0)],
        [(3, 1)],
    ]
    assert [ranking(["no", "yes"]).sides(g) for g in range(2)] == [[(0, 0)], [(0, 1)]]


def test_mask_filters_are_the_mean_of_the_maps_of_the_predicted_grade():
    torch.manual_seed(0)
    model = ranking().eval()
    images = torch.stack([x["image"] for x in pictures(3)]).float()
    for grade, bias in enumerate([(-9.0, -9.0), (9.0, -9.0), (9.0, 9.0)]):
        for network, b in zip(model.networks, bias):
            network.classifier.bias.data = torch.tensor([0.0, b])
        with torch.no_grad():
            grades, masks, parts = model.mask_filters(images)
            assert grades.grade.tolist() == [grade] * 3
            assert masks.shape == (3, 1, 64, 64) and masks.min() >= 0 and masks.max() <= 1
            assert [len(x) for x in parts] == [len(model.sides(grade))] * 3
            network, c = model.sides(grade)[-1]
            raw = model.networks[network].logits_and_maps(images)[1][:1, c : c + 1]
        low, high = raw.min(), raw.max()
        expected = F.interpolate((raw - low) / (high - low), size=(64, 64), mode="bilinear")[0, 0]
        torch.testing.assert_close(parts[0][-1], expected)
        torch.testing.assert_close(masks[0, 0], torch.stack(parts[0]).mean(0))


@pytest.mark.parametrize("name", ["ranking_cnn", "softmax_cnn"])
@pytest.mark.parametrize("fc_dim", [0, 16])
def test_every_parameter_gets_a_gradient(name, fc_dim):
    torch.manual_seed(0)
    model = build_model(grading_config(name, "MODEL.GRADING.FC_DIM", fc_dim))
    losses = model(pictures())
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["ranking_cnn", "softmax_cnn"])
def test_bfloat16_autocast_gives_float32_losses(name):
    model = build_model(grading_config(name)).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(pictures())
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()


def test_evaluation_does_not_depend_on_the_batch_and_carries_the_training_loss():
    torch.manual_seed(0)
    model = build_model(grading_config("ranking_cnn")).eval()
    with torch.no_grad():
        together = model(pictures())
        alone = [model([x])[0] for x in pictures()]
    for a, b, x in zip(together, alone, pictures()):
        assert a["grade"] == b["grade"] and a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        torch.testing.assert_close(a["scores"], b["scores"], rtol=1e-4, atol=1e-5)
        p = a["above"]
        expected = -sum(math.log(p[k] if x["grade"] > k else 1 - p[k]) for k in range(2))
        assert a["loss"] == pytest.approx(expected, rel=1e-4)
    assert "loss" not in model(pictures(1, graded=False))[0]
    mixed = model(pictures(1, graded=False) + pictures()[1:])
    assert "loss" not in mixed[0] and mixed[1]["loss"] == pytest.approx(together[1]["loss"], rel=1e-4)


@pytest.mark.parametrize("stride", [16, 32])
@pytest.mark.parametrize("name", ["densenet121", "mobilenetv1_100", "resnet18", "efficientnet_b0"])
def test_strides(name, stride):
    network = GradeClassifier(name=name, num_classes=2, feature_stride=stride).eval()
    with torch.no_grad():
        logits, maps = network.logits_and_maps(torch.zeros(1, 3, 128, 128))
    assert maps.shape == (1, 2, 128 // stride, 128 // stride) and torch.isfinite(logits).all()


def test_the_papers_map_is_32_by_32():
    network = GradeClassifier(name="densenet121", num_classes=2).eval()
    with torch.no_grad():
        assert network.features(torch.zeros(1, 3, 512, 512)).shape == (1, 1024, 32, 32)


def test_pixels_are_normalised_as_timm_says():
    mobilenet, resnet = (GradeClassifier(name=name, num_classes=2) for name in ("mobilenetv1_100", "resnet18"))
    assert mobilenet.mean.flatten().tolist() == mobilenet.std.flatten().tolist() == [127.5] * 3
    torch.testing.assert_close(resnet.mean.flatten() / 255, torch.tensor([0.485, 0.456, 0.406]))


def test_what_cannot_be_built_or_read_says_why(tmp_path):
    with pytest.raises(ValueError, match="FEATURE_STRIDE 8: expected 16 or 32"):
        GradeClassifier(name="resnet18", num_classes=2, feature_stride=8)
    with pytest.raises(ValueError, match="FEATURE_STRIDE 16: timm model mobilenetv3_small_100 gives"):
        GradeClassifier(name="mobilenetv3_small_100", num_classes=2)
    with pytest.raises(FileNotFoundError, match="MODEL.FUNDUS_TIMM.WEIGHTS: no file"):
        GradeClassifier(name="resnet18", num_classes=2, weights=str(tmp_path / "none.pth"))
    with pytest.raises(ValueError, match="FC_DIM. 0"):
        GradeClassifier(name="resnet18", num_classes=2, fc_dim=8).logits_and_maps(torch.zeros(1, 3, 64, 64))
    model = build_model(grading_config("softmax_cnn"))
    with pytest.raises(ValueError, match="one without"):
        model(pictures(2, graded=False))
    with pytest.raises(ValueError, match="pictures of one size"):
        model(pictures(1, side=64) + pictures(1, side=96))
    with pytest.raises(ValueError, match="at least two names"):
        build_model(grading_config("softmax_cnn", "MODEL.GRADING.GRADES", ["normal"]))
    with pytest.raises(ValueError, match="INPUT.FORMAT BGR"):
        build_model(grading_config("softmax_cnn", "INPUT.FORMAT", "BGR"))
    with pytest.raises(ValueError, match="FREEZE_AT 2: the grading models are trained whole"):
        build_model(grading_config("softmax_cnn", "MODEL.FUNDUS_TIMM.FREEZE_AT", 2))


def test_two_grades():
    model = build_model(grading_config("ranking_cnn", "MODEL.GRADING.GRADES", ["normal", "glaucoma"]))
    assert len(model.networks) == 1
    losses = model([x | {"grade": i % 2} for i, x in enumerate(pictures())])
    assert list(losses) == ["loss_above_normal"]


def test_imagenet_weights_from_a_file():
    path = SHARED / "weights" / "mobilenetv1_100_imagenet.safetensors"
    if not path.exists():
        pytest.skip("the ImageNet weights of MobileNet-v1 are not at hand")
    networks = build_model(grading_config("ranking_cnn", "MODEL.FUNDUS_TIMM.WEIGHTS", str(path))).networks
    stems = [network.trunk.conv_stem.weight for network in networks]
    assert torch.equal(stems[0], stems[1]) and stems[0].data_ptr() != stems[1].data_ptr()
