"""`fundus predict --ray` on a Ray of this machine: the rows of the plain command, and how it goes on."""

import csv
import json
import shutil
import sys
from functools import partial

import pytest

from fundus_plugins import FundusPredictor
from fundus_plugins.cli.main import main
from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.prediction.run.options import Options
from tests.prediction.run.photographs import draw

ray = pytest.importorskip("ray", reason="--ray needs Ray")
pytest.importorskip("ray.data", reason="--ray needs Ray Data")

from fundus_plugins.prediction.cluster.connection import LOCAL, connected  # noqa: E402
from fundus_plugins.prediction.cluster.parts import Parts  # noqa: E402

PHOTOGRAPHS = 12


@pytest.fixture(scope="module", autouse=True)
def on_ray():
    with connected(LOCAL, 2):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    draw(folder / "in", PHOTOGRAPHS, 200)
    (folder / "in" / "broken.jpg").write_bytes(b"no photograph")
    return folder


def predict(*words):
    return main(["predict", *map(str, words)])


@pytest.fixture(scope="module")
def plain(folder):
    assert predict(folder / "in", "--output", folder / "plain", "--write", "csv", "--workers", 1) == 1
    return folder / "plain"


@pytest.fixture(scope="module")
def done(folder):
    assert predict(folder / "in", "--ray", "--output", folder / "out") == 1
    return folder / "out"


def rows(output):
    with open(output / "predictions.csv", newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def records(output):
    parts = Parts(output)
    return {x["id"]: x for number in parts.numbers() for x in parts.read(number)}


def copied(done, tmp_path):
    return shutil.copytree(done, tmp_path / "out")


@pytest.mark.slow
def test_the_rows_are_those_of_the_plain_command(plain, done, capsys):
    assert rows(done) == rows(plain) and len(rows(done)) == PHOTOGRAPHS + 1
    lines = map(json.loads, (plain / "predictions.jsonl").read_text().splitlines())
    theirs, ours = {x["id"]: x for x in lines}, records(done)
    for record in (*theirs.values(), *ours.values()):
        del record["seconds"]
    assert ours == theirs and len(Parts(done).numbers()) == 2
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(done / "predictions.parquet")
    assert sorted(table["id"].to_pylist()) == sorted(theirs)
    assert {"eye0.png", "broken.jpg"} <= set(table["id"].to_pylist()) and "eye0.png" in (
        done / "report.html"
    ).read_text()
    assert not list(done.rglob(".*.part"))


@pytest.mark.slow
def test_only_what_is_missing_or_failed_is_done_again(folder, done, tmp_path, capsys):
    output = copied(done, tmp_path)
    before = records(output)
    first, second = sorted((output / "predictions.parquet").iterdir())
    gone = {x["id"] for x in Parts(output).read(0)}
    first.unlink()
    assert predict(folder / "in", "--ray", "--output", output) == 1
    told = capsys.readouterr()
    there = PHOTOGRAPHS + 1 - len(gone) - ("broken.jpg" not in gone)
    assert f"{PHOTOGRAPHS} photographs ({there} done before)" in told.out and told.err.count("failed: ") == 1
    after = records(output)
    assert set(after) == set(before)
    assert {x for x in after if after[x]["seconds"] != before[x]["seconds"]} <= gone | {"broken.jpg"}


@pytest.mark.slow
def test_a_grown_list_and_a_mended_photograph(folder, done, tmp_path, capsys):
    output = copied(done, tmp_path)
    shutil.copytree(folder / "in", tmp_path / "in", copy_function=shutil.copy2)
    assert predict(tmp_path / "in", "--ray", "--output", output) == 2  # the same ids, in another folder
    assert "holds a photograph" in capsys.readouterr().err
    shutil.copy(folder / "in" / "eye3.png", folder / "in" / "new.png")
    broken = (folder / "in" / "broken.jpg").read_bytes()
    try:
        shutil.copy(folder / "in" / "eye3.png", folder / "in" / "broken.jpg")
        before = records(output)
        assert predict(folder / "in", "--ray", "--output", output) == 0
        after = records(output)
    finally:
        (folder / "in" / "new.png").unlink()
        (folder / "in" / "broken.jpg").write_bytes(broken)
    assert set(after) == {*before, "new.png"} and after["broken.jpg"]["status"] == "measured"
    assert {x for x in before if after[x] != before[x]} == {"broken.jpg"}


@pytest.mark.slow
def test_urls_are_read_and_written(folder, plain, tmp_path, capsys):
    text = "".join(f"file://{folder}/in/{x}\n" for x in ("eye1.png", "broken.jpg")) + f"{folder}/in/eye2.png\n"
    (tmp_path / "list.csv").write_text("path\n" + text)
    assert predict(tmp_path / "list.csv", "--ray", "--output", f"file://{tmp_path}/out") == 1
    assert f"failed: unreadable photograph: file://{folder}/in/broken.jpg: expected" in capsys.readouterr().err
    found = records(f"file://{tmp_path}/out")
    assert sorted(x.name for x in (tmp_path / "out").iterdir()) == ["predictions.parquet", "run.json"]
    lines = map(json.loads, (plain / "predictions.jsonl").read_text().splitlines())
    theirs = {x["id"]: x for x in lines}
    one, two = found[f"file://{folder}/in/eye1.png"], found[f"{folder}/in/eye2.png"]
    ours_alone = ("id", "path", "seconds", "stamp")
    assert {k: v for k, v in one.items() if k not in ours_alone} == {
        k: v for k, v in theirs["eye1.png"].items() if k not in ours_alone
    }
    assert one["path"] == f"file://{folder}/in/eye1.png" and two["vcdr"] == theirs["eye2.png"]["vcdr"]
    assert predict(f"file://{folder}/in", "--ray", "--output", tmp_path / "all") == 1
    assert set(records(tmp_path / "all")) == set(theirs)


@pytest.mark.slow
def test_files_of_each_photograph_are_written_too(folder, tmp_path):
    output = tmp_path / "out"
    assert (
        predict(folder / "in" / "eye0.png", "--ray", "--output", output, "--write", "overlays", "report", "parquet")
        == 0
    )
    (record,) = records(output).values()
    assert (output / record["files"]["overlay"]).is_file() and (output / record["pictures"]["photograph"]).is_file()
    assert (output / "predictions.parquet").is_dir() and not (output / "predictions.csv").exists()
    (output / record["files"]["overlay"]).unlink()
    assert (
        predict(folder / "in" / "eye0.png", "--ray", "--output", output, "--write", "overlays", "report", "parquet")
        == 0
    )
    assert (output / record["files"]["overlay"]).is_file()
    assert predict(folder / "in" / "eye1.png", "--ray", "--output", output, "--overwrite") == 0
    assert set(records(output)) == {"eye1.png"} and not list((output / "overlays").iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--mm-per-pixel", "0.01", "--ray", "--output", "{done}"], "holds a run with other mm_per_pixel"),
        (["--output", "{done}"], "holds a run of --ray"),
        (["--ray", "--output", "{plain}"], "holds a run without --ray"),
        (["--output", "s3://bucket/out"], "needs a folder"),
        (["--ray", "--output", "s3://bucket/out", "--write", "csv"], "--write csv needs a folder"),
        (["--ray", "--output", "{done}", "--write", "jsonl"], "column record"),
        (["--ray=ray://head:10001", "--output", "{done}"], "expected auto, or the host:port"),
    ],
)
def test_what_does_not_go_together_is_one_line(folder, plain, done, words, line, capsys):
    words = [x.format(plain=plain, done=done) for x in words]
    assert predict(folder / "in", *words) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and line in told and told.count("\n") == 1


@pytest.mark.slow
def test_what_is_wrong_on_a_machine_is_one_line(folder, done, tmp_path, capsys):
    output = copied(done, tmp_path)
    part = sorted((output / "predictions.parquet").iterdir())[0]
    part.write_bytes(part.read_bytes()[:100])
    assert predict(folder / "in", "--ray", "--output", output) == 2
    told = capsys.readouterr().err
    assert f"{part} is damaged" in told and told.count("\n") == 1
    assert predict(folder / "in" / "eye0.png", "--ray", "--output", output, "--overwrite") == 0
    assert set(records(output)) == {"eye0.png"}


@pytest.mark.parametrize("weights", ["mine.onnx", ""])
def test_weights_that_do_not_fit_or_cannot_be_read_stop_the_run(folder, tmp_path, weights):
    from fundus_plugins.prediction.cluster.pool import Place
    from fundus_plugins.prediction.cluster.run import predict_on_ray

    file = tmp_path / "mine.onnx"
    file.write_bytes(b"no model")
    place = Place(workers=1, weights=str(file) if weights else "")
    sources = list_sources([folder / "in" / "eye0.png"])
    with pytest.raises(
        (ValueError, RuntimeError), match="is another file on" if weights else "cannot be read as a model"
    ):
        predict_on_ray(
            partial(FundusPredictor, str(file)), sources, tmp_path / "out", Options(()), place, made={"weights": "abc"}
        )


def test_without_ray_one_line_says_how_to_get_it(folder, tmp_path, monkeypatch, capsys):
    from fundus_plugins.prediction.cluster import connection

    monkeypatch.setattr(connection, "find_spec", lambda name: None if name == "ray" else sys.modules)
    assert predict(folder / "in", "--ray", "--output", tmp_path) == 2
    assert capsys.readouterr().err == "error: --ray needs Ray: pip install 'fundus-plugins[ray]'\n"
