#!/usr/bin/env bash
# Sets up the environment, then runs the tests; arguments go on to pytest, paths from the root of the repository.
# TEST_PROCESSES says how many run at a time (default 2), each in one thread: two busy OpenMP processes on two cores wait
# for each other.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python=$(bash tools/setup.sh --dev)
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec "$python" -m pytest -n "${TEST_PROCESSES:-2}" --dist loadfile --no-loadscope-reorder "$@"
