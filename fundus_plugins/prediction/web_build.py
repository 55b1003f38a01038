"""The page of `web/` with a model in it, as a folder of files that any web server can serve."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import fundus_plugins
from fundus_plugins.files import atomic_write, file_hash
from fundus_plugins.prediction.onnx_engine import OnnxEngine

MODEL, SETTINGS = "model.onnx", "model.json"


def build_page(model: Path, sources: Path, folder: Path) -> None:
    """Write the page, a copy of a model and its settings as JSON to a folder.

    Args:
        model: a file of `fundus export`.
        sources: `web/` of a checkout, where npm's packages are installed where they are missing.
        folder: made when needed; an earlier page in it is replaced.

    Raises:
        FileNotFoundError: `sources` has no page.
        FileExistsError: `folder` holds something else.
        RuntimeError: npm is missing or fails; or as `OnnxEngine`.
    """
    if not (sources / "package.json").is_file():
        raise FileNotFoundError(f"no page to build in {sources}: it is in the repository, not in the package")
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the page is built with Node 20.11 or newer, and there is no npm")
    facts = model_facts(model)
    folder = folder.resolve()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SETTINGS).is_file():
        raise FileExistsError(f"{folder} holds something else than a page: choose an empty folder, or a new one")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / MODEL, "wb") as file:
        file.write(model.read_bytes())
    with atomic_write(folder / SETTINGS) as file:
        json.dump(facts, file, indent=1)
    if not _is_installed(sources):
        _run(npm, "ci", cwd=sources)
    _run(npm, "run", "build", "--", os.fspath(folder), cwd=sources)


def model_facts(model: Path) -> dict[str, object]:
    """What stands in SETTINGS, for a runtime that cannot read the metadata of the model."""
    engine = OnnxEngine(model)
    return {
        "version": fundus_plugins.__version__,
        "sha256": file_hash(model),
        "settings": engine.settings.as_dict(),
        "facts": engine.facts,
    }


def _is_installed(sources: Path) -> bool:
    done, wanted = sources / "node_modules" / ".package-lock.json", sources / "package-lock.json"
    return done.is_file() and done.stat().st_mtime >= wanted.stat().st_mtime


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()
        telling = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise RuntimeError(f"{Path(command[0]).name} {' '.join(command[1:])}: {telling[0]}")
