"""How a photograph looks, in a few numbers that hardly depend on its size: colours, light, detail, field of view."""

import cv2
import numpy as np

from fundus_plugins.boxes import window_of

from .field import Field

_SIDE = 256  # pixels of the field's longer side, at which it is looked at
_WITHIN = 0.9  # of the ellipse in the field's box: its edge is no part of the eye

# Of the whole field. Logarithms are natural; bands are of the green channel, sigmas in pixels of _SIDE.
FIELD_FEATURES = (
    "red_green",  # log ratio of the means
    "green_blue",
    "light",  # log of the mean, of 255
    "contrast",  # log of the standard deviation over the mean
    "fine",  # log of the standard deviation below sigma 1, over the mean
    "middle",  # between sigmas 1 and 4
    "coarse",  # between sigmas 4 and 24
    "fine_middle",  # log ratio of these
    "alike_red_green",  # correlation of the channels
    "alike_green_blue",
    "saturation",  # its standard deviation
    "fill",  # of the field's box
    "share",  # of the picture that is field
    "burnt",  # part of the field at 254 or more
    "dark_end",  # log of the 5th percentile over the mean
    "bright_end",  # log of the 95th
)
# About the disc, in a square of two diameters.
DISC_FEATURES = ("disc_light", "disc_fine", "disc_middle", "disc_contrast", "disc_pixels")
_CLOSE_SIDE = 128


def describe_field(photograph: np.ndarray, field: Field) -> np.ndarray:
    """FIELD_FEATURES of an (H, W, 3) uint8 RGB photograph with this field of view, float64."""
    x0, y0, x1, y1 = (round(x) for x in field.box)
    view = _scaled(photograph[y0:y1, x0:x1], _SIDE)
    height, width = view.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = (columns - (width - 1) / 2) / (width / 2), (rows - (height - 1) / 2) / (height / 2)
    inside = x**2 + y**2 < _WITHIN**2
    pixels = view[inside].astype(np.float64) + 1
    means, light = pixels.mean(axis=0), pixels.mean(axis=1)
    bands = [band[inside].std() + 0.05 for band in _bands(view[..., 1], (1, 4, 24))]
    alike = _correlations(pixels)
    values = pixels.max(axis=1)
    return np.array(
        [
            np.log(means[0] / means[1]),
            np.log(means[1] / means[2]),
            np.log(light.mean()),
            np.log(light.std() / light.mean() + 0.01),
            *(np.log(band / means[1]) for band in bands),
            np.log(bands[0] / bands[1]),
            *alike,
            ((values - pixels.min(axis=1)) / values).std(),
            field.fill,
            field.share,
            (values >= 255).mean(),
            np.log(np.percentile(light, 5) / light.mean()),
            np.log(np.percentile(light, 95) / light.mean()),
        ]
    )


def describe_disc(photograph: np.ndarray, disc: np.ndarray) -> np.ndarray:
    """DISC_FEATURES of an (H, W, 3) uint8 RGB photograph about a disc, (H, W) bool and not empty; float64."""
    rows, columns = window_of(disc)
    diameter = max(rows.stop - rows.start, columns.stop - columns.start)
    middle = (rows.start + rows.stop - 1) / 2, (columns.start + columns.stop - 1) / 2
    window = tuple(slice(max(0, int(x - diameter)), int(x + diameter) + 1) for x in middle)
    green, inside = photograph[window][..., 1], disc[window].astype(np.uint8)
    view = _scaled(green, _CLOSE_SIDE)
    inside = cv2.resize(inside, view.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    mean = view.mean() + 1.0
    fine, middle_band = (band.std() + 0.05 for band in _bands(view, (1, 4)))
    outside = view[~inside].mean() if (~inside).any() else view.mean()
    return np.array(
        [
            np.log(mean),
            np.log(fine / mean),
            np.log(middle_band / mean),
            (view[inside].mean() - outside) / mean if inside.any() else 0.0,
            np.log(diameter),
        ]
    )


def _bands(channel: np.ndarray, sigmas: tuple[float, ...]) -> list[np.ndarray]:
    """What an (H, W) channel has of detail between each sigma and the one before it."""
    smooth = [channel.astype(np.float32)]
    smooth += [cv2.GaussianBlur(smooth[0], (0, 0), sigma) for sigma in sigmas]
    return [finer - coarser for finer, coarser in zip(smooth, smooth[1:])]


def _correlations(pixels: np.ndarray) -> list[float]:
    """Of red and green, and of green and blue; what does not vary correlates with nothing."""
    centred = pixels - pixels.mean(axis=0)
    spread = centred.std(axis=0) + 0.5  # a grey level's own
    return [float((centred[:, i] * centred[:, i + 1]).mean() / (spread[i] * spread[i + 1])) for i in (0, 1)]


def _scaled(view: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(view.shape[:2])
    size = max(round(view.shape[1] * scale), 1), max(round(view.shape[0] * scale), 1)
    return cv2.resize(view, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
