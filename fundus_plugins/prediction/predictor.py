"""FundusPredictor: a photograph in; the optic disc, the optic cup and the vertical cup-to-disc ratio out."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.shape import ellipse_iou, regular_disc_and_cup, towards_ellipses
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction.looks import Found, Looks, Prepared
from fundus_plugins.prediction.settings import Settings

if TYPE_CHECKING:
    from detectron2.config import CfgNode

READ_AHEAD = 2  # photographs
PACKAGED = Path(__file__).parents[1] / "weights" / "rfnet_any_camera.onnx"
AnyPath = TypeVar("AnyPath", bound=str | os.PathLike)

NO_DISC, AT_EDGE = "no disc", "cut off by the edge"
AGREEMENT, SHAPE = "views disagree", "not the shape of a disc"


@dataclass(frozen=True)
class FundusPrediction:
    """What was found in one photograph of H x W pixels.

    Attributes:
        disc, cup: (H, W) bool, the cup within the disc; empty where nothing was found. With TEST.REGULAR_SHAPE of
            the shape that `regular_disc_and_cup` gives, with TEST.ELLIPSE_WEIGHT then drawn `towards_ellipses`.
        score: of the detected disc, 0 to 1; nan where none was detected.
        vcdr: vertical cup-to-disc ratio; nan without a disc.
        vcdr_interval: TEST.VCDR_MARGIN to either side of it, within 0 to 1; nan without a disc or a margin, and for a
            disc that the picture's edge cuts off.
        agreement: of the flips, or of the two looks, 0 to 1 (see `Looks`), 0 if the crop does not show the
            disc again; nan without a disc or with one view.
        ellipse: how much like an ellipse the disc was before that, 0 to 1 (`ellipse_iou`); nan without a disc.
        flags: why someone should review it, of NO_DISC, AT_EDGE, AGREEMENT (below TEST.FLAG_BELOW) and SHAPE (`ellipse`
            below TEST.FLAG_ELLIPSE_BELOW: other bright things are rarely ellipses).
        box: (4,) float64 XYXY, of the detection, pixels of the photograph; nan where nothing was detected.
    """

    disc: np.ndarray
    cup: np.ndarray
    score: float
    vcdr: float
    vcdr_interval: tuple[float, float]
    agreement: float
    ellipse: float
    flags: tuple[str, ...]
    box: np.ndarray

    @property
    def flagged(self) -> bool:
        """Whether someone should review it."""
        return bool(self.flags)


class Finder(Protocol):
    """What detects disc and cup in photographs; `Looks`, or `Detections` of another model."""

    def prepare(self, photograph: np.ndarray) -> Prepared: ...

    def find(self, batch: Sequence[Prepared]) -> list[Found]: ...


class FundusPredictor:
    """Runs a trained model on photographs.

    With PyTorch the batch norms are folded, and it computes channels-last in TEST.PRECISION. With TEST.FLIPS or
    TEST.CROP the model sees each photograph in several views; it is then RF-Net.

    Args:
        source: a full config, whose MODEL.WEIGHTS names the trained checkpoint, for PyTorch; or the path of a file of
            `fundus export` (.onnx), for onnxruntime; the packaged one unless told otherwise.
        threads: of onnxruntime, see OnnxEngine; PyTorch has its own setting.

    Raises:
        FileNotFoundError, RuntimeError: no such weights, or they do not fit.
        ValueError: an unknown TEST.FLIPS.
    """

    finder: Finder

    def __init__(self, source: "CfgNode | str | os.PathLike" = PACKAGED, *, threads: int | None = None):
        if isinstance(source, str | os.PathLike):
            from fundus_plugins.prediction.onnx_engine import OnnxEngine

            engine = OnnxEngine(source, threads)
            self.settings = engine.settings
            self.finder = Looks(engine, self.settings)
        else:
            from fundus_plugins.prediction.torch_engine import Detections, TorchEngine, load_model

            self.settings = Settings.of(source)
            model = load_model(source)
            looks = TorchEngine(model, self.settings.flips, source.INPUT.FORMAT)
            one = self.settings.flips == "none" and not self.settings.crop
            self.finder = Detections(model, source) if one else Looks(looks, self.settings)

    def __call__(self, image: np.ndarray) -> FundusPrediction:
        """Predict for an (H, W, 3) uint8 RGB photograph of any size."""
        return self.predict_prepared([self.prepare(image)])[0]

    def predict_files(
        self, paths: Iterable[AnyPath]
    ) -> Iterator[tuple[AnyPath, np.ndarray | None, FundusPrediction | Exception]]:
        """Predict for photographs on disk, reading the next ones while the model is at work.

        Yields, in the order of `paths`: the path, the photograph (H, W, 3) uint8 RGB, and what was found; or the path,
        None or the photograph, and the exception of a file that could not be read or predicted.
        """

        def read(path):
            try:
                image = read_photograph(path)
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
        return [measure(found, self.settings) for found in self.finder.find(batch)]


def measure(found: Found, settings: Settings) -> FundusPrediction:
    """The masks in the shape that `settings` ask for, and what is measured of them."""
    disc, cup = found.disc, found.cup
    if settings.regular_shape:
        disc, cup = regular_disc_and_cup(disc, cup)
    ellipse = ellipse_iou(disc)
    if settings.ellipse_weight:
        disc, cup = towards_ellipses(disc, cup, settings.ellipse_weight)
    vcdr = vertical_cup_to_disc_ratio(disc, cup) if disc.any() else float("nan")
    at_edge = bool(disc[[0, -1]].any() or disc[:, [0, -1]].any())
    margin = float("nan") if at_edge else settings.vcdr_margin or float("nan")
    interval = float(np.clip(vcdr - margin, 0, 1)), float(np.clip(vcdr + margin, 0, 1))
    flags = {
        NO_DISC: not disc.any(),
        AT_EDGE: at_edge,
        AGREEMENT: found.agreement < settings.flag_below,
        SHAPE: ellipse < settings.flag_ellipse_below,
    }
    there = tuple(flag for flag, there in flags.items() if there)
    return FundusPrediction(disc, cup, found.score, vcdr, interval, found.agreement, ellipse, there, found.box)
