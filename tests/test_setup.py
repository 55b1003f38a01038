"""The packaging files agree with each other, and the set-up script does what it says, with stub Pythons for pip."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
SCRIPTS = [*sorted(ROOT.glob("tools/*.sh")), ROOT / ".ci" / "run"]

spec = importlib.util.spec_from_file_location("check_environment", ROOT / "tools" / "check_environment.py")
check_environment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_environment)


# ---- the files


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    """Syntax always, shellcheck where there is one."""
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)


def test_constraints_pin_every_requirement_within_its_range():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {canonicalize_name(pin.name): re.fullmatch(r"==([\w.]+)", str(pin.specifier))[1] for pin in pins}
    assert len(versions) == len(pins)
    assert not any(pin.url or name.startswith(("nvidia-", "cuda-")) for pin, name in zip(pins, versions, strict=True))
    for requirement in map(
        Requirement, PROJECT["dependencies"] + EXTRAS["train"] + EXTRAS["dev"] + EXTRAS["detectron2"]
    ):
        if not requirement.marker or requirement.marker.evaluate({"python_version": "3.11"}):
            pin = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(pin), f"{requirement} but constraints.txt has {pin}"


def test_detectron2_is_pinned_by_hash():
    lines = (ROOT / "tools" / "detectron2.txt").read_text(encoding="utf-8").splitlines()
    digest = "491af0c7f79bdb2d178e46f6cb16a97c4ac968d45c41ea3f6b6435d59bbee561"  # of the wheel that was reviewed
    assert [line for line in lines if not line.startswith("#")] == [f"sal-detectron2==0.7.2 --hash=sha256:{digest}"]


def test_extra_lists_what_detectron2_declares():
    installed = metadata.packages_distributions().get("detectron2") or pytest.skip("Detectron2 without metadata")
    declared = [Requirement(line) for line in metadata.requires(installed[0]) or [] if "extra ==" not in line]
    lines = EXTRAS["detectron2"] + EXTRAS["train"] + PROJECT["dependencies"]
    ours = {canonicalize_name(Requirement(line).name) for line in lines}
    missing = {canonicalize_name(r.name) for r in declared if not r.marker or r.marker.evaluate()} - ours
    assert not missing


def test_without_detectron2_what_needs_it_says_how_to_get_it():
    code = "import sys; sys.modules['detectron2'] = None; import fundus_plugins; fundus_plugins.FundusTrainer"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1 and last.startswith("ImportError: ")
    assert "bash tools/setup.sh" in last and "https://detectron2.readthedocs.io" in last


# ---- tools/check_environment.py


def test_unmet_reports_absent_and_old_packages_only(monkeypatch):
    installed = {"numpy": "2.1.0", "opencv-python": "4.9.0"}

    def version(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(check_environment.metadata, "version", version)
    fine = ["numpy>=2", "opencv-python-headless>=4.8", "absent; python_version < '3'"]
    assert check_environment.unmet(fine) == []
    lines = check_environment.unmet(["numpy>=3", "absent"])
    assert lines == ["numpy>=3 wanted, 2.1.0 found", "absent is not installed"]


def test_broken_names_module_and_reason(tmp_path, monkeypatch):
    (tmp_path / "built_for_another_torch.py").write_text("raise OSError('undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    assert check_environment.broken(("json", "built_for_another_torch", "never_reached")) == [
        "import built_for_another_torch: OSError: undefined symbol"
    ]
    assert check_environment.broken(("json",)) == []


def test_this_environment_is_complete():
    assert check_environment.problems(dev=True, imports=False) == []


# ---- tools/setup.sh, in a copy whose environments are shell scripts

WORKING = """#!/bin/bash
# A Python that is recent and complete; pip writes down its arguments and ends as told.
case "$*" in
  "-m pip install"*) echo "$*" >>"$CALLS"; echo "pip: no route to host"; exit "${PIP_RC:-0}" ;;
  *check_environment.py*) printf "%s" "${MISSING:-}"; [ -z "${MISSING:-}" ] ;;
  *sys.prefix*) echo "$0" ;;
  *urlopen*) [ -n "${PYTORCH_ANSWERS:-}" ] ;;
  *"import detectron2"*) [ -z "${NO_DETECTRON2:-}" ] ;;
esac
"""
OLD = """#!/bin/bash
case "$*" in *"< (3, 10)"*) exit 1 ;; *) echo 3.9 ;; esac
"""


@pytest.fixture
def clone(tmp_path):
    """A copy of what setup.sh reads, in a folder with a space, and a PATH without any Python: (root, run)."""
    root, path = tmp_path / "a b" / "project", tmp_path / "bin"
    path.mkdir()
    for tool in ("bash", "cat", "cksum", "dirname", "head", "rm", "sed", "tail"):
        (path / tool).symlink_to(shutil.which(tool))
    shutil.copytree(ROOT / "tools", root / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)

    def run(*arguments, **env):
        env = {"PATH": str(path), "CALLS": str(tmp_path / "calls"), **env}
        command = ["bash", str(root / "tools" / "setup.sh"), *arguments]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        calls = tmp_path / "calls"
        done.pip = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return done

    return root, run


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_old_or_no_python_is_refused(clone, tmp_path):
    root, run = clone
    assert "Python 3.10 or newer is needed, found: no Python at all" in run().stderr
    executable(tmp_path / "bin" / "python3", OLD)
    done = run()
    assert done.returncode == 1 and done.stdout == ""
    assert "Python 3.10 or newer is needed, found: python3=3.9" in done.stderr
    assert not (root / ".venv").exists()


def test_python_that_cannot_make_environments_is_explained(clone, tmp_path):
    root, run = clone
    executable(tmp_path / "bin" / "python3", '#!/bin/bash\n[[ "$*" != *ensurepip* && "$*" != *check_environment* ]]\n')
    done = run()
    assert done.returncode == 1 and "sudo apt install python3-venv" in done.stderr
    assert not (root / ".venv").exists()


def test_venv_is_filled_once_and_again_when_the_pins_change(clone):
    root, run = clone
    python = executable(root / ".venv" / "bin" / "python", WORKING)
    first = run("--dev", NO_DETECTRON2="1")
    assert (first.returncode, first.stdout) == (0, f"{python}\n")
    assert len(first.pip) == 2 and "-c constraints.txt -e .[train,dev,detectron2]" in first.pip[0]
    assert "--require-hashes -r tools/detectron2.txt" in first.pip[1] and "--no-deps" in first.pip[1]

    second = run("--dev")
    assert (second.returncode, second.stdout, second.stderr, second.pip) == (0, f"{python}\n", "", [])

    with open(root / "constraints.txt", "a") as file:
        file.write("# changed\n")
    third = run("--dev")
    assert third.returncode == 0 and len(third.pip) == 1  # the Detectron2 that is there is left alone
    assert run("--dev").pip == []


def test_linux_without_a_gpu_gets_pytorch_without_cuda(clone, tmp_path):
    root, run = clone
    executable(root / ".venv" / "bin" / "python", WORKING)
    executable(tmp_path / "bin" / "uname", "#!/bin/bash\necho Linux x86_64\n")
    assert len(run().pip) == 1  # PyTorch's own index cannot be reached: PyPI's
    (root / ".venv" / "setup.stamp").unlink()
    first, second = run(PYTORCH_ANSWERS="1").pip
    assert first.endswith("--index-url https://download.pytorch.org/whl/cpu torch torchvision") and "-e ." in second
    (root / ".venv" / "setup.stamp").unlink()
    executable(tmp_path / "bin" / "nvidia-smi", "#!/bin/bash\n")
    assert len(run(PYTORCH_ANSWERS="1").pip) == 1


def test_failed_install_is_shown_and_not_taken_for_done(clone):
    root, run = clone
    python = executable(root / ".venv" / "bin" / "python", WORKING)
    assert run().returncode == 0
    (root / "pyproject.toml").write_text("# changed\n")
    for _ in range(2):
        failed = run(PIP_RC="1")
        assert failed.returncode == 1 and failed.stdout == "" and len(failed.pip) == 1
        assert "set-up failed: installing the project and its dependencies\n    pip: no route to host" in failed.stderr
    assert run().stdout == f"{python}\n"


def test_complete_active_environment_is_left_alone(clone, tmp_path):
    root, run = clone
    active = executable(tmp_path / "my env" / "bin" / "python", WORKING)
    for _ in range(2):
        done = run("--dev", VIRTUAL_ENV=str(tmp_path / "my env"))
        assert (done.returncode, done.stdout, done.pip) == (0, f"{active}\n", [])
    assert not (root / ".venv").exists() and sorted(os.listdir(active.parent.parent)) == ["bin"]


def test_incomplete_active_environment_is_named(clone, tmp_path):
    root, run = clone
    python = executable(root / ".venv" / "bin" / "python", WORKING.replace("${MISSING:-}", ""))
    active = executable(tmp_path / "my env" / "bin" / "python", WORKING)
    done = run(VIRTUAL_ENV=str(tmp_path / "my env"), MISSING="xlrd>=2.0 is not installed")
    assert done.stdout == f"{python}\n"
    assert f"The active environment ({active}) is not complete" in done.stderr
    assert "xlrd>=2.0 is not installed" in done.stderr
