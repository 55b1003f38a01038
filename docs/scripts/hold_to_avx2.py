"""A copy of the installed onnxruntime that takes the processor for one with AVX2 alone.

    python docs/scripts/hold_to_avx2.py FOLDER
    PYTHONPATH=FOLDER python ...

PyTorch has settings for this (ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY), onnxruntime has none. It asks the system which
registers are kept (xgetbv) and in the copy is told: those of AVX, not those of AVX-512. Linux, x86-64; tried with 1.32.
"""

import argparse
import shutil
from pathlib import Path

import onnxruntime

ASKS = bytes.fromhex("0f01d0 89c0")  # xgetbv; mov eax, eax
TOLD = bytes.fromhex("b807000000")  # mov eax, 7: x87, SSE and AVX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new one, or one without onnxruntime")
    folder = parser.parse_args().folder / "onnxruntime"
    shutil.copytree(Path(onnxruntime.__file__).parent, folder)
    (library,) = folder.glob("capi/onnxruntime_pybind11_state*.so")
    code = library.read_bytes()
    if not code.count(ASKS):
        raise SystemExit(f"{library}: this release asks in other words, so it cannot be held to AVX2 here")
    library.write_bytes(code.replace(ASKS, TOLD))
    print(f"{folder}: {code.count(ASKS)} places changed")


if __name__ == "__main__":
    main()
