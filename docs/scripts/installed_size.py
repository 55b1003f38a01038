"""How much room `pip install .` takes with what it depends on, without extras, and how soon it gives a first result.

    python docs/scripts/installed_size.py > docs/results/installed_size.md

Installs the last commit into a new environment, which is deleted. pip is not counted.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import Distribution, distributions
from pathlib import Path

from measure_users import SIDE, draw
from processor import processor
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5


def install(folder: Path) -> Path:
    """The site-packages of a new environment in `folder` that has the last commit, and nothing else but pip."""
    source = folder / "fundus_plugins.tar.gz"
    archive = ["git", "archive", "--prefix=fundus_plugins/", "--output", str(source), "HEAD"]
    subprocess.run(archive, check=True, cwd=ROOT)
    venv.create(folder / "env", with_pip=True)
    pip = [str(folder / "env" / "bin" / "python"), "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", str(source)], check=True, stdout=sys.stderr)
    (site,) = folder.glob("env/lib/python*/site-packages")
    return site


def megabytes(distribution: Distribution) -> tuple[float, float]:
    """Of the files that it brings, and of those that pip compiled of them (.pyc)."""
    brought, compiled = 0, 0
    for file in distribution.files or []:
        size = Path(str(distribution.locate_file(file))).stat().st_size
        if file.suffix == ".pyc":
            compiled += size
        else:
            brought += size
    return brought / 1e6, compiled / 1e6


def first_result(folder: Path) -> tuple[float, float]:
    """Least seconds from the command to the report of one drawn photograph, and least seconds of the processor."""
    photographs = folder / "photographs"
    photographs.mkdir()
    draw(photographs, 1)
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    found = []
    for turn in range(ROUNDS + 1):  # the first reads the files from the disk
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = [str(folder / "env/bin/fundus"), "predict", str(photographs), "--output", str(folder / f"{turn}")]
        subprocess.run(command, check=True, cwd=folder, env=outside, capture_output=True)
        seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return min(x for x, _ in found[1:]), min(x for _, x in found[1:])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = install(Path(folder))
        there = [x for x in distributions(path=[str(site)]) if x.metadata["Name"] not in ("pip", "setuptools")]
        rows = sorted(((x.metadata["Name"], x.version, *megabytes(x)) for x in there), key=lambda row: -row[2])
        seconds, of_processor = first_result(Path(folder))
        weights = sum(x.stat().st_size for x in (site / "fundus_plugins" / "weights").iterdir()) / 1e6
    total, compiled = (sum(row[i] for row in rows) for i in (2, 3))
    command = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    table = [[name, version, f"{size:.1f}", f"{more:.1f}"] for name, version, size, more in rows]
    table.append(["all", "", f"{total:.0f}", f"{compiled:.0f}"])
    heading = ["distribution", "version", "MB", ".pyc, MB"]
    print(f"""# Installed size

`pip install .` brings {total:.0f} MB (millions of bytes), {weights:.0f} MB of them weights, and pip compiles
{compiled:.0f} MB of `.pyc` files more.

{tabulate(table, heading, tablefmt="github", disable_numparse=True)}

**The first result**, a report with outlines and grade of one drawn photograph of {SIDE} pixels, is there after
{seconds:.2f} s, {of_processor:.2f} s of the processor: the least of {ROUNDS} runs of `fundus predict` in this
environment, which has no PyTorch. The load of the machine was {os.getloadavg()[0]:.1f} meanwhile.

Python {platform.python_version()}, {platform.system()}; {processor()}; commit {commit}.

```bash
python docs/scripts/installed_size.py
```""")


if __name__ == "__main__":
    main()
