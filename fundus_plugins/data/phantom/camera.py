"""The phantom's camera: light, haze, reflections, the field's aperture, blur, noise and JPEG."""

import cv2
import numpy as np

from fundus_plugins.data.phantom.frame import Frame, blend, sigmoid, span
from fundus_plugins.data.phantom.parameters import PhantomParameters


def photograph(p: PhantomParameters, frame: Frame, retina: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the picture: float32 retina (height, width, 3), changed in place, to uint8 RGB of the same shape."""
    x, y = frame.field
    radius = np.hypot(x, y)
    illumination = _illumination(p, frame, x, y, radius, rng)
    retina *= illumination[..., None]
    # The veil is unevenly lit too, and its colour changes slowly across the field.
    tint = frame.texture(rng, 2.5)
    veil = np.array(p.haze_colour, np.float32) * (1 + 0.2 * tint[..., None] * np.array([-0.5, 0.3, 0.3], np.float32))
    veil *= p.exposure
    blend(retina, veil, p.haze * np.clip(0.8 + 0.5 * radius + 0.25 * tint, 0.2, 1.6))
    _reflections(p, frame, x, y, radius, rng, retina)
    coarse = cv2.resize(retina, (96, max(1, 96 * frame.height // frame.width)), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 0.2 * p.disc_diameter * 96 * p.field_diameter)
    retina += np.float32(p.bloom) * (cv2.resize(coarse, frame.shape[::-1], interpolation=cv2.INTER_LINEAR) - retina)
    retina = cv2.pow(_shoulder(np.maximum(retina * np.array(p.cast, np.float32), 0)), p.gamma)
    sigma = p.blur * frame.field_pixels
    if sigma > 0.3:
        retina = cv2.GaussianBlur(retina, (0, 0), sigma)
    picture = _aperture(p, frame, x, y, radius)[..., None] * retina
    picture += np.float32(p.black_level) * np.array([1.0, 0.8, 0.7], np.float32)
    return _develop(p, frame, picture, rng)


def _illumination(p, frame, x, y, radius, rng) -> np.ndarray:
    angle = np.radians(p.slope_angle)
    slope = 2 * p.slope * (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))
    falloff = 1 - p.vignette * np.clip(2 * radius, 0, 1.1) ** 3
    return p.exposure * cv2.exp(slope + p.blotches * frame.texture(rng, 3.5)) * falloff


def _reflections(p, frame, x, y, radius, rng, retina) -> None:
    if p.flare:
        # Light outside a second, displaced pupil.
        angle = np.radians(p.flare_angle)
        shift = 0.25
        beyond = np.hypot(x + shift * np.cos(angle), y + shift * np.sin(angle)) - (0.5 + shift - p.flare_width)
        beyond = beyond + 0.01 * frame.texture(rng, 6)
        alpha = p.flare * sigmoid(beyond / (0.12 * p.flare_width + 0.006))
        blend(retina, np.array(p.flare_colour) * p.exposure * 0.85, np.clip(alpha, 0, 0.95))
    if p.ghost:
        window, spot = _spot(x, y, p.ghost_x, p.ghost_y, p.ghost_diameter / 2)
        retina[window] += (p.ghost * spot)[..., None] * np.array([1.0, 0.8, 0.55], np.float32)
    for _ in range(p.dust):
        dust_x, dust_y = rng.uniform(-0.42, 0.42, 2)
        window, spot = _spot(x, y, dust_x, dust_y, rng.uniform(0.002, 0.02))
        retina[window] *= 1 - (rng.uniform(-0.15, 0.3) * spot)[..., None]


def _spot(x, y, centre_x, centre_y, radius):
    """A round spot with soft edge, 1 in its middle: (the slices around it, its values there)."""
    window = span(abs(y[:, 0] - centre_y) < 2 * radius), span(abs(x[0] - centre_x) < 2 * radius)
    squared = ((x[:, window[1]] - centre_x) ** 2 + (y[window[0]] - centre_y) ** 2) / np.float32(radius**2)
    return window, np.exp(-(squared**2))


def _shoulder(light: np.ndarray) -> np.ndarray:
    """Bend everything above 0.7 so that it approaches 1 and is never cut off."""
    over = np.maximum(light - 0.7, 0)
    return np.minimum(light, 0.7) + 0.3 * (1 - cv2.exp(over / -0.3))


def _aperture(p, frame, x, y, radius) -> np.ndarray:
    edge = 1.2  # pixels
    inside = sigmoid((0.5 - radius) * frame.field_pixels / edge)
    if p.field_tab:
        # A square tab at 45 degrees on the upper right.
        along, across = (x - y) / np.float32(np.sqrt(2)), (x + y) / np.float32(np.sqrt(2))
        inside = np.maximum(inside, ((along > 0) & (along < 0.522) & (abs(across) < 0.017)).astype(np.float32))
    inside *= sigmoid((p.field_cut / 2 - abs(y)) * frame.field_pixels / edge)
    return inside.astype(np.float32)


def _develop(p, frame, picture, rng) -> np.ndarray:
    # Grain that does not get finer with the picture's size.
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    sigma = frame.field_pixels / 1500
    if sigma > 0.4:
        grain = cv2.GaussianBlur(grain, (0, 0), sigma) * np.float32(max(1.0, 2 * np.sqrt(np.pi) * sigma))
    picture += p.noise * grain * np.sqrt(0.15 + picture.mean(2, keepdims=True))
    image = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    if p.jpeg_quality >= 100:
        return image
    _, packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, p.jpeg_quality])
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert unpacked is not None
    return np.ascontiguousarray(unpacked[..., ::-1])
