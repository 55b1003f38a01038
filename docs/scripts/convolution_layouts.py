"""Milliseconds of a convolution, forwards and backwards, in channels-last and in NCHW.

    python docs/scripts/convolution_layouts.py > docs/results/convolution_layouts.md

Those of 3 x 3 of rfnet_drishti_cpu.yaml, and two of rfnet_drishti.yaml, four photographs of 512 pixels, float32;
one thread unless OMP_NUM_THREADS says otherwise. Medians of 9 rounds, layout after layout.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from processor import processor  # noqa: E402
from tabulate import tabulate  # noqa: E402

from fundus_plugins.engine.memory import keep_freed_memory  # noqa: E402
from fundus_plugins.provenance import current_commit  # noqa: E402

SHAPES = {  # maps, channels, side
    "FPN's finest output": (4, 64, 128),
    "FPN's next output": (4, 64, 64),
    "FPN's finest output and RPN, in the paper's width": (4, 256, 128),
    "mask head, 56": (24, 64, 56),
    "mask head, 56, in the paper's width": (24, 256, 56),
    "mask head, 28": (24, 64, 28),
}
LAYOUTS = {"channels-last": torch.channels_last, "NCHW": torch.contiguous_format}
ROUNDS = 9


def parts(maps: int, channels: int, side: int, layout: torch.memory_format) -> dict[str, Callable[[], object]]:
    shapes = (maps, channels, side, side), (channels, channels, 3, 3), (maps, channels, side, side)
    x, weight, gradient = (torch.randn(shape).contiguous(memory_format=layout) for shape in shapes)

    def backwards(*wanted: bool) -> Callable[[], object]:
        where = [1, 1], [1, 1], [1, 1], False, [0, 0], 1
        return lambda: torch.ops.aten.convolution_backward(gradient, x, weight, None, *where, [*wanted, False])

    return {
        "forwards": lambda: torch.conv2d(x, weight, None, 1, 1),
        "gradient of the maps": backwards(True, False),
        "gradient of the weights": backwards(False, True),
    }


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    keep_freed_memory(of_any_size=True)  # as the trainer does
    rows = []
    for name, shape in SHAPES.items():
        timed = {layout: parts(*shape, memory_format) for layout, memory_format in LAYOUTS.items()}
        for part in next(iter(timed.values())):
            times: dict[str, list[float]] = {layout: [] for layout in timed}
            for _ in range(ROUNDS + 1):
                for layout, work in timed.items():
                    times[layout].append(milliseconds(work[part]))
            found = [statistics.median(x[1:]) for x in times.values()]
            rows.append([name, " x ".join(map(str, shape)), part, *(f"{x:.0f}" for x in found)])
    print("# A convolution's two layouts\n")
    print(f"Milliseconds, float32, {torch.get_num_threads()} thread(s). {processor()}; commit {current_commit()}.\n")
    print(tabulate(rows, ["3 x 3", "maps, channels, side", "", *LAYOUTS], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
