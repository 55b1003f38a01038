"""Work for processes, in a module that is quick to import there."""

import os
import time
from pathlib import Path


def double(item):
    return 2 * item


def make_double():
    return double


def make_deadly(deadly, folder):
    """Ends its process at some items; says on the disk what it was given."""

    def work(item):
        (Path(folder) / f"{item}-{time.monotonic_ns()}").touch()
        if item in deadly:
            os._exit(9)
        return 2 * item

    return work


def make_nothing():
    raise FileNotFoundError("no weights")


def lost(item):
    return f"lost {item}"


def make_sleeper():
    os.write(1, f"{os.getpid()}\n".encode())  # one write: print makes two where output is not buffered
    return lambda item: time.sleep(60)
