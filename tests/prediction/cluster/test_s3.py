"""Photographs and rows in an S3 store, as a server of moto has it."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.prediction.run.photographs import draw

pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="--ray needs Ray")
fsspec = pytest.importorskip("fsspec")
pytest.importorskip("s3fs", reason="s3:// needs s3fs")
server = pytest.importorskip("moto.server", reason="a store to try needs moto[server]")


@pytest.fixture
def store(monkeypatch):
    there = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    there.start()
    host, port = there.get_host_and_port()
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = fsspec.filesystem("s3", endpoint_url=f"http://{host}:{port}", key="x", secret="x")
    system.mkdir("eyes")
    yield system
    there.stop()


def test_rows_go_to_the_store_once_and_what_is_there_stays(store, tmp_path):
    for path in draw(tmp_path, 5, 128):
        store.pipe_file(f"eyes/in/{path.name}", path.read_bytes())
    store.pipe_file("eyes/list.csv", b"path\nin/eye0.png\ns3://eyes/in/eye1.png\nin/none.png\n")

    def predict(photographs, output):
        words = ["predict", photographs, "--ray", "--workers", "2", "--output", str(output), "--no-grade"]
        command = [sys.executable, "-m", "fundus_plugins", *words]
        return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)

    first = predict("s3://eyes/in", "s3://eyes/out")
    assert first.returncode == 0 and first.stdout.startswith("5 photographs, "), first.stderr
    assert store.find("eyes/out") == ["eyes/out/predictions.parquet/part-000000.parquet", "eyes/out/run.json"]
    again = predict("s3://eyes/in", "s3://eyes/out")
    assert again.returncode == 0 and "5 photographs (5 done before)" in again.stdout, again.stderr
    some = predict("s3://eyes/list.csv", tmp_path / "out")
    assert some.returncode == 1 and some.stdout.startswith("2 photographs, "), some.stderr
    assert some.stderr.count("failed: ") == 1 and "s3://eyes/in/none.png: expected a file" in some.stderr
