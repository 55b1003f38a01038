"""Ray: started on this machine, or joined where it runs."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

LOCAL = "local"  # an address: a Ray of its own, on this machine, as long as it is wanted
NEEDED = "--ray needs Ray: pip install 'fundus-plugins[ray]'"
STORE = 512 << 20  # bytes of a local Ray's object store, which holds the list of photographs
# Nothing is told to Ray's makers, and what Ray says of itself goes to its own logs.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


@contextmanager
def connected(address: str, cpus: int | None = None) -> Iterator[None]:
    """Ray at an address, or started on this machine; left, and with it all that was started, at the end.

    One that this process is in already is used, and not left.

    Args:
        address: LOCAL; "auto", the one that this machine is part of; or a head's host:port.
        cpus: of a local one; None: as many as there are.

    Raises:
        ImportError: Ray is not installed. OSError: nothing answers at the address.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    require_ray()
    import ray
    import ray.data

    if ray.is_initialized():
        yield
        return
    own: dict[str, Any] = {}
    if address == LOCAL:
        # Ray asks nobody who they are: on this machine alone, no other can reach it.
        own = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE}
        own["_node_ip_address"] = "127.0.0.1"
    try:
        with _silent():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConnectionError(f"no Ray at {address}: {str(error).splitlines()[0]}") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Without what Ray's own library writes to standard error; what goes wrong is raised."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def require_ray() -> None:
    """Raise ImportError, with the sentence that tells how to get it, where Ray is not installed."""
    missing = next((x for x in ("ray", "pyarrow", "fsspec") if find_spec(x) is None), None)
    if missing:
        raise ImportError(NEEDED, name=missing)


def quiet_data() -> None:
    """Ray Data without bars and lines of its own; what goes wrong is raised."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def as_raised(error: BaseException) -> Exception:
    """What went wrong in another process, as it was raised there, without Ray's account of where."""
    while isinstance(below := getattr(error, "cause", None) or error.__cause__, BaseException):
        error = below
    if isinstance(error, OSError | ValueError | RuntimeError | ImportError):
        return error
    return RuntimeError(f"Ray: {type(error).__name__}: {error}")


def count_of(resource: str) -> int:
    """How many of a resource, "CPU" or "GPU", all machines have together."""
    import ray

    return int(ray.cluster_resources().get(resource, 0))
