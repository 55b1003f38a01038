"""Does the Python that runs this have what the project needs? Prints what is missing, one line each, and exits 1.

The needs are read from pyproject.toml, so that no list is kept twice. `--dev` adds what the tests need;
`--import` also imports the heavy packages, which takes seconds and finds installations that are there but broken.
"""

import argparse
import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
CV2 = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
HEAVY = ("onnxruntime", "torch", "torchvision", "timm", "cv2", "pandas", "sklearn.metrics", "pycocotools.mask")
DETECTRON2 = ("detectron2.modeling", "detectron2.data", "detectron2.evaluation", "detectron2.model_zoo")


def requirements(dev: bool) -> list[str]:
    """The requirement strings of pyproject.toml, with those of training, and of the tests if `dev`."""
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return project["dependencies"] + extras["train"] + (extras["dev"] if dev else [])


def unmet(wanted: list[str]) -> list[str]:
    """One line for each requirement of `wanted` that the installed packages do not meet."""
    from packaging.requirements import Requirement

    problems = []
    for requirement in map(Requirement, wanted):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        found = []
        for name in CV2 if requirement.name in CV2 else (requirement.name,):
            try:
                found.append(metadata.version(name))
            except metadata.PackageNotFoundError:
                pass
        if not found:
            problems.append(f"{requirement} is not installed")
        elif not any(requirement.specifier.contains(version, prereleases=True) for version in found):
            problems.append(f"{requirement} wanted, {found[0]} found")
    return problems


def broken(modules: tuple[str, ...]) -> list[str]:
    """The first of `modules` that cannot be imported, with the reason, or nothing."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # a package built for another version can raise anything
            return [f"import {module}: {type(error).__name__}: {error}"]
    return []


def problems(dev: bool, imports: bool) -> list[str]:
    """Everything that keeps this Python from running the project, one line each."""
    try:
        found = unmet(requirements(dev))
    except ImportError as error:  # packaging and tomli come with what we need
        found = [f"{error.name} is not installed"]
    found += [f"no module {name}" for name in ("torch", "detectron2") if importlib.util.find_spec(name) is None]
    return found or (broken(HEAVY + DETECTRON2) if imports else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--import", action="store_true", dest="imports")
    found = problems(**vars(parser.parse_args()))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
