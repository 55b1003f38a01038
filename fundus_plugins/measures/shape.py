"""A disc and a cup of the shape they have in every eye: one region each, without holes, smooth, the cup in the disc."""

import cv2
import numpy as np

from fundus_plugins.boxes import box_of, window_of


def regular_disc_and_cup(disc: np.ndarray, cup: np.ndarray, smoothing: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """The largest region of each mask with its holes filled and its outline smoothed, the disc's convex.

    True discs fill 0.98 to 0.99 of their convex hulls; a rim may be notched, so the cup stays as it is.

    Args:
        disc, cup: (H, W) bool.
        smoothing: standard deviation of a Gaussian, in diameters of the disc (of a circle of its area).

    Returns:
        disc and cup, new (H, W) bool; the cup is within the disc; what is empty stays so.
    """
    if not disc.any():
        return np.zeros_like(disc), np.zeros_like(cup)
    window = window_of(disc, margin=8)
    sigma = smoothing * np.sqrt(4 / np.pi * np.count_nonzero(disc))
    inside = _convex(_regular(disc[window], sigma))
    regular = np.zeros_like(disc), np.zeros_like(cup)
    regular[0][window] = inside
    regular[1][window] = _largest_filled(_regular(cup[window] & inside, sigma) & inside)
    return regular


def towards_ellipses(disc: np.ndarray, cup: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Both outlines drawn towards the ellipses of their moments, as readers draw them; the cup stays within the disc.

    Args:
        disc, cup: (H, W) bool, of regular shape.
        weight: of the ellipse, 0 to 1: signed distances from outline and ellipse are averaged with it.

    Returns:
        disc and cup, new (H, W) bool. What touches the picture's edge stays as it is, for its moments are of a part.
    """
    disc = _towards_ellipse(disc, weight)
    return disc, _towards_ellipse(cup, weight) & disc


def largest_region(mask: np.ndarray) -> np.ndarray:
    """The largest region, whose pixels touch at sides or corners, of an (H, W) bool mask; its holes stay."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def share_beside(mask: np.ndarray) -> float:
    """The part of an (H, W) bool mask that is not of its largest region; 0 of an empty one."""
    mask = mask[window_of(mask)]
    return 1 - np.count_nonzero(largest_region(mask)) / np.count_nonzero(mask) if mask.any() else 0.0


def ellipse_iou(mask: np.ndarray) -> float:
    """The IoU of a mask (H, W) bool with the ellipse of its first and second moments; nan of an empty one."""
    window = _around(mask, 0)
    if window is None:
        return float("nan")
    margin = [side // 2 + 1 for side in mask[window].shape]  # the ellipse may reach beyond the mask
    inside = np.pad(mask[window], [(side, side) for side in margin])
    ellipse = _ellipse(inside)
    return float(np.count_nonzero(inside & ellipse) / np.count_nonzero(inside | ellipse))


def is_regular(disc: np.ndarray, cup: np.ndarray) -> bool:
    """Whether each (H, W) bool mask is empty or one region without a hole, and the cup is within the disc."""
    if (cup & ~disc).any():
        return False
    for mask in (disc, cup):
        # Every region has an outline, and so has every hole.
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        if len(outlines) > 1:
            return False
    return True


def _regular(mask: np.ndarray, sigma: float) -> np.ndarray:
    # Beyond the window's edge there is no disc, nor is there beyond the photograph's: but do not shrink it there.
    filled = _largest_filled(mask).astype(np.float32)
    smooth = cv2.GaussianBlur(filled, (0, 0), max(sigma, 0.1), borderType=cv2.BORDER_REPLICATE) > 0.5
    return _largest_filled(smooth)  # a narrow bridge is gone now


def _convex(mask: np.ndarray) -> np.ndarray:
    """The pixels whose middles are within the hull of the mask's; OpenCV's filling draws its outline as well."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return mask
    hull = cv2.convexHull(np.concatenate(outlines))[:, 0]
    hull = np.roll(hull, -int(hull[:, 1].argmin()), axis=0)
    lowest = int(hull[:, 1].argmax())
    sides = hull[: lowest + 1], np.vstack([hull[lowest:], hull[:1]])[::-1]  # both from top to bottom
    rows, columns = np.arange(hull[0, 1], hull[lowest, 1] + 1), np.arange(mask.shape[1])
    ends = np.sort([np.interp(rows, side[:, 1], side[:, 0]) for side in sides], axis=0)
    for end in (0, -1):  # a level side has two ends in one row
        level = hull[hull[:, 1] == rows[end], 0]
        ends[:, end] = level.min(), level.max()
    convex = mask.copy()
    convex[rows] |= (columns >= ends[0][:, None] - 1e-9) & (columns <= ends[1][:, None] + 1e-9)
    return convex


def _largest_filled(mask: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.drawContours(np.zeros(mask.shape, np.uint8), [x], 0, 1, cv2.FILLED) for x in outlines]
    return max(areas, key=np.count_nonzero) > 0 if areas else np.zeros_like(mask)


def _towards_ellipse(mask: np.ndarray, weight: float) -> np.ndarray:
    window = _around(mask, 0.25)
    if window is None or mask[[0, -1]].any() or mask[:, [0, -1]].any():
        return mask.copy()
    inside = mask[window]
    distance = (1 - weight) * _signed_distance(inside) + weight * _signed_distance(_ellipse(inside))
    drawn = np.zeros_like(mask)
    drawn[window] = distance > 0
    return drawn


def _around(mask: np.ndarray, margin: float) -> tuple[slice, slice] | None:
    """The mask's bounding box, wider by this part of its sides, within the picture; None of an empty mask."""
    box = box_of(mask)
    if box is None:
        return None
    x0, y0, x1, y1 = box
    across, down = (int(np.ceil(margin * side)) for side in (x1 - x0, y1 - y0))
    return slice(max(0, y0 - down), y1 + down), slice(max(0, x0 - across), x1 + across)


def _ellipse(mask: np.ndarray) -> np.ndarray:
    """The ellipse of a mask's first and second moments, (H, W) bool; the mask is not empty."""
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    area = moments["m00"]
    # Of squares, not of points: 1 / 12 is a pixel's own second moment.
    xx, xy, yy = moments["mu20"] / area + 1 / 12, moments["mu11"] / area, moments["mu02"] / area + 1 / 12
    y = np.arange(mask.shape[0], dtype=np.float32)[:, None] - np.float32(moments["m01"] / area)
    x = np.arange(mask.shape[1], dtype=np.float32)[None] - np.float32(moments["m10"] / area)
    return yy * x * x - 2 * xy * x * y + xx * y * y <= 4 * (xx * yy - xy * xy)


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """Pixels from the outline, (H, W) float32: above 0 within the mask, below outside."""
    inside, outside = (cv2.distanceTransform(x.astype(np.uint8), cv2.DIST_L2, 5) for x in (mask, ~mask))
    return inside - outside
