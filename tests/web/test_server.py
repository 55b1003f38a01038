"""`fundus web`: files with the headers that threads and a closed page need; what is wrong is told in one line."""

import threading
import urllib.error
import urllib.request

import pytest

from fundus_plugins.cli.main import main
from fundus_plugins.prediction import web_build
from fundus_plugins.prediction.predictor import PACKAGED
from fundus_plugins.prediction.web_server import HEADERS, page_server
from tests.conftest import ROOT


@pytest.fixture
def page(tmp_path):
    for name in ("index.html", "model.onnx", "model.json", "a.js", "a.mjs", "a.wasm"):
        (tmp_path / name).write_text(name)
    (tmp_path / "ort").mkdir()
    return tmp_path


@pytest.fixture
def address(page):
    with page_server(page, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "name, kind",
    [("", "text/html"), ("a.js", "text/javascript"), ("a.mjs", "text/javascript"), ("a.wasm", "application/wasm")],
)
def test_every_file_has_its_type_and_the_headers(address, name, kind):
    with urllib.request.urlopen(f"{address}/{name}") as answer:
        assert answer.headers.get_content_type() == kind
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]


def test_folders_are_not_listed(address):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/ort/")


def test_the_page_s_policy_is_the_server_s():
    text = (ROOT / "web" / "src" / "index.html").read_text(encoding="utf-8")
    policy = text.split('content="default-src')[1].split('"')[0]
    assert HEADERS["Content-Security-Policy"] == f"default-src{policy}; frame-ancestors 'none'"


def test_what_is_missing_is_told(tmp_path, monkeypatch, capsys):
    assert main(["web", "--folder", str(tmp_path)]) == 2
    assert "fundus web --build makes one" in capsys.readouterr().err
    assert main(["web", "--weights", "model.onnx"]) == 2
    assert "needs --build" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="it is in the repository"):
        web_build.build_page(PACKAGED, tmp_path, tmp_path / "out")
    monkeypatch.setattr(web_build.shutil, "which", lambda _: None)
    with pytest.raises(RuntimeError, match="there is no npm"):
        web_build.build_page(PACKAGED, ROOT / "web", tmp_path / "out")


def test_what_npm_says_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="ls /nowhere: .*nowhere"):
        web_build._run("ls", "/nowhere", cwd=tmp_path)
