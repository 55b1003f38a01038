"""FundusPredictor: a photograph in; the optic disc, the optic cup and the vertical cup-to-disc ratio out."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fundus_plugins.photographs.anything import Anything, as_photograph
from fundus_plugins.prediction.grading import Grader
from fundus_plugins.prediction.looks import Finder, Looks, Prepared
from fundus_plugins.prediction.maps import MapsFinder
from fundus_plugins.prediction.result import CONTRADICTION, MEASURED, FundusPrediction, measure
from fundus_plugins.prediction.settings import Settings

if TYPE_CHECKING:
    from detectron2.config import CfgNode

READ_AHEAD = 2  # photographs
PACKAGED = Path(__file__).parents[1] / "weights" / "rfnet_any_camera.onnx"
AnyPath = TypeVar("AnyPath", bound=Anything)


class FundusPredictor:
    """Runs a trained model on photographs.

    With PyTorch the batch norms are folded, and it computes channels-last in TEST.PRECISION. With TEST.FLIPS or
    TEST.CROP the model sees each photograph in several views; it is then RF-Net. With INPUT.DISC_CROP the model sees a
    square about the disc that INPUT.DISC_CROP.DETECTOR, an exported network, or else the packaged RF-Net has found.

    Args:
        source: a full config, whose MODEL.WEIGHTS names the trained checkpoint, for PyTorch; or the path of a file of
            `fundus export` (.onnx), for onnxruntime; the packaged one unless told otherwise.
        threads: of onnxruntime, see OnnxEngine; PyTorch has its own setting.
        grade: whether photographs are graded; None: with the packaged weights alone, whose outlines the grader knows.

    Raises:
        FileNotFoundError, RuntimeError: no such weights, or they do not fit.
        ValueError: an unknown TEST.FLIPS; a model that gives no disc and cup with masks, or not in several views.
    """

    finder: Finder

    def __init__(
        self,
        source: "CfgNode | str | os.PathLike" = PACKAGED,
        *,
        threads: int | None = None,
        grade: bool | None = None,
    ):
        # The packaged grader knows the packaged weights' outlines.
        packaged = isinstance(source, str | os.PathLike) and Path(source) == PACKAGED
        self.grader = Grader(threads) if (packaged if grade is None else grade) else None
        if isinstance(source, str | os.PathLike):
            from fundus_plugins.prediction.onnx_engine import OnnxEngine

            engine = OnnxEngine(source, threads)
            self.settings = engine.settings
            if self.settings.maps:
                crops = self.settings.disc_diameters > 0
                detector = FundusPredictor(PACKAGED, threads=threads, grade=False).finder if crops else None
                self.finder = MapsFinder(engine, self.settings, detector)
            else:
                self.finder = Looks(engine, self.settings)
        else:
            from fundus_plugins.prediction.torch_engine import CroppedDetections, Detections, TorchEngine, load_model

            self.settings = Settings.of(source)
            model = load_model(source)
            if source.INPUT.DISC_CROP.ABOUT != "none":
                discs = FundusPredictor(source.INPUT.DISC_CROP.DETECTOR or PACKAGED, threads=threads, grade=False)
                self.finder = CroppedDetections(model, source, discs.finder)
            elif self.settings.flips == "none" and not self.settings.crop:
                self.finder = Detections(model, source)
            else:
                self.finder = Looks(TorchEngine(model, self.settings.flips, source.INPUT.FORMAT), self.settings)

    def __call__(self, photograph: Anything) -> FundusPrediction:
        """Predict for one photograph, whatever form it has: see `as_photograph`, whose errors these are."""
        return self.predict_batch([photograph])[0]

    def predict_batch(self, photographs: Sequence[Anything]) -> list[FundusPrediction]:
        """Predict for several at once, as one by one; an error of one is raised."""
        return self.predict_prepared([self.prepare(as_photograph(x)) for x in photographs])

    def predict_files(
        self, paths: Iterable[AnyPath]
    ) -> Iterator[tuple[AnyPath, np.ndarray | None, FundusPrediction | Exception]]:
        """Predict for photographs on disk, reading the next ones while the model is at work.

        Yields, in the order of `paths`: the path, the photograph (H, W, 3) uint8 RGB, and what was found; or the path,
        None or the photograph, and the exception of a file that could not be read or predicted. Instead of a path it
        may be anything that `as_photograph` takes.
        """

        def read(path):
            try:
                image = as_photograph(path)
                return path, image, self.prepare(image)
            except Exception as error:  # one bad file must not cost the others
                return path, None, error

        def predict(path, image, prepared):
            if isinstance(prepared, Exception):
                return path, image, prepared
            try:
                return path, image, self.predict_prepared([prepared])[0]
            except Exception as error:
                return path, image, error

        with ThreadPoolExecutor(1) as reader:
            waiting: deque[Future] = deque()
            for path in paths:
                waiting.append(reader.submit(read, path))
                if len(waiting) > READ_AHEAD:
                    yield predict(*waiting.popleft().result())
            while waiting:
                yield predict(*waiting.popleft().result())

    def prepare(self, image: np.ndarray) -> Prepared:
        """What the model reads of an (H, W, 3) uint8 RGB photograph; may run in another thread than the model."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 RGB image, found {image.shape} {image.dtype}")
        return self.finder.prepare(image)

    def predict_prepared(self, batch: Sequence[Prepared]) -> list[FundusPrediction]:
        """Predict for a batch of what `prepare` gave."""
        found = self.finder.find(batch)
        measured = [measure(x, self.settings, prepared.photograph) for x, prepared in zip(found, batch)]
        return [self.graded(x, prepared.photograph) for x, prepared in zip(measured, batch)]

    def graded(self, prediction: FundusPrediction, photograph: np.ndarray) -> FundusPrediction:
        """The same with its `grade`, of an (H, W, 3) uint8 RGB photograph; as it is without a grader or a disc."""
        if self.grader is None or prediction.status != MEASURED:
            return prediction
        grade = self.grader(photograph, prediction.disc, prediction.cup)
        flags = (*prediction.flags, CONTRADICTION) if grade.contradiction else prediction.flags
        return replace(prediction, grade=grade, flags=flags)
