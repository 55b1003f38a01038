#!/usr/bin/env bash
# Half an hour of what is too long for every change: new fuzz cases, killed commands, the tests' coverage, speed.
#   bash tools/soak.sh > docs/results/soak.md
# Names of steps as arguments: those alone. SOAK_SEED chooses the cases (default: the date), SOAK_LOGS a folder that keeps
# the steps' output. Exit code 1 where a step failed; the page shows how.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python=$(bash tools/setup.sh --dev) || exit 2
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PATH="$(dirname -- "$python"):$PATH"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
seed=${SOAK_SEED:-$(date +%Y%m%d)}
work=$(mktemp -d) && trap 'rm -rf -- "$work"' EXIT
logs=${SOAK_LOGS:-$work/logs}
mkdir -p -- "$logs"
failed=0
wanted=" $* "

step() { # seconds at most, name, what of its output is shown (a pattern), the command
  local most=$1 name=$2 shown=$3 began=$SECONDS code
  shift 3
  case $wanted in "  " | *" $name "*) ;; *) return ;; esac
  local shell="${*//"$work/"/}"
  shell=${shell//"$python"/python}
  timeout "$most" "$@" >"$logs/$name.log" 2>&1
  code=$?
  [ $code = 0 ] || failed=1
  printf '\n## %s\n\n```bash\n%s\n```\n\nExit code %d, %d s.\n\n```text\n' "$name" "$shell" $code $((SECONDS - began))
  if [ $code = 0 ]; then grep -E -- "$shown" "$logs/$name.log"; else tail -n 15 "$logs/$name.log"; fi
  printf '```\n'
}

printf '# Soak\n\nThe last run of `bash tools/soak.sh > docs/results/soak.md`: seed %s, commit %s, %s.\n' "$seed" \
  "$("$python" -c 'from fundus_plugins.provenance import current_commit as c; print(c())')" \
  "$("$python" -c 'import sys; sys.path.insert(0, "docs/scripts"); from processor import processor as p; print(p())')"

fundus draw-phantoms --output "$work/raw" --train 2 --val 2 --test 40 >"$logs/phantoms.log" 2>&1 || failed=1
step 420 fuzz '^compared|failed:' "$python" -m tests.fuzz.run --files 3000 --folders 600 --public 900 --seed "$seed"
step 240 killed-predictions ':' "$python" docs/scripts/kill_runs.py "$work/raw/Test400" --kills 8 --seed "$seed"
step 300 killed-trainings '^\|' "$python" docs/scripts/kill_commands.py --kills 5 --seed "$seed" --only training conversion
step 900 coverage '^TOTAL|passed' "$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov=fundus_plugins -p no:cacheprovider -o addopts=--strict-markers
step 300 speed '^\|' "$python" -m benchmarks --only inference --only files --only memory --repeats 3 --output "$work/speed"
exit $failed
