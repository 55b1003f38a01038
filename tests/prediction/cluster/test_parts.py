"""Blocks and parts, and what a worker does with them; without Ray."""

import json
import os
from functools import partial

import pytest

import fundus_plugins
from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.prediction.run.options import Options
from fundus_plugins.prediction.run.run import Job
from tests.prediction.run.photographs import draw

pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec", reason="parts need fsspec")

from fundus_plugins.prediction.cluster.blocks import SIZE, block_of, in_blocks, number_of_blocks  # noqa: E402
from fundus_plugins.prediction.cluster.parts import Parts, Rows  # noqa: E402
from fundus_plugins.prediction.cluster.worker import Attempts, Worker  # noqa: E402

MANIFEST = {"weights": "abc", "version": fundus_plugins.__version__, "parts": 1}
PREDICTOR = partial(fundus_plugins.FundusPredictor, threads=1, grade=False)


def records(*names):
    return [
        {"id": x, "path": f"/{x}", "status": "failed", "flagged": False, "reasons": [], "error": "no"} for x in names
    ]


def test_every_photograph_is_in_one_block_whatever_else_is_listed(tmp_path):
    sources = list_sources(draw(tmp_path, 9, 64))
    for blocks in (1, 4, 50):
        cut = in_blocks(sources, blocks)
        assert sorted(x.id for part in cut.values() for x in part) == sorted(x.id for x in sources)
        assert all(block_of(x.id, blocks) == number for number, part in cut.items() for x in part)
        fewer = in_blocks(sources[3:], blocks)
        assert all({x.id for x in fewer[number]} <= {x.id for x in cut[number]} for number in fewer)


def test_short_lists_keep_every_process_busy_and_long_ones_have_no_large_blocks():
    assert number_of_blocks(1, 8) == 1 and number_of_blocks(0, 8) == 1
    assert number_of_blocks(1000, 2) == 64 and number_of_blocks(1000, 16) == 125
    assert number_of_blocks(100_000, 2) == -(-100_000 // SIZE)


@pytest.mark.parametrize("where", ["folder", "memory://out/run"])
def test_parts_are_read_as_they_were_written(tmp_path, where):
    fsspec.filesystem("memory").store.clear()
    parts = Parts(tmp_path / "out" if where == "folder" else where)
    assert parts.numbers() == [] and parts.read(3) == [] and parts.columns(3, ["id"]) == [] and parts.manifest == {}
    parts.write(3, records("a", "b"))
    parts.write(0, records("c"))
    parts.manifest = MANIFEST
    assert parts.numbers() == [0, 3] and parts.manifest == MANIFEST
    assert parts.read(3) == records("a", "b") and parts.columns(3, ["id"])[0].to_pylist() == ["a", "b"]
    assert [x["id"] for x in Rows(parts, ["b", "c"])] == ["a", "b", "c"]  # those that are not given come first
    parts.write(3, records("d"))
    assert parts.read(3) == records("d")
    parts.remove()
    assert parts.numbers() == [] and parts.manifest == {}


def test_a_folder_of_parts_is_one_table_for_other_programs(tmp_path):
    import pyarrow.parquet

    parts = Parts(tmp_path)
    parts.write(0, records("a"))
    parts.write(1, records("b", "c"))
    (tmp_path / "predictions.parquet" / ".part-000002.parquet.x.part").write_bytes(b"half")
    table = pyarrow.parquet.read_table(tmp_path / "predictions.parquet")
    assert (
        sorted(table["id"].to_pylist()) == ["a", "b", "c"] and json.loads(table["record"][0].as_py())["error"] == "no"
    )
    parts.remove_leftovers()
    assert len(list((tmp_path / "predictions.parquet").iterdir())) == 2


def test_a_damaged_part_is_one_line_that_names_it(tmp_path):
    parts = Parts(tmp_path)
    parts.write(0, records("a"))
    file = tmp_path / "predictions.parquet" / "part-000000.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match="part-000000.parquet is damaged: .*; delete it") as error:
        parts.read(0)
    assert "\n" not in str(error.value)


@pytest.fixture
def work(tmp_path):
    """A function that makes a worker, which counts attempts by the function that is given; its parts; photographs."""
    sources = list_sources(draw(tmp_path / "in", 3, 128))
    parts = Parts(tmp_path / "out")
    parts.manifest = MANIFEST
    job = Job(tmp_path / "out", Options(()), {"weights": "abc"})

    def make(begin=lambda name: 1, manifest=MANIFEST, weights=""):
        return Worker(job, PREDICTOR, parts, manifest, weights, os.getcwd(), begin)

    return make, parts, sources


def test_a_block_is_brought_up_to_date_and_what_is_done_stays(work, tmp_path):
    make, parts, sources = work
    assert make().bring_up_to_date(0, sources[:2]) == 0
    before = parts.read(0)
    assert make().bring_up_to_date(0, sources[1:]) == 1
    after = parts.read(0)
    assert [x["id"] for x in after] == ["eye0.png", "eye1.png", "eye2.png"] and after[:2] == before
    file = tmp_path / "out" / "predictions.parquet" / "part-000000.parquet"
    written = file.stat().st_mtime_ns
    assert make().bring_up_to_date(0, sources) == 3 and file.stat().st_mtime_ns == written
    sources[2].path.write_bytes(b"no photograph any more")
    assert make().bring_up_to_date(0, sources) == 2
    assert [x["status"] for x in parts.read(0)] == ["measured", "measured", "failed"]


def test_a_photograph_at_which_processes_die_is_lost_alone(work):
    make, parts, sources = work
    attempts = Attempts()

    class Died(BaseException):
        pass

    class Deadly(fundus_plugins.FundusPredictor):
        def predict_prepared(self, batch):
            if self.left.pop(0) == "die":
                raise Died
            return super().predict_prepared(batch)

    for left in (["live", "die"], ["live", "die"], ["die"]):
        worker = make(attempts.begin)
        worker._predictor = Deadly(threads=1, grade=False)
        worker._predictor.left = left
        with pytest.raises(Died):
            worker.bring_up_to_date(0, sources)
    assert [x["status"] for x in parts.read(0)] == ["measured"]  # what was done is kept
    make(attempts.begin).bring_up_to_date(0, sources)
    assert [x["status"] for x in parts.read(0)] == ["measured", "failed", "measured"]
    assert "eye1.png: a process ended before it was done, twice" in parts.read(0)[1]["error"]


def test_machines_that_differ_stop_the_run(work, tmp_path):
    make, parts, sources = work
    with pytest.raises(ValueError, match="install one version"):
        make(manifest={**MANIFEST, "version": "0.0.1"})
    (tmp_path / "mine.onnx").write_bytes(b"other weights")
    with pytest.raises(ValueError, match="mine.onnx is another file on"):
        make(weights=str(tmp_path / "mine.onnx"))
    worker = make()
    parts.manifest = {**MANIFEST, "parts": 7}
    with pytest.raises(ValueError, match="another folder on .*, or another run writes there"):
        worker.bring_up_to_date(0, sources)
