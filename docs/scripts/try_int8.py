"""What 8-bit weights and activations would change in the packaged model: masks, ratios, time.

    python docs/scripts/try_int8.py photographs/ > docs/results/int8.txt

Static quantization by onnxruntime, per channel, calibrated on the views of the folder's first 40 photographs and tried
on the next 60: of all convolutions, and of the wide pointwise ones alone.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.predictor import PACKAGED, FundusPredictor

CALIBRATION, TRIED, WIDE = 40, 60, 256


class Views(CalibrationDataReader):
    def __init__(self, views):
        self.views = iter(views)

    def get_next(self):
        view = next(self.views, None)
        return None if view is None else {"image": np.ascontiguousarray(view.transpose(2, 0, 1)[None])}


def seen_views(photographs) -> list[np.ndarray]:
    predictor, views = FundusPredictor(), []
    engine = predictor.finder.engine
    look = engine.look
    engine.look = lambda x: (views.extend(x), look(x))[1]
    for photograph in photographs:
        predictor(photograph)
    return views


def quantized(folder: Path, views, wide_alone: bool) -> FundusPredictor:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    onnxruntime.InferenceSession(str(PACKAGED), options, providers=["CPUExecutionProvider"])
    model = onnx.load(folder / "folded.onnx")
    sizes = {x.name: list(x.dims) for x in model.graph.initializer}
    convolutions = [x for x in model.graph.node if x.op_type == "Conv"]
    if wide_alone:
        of = [(x, sizes.get(x.input[1], [0, 0, 0, 0])) for x in convolutions]
        convolutions = [x for x, size in of if size[2:] == [1, 1] and size[0] >= WIDE]
    quantize_static(
        folder / "folded.onnx",
        folder / "int8.onnx",
        Views(views),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv"],
        nodes_to_quantize=[x.name for x in convolutions],
    )
    model = onnx.load(folder / "int8.onnx")
    onnx.helper.set_model_props(model, {x.key: x.value for x in onnx.load(PACKAGED).metadata_props})
    onnx.save(model, folder / "int8.onnx")
    print(f"{len(convolutions)} convolutions in 8 bits")
    return FundusPredictor(folder / "int8.onnx")


def compare(exact: FundusPredictor, other: FundusPredictor, photographs) -> None:
    rows, seconds = [], [0.0, 0.0]
    for photograph in photographs:
        found = []
        for i, predictor in enumerate((exact, other)):
            start = time.process_time()
            found.append(predictor(photograph))
            seconds[i] += time.process_time() - start
        a, b = found
        rows.append([dice(a.disc, b.disc), dice(a.cup, b.cup), abs(a.vcdr - b.vcdr)])
    low, mean, high = np.nanmin(rows, 0), np.nanmean(rows, 0), np.nanmax(rows, 0)
    print(f"  Dice with float32: disc {mean[0]:.4f} (lowest {low[0]:.3f}), cup {mean[1]:.4f} (lowest {low[1]:.3f})")
    print(f"  vCDR: {mean[2]:.4f} apart, at most {high[2]:.3f}")
    print(
        "  processor time a photograph: {:.1f} ms in float32, {:.1f} ms".format(
            *(1000 * x / len(rows) for x in seconds)
        )
    )


def main() -> None:
    files = list_folder(Path(sys.argv[1]))[: CALIBRATION + TRIED]
    photographs = [read_photograph(path) for path in files]
    views = seen_views(photographs[:CALIBRATION])
    for wide_alone in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            compare(FundusPredictor(), quantized(Path(folder), views, wide_alone), photographs[CALIBRATION:])


if __name__ == "__main__":
    main()
