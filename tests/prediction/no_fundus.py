"""Pictures that are no fundus photographs, drawn: documents, scans, other parts of the eye, noise, fruit.

python -m tests.prediction.no_fundus FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

SIZE = 600
Draw = Callable[[np.random.Generator], np.ndarray]


def _canvas(colour, height=SIZE, width=SIZE) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def _clouds(rng, height=SIZE, width=SIZE, grain=8) -> np.ndarray:
    """(height, width) float32, 0 to 1, smooth."""
    total = np.zeros((height, width), np.float32)
    for octave in range(5):
        cells = grain * 2**octave
        small = rng.random((cells, cells)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return (total - total.min()) / np.ptp(total)


def _noisy(picture, rng, strength) -> np.ndarray:
    return np.clip(picture + rng.normal(0, strength, picture.shape), 0, 255).astype(np.uint8)


def document(rng, paper=(250, 250, 245), ink=(20, 20, 25), lines=26) -> np.ndarray:
    page = _canvas(paper, 800, 600)
    for line in range(lines):
        words = " ".join("".join(rng.choice(list("abcdefghimnorstuv"), rng.integers(2, 9))) for _ in range(8))
        cv2.putText(page, words[:46], (40, 50 + 28 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, ink, 1, cv2.LINE_AA)
    return page


def dark_screen(rng):
    return document(rng, (24, 26, 30), (200, 220, 210))


def orange_document(rng):
    return document(rng, (230, 140, 70), (80, 20, 10))


def table(rng):
    page = _canvas(255)
    for place in range(30, SIZE, 36):
        cv2.line(page, (20, place), (SIZE - 20, place), (120, 120, 120), 1)
        cv2.line(page, (place, 20), (place, SIZE - 20), (120, 120, 120), 1)
        for column in range(30, SIZE - 30, 72):
            text = f"{rng.random():.2f}"
            cv2.putText(page, text, (column + 4, place + 25), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    return page


def barcode(rng):
    page = _canvas(255)
    for x in range(60, 540, 6):
        if rng.random() < 0.5:
            page[150:450, x : x + 6] = 0
    return page


def chart(rng):
    page = _canvas(255)
    for x in range(60, 540, 60):
        height = int(rng.integers(50, 450))
        cv2.rectangle(page, (x, 540 - height), (x + 40, 540), rng.integers(0, 255, 3).tolist(), -1)
    cv2.line(page, (40, 540), (560, 540), (0, 0, 0), 2)
    return page


def oct_scan(rng, bright=210) -> np.ndarray:
    """Layers of the retina in a cross-section, grey, with speckle."""
    scan = np.full((500, 800), 18.0)
    x = np.arange(800)
    surface = 160 + 20 * np.sin(x / 130 + rng.random()) + 55 * np.exp(-(((x - 400) / 60) ** 2))
    rows = np.arange(500)[:, None]
    for depth, thickness, level in ((0, 14, 0.9), (45, 20, 0.45), (85, 10, 0.7), (105, 8, 0.3), (122, 12, 1.0)):
        scan += level * bright * np.exp(-(((rows - surface - depth) / thickness) ** 2))
    scan += 60 * np.exp(-(np.clip(rows - surface - 130, 0, None) / 60)) * (rows > surface + 130)
    speckled = scan * rng.gamma(3, 1 / 3, scan.shape)
    return np.repeat(np.clip(speckled, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def false_colour_oct(rng):
    return cv2.applyColorMap(oct_scan(rng)[..., 0], cv2.COLORMAP_JET)[..., ::-1].copy()


def outer_eye(rng, iris=(90, 120, 60)) -> np.ndarray:
    """An eye from outside: skin, white, iris, pupil, a reflection."""
    picture = _canvas((205, 150, 125), 500, 700)
    cv2.ellipse(picture, (350, 250), (260, 130), 0, 0, 360, (235, 230, 225), -1, cv2.LINE_AA)
    cv2.circle(picture, (350, 250), 110, iris, -1, cv2.LINE_AA)
    for angle in rng.uniform(0, 2 * np.pi, 150):
        ends = [(int(350 + r * np.cos(angle)), int(250 + r * np.sin(angle))) for r in (50, 108)]
        cv2.line(picture, *ends, [int(x * rng.uniform(0.6, 1.3)) for x in iris], 1, cv2.LINE_AA)
    cv2.circle(picture, (350, 250), 48, (10, 8, 8), -1, cv2.LINE_AA)
    cv2.circle(picture, (330, 225), 12, (255, 255, 255), -1, cv2.LINE_AA)
    return _noisy(cv2.GaussianBlur(picture, (0, 0), 1), rng, 4)


def face(rng):
    picture = _canvas((90, 130, 170))
    cv2.ellipse(picture, (300, 310), (170, 220), 0, 0, 360, (225, 175, 145), -1, cv2.LINE_AA)
    for x in (235, 365):
        cv2.ellipse(picture, (x, 260), (32, 18), 0, 0, 360, (250, 250, 250), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 260), 13, (60, 40, 20), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (300, 420), (70, 25), 0, 0, 180, (170, 60, 60), -1, cv2.LINE_AA)
    return _noisy(cv2.GaussianBlur(picture, (0, 0), 3), rng, 5)


def white_noise(rng):
    return rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


def grey_noise(rng):
    return np.repeat(rng.integers(0, 256, (SIZE, SIZE, 1)).astype(np.uint8), 3, axis=2)


def orange_noise(rng):
    return _noisy(_canvas((180, 90, 40)), rng, 40)


def clouds(rng):
    return (np.stack([_clouds(rng) for _ in range(3)], axis=2) * 255).astype(np.uint8)


def fire(rng):
    heat = _clouds(rng)
    return np.clip(np.stack([heat * 400, heat * 230, heat * 70], axis=2), 0, 255).astype(np.uint8)


def gradient(rng):
    ramp = np.linspace(0, 255, SIZE)
    across, down = np.tile(ramp, (SIZE, 1)), np.tile(ramp[:, None], (1, SIZE))
    return np.stack([across, down, np.full_like(across, 128)], axis=2).astype(np.uint8)


def plain(colour) -> Draw:
    return lambda rng: _canvas(colour)


def mask(rng):
    picture = _canvas(255)
    cv2.ellipse(picture, (330, 280), (70, 80), 0, 0, 360, (128, 128, 128), -1)
    cv2.ellipse(picture, (330, 285), (35, 42), 0, 0, 360, (0, 0, 0), -1)
    return picture


def binary_mask(rng):
    picture = _canvas(0)
    cv2.ellipse(picture, (330, 280), (70, 80), 0, 0, 360, (255, 255, 255), -1)
    return picture


def vessel_map(rng):
    picture = _canvas(0)
    for _ in range(40):
        points = np.cumsum(rng.normal(0, 22, (30, 2)), axis=0) + 300
        cv2.polylines(picture, [points.astype(np.int32)], False, (255, 255, 255), int(rng.integers(1, 4)), cv2.LINE_AA)
    return picture


def checkerboard(rng):
    cells = (np.indices((SIZE, SIZE)) // 50).sum(axis=0) % 2 * 255
    return np.repeat(cells.astype(np.uint8)[..., None], 3, axis=2)


def fruit(rng):
    """An orange before black, lit from a side: round, of a fundus's colours, without vessels or a disc."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    x, y = (columns - 300) / 250, (rows - 300) / 250
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    light = np.clip(0.45 * -x + 0.45 * -y + 0.75 * height, 0, 1) * (height > 0)
    light = light * (0.92 + 0.08 * _clouds(rng, grain=60)) + 0.9 * light**40
    return np.clip(light[..., None] * np.array([255, 140, 40]), 0, 255).astype(np.uint8)


def sun(rng):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(columns - 300, rows - 330)
    sky = np.stack([230 - rows / 4, 120 - rows / 8, 60 + rows / 12], 2)
    sky[distance < 70] = (255, 240, 180)
    sky[rows > 430] = (40, 25, 30)
    return _noisy(cv2.GaussianBlur(sky.astype(np.float32), (0, 0), 3), rng, 3)


def moon(rng):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    inside = np.hypot(columns - 300, rows - 300) < 240
    grey = (90 + 140 * _clouds(rng, grain=12)) * inside
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def endoscopy(rng):
    """A tunnel of mucosa: red, bright at the rim, dark in the middle."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(columns - 280, rows - 310) / 300
    folds = 0.75 + 0.25 * np.sin(18 * distance**0.7 + 3 * _clouds(rng, grain=3))
    light = np.clip(distance, 0, 1) ** 0.8 * folds * (distance < 1)
    return np.clip(light[..., None] * np.array([250, 130, 110]), 0, 255).astype(np.uint8)


def x_ray(rng):
    picture = 40 + 120 * _clouds(rng, grain=2)
    for y in range(120, 520, 45):
        rib = np.zeros((SIZE, SIZE), np.float32)
        cv2.ellipse(rib, (300, y), (230, 60), 0, 180, 360, 1.0, 14, cv2.LINE_AA)
        picture += 60 * cv2.GaussianBlur(rib, (0, 0), 3)
    return np.repeat(np.clip(_noisy(picture, rng, 6), 0, 255)[..., None], 3, axis=2)


def leaves(rng):
    picture = np.stack([60 + 40 * _clouds(rng), 90 + 120 * _clouds(rng), 30 + 40 * _clouds(rng)], 2)
    return _noisy(picture, rng, 8)


PICTURES: dict[str, Draw] = {
    "document": document,
    "dark screen": dark_screen,
    "orange document": orange_document,
    "table": table,
    "barcode": barcode,
    "chart": chart,
    "oct": oct_scan,
    "dim oct": lambda rng: oct_scan(rng, 120),
    "oct in colours": false_colour_oct,
    "eye from outside": outer_eye,
    "brown eye from outside": lambda rng: outer_eye(rng, (110, 70, 35)),
    "face": face,
    "noise": white_noise,
    "grey noise": grey_noise,
    "orange noise": orange_noise,
    "clouds": clouds,
    "fire": fire,
    "gradient": gradient,
    "black": plain(0),
    "white": plain(255),
    "grey": plain(128),
    "orange": plain((200, 100, 40)),
    "mask": mask,
    "mask of a disc": binary_mask,
    "vessels' mask": vessel_map,
    "checkerboard": checkerboard,
    "fruit": fruit,
    "sun": sun,
    "moon": moon,
    "endoscopy": endoscopy,
    "x-ray": x_ray,
    "leaves": leaves,
}


def draw(name: str) -> np.ndarray:
    """One of PICTURES, (H, W, 3) uint8 RGB; the same every time."""
    return np.ascontiguousarray(PICTURES[name](np.random.default_rng(list(PICTURES).index(name))))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for each in PICTURES:
        cv2.imwrite(str(folder / f"drawn {each}.png"), draw(each)[..., ::-1])
