"""A ranking-CNN as an ONNX file, which `Grader` runs without PyTorch and Detectron2."""

import json
import logging
import warnings
from collections.abc import Mapping

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from torch import nn

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.modeling.ranking_cnn import RankingCNN
from fundus_plugins.prediction.export import OPSET, compact, import_onnx
from fundus_plugins.prediction.release import portable_cfg
from fundus_plugins.weights.loading import load_trained_weights, local_weights, read_weights


class LogitsAndMaps(nn.Module):
    """The networks of a ranking-CNN with the head of stage 1: (N, 3, S, S) uint8 RGB in.

    Out: logits (N, T, 2) of T thresholds and class activation maps (N, T, 2, h, w), float32.
    """

    def __init__(self, model: RankingCNN):
        super().__init__()
        self.networks = model.networks

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = [network.logits_and_maps(image) for network in self.networks]
        return torch.stack([x for x, _ in found], 1), torch.stack([x for _, x in found], 1)


def write_grader_onnx(cfg: CfgNode, path: str, facts: Mapping[str, object] | None = None) -> None:
    """Write the ranking-CNN of `cfg` with the weights MODEL.WEIGHTS names; in and out as of `LogitsAndMaps`.

    Stored as `write_onnx` stores weights. The file's metadata are "config", "facts", "version", and what `Grader`
    wants: "side" of the square it takes, pixels, and the square's "diameters" of the disc.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
        ImportError: onnx or onnxscript is not installed.
        ValueError: the model is no ranking-CNN on squares about the disc, or has no class activation maps.
    """
    onnx = import_onnx()
    node = cfg.MODEL.GRADING
    if cfg.MODEL.META_ARCHITECTURE != RankingCNN.__name__ or node.MASK != "crop" or node.FC_DIM:
        raise ValueError(
            "a grader that can be exported is a RankingCNN with MODEL.GRADING.MASK crop and MODEL.GRADING.FC_DIM 0"
        )
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(without_weights(cfg)).eval()
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    side = cfg.INPUT.SQUARE_SIZE
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        program = torch.onnx.export(
            LogitsAndMaps(model).eval(),
            (torch.zeros(1, 3, side, side, dtype=torch.uint8),),
            input_names=["image"],
            output_names=["logits", "maps"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    exported = program.model_proto
    for part in (exported.graph, *exported.graph.node, *exported.graph.value_info):
        del part.metadata_props[:]  # where in this machine's files each operation was written
    compact(exported, read_weights(cfg.MODEL.WEIGHTS))
    metadata = {
        "config": portable_cfg(cfg).dump(),
        "facts": json.dumps({**(facts or {}), "weights": file_hash(local_weights(cfg.MODEL.WEIGHTS))}),
        "side": str(side),
        "diameters": str(node.DISC_DIAMETERS),
        "version": fundus_plugins.__version__,
    }
    onnx.helper.set_model_props(exported, metadata)
    exported.producer_name, exported.producer_version = "fundus_plugins", fundus_plugins.__version__
    onnx.checker.check_model(exported, full_check=True)
    with atomic_write(path, "wb") as file:
        file.write(exported.SerializeToString())
