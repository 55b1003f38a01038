"""Which eye a photograph shows: what its name says, or else where the disc lies in the field of view."""

import re

from .field import Field

RIGHT, LEFT = "OD", "OS"
_WORDS = {"od": RIGHT, "right": RIGHT, "os": LEFT, "left": LEFT}
_LETTERS = {"r": RIGHT, "l": LEFT}
# Apart from the rest at the name's beginning or end, or after a number that is all else.
_LETTER = re.compile(r"^[\W_]*([rl])(?=[\W_])|(?<=[\W_])([rl])[\W_]*$|^\d+([rl])$", re.IGNORECASE)
_FAR = 0.2  # half widths of the field: nearer to its middle, the disc tells nothing


def eye_of_name(stem: str) -> str:
    """RIGHT or LEFT where a file's name without suffix has a word for it, such as `P12_OD`, `left-3`, `7R`; else "".

    Words are od, os, right and left; and r and l at either end of the name, apart from the rest, or after a number that
    is all else: releases and serial numbers begin with letters, too. Two that disagree say nothing.

    >>> eye_of_name("Patient 12 (OS)"), eye_of_name("rightly"), eye_of_name("od_and_os"), eye_of_name("r2_Im301")
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
    words = re.finditer(r"[A-Za-z]+", stem)
    found = {x.span(): _WORDS[x[0].lower()] for x in words if x[0].lower() in _WORDS}
    letters = {x.span(x.lastindex or 0): x[x.lastindex or 0] for x in _LETTER.finditer(stem)}
    return found | {span: _LETTERS[letter.lower()] for span, letter in letters.items()}


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
