"""The benchmark's counting and timing against values worked by hand, its contenders, and the tool as a user runs it."""

import json

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import command, engines, measure, report
from benchmarks.contender import Contender, predict_files
from benchmarks.counting import count_work
from benchmarks.machine import in_own_process, peak_bytes, resident_bytes
from benchmarks.photographs import draw_photographs, find_photographs, longer_sides
from benchmarks.rfnet import RCNN_PARTS
from benchmarks.settings import Settings
from benchmarks.timing import interleave, ratio, spans
from benchmarks.training import JITTER, SETTLED, training_contenders
from tests.cli.run import run as run_tool
from tests.conftest import ROOT, SMALL

CONFIG = str(ROOT / "configs" / "Base-RFNet.yaml")
SETTINGS = Settings((CONFIG,), opts=tuple(SMALL), boxes=3, mask_rois=2)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two phantoms of 200 pixels."""
    return draw_photographs(tmp_path_factory.mktemp("photographs") / "drawn", 2, 200)


@pytest.fixture(scope="module")
def contenders():
    """Every contender at 128 pixels."""
    pytest.importorskip("segmentation_models_pytorch")
    built, missing, failed = measure.build_all(measure.inference_builders(SETTINGS), lambda contender: None)
    assert not missing and not failed
    return built


def test_contenders_take_turns():
    now, calls = [0.0], []

    def job(name, seconds):
        def run():
            calls.append(name)
            now[0] += seconds[calls.count(name) - 1]

        return run

    runs = {"a": job("a", [1, 2]), "b": job("b", [4, 16])}
    seconds = interleave(runs, 2, clock=lambda: now[0])
    assert calls == list("abab")
    assert seconds == {"a": [1, 2], "b": [4, 16]}


def test_the_ratio_is_taken_within_each_round():
    # Rounds on an ever slower machine: the ratios are 2, 4 and 2, while that of the medians is 12 / 5.
    assert ratio([10, 12, 40], [5, 3, 20]) == 2


def test_spans_of_nested_modules():
    inner = nn.Linear(2, 2)
    outer = nn.Sequential(inner, inner)
    with spans({"inner": inner, "outer": outer}) as found:
        outer(torch.zeros(1, 2))
    (start, end), ((a, b), (c, d)) = found["outer"][0], found["inner"]
    assert start <= a <= b <= c <= d <= end
    outer(torch.zeros(1, 2))
    assert len(found["outer"]) == 1  # nothing is left behind


def test_multiply_adds_by_hand():
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
            "norm": nn.BatchNorm2d(6),
            "up": nn.ConvTranspose2d(6, 5, 2, stride=2),
            "head": nn.Linear(5 * 8 * 8, 7),
        }
    ).eval()
    parts = {"convolutions": "conv", "upsampling": "up", "head": "head"}

    def run():
        for batch in (1, 3):
            x = model["norm"](model["conv"](torch.zeros(batch, 4, 8, 8)))
            model["head"](model["up"](x).flatten(1))

    work = count_work(model, parts, run, images=2)
    once = {"convolutions": 6 * 4 * 4 * 2 * 9, "upsampling": 6 * 4 * 4 * 5 * 4, "head": 5 * 8 * 8 * 7}
    assert work == {part: {"multiply_adds": 4 * once[part] / 2, "rows": 2} for part in parts}
    with pytest.raises(ValueError, match="layer head belongs to none"):
        count_work(model, {"convolutions": "conv", "upsampling": "up"}, run)


def test_multiply_adds_agree_with_torchs_counter(contenders, photographs):
    contender = contenders["U-Net resnet34, float32"]
    prepared = contender.prepare(photographs[0])
    work = count_work(contender.model, contender.parts, lambda: contender.predict(prepared))
    with FlopCounterMode(display=False) as counter:
        contender.predict(prepared)
    assert sum(part["multiply_adds"] for part in work.values()) * 2 == counter.get_total_flops()


def test_every_contender_gives_masks_of_the_photographs_size(contenders, photographs):
    assert len(contenders) == 6 + (len([x for x in contenders if "fast" in x]) == 2)
    sizes = [cv2.imread(path).shape[:2] for path in photographs]
    for name, contender in contenders.items():
        found = list(predict_files(contender, photographs))
        assert [mask.shape for masks in found for mask in masks] == [size for size in sizes for _ in range(2)], name
        assert all(mask.dtype == bool for masks in found for mask in masks), name


def test_boxes_are_those_asked_for(contenders, photographs):
    for name, contender in contenders.items():
        prepared = contender.prepare(photographs[0])
        work = count_work(contender.model, contender.parts, lambda c=contender, x=prepared: c.predict(x))
        assert all(part["multiply_adds"] > 0 for part in work.values()), name
        if "R-CNN" in name or "RF-Net" in name:
            assert work["mask head"]["rows"] == (3 if "RF-Net" in name else 6), name


def test_stock_and_fast_path_compute_the_same(contenders, photographs):
    stock, fast = (contenders[f"RF-Net Base-RFNet, {path}"] for path in ("stock path", "fast, float32"))
    for a, b in zip(stock.predict(stock.prepare(photographs[0])), fast.predict(fast.prepare(photographs[0]))):
        assert (a != b).mean() < 1e-3
    aligners = {type(x).__module__ for x in stock.model.modules() if type(x).__name__ == "ROIAlign"}
    assert aligners == {"detectron2.layers.roi_align"}


def test_stages_add_up(contenders, photographs):
    fast = contenders["RF-Net Base-RFNet, fast, float32"]
    stages = fast.stages(fast.prepare(photographs[0]))
    assert list(stages)[:4] == ["normalising", "trunk", "FPN", "RPN"] and "pasting" in stages
    assert all(seconds > 0 for seconds in stages.values())


def test_reading_ahead_keeps_the_order_and_passes_errors_on():
    def prepare(path):
        if path == "bad":
            raise ValueError("bad file")
        return path

    contender = Contender(nn.Identity(), {}, torch.float32, prepare, str.upper)
    assert list(predict_files(contender, iter("abc"))) == ["A", "B", "C"]
    assert list(predict_files(contender, [])) == []
    with pytest.raises(ValueError, match="bad file"):
        list(predict_files(contender, ["a", "bad"]))


def test_training_takes_its_positives_from_the_disc(photographs):
    builders = training_contenders(SETTINGS, photographs)
    assert list(builders)[:2] == ["RF-Net Base-RFNet, stock path", "RF-Net Base-RFNet, ours, float32"]
    seen = []
    losses = []
    for name in list(builders)[:2]:
        training = builders[name]()
        heads = training.model.roi_heads
        heads.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[2:4]))
        heads.register_forward_hook(lambda module, inputs, output: losses.append(output[1]))
        before = [x.clone() for x in training.model.parameters()]
        # Two of each image's positives: the mask branch's share.
        rows = count_work(training.model, RCNN_PARTS, training.step)["mask head"]["rows"]
        assert rows == 2 * 2
        assert any(not torch.equal(a, b) for a, b in zip(before, training.model.parameters()))
    for proposals, targets in seen:
        for proposed, truth in zip(proposals, targets):
            disc = truth.gt_boxes.tensor[0]
            offsets = (proposed.proposal_boxes.tensor[:SETTLED] - disc).abs()
            assert offsets.max() <= JITTER * (disc[2:] - disc[:2]).max() + 1e-4 and offsets.max() > 0
    torch.testing.assert_close(losses[0]["loss_cls"], losses[1]["loss_cls"], rtol=1e-3, atol=1e-4)


def test_memory_is_that_of_the_process_asked():
    ballast = np.ones(300 * 2**20, np.uint8)  # a child's getrusage would start with it on Linux
    assert ballast.nbytes < resident_bytes() <= peak_bytes()
    assert in_own_process(peak_bytes) < resident_bytes() - 200 * 2**20


def test_a_contender_that_cannot_be_built_costs_no_other():
    def no_extra():
        raise ImportError("not installed: pip install it")

    def broken():
        raise RuntimeError("no such thing")

    def warm_up(contender):
        if contender == 4:
            raise MemoryError("too large")

    built, missing, failed = measure.build_all({"a": no_extra, "b": broken, "c": lambda: 3, "d": lambda: 4}, warm_up)
    assert built == {"c": 3} and list(missing) == ["a", "b", "d"]
    assert failed == ["b: RuntimeError: no such thing", "d: MemoryError: too large"]


def test_floor_by_hand():
    rows = {
        "conv": {"precision": "float32", "multiply_adds": 8e9, "convolution_seconds": [1.0, 2.0, 9.0]},
        "model": {"precision": "float32", "work": {"a": {"multiply_adds": 1e9}, "b": {"multiply_adds": 1e9}}},
        "other": {"precision": "bfloat16", "work": {"a": {"multiply_adds": 1e9}}},
    }
    rates = report.rates(rows)
    assert rates == {"float32": 4e9}
    assert report.floor_seconds(rows["model"], rates) == 0.5
    assert report.floor_seconds(rows["model"], rates, steps=3) == 1.5
    assert report.floor_seconds(rows["other"], rates) is None


def test_engines_share_their_weights(monkeypatch):
    def no_compiler(part):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)  # it would take half a minute
    rows = engines.measure_engines(SETTINGS, 2)
    assert len(rows["eager, float32"]["engine_seconds"]) == 2
    assert rows["torch.compile, float32"] == {"missing": "RuntimeError: no compiler"}
    image = torch.rand(1, 3, 128, 128)
    cfg = next(iter(SETTINGS.configs().values()))
    for build in ("_onnxruntime", "_openvino"):
        pytest.importorskip(build[1:])
    exact = engines._eager(cfg, torch.float32, image)()
    for found in (engines._onnxruntime(cfg, image)(), list(engines._openvino(cfg, torch.float32, image)().values())):
        for a, b in zip(exact, found, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-3)
    assert "eager, float32" in report._engine_table(rows)


def test_photographs_of_a_folder(tmp_path, photographs):
    assert longer_sides(photographs) == [200, 200]
    with pytest.raises(FileNotFoundError, match="--images: no photographs .*nowhere"):
        find_photographs(tmp_path / "nowhere", 1)


@pytest.mark.slow
def test_the_tool(photographs, tmp_path):
    folder = str(photographs[0]).rsplit("/", 1)[0]
    common = ["--config-file", CONFIG, "--images", folder, "--threads", 1]
    options = ["--repeats", 1, "--training-repeats", 1, "--output", tmp_path / "all", "--many", 3]
    what = [x for name in ("inference", "files", "agreement", "training") for x in ("--only", name)]
    names = ["--contender", "stock path", "--contender", "fast", "--contender", "ours"]
    done = run_tool("benchmark.py", *common, *options, *what, *names, *SMALL, datasets=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["machine"]["threads"] == 1 and found["photographs"]["count"] == 2 and not found["failures"]
    assert (tmp_path / "all.md").read_text() == done.stdout.removesuffix("\n")
    fast = found["inference"]["RF-Net Base-RFNet, fast, float32"]
    assert fast["model_seconds"][0] > 0 and fast["file_seconds"][0] > 0 and fast["work"]["mask head"]["rows"] == 1
    assert min(fast["disc_agreement"] + fast["cup_agreement"]) > 0.99 and len(fast["cup_agreement"]) == 2
    assert found["training"]["RF-Net Base-RFNet, ours, float32"]["step_seconds"][0] > 0
    for heading in ("## Inference, one", "## Inference, time relative", "## Training", "## Where the time"):
        assert heading in done.stdout

    options = ["--only", "memory", "--only", "many", "--many", 4, "--contender", "fast, float32"]
    done = run_tool("benchmark.py", *common, *options, "--output", tmp_path / "m", *SMALL, datasets=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "m.json").read_text())
    memory = found["inference"]["RF-Net Base-RFNet, fast, float32"]
    assert memory["peak_bytes"] > memory["import_bytes"] > 50 * 2**20
    tenths = next(iter(found["many"].values()))["tenths"]
    assert [row["images"] for row in tenths] == [1, 2, 3, 4] and all(row["resident_bytes"] > 0 for row in tenths)


def test_arguments_that_make_no_sense(tmp_path, capsys):
    assert command.main(["--config-file", CONFIG, "--images", str(tmp_path)]) == 2
    assert "error: --images: no photographs" in capsys.readouterr().err
    for arguments, message in (
        (["--weights", "a.pth"], "2 expected, 1 found"),
        (["--config-file", CONFIG, "--config-file", f"other/{CONFIG}"], "expected files of different names"),
        (["--count", "0"], "expected a whole number of at least 1, found 0"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command.main(arguments)
        assert message in capsys.readouterr().err
