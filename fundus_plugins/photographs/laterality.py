"""Which eye a photograph shows: what its name says, or else where the disc lies in the field of view."""

import re

from .field import Field

RIGHT, LEFT = "OD", "OS"
_WORDS = {"od": RIGHT, "re": RIGHT, "right": RIGHT, "r": RIGHT, "os": LEFT, "le": LEFT, "left": LEFT, "l": LEFT}
_FAR = 0.2  # half widths of the field: nearer to its middle, the disc tells nothing


def eye_of_name(stem: str) -> str:
    """RIGHT or LEFT where a file's name without suffix has one word for it, such as `P12_OD`, `left-3`, `7R`; else "".

    Two words that disagree say nothing.

    >>> eye_of_name("Patient 12 (OS)"), eye_of_name("rightly"), eye_of_name("od_and_os")
    ('OS', '', '')
    """
    words = re.findall(r"[a-z]+", stem.lower())
    found = {_WORDS[word] for word in words if word in _WORDS}
    return found.pop() if len(found) == 1 else ""


def patient_of_name(stem: str) -> str:
    """What is left of a file's name without the word for its eye, such as `P12` of `P12_OD`; "" without such a word.

    >>> patient_of_name("P12_OD"), patient_of_name("7R"), patient_of_name("left"), patient_of_name("IMG_3")
    ('P12', '7', '', '')
    """
    if not eye_of_name(stem):
        return ""
    rest = re.sub(r"[A-Za-z]+", lambda word: "" if word[0].lower() in _WORDS else word[0], stem)
    return re.sub(r"[\W_]+", " ", rest).strip()


def eye_of_place(disc_x: float, field: Field) -> tuple[str, float]:
    """The eye by where the disc lies, and how far from the middle of the field.

    The disc is on the side of the nose: at the right of a right eye's photograph about the macula. Where it is in the
    middle, as in photographs about the disc, this does not tell.

    Args:
        disc_x: in pixels of the photograph, which is not mirrored.

    Returns:
        RIGHT, LEFT or "", and the distance in half widths of the field.
    """
    offset = (disc_x - field.middle[0]) / max(field.width / 2, 1)
    return (RIGHT if offset > 0 else LEFT) if abs(offset) >= _FAR else "", abs(offset)
