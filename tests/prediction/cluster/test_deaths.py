"""Processes, machines and the command itself die in the middle of a run on Ray: no row is lost, none is there twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import cv2
import numpy as np
import pytest

from fundus_plugins.photographs.listing import list_sources
from fundus_plugins.prediction.run.options import Options
from tests.conftest import ROOT
from tests.prediction.cluster.deadly import DEADLY, Deadly
from tests.prediction.run.photographs import draw

pytest.importorskip("ray", reason="--ray needs Ray")
pytest.importorskip("ray.data", reason="--ray needs Ray Data")

from fundus_plugins.prediction.cluster.connection import LOCAL, connected  # noqa: E402
from fundus_plugins.prediction.cluster.parts import Parts  # noqa: E402
from fundus_plugins.prediction.cluster.pool import Place  # noqa: E402
from fundus_plugins.prediction.cluster.run import predict_on_ray  # noqa: E402

pytestmark = pytest.mark.slow
PHOTOGRAPHS = 160
SMALL = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deaths")
    drawn = draw(folder / "drawn", 8, 200)
    (folder / "in").mkdir()
    for number in range(PHOTOGRAPHS):
        (folder / "in" / f"{number:03}.png").symlink_to(drawn[number % len(drawn)])
    return folder


@pytest.fixture(scope="module")
def plain(folder):
    run("--output", folder / "plain", "--write", "csv", "--workers", 2, folder=folder)
    return {x["id"]: x for x in map(json.loads, (folder / "plain" / "predictions.jsonl").read_text().splitlines())}


def command(*words, folder):
    return [sys.executable, "-m", "fundus_plugins", "predict", str(folder / "in"), *map(str, words)]


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def run(*words, folder):
    done = subprocess.run(
        command(*words, folder=folder), env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for_parts(output, number, process=None):
    end = time.monotonic() + 200
    while len(Parts(output).numbers()) < number:
        assert time.monotonic() < end and (process is None or process.poll() is None), "no parts came"
        time.sleep(0.02)


def check(output, plain):
    """Every photograph is there once, as the plain command has it."""
    parts = Parts(output)
    found = [x for number in parts.numbers() for x in parts.read(number)]
    names = [x["id"] for x in found]
    assert len(names) == len(set(names)) and set(names) == set(plain)
    for record in found:
        assert {**record, "seconds": 0} == {**plain[record["id"]], "seconds": 0}
    assert not list(output.rglob(".*.part"))


def test_a_machine_dies_in_the_middle(folder, plain):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=SMALL)
    output, left = folder / "machine", []
    try:
        nodes = [cluster.add_node(**SMALL) for _ in range(2)]

        def kill():
            wait_for_parts(output, 3)
            left.append(PHOTOGRAPHS - sum(len(Parts(output).read(x)) for x in Parts(output).numbers()))
            cluster.remove_node(nodes[0], allow_graceful=False)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        run("--ray", cluster.address, "--output", output, folder=folder)
        killer.join(10)
        assert left and left[0] > 8 and len(cluster.list_all_nodes()) == 2
    finally:
        cluster.shutdown()
    check(output, plain)


def test_the_command_dies_and_is_given_again(folder, plain):
    output, words = folder / "command", ("--ray", "--workers", 2, "--output", folder / "command")
    for parts in (2, 8):
        before = set(ray_processes())
        with subprocess.Popen(
            command(*words, folder=folder), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            wait_for_parts(output, parts, process)
            process.send_signal(signal.SIGKILL)
        done = sum(len(Parts(output).read(x)) for x in Parts(output).numbers())
        assert done < PHOTOGRAPHS
        end = time.monotonic() + 60
        while set(ray_processes()) - before and time.monotonic() < end:
            time.sleep(0.5)
        assert not set(ray_processes()) - before  # all that it started ends with it
    assert "done before" in run(*words, folder=folder)
    check(output, plain)


def ray_processes():
    """The numbers of processes that are Ray's; Linux alone."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                if b"/ray/" in file.read():
                    yield number
        except OSError:
            continue


ALONE = """
from fundus_plugins.prediction.cluster.connection import LOCAL, connected
with connected(LOCAL, 1):
    import ray
    print(ray.get_runtime_context().gcs_address, flush=True)
    input()
"""
STRANGER = "import ray, sys; ray.init(sys.argv[1], logging_level='ERROR'); print(ray.cluster_resources())"


def test_a_local_ray_is_reached_from_this_machine_alone_and_with_its_token():
    clean = {name: value for name, value in environment().items() if not name.startswith("RAY_AUTH")}
    clean = {name: value for name, value in clean.items() if name != "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": clean}
    with subprocess.Popen([sys.executable, "-c", ALONE], **pipes) as process:
        address = process.stdout.readline().strip()
        assert address.startswith("127.0.0.1:")
        stranger = [sys.executable, "-c", STRANGER, address]
        near = {**clean, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # or it would look for it at the machine's address
        asked = subprocess.run(stranger, env=near, capture_output=True, text=True, timeout=120)
        assert asked.returncode != 0 and "CPU" not in asked.stdout
        process.communicate("\n")
    assert process.returncode == 0


def test_a_photograph_that_ends_processes_is_lost_alone(folder, tmp_path):
    sources = list_sources(draw(tmp_path / "in", 5, 128))
    cv2.imwrite(str(sources[2].path), np.full((DEADLY, 128, 3), 90, np.uint8))
    with connected(LOCAL, 2):
        made = {"weights": "abc", "engine": "onnxruntime"}
        predictor = partial(Deadly, threads=1, grade=False)
        outcome = predict_on_ray(predictor, sources, tmp_path / "out", Options(()), Place(workers=2), made=made)
    assert outcome.predicted == 4 and len(outcome.failures) == 1
    assert f"{sources[2].path}: a process ended before it was done, twice" in outcome.failures[0]
