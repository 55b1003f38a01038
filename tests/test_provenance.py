"""Whose commit a figure has."""

import shutil
import subprocess

from fundus_plugins import provenance


def test_a_hosts_commit_is_not_ours(tmp_path, monkeypatch):
    installed = tmp_path / "venv" / "fundus_plugins" / "provenance.py"
    installed.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, installed)
    (tmp_path / "theirs.py").touch()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "theirs.py"], ["commit", "-q", "-m", "theirs"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.current_commit() == "unknown"
    for command in (["add", "-f", "venv"], ["commit", "-q", "-m", "a copy of ours"]):
        subprocess.run([*git, *command], check=True)
    assert len(provenance.current_commit()) == 40
