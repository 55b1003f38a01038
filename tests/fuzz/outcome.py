"""What a case came to."""

from collections import Counter
from typing import Any

CASE: list[str] = []  # what the case at hand consists of
CHECKED: Counter[str] = Counter()  # how many masks, grades, ... of a case were compared with the truth


class Failure(Exception):
    """A case that went wrong."""


def require(true: Any, text: str) -> None:
    if not true:
        raise Failure(text)
