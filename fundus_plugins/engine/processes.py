"""Several processes that train or evaluate one model: started here or by torchrun, on GPUs or on the CPU."""

import logging
import multiprocessing
import os
import pickle
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from detectron2.engine import create_ddp_model
from detectron2.engine import launch as launch_detectron2
from detectron2.engine.launch import DEFAULT_TIMEOUT
from detectron2.utils import comm
from torch import nn
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from fundus_plugins.children import cores, end_with_parent, inherited

_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_CUT_OFF = r"[Cc]onnection (closed|reset) by peer|Broken pipe|recvBytes|sendBytes"  # gloo's words and the store's


class LostProcess(RuntimeError):
    """A process that this one waits for has ended."""


def launch(
    function: Callable[..., None],
    args: tuple = (),
    *,
    processes: int = 1,
    on_cpu: bool = False,
    machines: int = 1,
    machine_rank: int = 0,
    url: str = "auto",
) -> None:
    """Detectron2's `launch`, on the CPU too, with an error of any process raised here as it was raised there.

    Each process computes with its share of the machine's cores, unless OMP_NUM_THREADS says otherwise.

    Args:
        function: at the top of a module; each process calls it with `args`.
        processes: on each machine, of which there are `machines`.
        on_cpu: else each process has a GPU.
        url: where the machines meet, such as tcp://HOST:PORT.

    Raises what the first process to fail has raised; RuntimeError where a process died.
    """
    if processes * machines <= 1:  # --num-gpus 0, too
        function(*args)
        return
    with (
        tempfile.TemporaryDirectory() as failures,
        inherited(_environment(processes, on_cpu)),
        _quiet_ends(),
        _none_left(),
    ):
        try:
            launch_detectron2(_process, processes, machines, machine_rank, url, args=(failures, function, args))
        except ProcessException as error:
            raise _first(failures, error) from error


def by_torchrun() -> bool:
    """Whether this process is one of several that torchrun, or something like it, has started."""
    return all(name in os.environ for name in _TORCHRUN)


@contextmanager
def joined(on_cpu: bool) -> Iterator[None]:
    """What torchrun started is joined, as Detectron2's `launch` would join it; LostProcess where one is lost."""
    local = int(os.environ["LOCAL_RANK"])
    if not on_cpu:
        if local >= torch.cuda.device_count():
            raise ValueError(f"torchrun: expected a GPU for each process, found {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(local)
    dist.init_process_group("gloo" if on_cpu else "nccl", timeout=DEFAULT_TIMEOUT)
    comm.create_local_process_group(int(os.environ["LOCAL_WORLD_SIZE"]))
    comm.synchronize()
    try:
        yield
    except Exception as error:  # the group stays: to leave it, one would wait for the others
        if (words := _in_words(error)) is error:
            raise
        raise words from error
    dist.destroy_process_group()


def data_parallel(model: nn.Module) -> nn.Module:
    """The model over all processes, where there are several: Detectron2's, which gives a model on the CPU a GPU, too.

    The statistics of batch norm are each process's own until `average_statistics`.
    """
    on_cpu = all(x.device.type == "cpu" for x in model.parameters())
    return create_ddp_model(model, broadcast_buffers=False, **({"device_ids": None} if on_cpu else {}))


def _process(failures: str, function: Callable[..., None], args: tuple) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        function(*args)
    except Exception as error:
        # At once, and only then does this process end: what the others meet when it has gone comes later.
        path = Path(failures, f"{time.time_ns():020}_{comm.get_rank()}")
        path.with_suffix(".part").write_bytes(_pickled(_in_words(error)))
        path.with_suffix(".part").rename(path)
        raise


def _pickled(error: Exception) -> bytes:
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # an error whose arguments are not those of its class can be written, and not read
        return data
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def _first(failures: str, error: ProcessException) -> Exception:
    """What the first process to fail has left; where that is only that another had ended, how that one did."""
    found = sorted(x for x in Path(failures).iterdir() if not x.suffix)
    first = pickle.loads(found[0].read_bytes()) if found else _died(error)
    return _died(error) if isinstance(first, LostProcess) and isinstance(error, ProcessExitedException) else first


def _died(error: ProcessException) -> RuntimeError:
    how = str(error).strip().splitlines()[-1]  # of a traceback
    if isinstance(error, ProcessExitedException):
        how = f"{error.signal_name or error.exit_code}, perhaps for want of memory; --resume goes on"
    return RuntimeError(f"process {error.error_index} ended with {how}")


def _in_words(error: Exception) -> Exception:
    """The error; one that only says that a connection is cut, in words of ours."""
    if isinstance(error, RuntimeError) and comm.get_world_size() > 1 and re.search(_CUT_OFF, str(error)):
        return LostProcess("another process ended, perhaps for want of memory; --resume goes on")
    return error


@contextmanager
def _none_left() -> Iterator[None]:
    """Ends the processes that were started where this one is interrupted: it would wait for them."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise


def _environment(processes: int, on_cpu: bool) -> dict[str, str]:
    """What the processes inherit: their share of the cores; on the CPU no GPU, for which `launch` would take NCCL."""
    values = {"CUDA_VISIBLE_DEVICES": ""} if on_cpu else {}
    if "OMP_NUM_THREADS" not in os.environ:
        values["OMP_NUM_THREADS"] = str(max(1, cores() // processes))
    return values


@contextmanager
def _quiet_ends() -> Iterator[None]:
    """Without PyTorch's line for each process that is ended because another has failed."""
    logger = logging.getLogger("torch.multiprocessing.spawn")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
