"""Which eye a photograph shows: what its name says, or else where the disc lies in the field of view."""

import re

from .field import Field

RIGHT, LEFT = "OD", "OS"
_WORDS = {"od": RIGHT, "right": RIGHT, "os": LEFT, "left": LEFT}
_LETTERS = {"r": RIGHT, "l": LEFT}  # as a name's first or last part alone
_FAR = 0.2  # half widths of the field: nearer to its middle, the disc tells nothing


def eye_of_name(stem: str) -> str:
    """RIGHT or LEFT where a file's name without suffix has a word for it, such as `P12_OD`, `left-3`, `7R`; else "".

    Words are od, os, right and left; and r and l at either end of the name. Two that disagree say nothing.

    >>> eye_of_name("Patient 12 (OS)"), eye_of_name("rightly"), eye_of_name("od_and_os"), eye_of_name("scan_r2")
    ('OS', '', '', '')
    """
    found = set(_eye_words(stem).values())
    return found.pop() if len(found) == 1 else ""


def patient_of_name(stem: str) -> str:
    """What is left of a file's name without the word for its eye, such as `P12` of `P12_OD`; "" without such a word.

    >>> patient_of_name("P12_OD"), patient_of_name("7R"), patient_of_name("left"), patient_of_name("IMG_3")
    ('P12', '7', '', '')
    """
    if not eye_of_name(stem):
        return ""
    for start, end in sorted(_eye_words(stem), reverse=True):
        stem = stem[:start] + " " + stem[end:]
    return re.sub(r"[\W_]+", " ", stem).strip()


def _eye_words(stem: str) -> dict[tuple[int, int], str]:
    """Where in a name its words for an eye are, and which eye each means."""
    parts = list(re.finditer(r"[A-Za-z]+|\d+", stem))
    found = {x.span(): _WORDS[x[0].lower()] for x in parts if x[0].lower() in _WORDS}
    ends = parts[:1] + parts[-1:] if len(parts) > 1 else []
    return found | {x.span(): _LETTERS[x[0].lower()] for x in ends if x[0].lower() in _LETTERS}


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
