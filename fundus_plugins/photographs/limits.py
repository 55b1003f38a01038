"""How large a picture may be that is read."""

import os
from collections.abc import Mapping

VARIABLE = "FUNDUS_MAX_PIXELS"
USUAL = 1 << 27  # 134 million; a photograph of the largest cameras has a third of that
MOST = 178_956_970  # Pillow opens none that is larger


def pixel_limit(environment: Mapping[str, str] = os.environ) -> int:
    """The most pixels of a picture that is opened: what the environment's FUNDUS_MAX_PIXELS says, else USUAL.

    Raises ValueError for what is no number from 1 to MOST.
    """
    text = environment.get(VARIABLE, str(USUAL))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST:
        raise ValueError(f"{VARIABLE}: expected a whole number from 1 to {MOST:,}, found {text!r}")
    return int(text)


MAX_PIXELS = pixel_limit()
