#!/usr/bin/env bash
# Finds or makes the Python environment of this project and prints its interpreter, the only line on stdout.
# The active environment is used as it is if it has everything (`--dev`: what the tests need, too), else .venv in the
# repository's root, made and filled here. Runs in a second when there is nothing to do.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
venv=$PWD/.venv
log=$venv/setup.log

say() { printf '%s\n' "$*" >&2; }

fail() { # what failed, what to try
  { printf 'set-up failed: %s\n' "$1"
    [ ! -s "$log" ] || { tail -n 12 "$log" | sed 's/^/    /'; printf 'Full log: %s\n' "$log"; }
    printf '%s\n' "$2"; } >&2
  exit 1
}

recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }

key() { # changes with the interpreter and with everything that says what is installed
  { cat pyproject.toml constraints.txt tools/detectron2.txt tools/check_environment.py tools/setup.sh
    "$1" -c 'import sys; print(sys.prefix, sys.version)'; } | cksum
}

stamp_of() { case $1 in "$venv"/*) printf %s "$venv/setup.stamp" ;; *) printf %s "$PWD/.setup-stamp" ;; esac; }

stamped() { [ -f "$(stamp_of "$1")" ] && [ "$(key "$1")" = "$(cat "$(stamp_of "$1")")" ]; }

finish() { # the interpreter to use, complete as it is now
  key "$1" >"$(stamp_of "$1")"
  printf '%s\n' "$1"
  exit 0
}

use_active() { # returns only if there is no active environment with everything in it
  local python missing=""
  for python in ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin/python"} ${CONDA_PREFIX:+"$CONDA_PREFIX/bin/python"} python python3; do
    if ! python=$(command -v "$python") || ! recent_enough "$python"; then continue; fi
    case $python in "$venv"/*) continue ;; esac # ours to keep up to date, below
    if missing=$("$python" tools/check_environment.py "$@" 2>&1); then
      stamped "$python" && finish "$python"
      missing=$("$python" tools/check_environment.py --import "$@" 2>/dev/null) && finish "$python"
    fi
    # Plain system Pythons hardly ever have torch: no news. An activated environment that falls short is.
    case $python in
      "${VIRTUAL_ENV:-/nowhere}"/* | "${CONDA_PREFIX:-/nowhere}"/*)
        say "The active environment ($python) is not complete, so .venv is used instead:"
        printf '%s\n' "$missing" | head -n 5 | sed 's/^/    /' >&2
        return ;;
    esac
  done
}

make_venv() {
  local python seen="" base=""
  if [ ! -e "$venv" ]; then
    for python in python3 python python3.13 python3.12 python3.11 python3.10; do
      command -v "$python" >/dev/null || continue
      recent_enough "$python" && base=$python && break
      seen="$seen $python=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo "?")"
    done
    [ -n "$base" ] || fail "Python 3.10 or newer is needed, found:${seen:- no Python at all}" \
      "Install one from https://www.python.org/downloads/ or with your system's packages, and run this again."
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
      fail "$(command -v "$base") cannot make virtual environments (no venv or ensurepip module)" \
      "On Debian and Ubuntu: sudo apt install python3-venv. Then run this again."
    say "Making .venv with $("$base" --version) ..."
    "$base" -m venv "$venv" >&2 ||
      fail "making $venv" "Is the folder writable, the disk full? Delete .venv and run this again."
  fi
  recent_enough "$venv/bin/python" ||
    fail "$venv is there, but has no working Python 3.10 or newer" "Delete it and run this again."
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >"$log" 2>&1 ||
    fail "there is no pip in $venv" "Delete it and run this again."
}

pip_install() { # what for, what to try if it fails, pip's arguments
  local what=$1 hint=$2
  shift 2
  say "Installing $what; it may take minutes (log: $log) ..."
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@" >>"$log" 2>&1 ||
    fail "installing $what" "$hint"
}

usable_detectron2() { "$venv/bin/python" -c 'import detectron2.modeling, detectron2.model_zoo' >/dev/null 2>&1; }

cpu_torch() { # Linux's PyTorch on PyPI brings CUDA libraries, gigabytes that are no use without an NVIDIA GPU
  local index=https://download.pytorch.org/whl/cpu
  if [ "$(uname -sm 2>/dev/null)" != "Linux x86_64" ] || command -v nvidia-smi >/dev/null; then return; fi
  "$venv/bin/python" -c "import urllib.request as r; r.urlopen('$index/torch/', timeout=5)" >/dev/null 2>&1 || return 0
  # Should this fail, the next step installs PyPI's.
  (pip_install "PyTorch for CPUs" "" --no-deps -c constraints.txt --index-url "$index" torch torchvision) || true
}

fill_venv() {
  cpu_torch
  pip_install "the project and its dependencies" \
    "Can pip reach PyPI from here, is there room on the disk (8 GB)? Then run this again; pip keeps its downloads." \
    -c constraints.txt -e ".[train,dev,detectron2]"
  if ! usable_detectron2; then
    # --upgrade: pip leaves what is already in a --target alone otherwise, even half of a package.
    pip_install "Detectron2" "Can pip reach PyPI from here? Or install Detectron2 into .venv yourself, as
https://detectron2.readthedocs.io/tutorials/install.html says. Then run this again." \
      --no-deps --only-binary=:all: --python-version 3.10 --upgrade --require-hashes -r tools/detectron2.txt \
      --target "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  fi
  local missing
  missing=$("$venv/bin/python" tools/check_environment.py --dev --import 2>/dev/null) ||
    fail "after installing, .venv is still not usable: $missing" "Delete .venv and run this again."
}

use_active "$@"
if ! { recent_enough "$venv/bin/python" && stamped "$venv/bin/python" &&
  "$venv/bin/python" tools/check_environment.py --dev >/dev/null 2>&1; }; then
  rm -f "$(stamp_of "$venv/bin/python")" "$log"
  make_venv
  fill_venv
  say "The environment is complete after $SECONDS s."
fi
finish "$venv/bin/python"
