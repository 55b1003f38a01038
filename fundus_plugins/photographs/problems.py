"""What is wrong with a file, told in one line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file: `kind` is for counting; a problem that was `repaired` left nothing out."""

    kind: str
    file: Path
    expected: str
    found: str
    repaired: bool = False
    url: str = ""  # where the file is, if not on this machine

    def __str__(self) -> str:
        text = f"{self.kind}: {self.url or self.file}: expected {self.expected}, found {self.found}"
        return "".join(x if x.isprintable() or "\ud800" <= x <= "\udfff" else repr(x)[1:-1] for x in text)


class BadInput(ValueError):
    """A file that cannot be used; carries its Problem."""

    def __init__(self, kind: str, file: Path, expected: str, found: str, url: str = ""):
        super().__init__(kind, file, expected, found, url)
        self.problem = Problem(kind, file, expected, found, url=url)

    def at(self, url: str) -> "BadInput":
        """The same of a file at a URL."""
        return BadInput(self.problem.kind, self.problem.file, self.problem.expected, self.problem.found, url)

    def __str__(self) -> str:
        return str(self.problem)


def reason(error: Exception) -> str:
    """The first line of an exception's text, or its name."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
