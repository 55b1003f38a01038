"""`fundus train` with several processes, as a user starts it: one model, one table, one line for an error."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fundus_plugins.cli.main import main
from tests.conftest import ROOT, SMALL
from tests.engine.processes import draw_five

TRAINING = [
    *SMALL, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",), "DATASETS.CHECK", False,
    "SOLVER.WARMUP_ITERS", 1, "SOLVER.IMS_PER_BATCH", 6, "SEED", 1,
]  # fmt: skip
FUNDUS = [sys.executable, "-m", "fundus_plugins"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", 2, "-m", "fundus_plugins"]


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    return draw_five(tmp_path_factory.mktemp("five"))


@pytest.fixture(autouse=True)
def one_thread(five, monkeypatch):
    """As every process has here: with more threads the last bits may differ."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(five))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def start(datasets, *words, program=FUNDUS, **options) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DETECTRON2_DATASETS": str(datasets), "OMP_NUM_THREADS": "1"}
    command = list(map(str, [*program, "train", "--config-file", "Base-RFNet.yaml", *words]))
    options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **options)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit code and what it says on standard error, without what libraries warn of."""
    try:
        err = process.communicate(timeout=120)[1]
    finally:
        process.kill()
    return process.returncode, "\n".join(x for x in err.splitlines() if x.startswith(("error", "Traceback", "interr")))


@pytest.fixture(scope="module")
def trained(five, tmp_path_factory):
    """The folder of a run of two processes, evaluated after two iterations and after three."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["SOLVER.MAX_ITER", 3, "TEST.EVAL_PERIOD", 2, "SOLVER.CHECKPOINT_PERIOD", 2, "OUTPUT_DIR", folder]
    assert ended(start(five, "--num-processes", 2, *TRAINING, *options)) == (0, "")
    return folder


def evaluate(weights, folder):
    """In this process alone; the evaluator's folder."""
    words = ["train", "--config-file", "Base-RFNet.yaml", "--eval-only", *TRAINING, "TEST.SAVE_MASKS", "png"]
    assert main(list(map(str, [*words, "MODEL.WEIGHTS", weights, "OUTPUT_DIR", folder]))) == 0
    return folder / "evaluation"


def measured(trained) -> dict[int, dict]:
    """What the run has measured, by its iteration."""
    lines = map(json.loads, (trained / "metrics.json").read_text().splitlines())
    return {x["iteration"]: x for x in lines if "disc_cup/miou" in x}


@pytest.mark.slow
@pytest.mark.parametrize("name, iteration", [("model_0000001", 1), ("model_final", 3)])
def test_saved_weights_are_those_that_were_measured(trained, tmp_path, name, iteration):
    found = json.loads((evaluate(trained / f"{name}.pth", tmp_path) / "phantom_val_metrics.json").read_text())
    said = measured(trained)[iteration]
    assert found["images"] == 5 and len(found["metrics"]) > 50
    for key, value in found["metrics"].items():
        assert value is None or said[f"disc_cup/{key}"] == value, key  # to the bit


def files(folder: Path) -> dict[str, bytes]:
    return {str(x.relative_to(folder)): x.read_bytes() for x in folder.rglob("*") if x.is_file()}


@pytest.mark.slow
def test_three_processes_measure_what_one_does(five, trained, tmp_path):
    weights = trained / "model_best.pth"
    evaluate(weights, tmp_path / "one")
    options = ["MODEL.WEIGHTS", weights, "OUTPUT_DIR", tmp_path / "three", "TEST.SAVE_MASKS", "png"]
    assert ended(start(five, "--num-processes", 3, "--eval-only", *TRAINING, *options)) == (0, "")
    for part in ("evaluation", "masks"):
        one, three = (files(tmp_path / x / part) for x in ("one", "three"))
        assert one == three and one
    assert one.keys() == {f"phantom_val/V000{i}.png" for i in range(1, 6)}
    rows = (tmp_path / "three" / "evaluation" / "phantom_val_images.csv").read_text().splitlines()
    assert len(rows) == 6 and len({x.split(",")[0] for x in rows}) == 6


@pytest.mark.slow
def test_one_process_goes_on_with_it(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    words = [*TRAINING, "SOLVER.MAX_ITER", 4, "TEST.EVAL_PERIOD", 0, "OUTPUT_DIR", folder]
    assert main(list(map(str, ["train", "--config-file", "Base-RFNet.yaml", "--resume", *words]))) == 0
    state = torch.load(folder / "model_final.pth", weights_only=True)
    assert state["iteration"] == 3 and state["trainer"]["hooks"]["ContinueOrder"]["seen"] == 4 * 6


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_one_line(five, tmp_path):
    done = start(five, "--num-processes", 2, *TRAINING, "SOLVER.IMS_PER_BATCH", 3, "OUTPUT_DIR", tmp_path)
    line = "error: SOLVER.IMS_PER_BATCH 3: expected a multiple of the 2 processes, which share the batch"
    assert ended(done) == (2, line)


@pytest.mark.slow
def test_torchrun_trains_the_same_model(five, trained, tmp_path):
    options = ["SOLVER.MAX_ITER", 3, "TEST.EVAL_PERIOD", 2, "SOLVER.CHECKPOINT_PERIOD", 2, "OUTPUT_DIR", tmp_path]
    assert ended(start(five, *TRAINING, *options, program=TORCHRUN)) == (0, "")
    one, other = (torch.load(x / "model_final.pth", weights_only=True)["model"] for x in (trained, tmp_path))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_torchrun_says_how_many_there_are(five, tmp_path):
    code, said = ended(start(five, "--num-processes", 2, *TRAINING, "OUTPUT_DIR", tmp_path, program=TORCHRUN))
    assert code == 1 and "error: --num-processes: torchrun has started the processes" in said


@pytest.mark.slow
def test_two_machines_meet(five, tmp_path):
    """Two commands, as two machines would have them, on this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    options = [*TRAINING, "SOLVER.MAX_ITER", 2, "OUTPUT_DIR", tmp_path, "--num-machines", 2, "--dist-url", url]
    several = [start(five, "--num-processes", 1, "--machine-rank", x, *options) for x in (1, 0)]
    assert [ended(x) for x in several] == [(0, ""), (0, "")]
    assert json.loads((tmp_path / "evaluation" / "phantom_val_metrics.json").read_text())["images"] == 5


ENDS = {
    "the command is killed": (lambda parent, _: parent.kill(), -signal.SIGKILL, ""),
    "the command is ended": (lambda parent, _: parent.terminate(), -signal.SIGTERM, ""),
    "the command is interrupted": (lambda parent, _: parent.send_signal(signal.SIGINT), 130, "interrupted"),
    "Ctrl-C": (lambda parent, _: os.killpg(parent.pid, signal.SIGINT), 130, "interrupted"),
    "one process is killed": (lambda _, children: os.kill(children[1], signal.SIGKILL), 2, "error: .* ended"),
}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells whose processes there are")
@pytest.mark.parametrize("end, code, said", ENDS.values(), ids=ENDS)
def test_no_process_is_left(five, tmp_path, end, code, said):
    options = ["DATASETS.TEST", (), "SOLVER.MAX_ITER", 10_000, "SOLVER.CHECKPOINT_PERIOD", 1, "OUTPUT_DIR", tmp_path]
    heard = signal.SIG_DFL if code == 130 else signal.SIG_IGN  # as a shell's `&` has it, where it is not meant
    process = start(
        five, "--num-processes", 2, *TRAINING, *options, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, heard),
    )  # fmt: skip
    wait(lambda: (tmp_path / "model_0000001.pth").exists() or process.poll() is not None)
    children = [int(x) for x in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    children = [x for x in children if b"spawn_main" in Path(f"/proc/{x}/cmdline").read_bytes()]
    assert len(children) == 2
    end(process, children)
    found, line = ended(process)
    assert found == code and re.fullmatch(said + ".*" if said else "", line)
    wait(lambda: not any(Path(f"/proc/{x}/cmdline").exists() for x in children))


def wait(until):
    """Up to two minutes."""
    stop = time.monotonic() + 120
    while not until():
        assert time.monotonic() < stop
        time.sleep(0.1)
