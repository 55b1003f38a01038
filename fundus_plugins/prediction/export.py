"""A trained RF-Net as an ONNX file, which runs without PyTorch and Detectron2."""

import json
import logging
import warnings
from collections.abc import Mapping
from types import ModuleType

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from torch import nn

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.files import atomic_write
from fundus_plugins.modeling.export import OneLook
from fundus_plugins.prediction.exported_views import SeveralViews
from fundus_plugins.prediction.predictor import prepare_for_inference
from fundus_plugins.prediction.release import portable_cfg
from fundus_plugins.prediction.tta import FLIPS
from fundus_plugins.weights.loading import load_trained_weights

OPSET = 18  # the lowest that PyTorch's exporter writes
SHORTEST, LONGEST = 64, 4096  # sides of a view, pixels
MASK_THRESHOLD = 0.5  # FundusPredictor's
LARGE = 1024  # values; smaller constants are not worth a node that widens them


def write_onnx(
    cfg: CfgNode,
    path: str,
    *,
    flips: str = "none",
    side: int | None = None,
    half: bool = False,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Write the RF-Net of `cfg` with the weights MODEL.WEIGHTS names to an ONNX file; in and out as of `OneLook`.

    Its metadata are "config" (YAML), "facts" (JSON), "version" of this package and "settings" (JSON: what
    `runtime_settings` gives).

    Args:
        cfg: a full config; it is kept in the file without the paths of weights, data sets and folders.
        path: of the file.
        flips: one of FLIPS; several views are averaged within the graph.
        side: of the square views it takes, pixels; None: any height and width.
        half: round the weights to half precision; they are computed with in float32 all the same.
        facts: how the weights were made, for whoever reads the file.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
        ImportError: onnx or onnxscript is not installed.
        ValueError: an unknown `flips`, a side out of range, or a model that is not RF-Net.
    """
    onnx = _import_onnx()
    if flips not in FLIPS:
        raise ValueError(f"flips {flips!r}: expected one of {', '.join(FLIPS)}")
    longest = cfg.MODEL.FPN.SQUARE_PAD or LONGEST
    if side is not None and not SHORTEST <= side <= longest:
        raise ValueError(f"side {side}: expected {SHORTEST} to {longest} pixels")
    model = _onnx_model(exportable(cfg, flips), side, longest)
    if half:
        _store_in_half_precision(model)
    metadata = {
        "config": portable_cfg(cfg).dump(),
        "facts": json.dumps(dict(facts or {})),
        "settings": json.dumps(runtime_settings(cfg, flips, side)),
        "version": fundus_plugins.__version__,
    }
    onnx.helper.set_model_props(model, metadata)
    model.producer_name, model.producer_version = "fundus_plugins", fundus_plugins.__version__
    onnx.checker.check_model(model, full_check=True)
    with atomic_write(path, "wb") as file:
        file.write(model.SerializeToString())


def exportable(cfg: CfgNode, flips: str = "none") -> nn.Module:
    """What `write_onnx` writes, as a PyTorch module on the CPU in float32; raises as `write_onnx`."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(without_weights(cfg)).eval()
    look = OneLook(model, cfg.INPUT.FORMAT)
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    prepare_for_inference(model, torch.float32, channels_last=False)
    return (look if len(FLIPS[flips]) == 1 else SeveralViews(look, FLIPS[flips])).eval()


def runtime_settings(cfg: CfgNode, flips: str, side: int | None) -> dict[str, object]:
    """What a runtime needs beside the graph to do as FundusPredictor does, all sides in pixels."""
    test = cfg.TEST
    return {
        "flips": flips,
        "side": side,  # of the views the graph takes; None: any
        "photograph_sides": [cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST],  # shorter and, at most, longer
        "crop": test.CROP,
        "crop_side": test.CROP_SIDE,
        "box_scale": cfg.INPUT.BOX_SCALE,
        "score_threshold": cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST,  # lower scores come out as 0
        "mask_threshold": MASK_THRESHOLD,
        "regular_shape": test.REGULAR_SHAPE,
        "ellipse_weight": test.ELLIPSE_WEIGHT,
        "flag_below": test.FLAG_BELOW,
        "flag_ellipse_below": test.FLAG_ELLIPSE_BELOW,
        "vcdr_margin": test.VCDR_MARGIN,
    }


def _import_onnx() -> ModuleType:
    try:
        import onnx
        import onnxscript  # noqa: F401  what PyTorch's exporter needs
    except ImportError as error:
        raise ImportError(
            f"the export needs onnx and onnxscript ({error}): pip install 'fundus-plugins[onnx]'"
        ) from None
    return onnx


def _onnx_model(look: nn.Module, side: int | None, longest: int):
    example = torch.zeros(1, 3, side or SHORTEST + 32, side or SHORTEST + 48, dtype=torch.uint8)
    sides = {2 + i: torch.export.Dim(name, min=SHORTEST, max=longest) for i, name in enumerate(("height", "width"))}
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's and the exporter's of each other
        program = torch.onnx.export(
            look,
            (example,),
            input_names=["image"],
            output_names=["box", "score", "masks", "agreement"][: 3 + isinstance(look, SeveralViews)],
            dynamic_shapes=None if side else {"image": sides},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in this machine's files each operation was written
    return model


def _store_in_half_precision(model) -> None:
    """Replace large constants by ones of half the size and a node that widens them, in place."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LARGE:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
