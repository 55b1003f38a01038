"""Style, types, the direction of imports, and the documentation: the tools that judge them find nothing."""

import ast
import importlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CODE = ["fundus_plugins", "tests", "tools", "benchmarks", "examples", "docs/scripts"]
TOOLS = {
    "style": ["ruff", "check", *CODE],
    "format": ["ruff", "format", "--check", *CODE],
    "imports go one way": ["lint-imports"],
    "types": ["mypy"],
}


def run(*command: str | Path) -> subprocess.CompletedProcess:
    tool = Path(sys.executable).with_name(str(command[0]))
    if not tool.exists() and not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    program = str(tool) if tool.exists() else command[0]
    return subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", [pytest.param(x, marks=pytest.mark.slow) if x == "types" else x for x in TOOLS])
def test_nothing_is_found(name):
    done = run(*TOOLS[name])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", sorted((ROOT / "docs" / "scripts").glob("*.py")), ids=lambda x: x.stem)
def test_what_a_script_takes_from_the_package_is_there(script):
    """Without running it, for some begin at once and others want data."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fundus_plugins"):
            module = importlib.import_module(node.module)
            for name in node.names:
                part = f"{node.module}.{name.name}"
                assert hasattr(module, name.name) or importlib.util.find_spec(part), part


def test_the_documentation_builds_without_a_warning(tmp_path):
    done = run("mkdocs", "build", "--strict", "--site-dir", tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "api" / "index.html").is_file()


def test_the_readme_is_short_and_its_links_lead_somewhere():
    import re

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 150
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text):
        assert "://" in link or (ROOT / link).exists(), link
