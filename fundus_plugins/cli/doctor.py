"""`fundus doctor`: what is installed, and what would be used."""

import importlib.util
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import rich_click as click

PREDICTION = ("jinja2", "numpy", "opencv-python-headless", "onnxruntime", "pillow", "rich-click", "tqdm")
TRAINING = ("torch", "torchvision", "timm", "pycocotools", "scikit-learn", "pandas")


@click.command()
def command():
    """Say what is installed, which processor instructions there are, which weights, and where data sets are looked for.

    The exit code is 1 where something is missing that prediction needs.
    """
    import fundus_plugins

    missing: dict[str, list[str]] = {}
    _line("fundus_plugins", f"{fundus_plugins.__version__} in {Path(fundus_plugins.__file__).parent}")
    _line("Python", f"{platform.python_version()} on {platform.platform()}")
    for purpose, packages in (("prediction", PREDICTION), ("training", TRAINING)):
        versions = {package: _version(package) for package in packages}
        for package, version in versions.items():
            _line(package, version or "not installed")
        missing[purpose] = [package for package, version in versions.items() if not version]
    if importlib.util.find_spec("detectron2") is None:
        from fundus_plugins.requirements import MISSING

        _line("Detectron2", f"not installed: {MISSING}")
        missing["training"].append("Detectron2")
    else:
        import detectron2

        _line("Detectron2", f"{detectron2.__version__} in {Path(detectron2.__file__).parent}")
    if "torch" not in missing["training"]:
        _describe_processor()
    _describe_weights()
    if "pycocotools" not in missing["training"]:
        _describe_datasets()
    for purpose, packages in missing.items():
        print(f"{purpose}: " + (f"missing: {', '.join(packages)}" if packages else "everything that it needs is there"))
    return 1 if missing["prediction"] else 0


def _line(name: str, text: str) -> None:
    print(f"{name:24}{text}")


def _version(package: str) -> str | None:
    others = ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
    names = (package, *others) if package.startswith("opencv") else (package,)
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _describe_processor() -> None:
    import torch

    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    wanted = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "neon", "sve")
    found = [name for name in wanted if has.get(name)]
    _line("processor", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads; {', '.join(found) or 'unknown'}")
    _line("CUDA", torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none, the CPU is used")
    if importlib.util.find_spec("detectron2"):
        from fundus_plugins.engine.precision import prediction_precision, resolve_precision

        device = "cuda" if torch.cuda.is_available() else "cpu"
        chosen = [
            str(find("auto", device)).removeprefix("torch.") for find in (prediction_precision, resolve_precision)
        ]
        _line("precision (auto)", f"{chosen[0]} in prediction, {chosen[1]} in training with SOLVER.AMP.ENABLED")


def _describe_weights() -> None:
    from fundus_plugins.model_zoo import PACKAGED_WEIGHTS

    folder = Path(__file__).resolve().parent.parent / "weights"
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.onnx")]):
        used = ", ".join(config for config, path in PACKAGED_WEIGHTS.items() if path.endswith(file.name))
        _line(
            "packaged weights",
            f"fundus://{file.name}, {file.stat().st_size / 1e6:.1f} MB {f'({used})' if used else ''}",
        )


def _describe_datasets() -> None:
    from fundus_plugins.data.registration import FUNDUS_DATASETS, datasets_root

    root = Path(datasets_root())
    source = "DETECTRON2_DATASETS" if os.environ.get("DETECTRON2_DATASETS") else "the default"
    _line("data sets", f"in {root.resolve()} ({source})")
    for name, (splits, _) in FUNDUS_DATASETS.items():
        there = [
            x for x in splits if (root / name / f"{x}.json").is_file() or (root / name / f"{x}_grading.json").is_file()
        ]
        if there:
            _line("", f"{name}: {', '.join(there)}")
