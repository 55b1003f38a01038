"""The `fundus` command: its help is fast and light, its errors are one line, its options mean the same everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click

from fundus_plugins.cli import options
from fundus_plugins.cli.main import COMMANDS, fundus, main
from fundus_plugins.cli.predict import split_words
from tests.conftest import ROOT

TRAIN = ("train", "--config-file", "rfnet_refuge.yaml")
HEAVY = {"torch", "detectron2", "cv2", "pandas", "sklearn", "scipy", "matplotlib", "timm"}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    loaded = python(
        f"import sys\nfrom fundus_plugins.cli.main import main\ncode = main({arguments})\nprint(*sys.modules, code)"
    ).splitlines()[-1]
    assert loaded.endswith(" 0") and not HEAVY & set(loaded.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"fundus {name}" in text and "--help" in text
    with click.Context(fundus) as ctx:
        command = fundus.get_command(ctx, name)
    assert command.name == name and command.help.strip()


def test_options_of_one_name_mean_the_same():
    """One spelling, one kind of value: --output is a path everywhere, --dataset a name."""
    kinds: dict[str, set[str]] = {}
    with click.Context(fundus) as ctx:
        for name in COMMANDS:
            for option in fundus.get_command(ctx, name).params:
                for spelling in getattr(option, "opts", []):
                    kinds.setdefault(spelling, set()).add(option.type.name)
    assert kinds["--config-file"] == kinds["--dataset"] == kinds["--weights"] == {"text"}
    assert kinds["--output"] <= {"path", "text"}  # robustness writes two files of that name


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["predcit"], "no command 'predcit'. Did you mean predict?"),
        (["train"], "give --config-file or --from-run, one of them"),
        (
            ["train", "--config-file", "nothing.yaml"],
            "no config nothing.yaml: expected a file, or one of",
        ),
        ([*TRAIN, "--reusme"], "No such option '--reusme'. Did you mean '--resume'?"),
        ([*TRAIN, "SOLVER.MAX_ITER"], "SOLVER.MAX_ITER has no value"),
        ([*TRAIN, "max_iter", "3"], "found 'max_iter'"),
        (
            ["train", "--config-file", "rfnet_refuge.yaml", "SOLVER.MAX_ITERS", "3"],
            "Non-existent key: SOLVER.MAX_ITERS",
        ),
        (
            ["train", "--config-file", "rfnet_refuge.yaml", "SOLVER.MAX_ITER", "soon"],
            "rfnet_refuge.yaml: Type mismatch",
        ),
        ([*TRAIN, "OUTPUT_DIR", "-path"], "No such option '-path'"),
        (
            ["predict", __file__, "--output", "o", *TRAIN[1:], "MODEL.META_ARCHITECTURE", "Nope"],
            "No object named 'Nope'",
        ),
        (["robustness", "--runs", "--output", "o"], "Option '--runs' requires a value"),
        (["robustness", "--output", "o", "--runs"], "Option '--runs' requires a value"),
        (["robustness", "--runs", "nowhere", "--output", "o"], "nowhere is no run: there is no config.yaml in it"),
        (["release", "--run", "nowhere", "--output", "o", "--command", "c"], "nowhere is no run"),
        (["predict", "--output", "out"], "no photographs given"),
        (["predict", "nowhere.jpg", "--output", "out"], "no photographs at nowhere.jpg"),
        (["predict", "--weights", "a.pkl", __file__, "--output", "out"], "no file 'a.pkl'"),
        (["evaluate", "--gt", "nowhere", "--pred", "nowhere"], "no masks: nowhere"),
        (["table", "--table", "nowhere.yaml", "--dataset", "x", "--output", "out"], "nowhere.yaml"),
    ],
)
def test_errors_are_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1, error


def test_a_traceback_where_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("FUNDUS_TRACEBACK", "1")
    assert main(["evaluate", "--gt", "nowhere", "--pred", "nowhere"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_photographs_and_keys_may_be_mixed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("a.jpg", "TEST.FLIPS", "none", "IMG_0001.JPG", "SEED", "-1", "b")
    assert split_words(words) == (
        [Path("a.jpg"), Path("IMG_0001.JPG"), Path("b")],
        ["TEST.FLIPS", "none", "SEED", "-1"],
    )
    assert split_words(("TEST.JPG", "x"))[0] == []
    (tmp_path / "TEST.JPG").touch()  # a file of that name is a file
    assert split_words(("TEST.JPG", "x")) == ([Path("TEST.JPG"), Path("x")], [])


def test_options_of_several_values(tmp_path):
    seen = {}

    @click.command(cls=options.Command)
    @click.option("--runs", cls=options.Several)
    @click.option("--output")
    @options.overrides_argument
    def command(**given):
        seen.update(given)

    def parse(*words):
        seen.clear()
        command.main(list(words), standalone_mode=False)
        return seen["runs"], seen["output"], seen["overrides"]

    assert parse("--runs", "a", "b", "--output", "o", "SEED", "-1") == (("a", "b"), "o", ("SEED", "-1"))
    assert parse("--runs", "a", "--runs=b", "SEED", "3", "--output", "o") == (("a", "b"), "o", ("SEED", "3"))
    with pytest.raises(click.NoSuchOption, match="--outptu"):
        parse("--runs", "a", "--outptu", "o")
    assert parse("--output", "o", "--", "--strange.jpg", "-x") == ((), "o", ("--strange.jpg", "-x"))


def test_a_key_is_a_key_though_a_file_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SEED").mkdir()
    assert options.pairs(["SEED", "3"]) == ["SEED", "3"]


def test_what_nobody_thought_of_stops_with_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr("fundus_plugins.experiments.submission.score_folders", lambda *args: 1 + "a")
    assert main(["evaluate", "--gt", "a", "--pred", "b"]) == 2
    assert "Traceback" in (error := capsys.readouterr().err) and error.endswith("report it with the lines above\n")


@pytest.mark.parametrize(
    "words, place, offered", [("fundus pre", "1", "plain,predict"), ("fundus train --res", "2", "plain,--resume")]
)
def test_shell_completion_knows_commands_and_options(words, place, offered):
    environment = {"_FUNDUS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    code = "from fundus_plugins.cli.main import run; run()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert offered in done.stdout, done.stdout + done.stderr


def test_doctor(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    (tmp_path / "refuge").mkdir()
    (tmp_path / "refuge" / "val.json").touch()
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "prediction: everything that it needs is there" in text and "training: everything" in text
    assert "refuge: val" in text and "fundus://rfnet_any_camera.safetensors" in text and str(tmp_path) in text


def test_what_predict_does_not_read_is_told(tmp_path, capsys):
    from fundus_plugins.cli.predict import list_unused
    from fundus_plugins.photographs.listing import list_sources

    for name in ("a.jpg", "b.heic", "._a.jpg", "notes.txt", "sub/c.png", "out/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = [x.path for x in list_sources([tmp_path])]
    assert [x.name for x in files] == ["a.jpg"]
    (line,) = list_unused([tmp_path], files, tmp_path / "out")
    assert "unread kind of file" in line and "1 file .heic" in line
    assert capsys.readouterr().err == f"not searched: {tmp_path / 'sub'}, 1 picture; name it, too, or say --recursive\n"
