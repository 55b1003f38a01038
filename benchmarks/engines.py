"""The dense part of RF-Net (trunk, pyramid, RPN head) in several engines, on the same weights."""

import importlib
import os
import tempfile
from collections.abc import Callable
from functools import partial

import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from torch import nn

from benchmarks.rfnet import type_name
from benchmarks.settings import Settings
from benchmarks.timing import interleave
from fundus_plugins.config import without_weights
from fundus_plugins.engine.precision import resolve_precision
from fundus_plugins.prediction.torch_engine import prepare_for_inference

INPUTS, OPSET = ["image"], 17


class DensePart(nn.Module):
    """(1, 3, S, S) float32 to P2 to P5, then the RPN's logits and deltas of every level."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.backbone = model.backbone
        self.head = model.proposal_generator.rpn_head
        self.levels = model.proposal_generator.in_features

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features = self.backbone(image)
        logits, deltas = self.head([features[name] for name in self.levels])
        return (*features.values(), *logits, *deltas)


def measure_engines(settings: Settings, repeats: int) -> dict[str, dict]:
    """Seconds of each engine for one image of the last config's size; why, where an engine could not be had."""
    cfg = list(settings.configs().values())[-1]
    image = torch.rand(1, 3, cfg.INPUT.MAX_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST)
    runs, rows = {}, {}
    for name, build in _builders(cfg, image).items():
        try:
            runs[name] = build()
            runs[name]()
        except Exception as error:  # an extra that is missing, no compiler: one engine must not cost the others
            runs.pop(name, None)
            rows[name] = {"missing": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    seconds = interleave(runs, repeats, description="engines")
    return rows | {name: {"engine_seconds": samples} for name, samples in seconds.items()}


def _builders(cfg: CfgNode, image: torch.Tensor) -> dict[str, Callable[[], Callable[[], object]]]:
    builders = {}
    for precision in dict.fromkeys((torch.float32, resolve_precision("auto", "cpu"))):
        name = type_name(precision)
        builders[f"eager, {name}"] = partial(_eager, cfg, precision, image)
        builders[f"torch.compile, {name}"] = partial(_eager, cfg, precision, image, compiled=True)
        builders[f"OpenVINO, {name}"] = partial(_openvino, cfg, precision, image)
    builders["onnxruntime, float32"] = partial(_onnxruntime, cfg, image)
    return builders


def _dense(cfg: CfgNode, precision: torch.dtype, *, channels_last: bool = True) -> DensePart:
    torch.manual_seed(0)
    model = build_model(without_weights(cfg)).eval()
    prepare_for_inference(model, precision, channels_last=channels_last)
    return DensePart(model).eval()


def _eager(cfg: CfgNode, precision: torch.dtype, image: torch.Tensor, *, compiled: bool = False) -> Callable:
    part, image = _dense(cfg, precision), image.to(memory_format=torch.channels_last)
    function = torch.compile(part) if compiled else part

    def run():
        with torch.no_grad():
            return function(image)

    return run


def _openvino(cfg: CfgNode, precision: torch.dtype, image: torch.Tensor) -> Callable:
    openvino = importlib.import_module("openvino")
    converted = openvino.convert_model(_dense(cfg, torch.float32, channels_last=False), example_input=image)
    options = {
        "INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    request = openvino.Core().compile_model(converted, "CPU", options).create_infer_request()
    return partial(request.infer, [image.numpy()])


def _onnxruntime(cfg: CfgNode, image: torch.Tensor) -> Callable:
    onnxruntime = importlib.import_module("onnxruntime")
    part = _dense(cfg, torch.float32, channels_last=False)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dense.onnx")
        torch.onnx.export(part, (image,), path, input_names=INPUTS, opset_version=OPSET, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {INPUTS[0]: image.numpy()})
