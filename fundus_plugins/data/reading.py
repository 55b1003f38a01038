"""The photograph of one of Detectron2's records."""

import numpy as np

from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.photographs.problems import BadInput


def read_record(record: dict, image_format: str) -> np.ndarray:
    """The photograph that a record names, (H, W, 3) uint8, in the channel order "RGB" or "BGR".

    `height` and `width` are added where the record has none. Raises BadInput as `read_photograph`, and where the
    photograph has another size than the record says.
    """
    image = read_photograph(record["file_name"])
    height, width = record.setdefault("height", image.shape[0]), record.setdefault("width", image.shape[1])
    if image.shape[:2] != (height, width):
        found = f"{image.shape[1]} x {image.shape[0]} pixels"
        raise BadInput("size mismatch", record["file_name"], f"the annotations' {width} x {height} pixels", found)
    return image[:, :, ::-1] if image_format == "BGR" else image
