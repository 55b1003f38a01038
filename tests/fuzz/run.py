"""Mutated files and folders through the readers and converters: `python -m tests.fuzz.run --folders 1000 --files 1000`.

`--public 2800` draws and mutates the public data sets of `public_sets.py`, each in its turn.

Every file is read to what is well formed, and what it was where it has checksums, or refused in one line. Every data
set is converted to JSON that is true of it, or what is wrong is listed: each photograph's masks and grade differ, and
those in the JSON must be its own. A case is known by its seed and number: `--first 17 --files 1 --folders 0`.
"""

import argparse
import multiprocessing
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from .file_cases import file_case
from .folder_cases import folder_case, public_case
from .outcome import CASE, CHECKED, Failure

SECONDS = 20  # a case that takes longer hangs
TOTAL: Counter[str] = Counter()  # what was compared in all cases


class Late(BaseException):
    """A case that does not end; no reader may swallow it."""


def attempt(kind: str, number: int, seed: int = 0) -> str:
    """One case's outcome. Raises Failure."""

    def late(*_):
        raise Late

    case = {"files": file_case, "folders": folder_case, "public": public_case}[kind]
    CASE.clear()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        signal.signal(signal.SIGALRM, late)
        signal.alarm(SECONDS)
        try:
            return case(
                np.random.default_rng([seed, ("folders", "files", "public").index(kind), number]),
                number,
                Path(folder).resolve(),
            )
        except Failure as error:
            raise Failure(f"{' '.join(CASE)}: {error}") from None
        except Late:
            raise Failure(f"{' '.join(CASE)}: no end after {SECONDS} s; {traceback.format_exc()}") from None
        except Exception:
            raise Failure(f"{' '.join(CASE)}: {traceback.format_exc()}") from None
        finally:
            signal.alarm(0)


def _work(connection: Connection, cases: list[tuple[str, int]], seed: int) -> None:
    for kind, number in cases:
        CHECKED.clear()
        try:
            connection.send((attempt(kind, number, seed), "", CHECKED))
        except Failure as error:
            connection.send(("", str(error), CHECKED))


def attempts(cases: list[tuple[str, int]], seed: int) -> Iterator[tuple[str, int, str, str]]:
    """(kind, number, outcome, what failed) of every case, in a process that may die or hang in a library's code."""
    while cases:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_work, args=(theirs, cases, seed))
        process.start()
        theirs.close()
        while cases:
            try:
                outcome, failure, checked = (
                    ours.recv() if ours.poll(2 * SECONDS) else ("", f"no end after {SECONDS} s", {})
                )
            except EOFError:
                process.join()
                outcome, failure, checked = "", f"the process died: exit code {process.exitcode}", {}
            TOTAL.update(checked)
            (kind, number), cases = cases[0], cases[1:]
            yield kind, number, outcome, failure
            if not outcome and not checked and failure.startswith(("no end", "the process")):
                break
        process.kill()
        process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--public", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case of either kind")
    args = parser.parse_args()
    outcomes: Counter[str] = Counter()
    failed: dict[str, list[int]] = {"files": [], "folders": [], "public": []}
    cases = [(kind, number) for kind in failed for number in range(args.first, args.first + vars(args)[kind])]
    for kind, number, outcome, failure in attempts(cases, args.seed):
        if outcome:
            outcomes[f"{kind}: {outcome}"] += 1
        else:
            failed[kind].append(number)
            print(f"{kind} {number} failed: {_printable(failure)}", flush=True)
    for outcome, times in sorted(outcomes.items()):
        print(f"{times:6}  {outcome}")
    print("compared with the truth:", ", ".join(f"{number} {what}" for what, number in sorted(TOTAL.items())))
    for kind, numbers in failed.items():
        print(f"{kind} failed: {len(numbers)}" + (f", numbers {' '.join(map(str, numbers))}" if numbers else ""))
    return 1 if any(failed.values()) else 0


def _printable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


if __name__ == "__main__":
    sys.exit(main())
