"""Grading with one stage: the ranking-CNN of binary sub-classifiers, and the plain softmax CNN it is compared with."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from detectron2.config import configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from fundus_plugins.modeling.cam import normalise_maps, upsample_maps
from fundus_plugins.modeling.grade_classifier import GradeClassifier


@dataclass(frozen=True)
class Grades:
    """What a model says of N photographs.

    Attributes:
        grade: (N,) int64, 0 to K - 1.
        scores: (N, K) float32, probabilities of the grades; they sum to 1.
        above: (N, K - 1) float32, for each threshold k the probability of a grade above k.
    """

    grade: torch.Tensor
    scores: torch.Tensor
    above: torch.Tensor


class GradingCNN(nn.Module):
    """What the two models share: photographs in, losses or grades out; the mask filter of a predicted grade.

    Input, in Detectron2's manner: dicts with `image` (3, S, S) RGB uint8, all of one size, and `grade`, an int from 0
    to K - 1 (needed in training). Output in training: a dict of float32 losses. Else a dict for each photograph:
    `grade` (int), `scores` (K,), `above` (K - 1,), float32 on the CPU, and, where `grade` was given, `loss` (float),
    the sum of the losses training would have.

    Args:
        networks: the sub-classifiers.
        grades: names of the K grades, in order.

    Raises:
        ValueError: fewer than two grades, pictures of several sizes, no grade in training.
    """

    @configurable
    def __init__(self, *, networks: list[GradeClassifier], grades: list[str]):
        super().__init__()
        if len(grades) < 2:
            raise ValueError(f"MODEL.GRADING.GRADES: expected at least two names, found {list(grades)}")
        self.networks = nn.ModuleList(networks)
        self.grades = list(grades)

    @classmethod
    def from_config(cls, cfg):
        node = cfg.MODEL.GRADING
        if cfg.INPUT.FORMAT != "RGB":
            raise ValueError(f"INPUT.FORMAT {cfg.INPUT.FORMAT}: the grading models read RGB")
        if cfg.MODEL.FUNDUS_TIMM.FREEZE_AT:
            raise ValueError(
                f"MODEL.FUNDUS_TIMM.FREEZE_AT {cfg.MODEL.FUNDUS_TIMM.FREEZE_AT}: the grading models are trained whole"
            )
        if node.MASK in ("disc", "both") and cfg.MODEL.META_ARCHITECTURE == cls.__name__:
            raise ValueError(f"MODEL.GRADING.MASK {node.MASK}: a window wants a two-stage META_ARCHITECTURE")
        options = {
            "name": cfg.MODEL.FUNDUS_TIMM.NAME,
            "feature_stride": node.FEATURE_STRIDE,
            "fc_dim": node.FC_DIM,
            "dropout": node.DROPOUT,
            "pretrained": cfg.MODEL.FUNDUS_TIMM.PRETRAINED,
            "weights": cfg.MODEL.FUNDUS_TIMM.WEIGHTS,
        }
        number, classes = cls.layout(len(node.GRADES))
        networks = [GradeClassifier(num_classes=classes, **options) for _ in range(number)]
        return {"networks": networks, "grades": node.GRADES}

    @property
    def device(self) -> torch.device:
        return self.networks[0].mean.device

    def forward(self, batched_inputs: list[dict]) -> dict[str, torch.Tensor] | list[dict]:
        return self.grade_images(stack_images(batched_inputs, self.device), batched_inputs)

    def grade_images(self, images: torch.Tensor, batched_inputs: list[dict]) -> dict[str, torch.Tensor] | list[dict]:
        """As `forward`, with the pictures given as one (N, 3, S, S) tensor."""
        logits = [network(images) for network in self.networks]
        graded = [i for i, x in enumerate(batched_inputs) if "grade" in x]
        if self.training and len(graded) < len(batched_inputs):
            raise ValueError("training wants a grade for every photograph, found one without")
        losses = {}
        if graded:
            truth = torch.tensor([batched_inputs[i]["grade"] for i in graded], device=self.device)
            losses = self.losses([x[graded] for x in logits], truth)
        if self.training:
            return {name: loss.mean() for name, loss in losses.items()}
        found = self.decide(logits)
        rows = zip(found.grade.tolist(), found.scores.cpu(), found.above.cpu(), strict=True)
        outputs = [{"grade": grade, "scores": scores, "above": above} for grade, scores, above in rows]
        if graded:
            for i, loss in zip(graded, sum(losses.values()).tolist(), strict=True):
                outputs[i]["loss"] = loss
        return outputs

    def mask_filters(self, images: torch.Tensor) -> tuple[Grades, torch.Tensor, list[list[torch.Tensor]]]:
        """The grades predicted for (N, 3, S, S) pictures, and the mask filters that follow from them.

        Returns:
            grades, the mask filters (N, 1, S, S) from 0 to 1, and for each picture the normalised maps, (S, S) each,
            whose mean its mask filter is (section 2.2.2).
        """
        logits, maps = zip(*(network.logits_and_maps(images) for network in self.networks), strict=True)
        grades = self.decide(list(logits))
        upsampled = [upsample_maps(normalise_maps(x), images.shape[-2:]) for x in maps]
        parts = [[upsampled[n][i, c] for n, c in self.sides(g)] for i, g in enumerate(grades.grade.tolist())]
        return grades, torch.stack([torch.stack(x).mean(0) for x in parts])[:, None], parts

    @staticmethod
    def layout(num_grades: int) -> tuple[int, int]:
        """(number of networks, classes of each) for K grades."""
        raise NotImplementedError

    def losses(self, logits: list[torch.Tensor], truth: torch.Tensor) -> dict[str, torch.Tensor]:
        """Losses by name, (N,) float32 each, from the networks' logits and the (N,) true grades."""
        raise NotImplementedError

    def decide(self, logits: list[torch.Tensor]) -> Grades:
        """Grades from the networks' logits."""
        raise NotImplementedError

    def sides(self, grade: int) -> list[tuple[int, int]]:
        """(network, class) of the activation maps whose mean is the mask filter of a predicted grade."""
        raise NotImplementedError


@META_ARCH_REGISTRY.register()
class RankingCNN(GradingCNN):
    """K - 1 binary sub-classifiers, each a network of its own that answers "is the grade above k?" (section 2.2.1).

    The grade is the number of positive answers, in whatever order they come. `scores` are the probabilities of that
    number if the answers are independent of each other, so they are never negative, even where answers contradict.

    The mask filter of a predicted grade is the mean of the maps of the thresholds that border on it, each for the side
    that holds the grade: of threshold g - 1 the class "above", of threshold g the class "not above". So the lowest and
    the highest grade have one map, every other has two. For three grades this is the paper's rule: normal, the normal
    class of (N)-(SG); glaucoma, the glaucoma class of (NS)-(G); suspicious, the mean of SG in the one and NS in the
    other.
    """

    @staticmethod
    def layout(num_grades: int) -> tuple[int, int]:
        return num_grades - 1, 2

    def losses(self, logits, truth):
        return {
            f"loss_above_{self.grades[k]}": F.cross_entropy(x.float(), (truth > k).long(), reduction="none")
            for k, x in enumerate(logits)
        }

    def decide(self, logits):
        above = torch.stack([x.float().softmax(1)[:, 1] for x in logits], dim=1)
        return Grades((above > 0.5).sum(1), number_of_successes(above), above)

    def sides(self, grade):
        return [(grade - 1, 1)] * (grade > 0) + [(grade, 0)] * (grade < len(self.networks))


@META_ARCH_REGISTRY.register()
class SoftmaxCNN(GradingCNN):
    """One network with a softmax over the K grades, the paper's 3-class CNN; mask filter: the predicted class's map."""

    @staticmethod
    def layout(num_grades: int) -> tuple[int, int]:
        return 1, num_grades

    def losses(self, logits, truth):
        return {"loss_grade": F.cross_entropy(logits[0].float(), truth, reduction="none")}

    def decide(self, logits):
        scores = logits[0].float().softmax(1)
        above = scores.flip(1).cumsum(1).flip(1)[:, 1:].clamp(max=1)
        return Grades(scores.argmax(1), scores, above)

    def sides(self, grade):
        return [(0, grade)]


def number_of_successes(probabilities: torch.Tensor) -> torch.Tensor:
    """Distribution of the number of successes in independent trials: (N, T) probabilities to (N, T + 1).

    >>> number_of_successes(torch.tensor([[0.5, 1.0]]))
    tensor([[0.0000, 0.5000, 0.5000]])
    """
    result = torch.ones_like(probabilities[:, :1])
    for p in probabilities.split(1, dim=1):
        result = F.pad(result * (1 - p), (0, 1)) + F.pad(result * p, (1, 0))
    return result


def stack_images(batched_inputs: list[dict], device: torch.device) -> torch.Tensor:
    """The pictures of a batch as (N, 3, S, S) float32; never padded, for padding would bias the global pooling."""
    images = [x["image"] for x in batched_inputs]
    shapes = {tuple(x.shape) for x in images}
    if len(shapes) > 1:
        raise ValueError(f"the grading models want pictures of one size, found {sorted(shapes)}: see GradingMapper")
    return torch.stack(images).to(device).float()
