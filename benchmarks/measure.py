"""The measurements, each as plain numbers that JSON can hold."""

import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.contender import Contender, predict_files
from benchmarks.counting import count_work, reference_convolution
from benchmarks.machine import in_own_process, peak_bytes, resident_bytes, set_threads
from benchmarks.peers import peer_contenders
from benchmarks.rfnet import RCNN_PARTS, rfnet_contenders, stock_name, type_name
from benchmarks.settings import Settings
from benchmarks.timing import interleave
from benchmarks.training import Training, training_contenders
from fundus_plugins.measures.overlap import dice

CONVOLUTION = "3 x 3 convolution, {}"


def build_all(builders: dict[str, Callable], warm_up: Callable) -> tuple[dict, dict[str, str], list[str]]:
    """What could be built and run; why the others could not; which of those failed, for a missing extra is no failure.

    Args:
        warm_up: called with each thing built, so that its first, slow call is not timed.
    """
    built, missing, failed = {}, {}, []
    for name, build in builders.items():
        try:
            contender = build()
            warm_up(contender)
            built[name] = contender
        except ImportError as error:
            missing[name] = str(error)
        except Exception as error:  # one contender must not cost the others
            missing[name] = f"{type(error).__name__}: {error}"
            failed.append(f"{name}: {missing[name]}")
    return built, missing, failed


def inference_builders(settings: Settings) -> dict[str, Callable[[], Contender]]:
    """Every contender at inference."""
    return rfnet_contenders(settings) | peer_contenders(settings)


def measure_model(contenders: dict[str, Contender], photographs: list[str], repeats: int) -> dict[str, dict]:
    """Seconds an image of each contender without reading, its work, and those of the reference convolutions."""
    runs, convolutions = {}, _convolutions(contenders)
    for name, contender in contenders.items():
        prepared = [contender.prepare(path) for path in photographs]
        runs[name] = lambda contender=contender, prepared=prepared: [contender.predict(x) for x in prepared]
    seconds = interleave(
        runs | {name: run for name, (run, *_) in convolutions.items()}, repeats, description="model only"
    )
    rows = {}
    for name, contender in contenders.items():
        rows[name] = {
            "precision": type_name(contender.precision),
            "work": count_work(contender.model, contender.parts, runs[name], len(photographs)),
            "model_seconds": [x / len(photographs) for x in seconds[name]],
        }
    return rows | _rates(convolutions, seconds)


def measure_files(contenders: dict[str, Contender], photographs: list[str], repeats: int) -> dict[str, dict]:
    """Seconds an image of each contender from file to masks."""
    runs = {
        name: lambda contender=contender: list(predict_files(contender, photographs))
        for name, contender in contenders.items()
    }
    seconds = interleave(runs, repeats, description="file to masks")
    return {
        name: {
            "precision": type_name(contenders[name].precision),
            "file_seconds": [x / len(photographs) for x in samples],
        }
        for name, samples in seconds.items()
    }


def measure_agreement(contenders: dict[str, Contender], photographs: list[str]) -> dict[str, dict]:
    """Dice between the masks of RF-Net's fast paths and those of the stock path of the same config, per photograph."""
    rows = {}
    for name, contender in contenders.items():
        stock = contenders.get(stock_name(name))
        if stock is None or stock is contender:
            continue
        pairs = list(zip(predict_files(stock, photographs), predict_files(contender, photographs)))
        rows[name] = {
            f"{mask}_agreement": [dice(fast[i], plain[i]) for plain, fast in pairs]
            for i, mask in enumerate(("disc", "cup"))
        }
    return rows


def measure_stages(contenders: dict[str, Contender], photographs: list[str], repeats: int) -> dict[str, dict]:
    """Seconds an image of each stage of the contenders that tell them apart; medians over images and repeats."""
    rows = {}
    for name, contender in contenders.items():
        if contender.stages is None:
            continue
        prepared = [contender.prepare(path) for path in photographs]
        contender.stages(prepared[0])
        found = [contender.stages(x) for _ in range(repeats) for x in prepared]
        rows[name] = {stage: statistics.median(x[stage] for x in found) for stage in found[0]}
    return rows


def measure_training(contenders: dict[str, Training], repeats: int) -> dict[str, dict]:
    """Seconds of a training step of each contender, its work forward, and the reference convolutions."""
    convolutions = _convolutions(contenders)
    runs = {name: training.step for name, training in contenders.items()}
    seconds = interleave(
        runs | {name: run for name, (run, *_) in convolutions.items()}, repeats, description="training"
    )
    rows = {}
    for name, training in contenders.items():
        rows[name] = {
            "precision": type_name(training.precision),
            "work": count_work(training.model, RCNN_PARTS, training.step),
            "step_seconds": seconds[name],
        }
    return rows | _rates(convolutions, seconds)


def _convolutions(contenders: dict) -> dict[str, tuple]:
    found = {}
    for precision in dict.fromkeys(x.precision for x in contenders.values()):
        run, count = reference_convolution(precision)
        run()  # warm up
        found[CONVOLUTION.format(type_name(precision))] = run, count, type_name(precision)
    return found


def _rates(convolutions: dict, seconds: dict) -> dict[str, dict]:
    return {
        name: {"precision": precision, "multiply_adds": count, "convolution_seconds": seconds[name]}
        for name, (_, count, precision) in convolutions.items()
    }


def measure_memory(settings: Settings, photographs: list[str], name: str, section: str) -> dict[str, dict]:
    """Bytes at most in RAM of one contender, alone in a process of its own, and what its imports alone had taken.

    Args:
        section: "inference" or "training".
    """
    return {name: in_own_process(_memory_of, settings, photographs, name, section)}


def _memory_of(settings: Settings, photographs: list[str], name: str, section: str) -> dict:
    set_threads(settings.threads)
    imports = peak_bytes()
    if section == "training":
        training = training_contenders(settings, photographs)[name]()
        for _ in range(2):
            training.step()
        precision = training.precision
    else:
        contender = inference_builders(settings)[name]()
        list(predict_files(contender, photographs[:2]))
        precision = contender.precision
    return {"precision": type_name(precision), "peak_bytes": peak_bytes(), "import_bytes": imports}


def measure_many(settings: Settings, photographs: list[str], name: str, count: int) -> dict[str, dict]:
    """From file to masks over `count` photographs in a process of its own: seconds and memory of each tenth."""
    return {name: {"tenths": in_own_process(_many, settings, photographs, name, count)}}


def _many(settings: Settings, photographs: list[str], name: str, count: int) -> list[dict]:
    set_threads(settings.threads)
    contender = inference_builders(settings)[name]()
    every, rows = max(1, count // 10), []
    endless = (photographs[i % len(photographs)] for i in range(count))
    start = time.perf_counter()
    for done, _ in enumerate(predict_files(contender, endless), 1):
        if done % every and done < count:
            continue
        seconds, resident = time.perf_counter() - start, resident_bytes()
        rows.append({"images": done, "seconds": seconds, "resident_bytes": resident})
        print(f"{done:6} images: {seconds:7.1f} s, {resident / 2**20:6.0f} MB", file=sys.stderr, flush=True)
        start = time.perf_counter()
    return rows
