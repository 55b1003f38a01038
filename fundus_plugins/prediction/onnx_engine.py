"""A network run by onnxruntime, from a file that `fundus export` wrote; neither PyTorch nor Detectron2 is needed."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from fundus_plugins.files import refuse_changed
from fundus_plugins.prediction.looks import Look
from fundus_plugins.prediction.settings import Settings


class OnnxEngine:
    """One session of onnxruntime on the CPU.

    Args:
        path: of the file.
        threads: how many compute one view; None: as OMP_NUM_THREADS says, else as many as onnxruntime thinks right.

    Attributes:
        settings: how the network is to be used, from the file.
        facts: how its weights were made, from the file.

    Raises:
        FileNotFoundError: no such file.
        RuntimeError: the file is damaged, or none of `fundus export`'s.
    """

    def __init__(self, path: str | os.PathLike, threads: int | None = None):
        self._session = open_session(path, threads)
        found = self._session.get_modelmeta().custom_metadata_map
        if "settings" not in found:
            raise RuntimeError(f"{path}: expected a model of `fundus export`: there are no settings in it")
        try:
            self.settings = Settings.read(json.loads(found["settings"]))
        except ValueError as error:
            raise RuntimeError(f"{path}: exported by another version ({found.get('version', '?')}): {error}") from None
        if self.settings.side is not None and not self.settings.disc_diameters:
            raise RuntimeError(f"{path}: takes square views alone; export it without --side to predict photographs")
        self.facts: dict[str, object] = json.loads(found.get("facts", "{}"))
        self._outputs = [x.name for x in self._session.get_outputs()]

    def maps(self, view: np.ndarray) -> np.ndarray:
        """As `MapsEngine.maps`."""
        return self._session.run(["maps"], {"image": np.ascontiguousarray(view.transpose(2, 0, 1)[None])})[0][0]

    def look(self, views: Sequence[np.ndarray]) -> list[Look | None]:
        """As `Engine.look`; one view at a time."""
        return [self._look(view) for view in views]

    def _look(self, view: np.ndarray) -> Look | None:
        image = np.ascontiguousarray(view.transpose(2, 0, 1)[None])
        found = dict(zip(self._outputs, self._session.run(self._outputs, {"image": image})))
        score = float(found["score"][0])
        if score <= 0:
            return None
        agreement = float(found["agreement"][0]) if "agreement" in found else float("nan")
        return Look(found["box"][0].astype(np.float64), score, found["masks"][0], agreement)


def open_session(path: str | os.PathLike, threads: int | None = None) -> onnxruntime.InferenceSession:
    """onnxruntime's session of a file, on the CPU; arguments and errors as of `OnnxEngine`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file {os.fspath(path)!r}; it must name an exported model")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _threads_asked_for()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others want the processor, too
    options.log_severity_level = 3  # errors
    try:
        refuse_changed(path)
        return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen
        raise RuntimeError(f"{path} cannot be read as a model: {_first_line(error)}") from error


def _threads_asked_for() -> int:
    """OMP_NUM_THREADS, which may be a list for nested loops; 0: it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdigit() else 0


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
