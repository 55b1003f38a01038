"""Where the time of a training on a CPU goes: reading, convolutions forwards and backwards, all the rest, evaluation.

    python docs/scripts/profile_training.py --config-file rfnet_drishti_cpu.yaml --output training_profile
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python docs/scripts/profile_training.py ...  # as with AVX2 alone

The config's own sets, on one thread unless OMP_NUM_THREADS says otherwise, photographs read in this process; the second
pass over the photographs, when the cache is filled. Convolutions are what PyTorch's profiler says they take themselves,
of steps of their own: it slows the small operations, so those are what is left of an unprofiled step.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from detectron2.data import DatasetCatalog  # noqa: E402
from detectron2.evaluation import inference_on_dataset  # noqa: E402
from detectron2.utils.events import EventStorage  # noqa: E402
from processor import processor  # noqa: E402
from tabulate import tabulate  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from fundus_plugins import get_fundus_cfg  # noqa: E402
from fundus_plugins.data.registration import register_fundus_datasets  # noqa: E402
from fundus_plugins.engine.autocast import CPUAutocastTrainer  # noqa: E402
from fundus_plugins.engine.memory import keep_freed_memory  # noqa: E402
from fundus_plugins.engine.precision import resolve_precision  # noqa: E402
from fundus_plugins.engine.trainer import FundusTrainer  # noqa: E402
from fundus_plugins.files import atomic_write  # noqa: E402
from fundus_plugins.provenance import command_line, current_commit  # noqa: E402

FORWARDS = ("aten::mkldnn_convolution", "aten::_slow_conv2d_forward", "aten::addmm", "aten::mm")
BACKWARDS = ("aten::convolution_backward", "aten::mkldnn_convolution_backward", "aten::_slow_conv2d_backward")
PROFILED = 5  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config-file", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--output", type=Path, help="without suffix; default: the screen alone")
    parser.add_argument("keys", nargs="*", metavar="KEY VALUE")
    chosen = parser.parse_args()
    register_fundus_datasets()
    own = ["MODEL.DEVICE", "cpu", "DATALOADER.NUM_WORKERS", "0"]
    cfg = get_fundus_cfg(chosen.config_file, [*own, *chosen.keys])
    keep_freed_memory(of_any_size=True)  # as the trainer does
    model = FundusTrainer.build_model(cfg)
    optimizer = FundusTrainer.build_optimizer(cfg, model)
    batches = iter(FundusTrainer.build_train_loader(cfg))
    precision = resolve_precision(cfg.SOLVER.AMP.PRECISION if cfg.SOLVER.AMP.ENABLED else "float32", "cpu")
    reading, stepping = [], []
    photographs = sum(len(DatasetCatalog.get(x)) for x in cfg.DATASETS.TRAIN)
    first_pass = -(-photographs // cfg.SOLVER.IMS_PER_BATCH)
    for number in range(first_pass + chosen.steps):
        began = time.perf_counter()
        batch = next(batches)
        read = time.perf_counter()
        if number >= first_pass:
            step(model, optimizer, batch, precision)
            reading.append(read - began)
            stepping.append(time.perf_counter() - read)
    seconds, reads = statistics.median(stepping), statistics.median(reading)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(PROFILED):
            step(model, optimizer, batch, precision)
    own_time = {x.key: x.self_cpu_time_total / 1e6 / PROFILED for x in profiler.key_averages()}
    forwards, backwards = (sum(own_time.get(x, 0) for x in names) for names in (FORWARDS, BACKWARDS))
    model.eval()
    name = cfg.DATASETS.TEST[0]
    evaluator, loader = FundusTrainer.build_evaluator(cfg, name), FundusTrainer.build_test_loader(cfg, name)
    began = time.perf_counter()
    inference_on_dataset(model, loader, evaluator)
    evaluation = (time.perf_counter() - began) / len(loader.dataset)
    rows = [
        ["reading a batch", reads],
        ["a step", seconds],
        ["  of it convolutions and linear layers, forwards", forwards],
        ["  of it the same, backwards", backwards],
        ["  of it everything else", seconds - forwards - backwards],
    ]
    lines = [[name, f"{value:.3f}", f"{100 * value / (seconds + reads):.0f} %"] for name, value in rows]
    lines.append(["evaluating a photograph", f"{evaluation:.3f}", ""])
    held = [f"{x}={os.environ[x]}" for x in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY") if x in os.environ]
    precise = str(precision).removeprefix("torch.")
    text = f"""# Where the time of a training goes

{Path(chosen.config_file).name}, {precise}, {torch.get_num_threads()} thread; {cfg.SOLVER.IMS_PER_BATCH} photographs a
step; medians of {len(stepping)} steps. {processor()}{"; held to AVX2" if held else ""}.

{tabulate(lines, ["", "seconds", "of a step with its reading"], "github", disable_numparse=True)}

Commit {current_commit()}:

    {" ".join([*held, command_line()])}
"""
    print(text, file=sys.stderr if chosen.output else sys.stdout)
    if chosen.output:
        with atomic_write(chosen.output.with_suffix(".md")) as file:
            file.write(text)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: list[dict], precision: torch.dtype) -> None:
    with EventStorage():
        CPUAutocastTrainer(model, [batch], optimizer, precision).run_step()


if __name__ == "__main__":
    main()
