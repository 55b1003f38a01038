"""Ray: started on this machine, or joined where it runs."""

import logging
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

LOCAL = "local"  # an address: a Ray of its own, on this machine, as long as it is wanted
NEEDED = "--ray needs Ray: pip install 'fundus-plugins[ray]'"
PORTABLE = (ValueError, ImportError, OSError, RuntimeError)
STORE = 512 << 20  # bytes of a local Ray's object store, which holds the list of photographs
# Nothing is told to Ray's makers, and what Ray says of itself goes to its own logs.
_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# A Ray runs what anybody who reaches it asks for. A local one is reached from this machine alone (Ray does so by itself
# on Windows, and on others if it is told that they are no clusters), and by those who know its token.
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def connected(address: str, cpus: int | None = None) -> Iterator[None]:
    """Ray at an address, or started on this machine; left, and with it all that was started, at the end.

    One that this process is in already is used, and not left. A process that had a local one cannot join others; and
    where Ray was imported before, a local one is as Ray starts it, without a token.

    Args:
        address: LOCAL; "auto", the one that this machine is part of; or a head's host:port.
        cpus: of a local one; None: as many as there are.

    Raises:
        ImportError: Ray is not installed. OSError: nothing answers at the address.
    """
    alone = address == LOCAL and "ray" not in sys.modules  # which reads these when it is imported
    for name, value in (_SETTINGS | (_ALONE if alone else {})).items():
        os.environ.setdefault(name, value)
    require_ray()
    import ray
    import ray.data

    if ray.is_initialized():
        yield
        return
    own: dict[str, Any] = {}
    if address == LOCAL:
        own = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE}
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


def portable(error: Exception) -> Exception:
    """An error of one of Python's own kinds, with its text, which every process can read."""
    if isinstance(error, OSError) and error.errno is not None:
        return OSError(error.errno, error.strerror, error.filename)  # which may be a full disk
    kind = next((x for x in PORTABLE if isinstance(error, x)), RuntimeError)
    return kind(str(error) or type(error).__name__)


def as_raised(error: BaseException) -> Exception:
    """What went wrong in another process, as it was raised there, without Ray's account of where."""
    while type(error).__module__.startswith("ray.") and (below := getattr(error, "cause", None) or error.__cause__):
        error = below
    return error if isinstance(error, PORTABLE) else RuntimeError(f"Ray: {type(error).__name__}: {error}")


def count_of(resource: str) -> int:
    """How many of a resource, "CPU" or "GPU", all machines have together."""
    import ray

    return int(ray.cluster_resources().get(resource, 0))
