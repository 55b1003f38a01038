"""The journal: what is in it survives, what is half in it goes, and what was made otherwise does not mix."""

import json

import pytest

from fundus_plugins.prediction.run.journal import JOURNAL, MANIFEST, Journal

MADE = {"weights": "abc", "options": {"write": ["csv"]}}


def record(id, status="measured", **more):
    return {"id": id, "path": f"/p/{id}", "status": status, **more}


def kept(folder, ids=()):
    with Journal(folder, MADE) as journal:
        return [x["id"] for x in journal.in_order(ids)]


def write(folder, *records):
    with Journal(folder, MADE) as journal:
        for x in records:
            journal.add(x)


def test_records_come_back_as_they_were(tmp_path):
    records = [record("a", vcdr=0.5), record("b", "failed", error="x\ny"), record("ü\udcff", files={"masks": "m.png"})]
    write(tmp_path, *records)
    with Journal(tmp_path, MADE) as journal:
        assert list(journal.in_order(["a", "b", "ü\udcff"])) == records
        assert list(journal.done.lines) == ["a", "ü\udcff"]
        assert journal.done.lines["ü\udcff"].files == ("m.png",)
    assert json.loads((tmp_path / MANIFEST).read_text()) == MADE


def test_every_cut_leaves_the_whole_lines_before_it(tmp_path):
    write(tmp_path, record("a"), record("b"), record("c"))
    data = (tmp_path / JOURNAL).read_bytes()
    ends = [i + 1 for i, x in enumerate(data) if x == ord("\n")]
    for cut in range(len(data) + 1):
        (tmp_path / JOURNAL).write_bytes(data[:cut])
        assert len(kept(tmp_path)) == sum(end <= cut for end in ends)
        assert (tmp_path / JOURNAL).read_bytes() == data[: max([0, *(end for end in ends if end <= cut)])]


def test_what_a_power_cut_left_of_a_block_is_cut_off_and_added_to(tmp_path):
    write(tmp_path, record("a"))
    with open(tmp_path / JOURNAL, "ab") as file:
        file.write(b"\0" * 100 + b'\n{"id": "z"}\n')
    write(tmp_path, record("b"))
    assert kept(tmp_path) == ["a", "b"]


def test_a_photograph_that_failed_is_there_once_when_it_is_done_again(tmp_path):
    write(tmp_path, record("a", "failed"), record("b"), record("a"))
    assert kept(tmp_path, ["a", "b"]) == ["a", "b"]
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    assert [json.loads(x)["id"] for x in lines] == ["a", "b"] and json.loads(lines[0])["status"] == "measured"


def test_records_of_other_photographs_stay_in_front(tmp_path):
    write(tmp_path, record("x"), record("b"), record("a"))
    assert kept(tmp_path, ["a", "b"]) == ["x", "a", "b"]
    with Journal(tmp_path, MADE) as journal:
        journal.in_order(["a", "b"])
        journal.add(record("c"))
        assert [x["id"] for x in journal.in_order(["a", "b", "c"])] == ["x", "a", "b", "c"]


def test_an_option_that_differs_is_named(tmp_path):
    write(tmp_path, record("a"))
    with pytest.raises(ValueError, match="with other write: .*csv.*, now .*masks"):
        Journal(tmp_path, MADE | {"options": {"write": ["csv", "masks"]}})


def test_files_of_a_photograph_that_is_done_again_and_has_them_no_more_go(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "masks" / name).touch()
    write(tmp_path, record("a", files={"masks": "masks/a.png"}), record("b", files={"masks": "masks/b.png"}))
    write(tmp_path, record("a", "failed"), record("b", files={"masks": "masks/b.png"}))
    assert [x.name for x in (tmp_path / "masks").iterdir()] == ["b.png"]


@pytest.mark.parametrize("key", ["weights", "engine"])
def test_what_was_made_otherwise_does_not_mix(tmp_path, key):
    write(tmp_path, record("a"))
    with pytest.raises(ValueError, match=f"holds a run with other {key}: .*--overwrite to begin anew"):
        Journal(tmp_path, MADE | {key: "other"})
    assert kept(tmp_path) == ["a"]
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match="other weights: null, now abc"):
        Journal(tmp_path, MADE)


def test_to_begin_anew_removes_what_the_records_name_and_nothing_else(tmp_path):
    folder = tmp_path / "out"
    for name in ("out/masks/a.png", "out/mine.txt", "other.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    write(folder, record("a", files={"masks": "masks/a.png", "evil": "../other.png"}))
    with Journal(folder, {"weights": "new"}, overwrite=True) as journal:
        journal.add(record("b"))
    assert not (folder / "masks/a.png").exists()
    assert (folder / "mine.txt").exists() and (tmp_path / "other.png").exists()
    assert json.loads((folder / MANIFEST).read_text()) == {"weights": "new"}


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    pytest.importorskip("fcntl", reason="this system has no flock")
    with Journal(tmp_path, MADE):
        with pytest.raises(ValueError, match="another run is writing to"):
            Journal(tmp_path, MADE)
    kept(tmp_path)


def test_leftovers_of_a_killed_process_are_swept(tmp_path):
    (tmp_path / "masks" / "sub").mkdir(parents=True)
    for name in ("masks/sub/.a.png.x.part", ".report.html.y.part", "masks/sub/a.png", ".mine"):
        (tmp_path / name).touch()
    kept(tmp_path)
    left = {str(x.relative_to(tmp_path)) for x in tmp_path.rglob("*") if x.is_file()}
    assert left == {"masks/sub/a.png", ".mine", JOURNAL, ".run.lock"}


def test_what_is_no_journal_or_damaged_within_is_left_alone(tmp_path):
    (tmp_path / JOURNAL).write_text('{"name": "another tool\'s"}\n')
    with pytest.raises(ValueError, match="is no journal of fundus predict"):
        Journal(tmp_path, MADE)
    assert "another tool" in (tmp_path / JOURNAL).read_text()
    (tmp_path / JOURNAL).unlink()
    write(tmp_path, record("a"), record("b"), record("c"))
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:10] + b"\0" + lines[1][11:]
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))
    with pytest.raises(ValueError, match="line 2 is damaged"):
        Journal(tmp_path, MADE)
    assert (tmp_path / JOURNAL).read_bytes() == b"".join(lines)
    with Journal(tmp_path, MADE, overwrite=True):
        pass
    assert kept(tmp_path) == []


def test_to_begin_anew_removes_the_tables_of_the_run_before(tmp_path):
    write(tmp_path, record("a"))
    for name in ("predictions.csv", "report.html", "predictions.coco.json", "mine.csv"):
        (tmp_path / name).touch()
    with Journal(tmp_path, MADE, overwrite=True):
        pass
    assert {x.name for x in tmp_path.iterdir()} == {"mine.csv", JOURNAL, ".run.lock"}
