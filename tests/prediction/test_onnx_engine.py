"""onnxruntime gives what PyTorch gives, without PyTorch; files that are none are told."""

import csv
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

import fundus_plugins
from fundus_plugins.cli.main import main
from fundus_plugins.data.phantom.drawing import draw_phantom
from fundus_plugins.data.phantom.sampling import sample_parameters
from fundus_plugins.files import file_hash
from fundus_plugins.measures.overlap import dice
from fundus_plugins.prediction.export import write_onnx
from fundus_plugins.prediction.predictor import PACKAGED
from tests.conftest import ROOT

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def phantom(seed: int, view: str, size: int = 640):
    rng = np.random.default_rng((31, seed))
    return draw_phantom(sample_parameters(rng, "suspicious", view), size, rng).image


def read_table(folder) -> list[dict]:
    with open(folder / "predictions.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for seed, view in enumerate(("disc", "macula", "crop")):
        cv2.imwrite(str(folder / f"{view}.png"), phantom(seed, view)[..., ::-1])
    (folder / "broken.jpg").write_bytes(b"no photograph")
    return folder


def test_both_engines_see_the_same():
    exported = fundus_plugins.FundusPredictor()
    torch_ = fundus_plugins.FundusPredictor(fundus_plugins.release_cfg(opts=["TEST.PRECISION", "float32"]))
    assert exported.settings == torch_.settings
    for seed, view in enumerate(("disc", "macula", "crop")):
        found, expected = (predictor(phantom(seed, view)) for predictor in (exported, torch_))
        assert dice(found.disc, expected.disc) > 0.998 and dice(found.cup, expected.cup) > 0.998
        assert found.box == pytest.approx(expected.box, abs=0.1)
        assert (found.score, found.vcdr) == pytest.approx((expected.score, expected.vcdr), abs=0.003)
        assert found.agreement == pytest.approx(expected.agreement, abs=0.01) and found.flags == expected.flags


def test_the_packaged_files_hold_the_same_weights():
    metadata = {x.key: x.value for x in onnx.load(PACKAGED).metadata_props}
    assert json.loads(metadata["facts"])["weights"] == file_hash(PACKAGED.with_suffix(".safetensors"))


def test_the_command_needs_neither_pytorch_nor_detectron2(photographs, tmp_path):
    """Nor what training needs beside them; with one process or two, in the order of the files."""
    code = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'detectron2', 'timm', 'scipy', 'sklearn', 'pandas', 'monai',"
        " 'matplotlib', 'fvcore', 'pycocotools'):\n  sys.modules[name] = None\n"
        "from fundus_plugins.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    tables = []
    for workers in ("1", "2"):
        output = tmp_path / workers
        command = [sys.executable, "-c", code, "predict", str(photographs), "--output", str(output)]
        done = subprocess.run([*command, "--workers", workers], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1 and "broken.jpg" in done.stderr, done.stderr
        tables.append(read_table(output))
        overlay = output / "overlays" / "disc_png.jpg"
        assert cv2.imread(str(overlay)).shape == cv2.imread(str(photographs / "disc.png")).shape
    for row in (row for table in tables for row in table):
        del row["seconds"]
    assert [row["id"] for row in tables[0]] == ["broken.jpg", "crop.png", "disc.png", "macula.png"]
    assert tables[0] == tables[1]


def test_what_is_no_exported_model_is_told(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(FileNotFoundError, match="model.onnx'; it must name an exported model"):
        fundus_plugins.FundusPredictor(path)
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="model.onnx cannot be read as a model"):
        fundus_plugins.FundusPredictor(path)
    model = onnx.load(PACKAGED)
    for settings, message in (
        ("", "there are no settings in it"),
        ('{"crop": 0.3}', "exported by another version .*missing or unknown"),
        (json.dumps(fundus_plugins.FundusPredictor().settings.as_dict() | {"side": 256}), "export it without --side"),
    ):
        onnx.helper.set_model_props(model, {"settings": settings} if settings else {})
        onnx.save(model, path)
        with pytest.raises(RuntimeError, match=message):
            fundus_plugins.FundusPredictor(path)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--engine", "torch", "--weights", "a.onnx"], "a.onnx is an exported model, which needs onnxruntime"),
        (["--engine", "onnxruntime", "--weights", "a.safetensors"], "a.safetensors is no exported model"),
        (["--engine", "onnxruntime", "TEST.CROP", "0.0"], "a config is given, which needs torch"),
        (["--weights", "a.onnx", "TEST.CROP", "0.0"], "whose config cannot be changed: TEST.CROP"),
    ],
)
def test_an_engine_that_cannot_run_the_weights_is_refused(photographs, tmp_path, capsys, options, message):
    assert main(["predict", str(photographs), "--output", str(tmp_path / "out"), *options]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_what_keeps_a_process_from_starting_is_told(photographs, tmp_path, capsys):
    assert main(["predict", str(photographs), "--output", str(tmp_path), "--workers", "2", "--weights", "no.onnx"]) == 2
    assert "error: no file 'no.onnx'; it must name an exported model" in capsys.readouterr().err


def test_views_beyond_the_padding_are_not_exported(detecting_cfg, tmp_path):
    detecting_cfg.INPUT.MAX_SIZE_TEST = 200
    with pytest.raises(ValueError, match="views of 200 pixels: the model takes 128 at most"):
        write_onnx(detecting_cfg, tmp_path / "model.onnx")
