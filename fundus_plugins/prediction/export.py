"""A trained model of disc and cup as an ONNX file, which runs without PyTorch and Detectron2."""

import json
import logging
import warnings
from collections.abc import Mapping
from types import ModuleType

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from torch import nn

import fundus_plugins
from fundus_plugins.config import without_weights
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.modeling.export import OneLook
from fundus_plugins.modeling.segmentation import DiscCupSegmentor
from fundus_plugins.modeling.segmentation.export import PictureMaps
from fundus_plugins.prediction.exported_views import SeveralViews
from fundus_plugins.prediction.release import portable_cfg
from fundus_plugins.prediction.settings import FLIPS, Settings
from fundus_plugins.prediction.torch_engine import prepare_for_inference
from fundus_plugins.weights.loading import load_trained_weights, local_weights, read_weights

OPSET = 18  # the lowest that PyTorch's exporter writes
SHORTEST, LONGEST = 64, 4096  # sides of a view, pixels
LARGE = 1024  # values; smaller constants are not worth a node that widens them


def write_onnx(
    cfg: CfgNode,
    path: str,
    *,
    flips: str | None = None,
    side: int | None = None,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Write the model of `cfg` with the weights MODEL.WEIGHTS names to an ONNX file.

    In and out are as of `OneLook` for RF-Net, and of `PictureMaps` for a DiscCupSegmentor.

    What half precision holds without loss, as `write_release` stores weights, is stored in it. The file's metadata are
    "config" (YAML), "facts" (JSON, with the SHA-256 of the file of "weights"), "settings" (JSON of `Settings`) and
    "version" of this package.

    Args:
        cfg: a full config; it is kept in the file without the paths of weights, data sets and folders.
        path: of the file.
        flips: one of FLIPS, None: TEST.FLIPS; several views are averaged within the graph.
        side: of the square views it takes, pixels; None: any height and width.
        facts: how the weights were made, for whoever reads the file.

    Raises:
        FileNotFoundError, RuntimeError: as `load_trained_weights`.
        ImportError: onnx or onnxscript is not installed.
        ValueError: an unknown `flips`, a side out of range, views larger than MODEL.FPN.SQUARE_PAD, or another kind of
            model. A DiscCupSegmentor has one view, and a side that its config says.
    """
    onnx = import_onnx()
    flips = cfg.TEST.FLIPS if flips is None else flips
    if flips not in FLIPS:
        raise ValueError(f"flips {flips!r}: expected one of {', '.join(FLIPS)}")
    if cfg.MODEL.META_ARCHITECTURE == "DiscCupSegmentor":
        side, longest = _sides_of_segmentor(cfg, flips, side)
    else:
        longest = cfg.MODEL.FPN.SQUARE_PAD or LONGEST
        if side is not None and not SHORTEST <= side <= longest:
            raise ValueError(f"side {side}: expected {SHORTEST} to {longest} pixels")
    settings = Settings.of(cfg, flips, side)
    largest = max(settings.photograph_sides[1], settings.crop_side if settings.crop else 0)
    if largest > longest and not settings.disc_diameters:
        raise ValueError(f"views of {largest} pixels: the model takes {longest} at most (MODEL.FPN.SQUARE_PAD)")
    model = _onnx_model(exportable(cfg, flips), side, longest)
    compact(model, read_weights(cfg.MODEL.WEIGHTS))
    metadata = {
        "config": portable_cfg(cfg).dump(),
        "facts": json.dumps({**(facts or {}), "weights": file_hash(local_weights(cfg.MODEL.WEIGHTS))}),
        "settings": json.dumps(settings.as_dict()),
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
    if isinstance(model, DiscCupSegmentor):
        side = cfg.INPUT.DISC_CROP.SIDE if cfg.INPUT.DISC_CROP.ABOUT != "none" else cfg.MODEL.FPN.SQUARE_PAD
        look: nn.Module = PictureMaps(model, side, cfg.INPUT.FORMAT)
    else:
        look = OneLook(model, cfg.INPUT.FORMAT)
    load_trained_weights(model, cfg.MODEL.WEIGHTS)
    prepare_for_inference(model, torch.float32, channels_last=False)
    return (look if len(FLIPS[flips]) == 1 else SeveralViews(look, FLIPS[flips])).eval()


def _sides_of_segmentor(cfg: CfgNode, flips: str, side: int | None) -> tuple[int | None, int]:
    """The side of the squares that it takes, None for whole photographs of any shape; and the longest."""
    if flips != "none" or cfg.TEST.CROP or side is not None:
        raise ValueError("DiscCupSegmentor has one view of its own size: --flips none, TEST.CROP 0 and no --side")
    if cfg.INPUT.DISC_CROP.ABOUT != "none":
        return cfg.INPUT.DISC_CROP.SIDE, cfg.INPUT.DISC_CROP.SIDE
    if not cfg.MODEL.FPN.SQUARE_PAD:
        raise ValueError("MODEL.FPN.SQUARE_PAD 0: expected the square to which the exported network pads pictures")
    return None, cfg.MODEL.FPN.SQUARE_PAD


def import_onnx() -> ModuleType:
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
    sides: dict = {}
    if side is None:
        sides = {2 + i: torch.export.Dim(x, min=SHORTEST, max=longest) for i, x in enumerate(("height", "width"))}
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's and the exporter's of each other
        program = torch.onnx.export(
            look,
            (example,),
            input_names=["image"],
            output_names=_outputs(look),
            dynamic_shapes={"image": sides} if sides else None,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in this machine's files each operation was written
    return model


def _outputs(look: nn.Module) -> list[str]:
    if isinstance(look, PictureMaps):
        return ["maps"]
    return ["box", "score", "masks", "agreement"][: 3 + isinstance(look, SeveralViews)]


def compact(model, weights: Mapping[str, torch.Tensor]) -> None:
    """Store large constants that are of half precision in it, in place, with a node that widens them.

    Those of a convolution with a folded batch norm are such `weights` times a factor for each filter.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = weights.get("model", weights)  # type: ignore[assignment]
    nodes = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < LARGE:
            continue
        name = tensor.name
        own = next((x for key, x in weights.items() if key == name or name.endswith("." + key)), None)
        found = half_and_factor(values, None if own is None else own.float().numpy())
        if found is None:
            continue
        half, factor = found
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        nodes.append(helper.make_node("Cast", [tensor.name], [f"{name}.wide"], to=TensorProto.FLOAT))
        model.graph.initializer.append(numpy_helper.from_array(factor, f"{name}.factor"))
        nodes.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.factor"], [name]))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes + rest)


def half_and_factor(values: np.ndarray, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Half-precision values and factors, whose products these are but for rounding; None if there are none."""
    for base in (values, own):
        if base is None or base.shape != values.shape or not np.array_equal(base.astype(np.float16), base):
            continue
        flat = values.reshape(len(values), -1), base.reshape(len(base), -1)
        largest = np.abs(flat[1]).argmax(1)
        there = [x[np.arange(len(x)), largest] for x in flat]
        factor = np.where(there[1] != 0, there[0] / np.where(there[1] != 0, there[1], 1), 1).astype(np.float32)
        factor = factor.reshape(-1, *[1] * (values.ndim - 1))
        if np.allclose(base * factor, values, rtol=1e-6, atol=1e-12):
            return base.astype(np.float16), factor
    return None
