"""The photographs that are measured on: a folder of them, or drawn ones."""

from pathlib import Path

from PIL import Image

from fundus_plugins.data.phantom import write_refuge_layout

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}


def find_photographs(folder: Path, count: int) -> list[str]:
    """The first `count` photographs of a folder, by name.

    Raises:
        FileNotFoundError: no such folder, or no photograph in it.
    """
    found = sorted(str(x) for x in folder.iterdir() if x.suffix.lower() in ENDINGS) if folder.is_dir() else []
    if not found:
        raise FileNotFoundError(f"--images: no photographs ({', '.join(sorted(ENDINGS))}) in {folder}")
    return found[:count]


def draw_photographs(folder: Path, count: int, size: int) -> list[str]:
    """`count` phantoms as JPEG files in a new folder, `size` pixels on the longer side; the same every time."""
    write_refuge_layout(folder, train=0, val=0, test=count, size=size, seed=0, view="disc")
    return find_photographs(folder / "Test400", count)


def longer_sides(photographs: list[str]) -> list[int]:
    """The least and the most pixels on the longer side of the photographs, as their headers say."""
    sides = []
    for path in photographs:
        with Image.open(path) as image:
            sides.append(max(image.size))
    return [min(sides), max(sides)]
