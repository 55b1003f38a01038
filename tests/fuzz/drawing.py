"""Small data sets that are drawn below a root, and what is then known of them."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas
from PIL import Image

from tests.data.folders import SHAPE

from .mutated_bytes import Rng, digest, xlsx
from .mutations import Eye, Known, Truth


def draw_eye(
    rng: Rng, stem: str, split: str = "", grade: str | None = None, readers: Sequence[str] = (), apart: int = 0
) -> Eye:
    """Masks that no other photograph has; the grade is given. What one reader draws lies within what the next one does.

    `apart` is how much a cup is smaller at least, in pixels.

    So what more than half of them drew is what the one in the middle did.
    """
    row, column = rng.integers(17, 25), rng.integers(17, 23)
    disc, cup = rng.integers(9, 13, 2), rng.integers(3, 7, 2)
    cup = np.minimum(cup, disc - apart)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    places = (("disc", disc, 0), ("cup", cup, rng.integers(-1, 2)))

    def masks(more: float) -> dict[str, np.ndarray]:
        return {
            name: ((rows - row - shift) / (height + more)) ** 2 + ((columns - column) / (width + more)) ** 2 <= 1
            for name, (height, width), shift in places
        }

    drawn = {reader: masks(0.6 * number) for number, reader in enumerate(readers)}
    middle = masks(0.6 * ((len(readers) - 1) // 2)) if readers else masks(0)
    return Eye(stem, split, grade, middle, drawn)


def codes_of(eye: Eye, coding: str = "official") -> np.ndarray:
    inside, rim, outside = (0, 128, 255) if coding == "official" else (2, 1, 0)
    return np.where(eye.masks["cup"], inside, np.where(eye.masks["disc"], rim, outside)).astype(np.uint8)


def noise_picture(rng: Rng) -> np.ndarray:
    return rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def saved(pixels: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


class Data:
    """A data set being drawn below a root, and what is known of it."""

    def __init__(self, rng: Rng, root: Path):
        self.rng, self.known, self.options = rng, Known(root), []

    def write(self, name: str, data: bytes) -> str:
        path = self.known.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest(path)

    def photograph(
        self, name: str, split: str = "", grade: str | None = None, *, readers: Sequence[str] = (), apart: int = 0
    ) -> Eye:
        eye = draw_eye(self.rng, Path(name).stem, split, grade, readers, apart)
        kind = "JPEG" if name.endswith(".jpg") else "PNG"
        self.known.eyes[self.write(name, saved(noise_picture(self.rng), kind))] = eye
        return eye

    def mask(self, name: str, eye: Eye, codes: np.ndarray, *structures: str, reader: str = "") -> None:
        data = saved(codes, "BMP" if name.endswith(".bmp") else "PNG")
        self.known.masks[self.write(name, data)] = Truth(eye, structures, reader=reader)

    def outline(self, name: str, eye: Eye, text: bytes, *structures: str, reader: str = "") -> None:
        """A mask in another kind of file, which gives it back almost."""
        self.known.masks[self.write(name, text)] = Truth(eye, structures, exact=False, reader=reader)

    def sheet(self, name: str, rows: dict[str, list]) -> None:
        frame = pandas.DataFrame(rows)
        self.write(name, xlsx(frame) if name.endswith(".xlsx") else frame.to_csv(index=False).encode())

    def sheet_without_headings(self, name: str, columns: dict[str, list]) -> None:
        self.write(name, xlsx(pandas.DataFrame(columns), header=False))

    def label(self, key: str, grade: str) -> None:
        self.known.labels.setdefault(key.lower(), set()).add(grade)
