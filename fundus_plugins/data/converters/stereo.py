"""Stereo pairs, two views of an eye beside each other in one picture, of which the left one is a photograph."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from fundus_plugins.data.converters.record import Record
from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput

FOLDER = "photographs"  # beside the JSON, where the left views go


def left_view(record: Record, output: Path) -> Record:
    """The record, told where its left view will be, if it is a stereo pair."""
    return replace(record, left_view=output / FOLDER / f"{record.photograph.stem}.png") if record.stereo else record


def left_shape(pair: Path, shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the left view of a pair of that shape. Raises BadInput for what is too narrow to be one."""
    height, width = shape
    if width % 2 or width < 1.2 * height:
        expected = "two views beside each other, an even width of 1.2 heights or more"
        raise BadInput("no stereo pair", pair, expected, f"{width} x {height} pixels")
    return height, width // 2


def write_left_views(records: Iterable[Record]) -> None:
    """Write the left views of stereo pairs as PNG files, which lose nothing. Raises OSError."""
    for record in records:
        if record.left_view:
            pixels = read_photograph(record.photograph)
            record.left_view.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(record.left_view, "wb") as file:
                Image.fromarray(pixels[:, : pixels.shape[1] // 2]).save(file, "PNG")
