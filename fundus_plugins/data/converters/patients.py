"""Whose eye a photograph shows, by its name, and splits in which no patient is on two sides."""

import re
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np

# Stem -> patient, in group 1; the first that fits. Else every photograph counts as a patient of its own.
_PATIENTS = (
    re.compile(r"^(ret\d+)o[ds]$", re.IGNORECASE),  # PAPILA: RET002OD, RET002OS
    re.compile(r"^(\d+)_"),  # ODIR: 12_left, 12_right; eye pairs share the number
    re.compile(r"^(.*\d)[-_ ]?(?:od|os|left|right|l|r)$", re.IGNORECASE),
    re.compile(r"^(.+?)[-_. ](?:od|os|left|right)(?:[-_. ].*)?$", re.IGNORECASE),  # P1_OD_1, P1_left_eye
    re.compile(r"^(?:od|os|left|right)[-_. ](.+)$", re.IGNORECASE),  # OD_12
)
EYE_FOLDERS = {"od", "os", "left", "right"}  # left/001.png and right/001.png are of one patient
LARGE_SHARE, SMALL_SET = 0.1, 20  # of a set's photographs, for one patient; and photographs, to say so
MOST_OF_A_GUESS = 8  # photographs; what more of them share is a date or a device, and no patient


def patient_of(stem: str) -> str | None:
    """The patient of a photograph of that name (without suffix), by the naming of known sets; None: it does not tell.

    >>> patient_of("RET002OD"), patient_of("12_left"), patient_of("r3_N-12-R"), patient_of("image")
    ('RET002', '12', 'r3_N-12', None)
    """
    match = next(filter(None, (pattern.match(stem) for pattern in _PATIENTS)), None)
    return match[1] if match else None


def draw_patients(patients: Sequence[str], grades: Sequence[str], share: float, seed: int) -> np.ndarray:
    """(N,) bool: about `share` of the photographs, drawn by `seed`; patients whole, grades in proportion.

    It is one fold of scikit-learn's StratifiedGroupKFold, so the share comes out as 1/2, 1/3, ...: the first of those
    that leave the most grades on both sides. Nothing is drawn for a share of 0, or from too few.

    Args:
        patients, grades: of each photograph; a patient has one grade.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import, and only a draw wants it

    drawn = np.zeros(len(patients), dtype=bool)
    commonest = max(Counter(grades).values(), default=0)  # scikit-learn wants as many of one grade as folds
    wanted = round(1 / share) if share * len(patients) >= 0.5 else 0
    folds = min(wanted, len(set(patients)), commonest)
    if folds < 2:
        return drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a grade with fewer photographs than folds
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        splits = list(splitter.split(patients, grades, patients))
    found = np.asarray(grades)

    def worth(split: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
        rest, fold = (set(found[side]) for side in split)
        return len(rest & fold), len(rest)  # of a grade with one patient, the rest keeps that one

    drawn[max(splits, key=worth)[1]] = True
    return drawn
