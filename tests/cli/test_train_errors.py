"""`fundus train` with wrong settings: an exit code, one line that names what is wrong, no traceback anywhere."""

import re
from pathlib import Path

import pytest

from fundus_plugins.cli.main import main
from tests.conftest import SMALL

TRAINING = [
    *SMALL, "DATASETS.TRAIN", ("phantom_train",), "DATASETS.TEST", ("phantom_val",),
    "SOLVER.MAX_ITER", 2, "SOLVER.WARMUP_ITERS", 1, "DATASETS.CHECK", False,
]  # fmt: skip

# What is given, and what the line says.
WRONG = {
    "a key without a value": (["SOLVER.MAX_ITER"], "the key SOLVER.MAX_ITER has no value"),
    "an unknown key": (["SOLVER.MAXITER", 3], "Non-existent key: SOLVER.MAXITER"),
    "a value of another type": (["SOLVER.MAX_ITER", "many"], "Type mismatch .*SOLVER.MAX_ITER"),
    "no key": (["solver", 3], "expected KEY VALUE pairs"),
    "an unregistered set": (["DATASETS.TRAIN", "('phantom_trian',)"], "phantom_trian: .*did you mean phantom_train"),
    "an unregistered test set": (["DATASETS.TEST", "('nosuch',)"], "data set nosuch: nothing is registered"),
    "a set that is not made": (["DATASETS.TRAIN", "('refuge_train',)"], "make it with: fundus convert refuge"),
    "a JSON file that is not there": (["DATASETS.TRAIN", "('gone.json',)"], "gone.json: there is no such file"),
    "a set of Detectron2's without its files": (["DATASETS.TEST", "('coco_2017_val',)"], "instances_val2017.json"),
    "no training set": (["DATASETS.TRAIN", "()"], "DATASETS.TRAIN: expected at least one"),
    "grades for masks": (["DATASETS.TRAIN", "('phantom_train_grading',)"], "other categories: phantom_train_grading"),
    "weights that are not there": (["MODEL.WEIGHTS", "gone.pth"], "MODEL.WEIGHTS: no file 'gone.pth'"),
    "weights elsewhere": (["MODEL.WEIGHTS", "https://h/a.pth"], "weights are not fetched"),
    "a backbone's weights that are not there": (
        ["MODEL.FUNDUS_TIMM.WEIGHTS", "gone.pth"],
        "MODEL.FUNDUS_TIMM.WEIGHTS: no file",
    ),
    "another backbone": (["MODEL.FUNDUS_TIMM.NAME", "resnet1"], "Unknown model .resnet1"),
    "a backbone elsewhere": (["MODEL.FUNDUS_TIMM.NAME", "hf_hub:a/b"], "nothing is fetched"),
    "an unknown part": (["MODEL.ROI_HEADS.NAME", "Foo"], "No object named 'Foo' found in 'ROI_HEADS' registry"),
    "an unknown pooler": (["MODEL.RFNET.POOLING", "foo"], "MODEL.RFNET.POOLING 'foo': expected one of"),
    "an unknown loss": (["MODEL.RFNET.MASK_LOSS", "foo"], "mask loss 'foo': expected one of"),
    "an unknown optimizer": (["SOLVER.FUNDUS_OPTIMIZER", "Adam"], "SOLVER.FUNDUS_OPTIMIZER 'Adam': expected"),
    "an unknown schedule": (["SOLVER.LR_SCHEDULER_NAME", "Foo"], "Unknown LR scheduler: Foo"),
    "an unknown sampler": (["DATALOADER.SAMPLER_TRAIN", "Foo"], "DATALOADER.SAMPLER_TRAIN Foo: expected one of"),
    "an unknown device": (["MODEL.DEVICE", "tpu"], "device type at start of device string: tpu"),
    "no iterations": (["SOLVER.MAX_ITER", 0], "SOLVER.MAX_ITER: expected at least 1, found 0"),
    "no batch": (["SOLVER.IMS_PER_BATCH", 0], "SOLVER.IMS_PER_BATCH: expected at least 1, found 0"),
    "no period": (["SOLVER.CHECKPOINT_PERIOD", 0], "SOLVER.CHECKPOINT_PERIOD: expected at least 1"),
    "other masks' format": (["TEST.SAVE_MASKS", "gif"], "TEST.SAVE_MASKS 'gif': expected one of bmp, png"),
    "a misspelt metric": (["TEST.EVAL_PERIOD", 1, "TEST.BEST_METRIC", "foo"], "TEST.BEST_METRIC foo: expected"),
    "another set's share": (["DATASETS.SHARES", "['a=1']"], "DATASETS.SHARES: a is none of the training sets"),
    "unknown names": (["DATASETS.CATEGORIES", "['foo']"], "expected categories such as disc=papilla"),
    "unknown readers": (["MODEL.RFNET.READERS", "['a']"], "MODEL.RFNET.READERS: expected words"),
    "another order of colours": (["INPUT.FORMAT", "HSV"], "INPUT.FORMAT 'HSV': expected RGB or BGR"),
    "more cards than there are": (["--num-gpus", 2], "--num-gpus 2: this machine has 0"),
    "GPUs and the CPU": (["--num-processes", 2, "--num-gpus", 2], "give one of them"),
    "processes on the CPU with a GPU": (["--num-processes", 2, "MODEL.DEVICE", "cuda"], "expected MODEL.DEVICE cpu"),
    "machines that do not meet": (["--num-machines", 2], "--num-machines 2: expected --dist-url tcp://HOST:PORT"),
    "a machine too many": (["--num-machines", 2, "--machine-rank", 2], "--machine-rank 2: expected 0 to 1, for"),
    "both at once": (["--resume", "--overwrite"], "give one of them"),
    "weights to evaluate": (["--eval-only"], "MODEL.WEIGHTS: no file"),
    "a rate that diverges": (["SOLVER.BASE_LR", 1e30, "SOLVER.MAX_ITER", 9], "not finite at iteration .*jpg"),
}


@pytest.fixture
def told(phantoms, tmp_path, monkeypatch, capfd):
    """The line that `fundus train` leaves; everything else is checked here."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(phantoms))
    monkeypatch.delenv("FUNDUS_TRACEBACK", raising=False)

    def run(words, config="Base-RFNet.yaml", training=TRAINING):
        flags = [x for x in words if str(x).startswith("--")]
        numbered = ("--num-gpus", "--num-processes", "--num-machines", "--machine-rank")
        pairs = [pair for pair in zip(words, words[1:]) if pair[0] in numbered]
        flags = [x for x in flags if x not in numbered] + [x for pair in pairs for x in pair]
        rest = [x for x in words if x not in flags]
        given = ["train", "--config-file", config, *flags, *training, "OUTPUT_DIR", tmp_path / "run", *rest]
        code = main(list(map(str, given)))
        out, err = capfd.readouterr()
        others = r"W\d{4} |  |.*Warning"  # PyTorch's own
        lines = [x for x in err.splitlines() if not re.match(others, x)]
        assert code == 2 and "Traceback" not in out + err, (code, err)
        assert len(lines) == 1 and lines[0].startswith("error: "), lines
        return lines[0]

    return run


@pytest.mark.parametrize("words, message", WRONG.values(), ids=WRONG)
def test_wrong_settings(told, words, message):
    assert re.search(message, told(words))


@pytest.mark.parametrize(
    "text, message",
    [
        (b"MODEL: [\n", "while parsing"),
        (b"just text\n", "no object|'str' object"),
        (b"\xff\xfe\x00", "codec can't decode"),
        (b"_BASE_: gone.yaml\n", "No such file"),
        (b"_BASE_: mine.yaml\n", "it is based on itself"),
        (b"_BASE_: https://h/a.yaml\n", "is an address, and configs are not fetched"),
        (b"x: !!python/object/apply:os.system ['touch ran']\n", "could not determine a constructor"),
        (b"_BASE_: unsafe.yaml\n", "could not determine a constructor"),
    ],
)
def test_wrong_configs(told, tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    Path("unsafe.yaml").write_text("x: !!python/object/apply:os.system ['touch ran']\n")
    Path("mine.yaml").write_bytes(text)
    assert re.search(message, told([], "mine.yaml")) and not Path("ran").exists()
    assert "no config nowhere.yaml" in told([], "nowhere.yaml")


def test_what_is_in_the_folder(told, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model_0000001.pth").write_bytes(b"")
    assert "holds an earlier run, with model_0000001.pth: --resume goes on with it" in told([])
    assert {x.name for x in (tmp_path / "run").iterdir()} == {".run.lock", "model_0000001.pth"}
    assert "model_0000001.pth cannot be read as weights" in told(["--resume"])
    (tmp_path / "file").touch()
    assert "Not a directory" in told(["OUTPUT_DIR", tmp_path / "file" / "run"])


def test_a_process_that_ends_without_a_word(told, monkeypatch):
    from torch.multiprocessing.spawn import ProcessExitedException

    import fundus_plugins.engine.processes

    def launch(*_, **__):
        raise ProcessExitedException("process 1 terminated with signal SIGKILL", 1, 9, -9, "SIGKILL")

    monkeypatch.setattr(fundus_plugins.engine.processes, "launch_detectron2", launch)
    assert told(["--num-processes", 2]).startswith("error: process 1 ended with SIGKILL, perhaps for want of memory")
