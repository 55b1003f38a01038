"""Where the evaluators' tables are logged."""

import logging


def visible_logger(name: str) -> logging.Logger:
    """The logger of that name, where anybody listens to it; else one below Detectron2's, to which a host listens.

    Detectron2's `setup_logger()` gives handlers to "detectron2" alone, and a project of somebody else's calls no other.
    """
    own = logging.getLogger(name)
    return own if own.hasHandlers() else logging.getLogger(f"detectron2.{name}")
