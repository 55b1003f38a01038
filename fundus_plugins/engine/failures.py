"""What stops a step of training, in one line that names the photographs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fundus_plugins.engine.order import KnownBatches

SHOWN = 8  # photographs


@contextmanager
def told(iteration: int, batches: KnownBatches, folder: str) -> Iterator[None]:
    """Tell what a step raises by its iteration, its photographs and what is left.

    Args:
        batches: of which the step takes one.
        folder: of the checkpoints.

    Raises:
        FloatingPointError: the loss was not finite; nothing was learned from it.
        RuntimeError: a process that reads photographs ended.
    """
    try:
        yield
    except FloatingPointError as error:
        found = re.search(r"loss_dict = (\{.*\})", str(error), re.DOTALL)
        what = f" {' '.join(found[1].split())}" if found else ""
        photographs = batches.photographs
        names = ", ".join(photographs[:SHOWN]) + (", ..." if len(photographs) > SHOWN else "")
        raise FloatingPointError(
            f"the loss is not finite at iteration {iteration}{what}; the photographs were {names}; the checkpoints in "
            f"{folder} are from before it. Try a lower SOLVER.BASE_LR, or look at these photographs"
        ) from error
    except RuntimeError as error:
        if not re.search(r"DataLoader worker.*(exited unexpectedly|killed by signal)", str(error), re.DOTALL):
            raise
        raise RuntimeError(
            f"a process that reads photographs ended at iteration {iteration}, perhaps for want of memory "
            f"({str(error).splitlines()[0]}): try fewer DATALOADER.NUM_WORKERS, then --resume"
        ) from error
