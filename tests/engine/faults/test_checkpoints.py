"""Checkpoints that are damaged, cut off by a full disk, or of another model: the newest whole one counts."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fundus_plugins.engine.checkpoint import FundusCheckpointer, checkpoints, is_whole
from fundus_plugins.engine.train import train
from tests.conftest import ROOT
from tests.engine.faults.conftest import Stopped, weights


def cut(path: Path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 64):
        data[place] ^= 0xFF
    path.write_bytes(data)


DAMAGE = {"cut": cut, "empty": lambda x: x.write_bytes(b""), "flipped": flip, "gone": Path.unlink}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_resumed(trained, damage, steps, caplog):
    before = weights(trained.OUTPUT_DIR)
    for name in ("model_final", "model_0000003"):
        damage(Path(trained.OUTPUT_DIR, f"{name}.pth"))
    Path(trained.OUTPUT_DIR, "model_best.pth").unlink()  # it would do as well
    train(trained, resume=True)
    assert len(steps) == 1 and "cannot go on from" in caplog.text and "model_final.pth" in caplog.text
    assert "going on from" in caplog.text and "model_0000002.pth" in caplog.text
    after = weights(trained.OUTPUT_DIR)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_where_no_checkpoint_is_whole_it_does_not_begin_anew(trained):
    for path in checkpoints(trained.OUTPUT_DIR):
        path.write_bytes(b"")
    with pytest.raises(RuntimeError, match="model_final.pth cannot be read as weights"):
        train(trained, resume=True)


def test_a_torn_pointer_is_passed_over_and_one_that_is_gone_is_not_missed(trained, steps, caplog):
    pointer = Path(trained.OUTPUT_DIR, "last_checkpoint")
    for damage in (lambda: pointer.write_text(""), pointer.unlink):
        damage()
        train(trained, resume=True)
        assert not steps and is_whole(Path(trained.OUTPUT_DIR, "model_final.pth"))


def test_nothing_to_go_on_from_is_told(config, steps, caplog):
    train(config("DATASETS.TEST", (), "SOLVER.MAX_ITER", 1), resume=True)
    assert "no checkpoint to go on from; training begins at iteration 0" in caplog.text


def test_a_run_killed_after_its_last_step_still_writes_its_last_weights(trained, steps):
    Path(trained.OUTPUT_DIR, "model_final.pth").write_bytes(b"")
    Path(trained.OUTPUT_DIR, "last_checkpoint").write_text("model_0000003.pth")
    train(trained, resume=True)
    assert not steps and is_whole(Path(trained.OUTPUT_DIR, "model_final.pth"))


def test_damaged_best_weights_are_told_and_replaced(trained, caplog):
    best = Path(trained.OUTPUT_DIR, "model_best.pth")
    cut(best)
    train(trained, resume=True)
    assert "model_best.pth is gone or damaged" in caplog.text and is_whole(best)


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), Stopped()], ids=["full", "killed"])
def test_what_stops_a_checkpoint_leaves_the_one_before(config, monkeypatch, fault):
    save = torch.save

    def half(data, file):
        if data["iteration"] == 2:
            file.write(b"half of it")
            raise fault
        save(data, file)

    monkeypatch.setattr(torch, "save", half)
    cfg = config("TEST.EVAL_PERIOD", 0)
    with pytest.raises(type(fault)) as raised:
        train(cfg)
    there = {path.name for path in Path(cfg.OUTPUT_DIR).glob("*") if path.suffix in (".pth", ".part")}
    assert there == {"model_0000000.pth", "model_0000001.pth"}
    assert Path(cfg.OUTPUT_DIR, "last_checkpoint").read_text() == "model_0000001.pth"
    if isinstance(fault, OSError):
        assert "No space left on device" in str(raised.value) and "model_0000002.pth" in str(raised.value)


def test_a_real_full_disk(tmp_path):
    """A limit on a file's size fails a write as a full disk does."""
    code = (
        "import resource, signal, torch\n"
        "from fundus_plugins.engine.checkpoint import FundusCheckpointer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"saver = FundusCheckpointer(torch.nn.Linear(400, 400), {str(tmp_path)!r})\n"
        "saver.save('model_0000000')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))\n"
        "try: saver.save('model_0000001')\n"
        "except OSError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "the checkpoint before it is whole" in done.stdout and "model_0000001.pth" in done.stdout, done
    assert {x.name for x in tmp_path.iterdir()} == {"model_0000000.pth", "last_checkpoint"}
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000000.pth"


def test_weights_of_another_model_are_not_resumed(trained):
    trained.MODEL.FPN.OUT_CHANNELS = 8
    with pytest.raises(ValueError, match="model_final.pth is of another model.*tensors, such as backbone.*expected"):
        train(trained, resume=True)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    model = torch.nn.Linear(2, 2)
    saver = FundusCheckpointer(model, str(tmp_path))
    saver.save("model_0000000")
    model.weight.data[0, 0] = float("inf")
    with pytest.raises(FloatingPointError, match="no longer finite .weight., and model_0000001 is not saved"):
        saver.save("model_0000001")
    assert [x.name for x in checkpoints(tmp_path)] == ["model_0000000.pth"]


def test_weights_alone_are_no_checkpoint(config, caplog):
    cfg = config()
    os.makedirs(cfg.OUTPUT_DIR)
    torch.save({"model": {}}, Path(cfg.OUTPUT_DIR, "model_best.pth"))
    with pytest.raises(RuntimeError, match="model_best.pth holds weights alone, and no state of a training"):
        train(cfg, resume=True)
