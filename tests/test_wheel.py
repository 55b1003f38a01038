"""What is built is complete: from the wheel alone, outside the repository, the commands run."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile

import pytest

from fundus_plugins import model_zoo
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist, the wheel being made from the sdist."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def fundus(built, tmp_path_factory):
    """Runs the installed `fundus` in a folder outside the repository.

    The environment is new and has nothing but the wheel; what the wheel depends on it finds in this one, where an
    editable installation of the repository is not followed.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = folder / "env"
    # Without PYTHONPATH: pip takes the repository's metadata there for an installation.
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DETECTRON2_DATASETS")}
    clean["OMP_NUM_THREADS"] = "1"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, env=clean)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    wheel = next(built.glob("*.whl"))
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, env=clean)
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    command = [str(scripts / "python"), "-c", query]
    site = subprocess.run(command, capture_output=True, text=True, check=True, env=clean).stdout
    with open(os.path.join(site.strip(), "dependencies.pth"), "w", encoding="utf-8") as file:
        file.write(sysconfig.get_path("purelib") + "\n")

    def run(*arguments):
        command = [str(scripts / "fundus"), *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=300)

    done = run("doctor")
    assert f"in {environment}" in done.stdout, done.stdout + done.stderr  # the wheel's, not the repository's
    return run, folder


def test_the_wheel_has_what_the_package_needs(built):
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    for config in model_zoo.list_configs():
        assert f"fundus_plugins/configs/{config}" in names
    for suffix in ("safetensors", "onnx"):
        assert f"fundus_plugins/weights/rfnet_any_camera.{suffix}" in names
    for name in ("gradability.json", "grader.json", "grader.onnx", "mobilenetv1_100_imagenet.safetensors"):
        assert f"fundus_plugins/weights/{name}" in names
    assert "fundus_plugins/weights/grader.safetensors" not in names  # twice the same weights
    report = ROOT / "fundus_plugins" / "prediction" / "report"
    for path in (path for path in report.rglob("*") if path.suffix in (".html", ".css", ".js")):
        assert path.relative_to(ROOT).as_posix() in names
    assert not any(name.startswith(("tests/", "benchmarks/", "tools/", "docs/")) for name in names)
    source = next(built.glob("*.tar.gz"))
    with tarfile.open(source) as archive:
        assert any(name.endswith("fundus_plugins/configs/rfnet_refuge.yaml") for name in archive.getnames())


def test_predict_convert_and_train_start_outside_the_repository(fundus):
    run, folder = fundus
    size = ["--train", 2, "--val", 1, "--test", 1, "--size", 256, "--view", "disc"]
    done = run("draw-phantoms", "--output", "datasets/phantom/raw", *size)
    assert done.returncode == 0, done.stderr
    done = run("convert", "refuge", "--root", "datasets/phantom/raw", "--output", "datasets/phantom", "--processes", 1)
    assert done.returncode == 0 and (folder / "datasets" / "phantom" / "train.json").is_file(), done.stderr
    done = run("predict", "datasets/phantom/raw/Test400", "--output", "predictions")
    assert done.returncode == 0 and "1 photograph, 0 without a detected disc" in done.stdout, done.stderr
    assert (folder / "predictions" / "overlays" / "T0001_jpg.jpg").is_file()
    assert (folder / "predictions" / "report.html").is_file()
    sets = ["DATASETS.TRAIN", "('phantom_train',)", "DATASETS.TEST", "()", "DATALOADER.NUM_WORKERS", 0]
    short = ["SOLVER.MAX_ITER", 1, "SOLVER.IMS_PER_BATCH", 1, "OUTPUT_DIR", "run"]
    small = ["INPUT.MIN_SIZE_TRAIN", "(128,)", "INPUT.MAX_SIZE_TRAIN", 128, "MODEL.FPN.SQUARE_PAD", 128]
    done = run("train", "--config-file", "rfnet_drishti.yaml", *sets, *short, *small)
    assert done.returncode == 0 and (folder / "run" / "model_final.pth").is_file(), done.stderr[-2000:]
