"""Colours, light and sharpness as another camera, another eye or another file would have them."""

import cv2
import detectron2.data.transforms as T
import numpy as np


class RandomPhotometric(T.Augmentation):
    """Change a uint8 RGB photograph, never its geometry; each change comes half of the times, in this order.

    Args: (0, or 100 for jpeg, leaves a change out)
        light: brightness across the field differs by up to this part, towards a random side, and falls off outwards.
        tone: gamma of each channel up to exp(tone) or exp(-tone), two thirds of it in common; gain and saturation
            likewise by half as much.
        blur: largest standard deviation of a Gaussian, in per cent of the longer side; half of the times by losing
            resolution instead.
        noise: largest standard deviation, in grey levels.
        jpeg: lowest quality.
        cutout: largest side of one rectangle of one colour, as a part of the longer side.
    """

    def __init__(
        self,
        light: float = 0,
        tone: float = 0,
        blur: float = 0,
        noise: float = 0,
        jpeg: int = 100,
        cutout: float = 0,
    ):
        super().__init__()
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> T.Transform:
        changes = []
        seed = np.random.default_rng(np.random.randint(2**31))  # Detectron2 seeds NumPy's global one in every worker
        for strength, none, change in (
            (self.light, 0, change_light),
            (self.tone, 0, change_tone),
            (self.blur, 0, lose_sharpness),
            (self.noise, 0, add_noise),
            (self.jpeg, 100, compress),
            (self.cutout, 0, cut_out),
        ):
            if strength != none and seed.random() < 0.5:
                changes.append((change, strength, seed.spawn(1)[0]))
        return T.ColorTransform(lambda pixels: _apply(pixels, changes)) if changes else T.NoOpTransform()


def _apply(image, changes):
    for change, strength, rng in changes:
        image = change(image, strength, rng)
    return image


def change_light(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply by a gradient across the picture and a fall-off from its middle."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle, slope, falloff = rng.uniform(0, 2 * np.pi), rng.uniform(0, strength), rng.uniform(-0.5, 1) * strength
    light = 1 + slope * np.float32(np.cos(angle)) * x + slope * np.float32(np.sin(angle)) * y
    light = light - np.float32(falloff) * (x * x + y * y) / 2
    return cv2.convertScaleAbs(cv2.multiply(image, cv2.merge([light.clip(0)] * 3), dtype=cv2.CV_32F))


def change_tone(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Bend every channel's curve (gamma), scale it, and mix it with grey."""
    common, own = rng.uniform(-strength, strength), rng.uniform(-strength, strength, 3)
    gamma = np.exp(2 / 3 * common + 1 / 3 * own)
    gain = np.exp(0.5 * rng.uniform(-strength, strength) + 0.25 * rng.uniform(-strength, strength, 3))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    table = np.clip(levels * 255 + 0.5, 0, 255).astype(np.uint8)[None]
    changed = cv2.LUT(image, table)
    keep = np.exp(0.5 * rng.uniform(-strength, strength))
    return cv2.transform(changed, keep * np.eye(3) + (1 - keep) / 3)


def lose_sharpness(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or of fewer pixels than it has."""
    height, width = image.shape[:2]
    sigma = rng.uniform(0, strength) / 100 * max(height, width)
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), max(sigma, 0.1))
    part = 1 / (1 + 2 * sigma)
    size = max(8, round(width * part)), max(8, round(height * part))
    return cv2.resize(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (width, height))


def add_noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Grain of one to three pixels, alike in the three channels to a random degree."""
    height, width = image.shape[:2]
    size = rng.uniform(1, 3)
    shape = int(height / size) + 1, int(width / size) + 1
    alike = rng.random()
    grain = rng.standard_normal((*shape, 3), np.float32) * (1 - alike) + alike * rng.standard_normal(
        (*shape, 1), np.float32
    )
    grain *= np.float32(rng.uniform(0, strength) / np.hypot(alike, 1 - alike))
    grain = cv2.resize(grain, (width, height))
    return cv2.add(image, grain, dtype=cv2.CV_8U)


def compress(image: np.ndarray, strength: int, rng: np.random.Generator) -> np.ndarray:
    """JPEG and back, of a quality from `strength` to 95, or of just `strength` if that is higher."""
    return through_jpeg(image, int(rng.integers(strength, max(strength, 95) + 1)))


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """What is left of (H, W, 3) uint8 RGB in a JPEG file; colours are kept less well than brightness."""
    blue_first = np.ascontiguousarray(image[..., ::-1])  # OpenCV's order
    packed = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert unpacked is not None
    return np.ascontiguousarray(unpacked[..., ::-1])


def cut_out(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Cover one rectangle with one colour of the picture."""
    height, width = image.shape[:2]
    w, h = (max(1, int(rng.uniform(0.2, 1) * strength * max(height, width))) for _ in range(2))
    x, y = int(rng.integers(0, max(1, width - w))), int(rng.integers(0, max(1, height - h)))
    image = image.copy()
    image[y : y + h, x : x + w] = image[rng.integers(height), rng.integers(width)]
    return image
