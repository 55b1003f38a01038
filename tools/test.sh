#!/usr/bin/env bash
# Sets up the environment, then runs the tests; arguments go on to pytest, paths from the root of the repository.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python=$(bash tools/setup.sh --dev)
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m pytest "$@"
