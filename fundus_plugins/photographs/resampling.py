"""Photographs made smaller, cut out, and masks laid over them; pixel i's middle is i + 0.5."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

_GAP = 3  # times the wanted size: how far whole pixels are averaged before the filter


def shortest_edge_size(height: int, width: int, shorter: int, longest: int) -> tuple[int, int]:
    """Height and width with the shorter side `shorter`, or less where the longer would exceed `longest`.

    As Detectron2's ResizeShortestEdge computes and rounds them; 0 leaves the sides as they are. All in pixels.
    """
    if shorter == 0:
        return height, width
    scale = shorter / min(height, width)
    new = [float(shorter), scale * width] if height < width else [scale * height, float(shorter)]
    if max(new) > longest:
        scale = longest / max(new)
        new = [scale * side for side in new]
    return int(new[0] + 0.5), int(new[1] + 0.5)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An (H, W, 3) uint8 photograph at height and width `size`: Pillow's bilinear filter, as Detectron2 resizes.

    Much larger photographs are first averaged over blocks of pixels, for speed: values of photographs differ by one
    then, by a few at the lower and right edge.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    shrink = min(height // (_GAP * size[0]), width // (_GAP * size[1]))
    if shrink < 2:
        return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    small = _block_means(image, shrink)
    box = (0, 0, width / shrink, height / shrink)  # the last block may be a part
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BILINEAR, box=box))


def warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An (H, W) or (H, W, 3) uint8 image under an affine map; what it uncovers is black.

    Bilinear; in a picture less than half as large each pixel is the mean of what it covers, not one point of it.

    Args:
        matrix: (2, 3), from pixels of the image to pixels of the new one.
        size: height and width of the new one.
    """
    shrink = int(1 / max(np.sqrt(abs(np.linalg.det(matrix[:, :2]))), 1e-3))
    if shrink < 2:
        return warp_points(image, matrix, size, cv2.INTER_LINEAR)
    (top, bottom), (left, right) = _window(image.shape[:2], matrix, size, shrink)
    if bottom <= top or right <= left:
        return np.zeros((*size, *image.shape[2:]), image.dtype)
    small = _block_means(image[top:bottom, left:right], shrink)
    zoom = np.array([[shrink, 0, left], [0, shrink, top], [0, 0, 1]])
    return warp_points(small, matrix @ zoom, size, cv2.INTER_LINEAR)


def crop_about(
    box: Sequence[float] | np.ndarray | None, size: tuple[int, int], diameters: float, side: int
) -> np.ndarray:
    """(2, 3), from pixels of a photograph to pixels of a square crop about the middle of a box.

    Args:
        box: (4,) XYXY, pixels of the photograph; None: the whole photograph is scaled to fit into the square.
        size: H, W of the photograph.
        diameters: the crop's side, in the larger extent of the box.
        side: of the square, pixels.
    """
    if box is None:
        middle, reach = np.array([size[1], size[0]]) / 2, float(max(size))
    else:
        low, high = np.asarray(box, float).reshape(2, 2)
        middle, reach = (low + high) / 2, diameters * max(*(high - low), 1)
    scale = side / reach
    return np.column_stack([scale * np.eye(2), side / 2 - scale * middle])


def warp_points(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    """As `warp`, each pixel by OpenCV's `interpolation` at its middle."""
    shifted = np.array(matrix, np.float64)
    shifted[:, 2] += 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5  # in OpenCV the first pixel's middle is 0, 0
    return cv2.warpAffine(image, shifted, size[::-1], flags=interpolation)


def _block_means(image: np.ndarray, side: int) -> np.ndarray:
    """The means of blocks of `side` x `side` pixels; the last ones are of what there is."""
    means = []
    for rows in _whole_and_rest(image.shape[0], side):
        strips = [image[slice(*rows), slice(*columns)] for columns in _whole_and_rest(image.shape[1], side)]
        sizes = [(-(-x.shape[1] // side), -(-x.shape[0] // side)) for x in strips]
        means.append(np.hstack([cv2.resize(x, n, interpolation=cv2.INTER_AREA) for x, n in zip(strips, sizes)]))
    return np.vstack(means)


def _whole_and_rest(length: int, side: int) -> list[tuple[int, int]]:
    whole = length // side * side
    return [part for part in ((0, whole), (whole, length)) if part[0] < part[1]]


def _window(shape: tuple[int, ...], matrix: np.ndarray, size: tuple[int, int], shrink: int):
    """(top, bottom), (left, right): what the new picture shows of the image, cut between blocks of `shrink` pixels."""
    corners = np.array([[x, y] for x in (0, size[1]) for y in (0, size[0])]) - matrix[:, 2]
    places = corners @ np.linalg.inv(matrix[:, :2]).T
    limits = []
    for axis, length in ((1, shape[0]), (0, shape[1])):
        first, last = places[:, axis].min() / shrink - 2, places[:, axis].max() / shrink + 2
        limits.append((max(0, int(np.floor(first)) * shrink), min(length, int(np.ceil(last)) * shrink)))
    return limits


def paste_mask(mask: np.ndarray, box: np.ndarray, size: tuple[int, int], threshold: float) -> np.ndarray:
    """Where a mask that covers a box is at least `threshold`, (H, W) bool, H and W being `size`.

    Bilinear between the middles of its cells and to 0 beyond, as Detectron2's `paste_masks_in_image`.

    Args:
        mask: (S, S) float, 0 to 1.
        box: (4,) XYXY, pixels of the picture of H x W; it may reach beyond.
    """
    pasted = np.zeros(size, bool)
    x1, y1, x2, y2 = (float(x) for x in box)
    if not (x2 > x1 and y2 > y1):
        return pasted
    side = mask.shape[0]
    margin = max(x2 - x1, y2 - y1) / side + 1
    top, bottom = max(0, int(y1 - margin)), min(size[0], int(np.ceil(y2 + margin)))
    left, right = max(0, int(x1 - margin)), min(size[1], int(np.ceil(x2 + margin)))
    if bottom <= top or right <= left:
        return pasted
    rows = (np.arange(top, bottom) + 0.5 - y1) * (side / (y2 - y1))
    columns = (np.arange(left, right) + 0.5 - x1) * (side / (x2 - x1))
    pasted[top:bottom, left:right] = sample_grid(mask, rows, columns) >= threshold
    return pasted


def sample_grid(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The values of a mask (S, S) at all pairs of `rows` (R,) and `columns` (C,), in its cells: (R, C) float32.

    Bilinear between the cells' middles (the first is 0.5) and 0 beyond the grid, as PyTorch's `grid_sample`.
    """
    across = _weights(columns, mask.shape[1])
    return _weights(rows, mask.shape[0]) @ mask.astype(np.float32) @ across.T


def _weights(places: np.ndarray, cells: int) -> np.ndarray:
    """(N, cells) float32, each row the shares of the two cells about a place."""
    distance = np.abs(places[:, None] - (np.arange(cells) + 0.5))
    return np.maximum(0, 1 - distance).astype(np.float32)
