"""What a run writes, and how."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

# Each with a folder of its own, or a file beside the table.
KINDS = (
    "overlays", "cams", "masks", "contours", "coco", "csv", "jsonl", "parquet", "dicom-seg", "dicom-sr", "report",
)  # fmt: skip
FOLDERS = ("overlays", "cams", "masks", "contours", "pictures", "dicom-seg", "dicom-sr")
DEFAULT = ("csv", "overlays", "report")
CODINGS = ("refuge", "012")


# What a kind needs beside the package's own dependencies: a module, and the extra that brings it.
_NEEDS = {
    "coco": ("pycocotools", "coco"),
    "parquet": ("pyarrow", "parquet"),
    "dicom-seg": ("highdicom", "dicom"),
    "dicom-sr": ("highdicom", "dicom"),
}


@dataclass(frozen=True)
class Options:
    """What a run writes.

    Attributes:
        write: some of KINDS.
        mask_coding: of the mask files: "refuge", 0 cup, 128 rim, 255 background; or "012", 0 background, 1 rim, 2 cup.
        mm_per_pixel: of photographs of which nothing else tells the scale.
        masks_from: where a person's outlines are, which go before the model's (`read_corrections`).
    """

    write: tuple[str, ...] = DEFAULT
    mask_coding: str = CODINGS[0]
    mm_per_pixel: float | None = None
    masks_from: str | None = None

    def __post_init__(self):
        """Raises ImportError for a kind that needs what is not installed, and says which extra brings it."""
        if self.mm_per_pixel is not None and not 0 < self.mm_per_pixel < 1:
            raise ValueError(f"{self.mm_per_pixel} millimetres a pixel: expected between 0 and 1")
        for kind in self.write:
            module, extra = _NEEDS.get(kind, ("", ""))
            if module and find_spec(module) is None:
                raise ImportError(f"--write {kind} needs {module}: pip install 'fundus-plugins[{extra}]'", name=module)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        values = asdict(self)
        return {**values, "write": [kind for kind in KINDS if kind in self.write]}
