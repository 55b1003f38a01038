"""Splits of photographs that came without: patients whole, grades in proportion, copies left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fundus_plugins.data.converters.copies import SPLIT_ORDER, without_copies
from fundus_plugins.data.converters.patients import (
    EYE_FOLDERS,
    LARGE_SHARE,
    MOST_OF_A_GUESS,
    SMALL_SET,
    draw_patients,
    patient_of,
)
from fundus_plugins.data.converters.record import Listing, NotThisDataset, Record
from fundus_plugins.photographs.problems import Problem


def with_splits(
    listing: Listing, root: Path, *, guess: bool, test_percent: float, val_percent: float, seed: int
) -> Listing:
    """Every record with a split: drawn where there is none of that kind. No patient is on two sides, nor is a copy.

    Args:
        guess: whether to read patients from the names of photographs where none is known.

    Raises NotThisDataset where names make one patient of too many.
    """
    listing.records, problems = without_copies(listing.records)
    listing.problems += problems
    _settle_patients(listing, root, guess)
    _refuse_parted_patients(listing)
    if not any(record.split for record in listing.records):
        _draw(listing, "test", test_percent, seed)
    listing.records = [replace(record, split=record.split or "train") for record in listing.records]
    if not any(record.split == "val" for record in listing.records):
        _draw(listing, "val", val_percent, seed)
    return listing


def _settle_patients(listing: Listing, root: Path, guess: bool) -> None:
    """Guess who is not known, if asked to; refuse guesses that cannot be; warn of patients that are most of the set."""
    known = Counter(record.patient for record in listing.records if record.patient)
    if guess:
        listing.records = [x if x.patient else replace(x, patient=_guess(x.photograph)) for x in listing.records]
    numbers = Counter(record.patient for record in listing.records if record.patient)
    # A guess that cannot be comes before a known patient with as many photographs.
    suspects = sorted(numbers, key=lambda x: (numbers[x] - known[x] > MOST_OF_A_GUESS, numbers[x]), reverse=True)
    for patient in suspects[:1]:
        number = numbers[patient]
        some = ", ".join([x.photograph.name for x in listing.records if x.patient == patient][:3])
        settled = "--patient REGEX, whose first group is the patient in a file's name (--patient '.+': each its own)"
        if number - known[patient] > MOST_OF_A_GUESS:
            raise NotThisDataset(
                f"{root}: by their names ({some}, ...) {number} of {len(listing.records)} photographs would be of one "
                f"patient, {patient}, which looks like a date or a device; what is the patient, say with {settled}, or "
                "with a column patient of a sheet"
            )
        if number > LARGE_SHARE * len(listing.records) >= LARGE_SHARE * SMALL_SET:
            others = sum(x > LARGE_SHARE * len(listing.records) for x in numbers.values()) - 1
            also = f", and {others} more have over {LARGE_SHARE:.0%}" if others else ""
            listing.warnings.append(
                f"patient {patient} has {number} of {len(listing.records)} photographs ({some}, ...){also}; if that is "
                f"no patient, say what is with {settled}"
            )


def _guess(photograph: Path) -> str:
    in_eye_folder = photograph.parent.name.lower() in EYE_FOLDERS
    return patient_of(photograph.stem) or (photograph.stem if in_eye_folder else "")


def _draw(listing: Listing, split: str, percent: float, seed: int) -> None:
    """Move about `percent` of the records of train to `split`, patients of every highest grade in proportion."""
    pool = [i for i, record in enumerate(listing.records) if record.split in ("", "train")]
    whose = _names(listing.records)
    patients = [whose[listing.records[i].photograph] for i in pool]
    highest: dict[str, int] = {}  # a patient's grade: that of the worse eye
    for i, patient in zip(pool, patients, strict=True):
        grade = listing.records[i].grade
        highest[patient] = max(highest.get(patient, -1), listing.grades.index(grade) if grade else -1)
    drawn = draw_patients(patients, [str(highest[patient]) for patient in patients], percent / 100, seed)
    for i in (i for i, chosen in zip(pool, drawn, strict=True) if chosen):
        listing.records[i] = replace(listing.records[i], split=split)
    number, wanted = int(drawn.sum()), percent / 100 * len(pool)
    listing.notes.append(f"no {split} was given: {number} of {len(pool)} photographs drawn, patients whole")
    if wanted >= 1 and not number:
        listing.warnings.append(
            f"no {split} could be drawn: the {len(pool)} photographs are of {len(set(patients))} patients; say what a "
            "patient is with --patient REGEX"
        )


def _refuse_parted_patients(listing: Listing) -> None:
    """What a patient has in an earlier one of SPLIT_ORDER stays; the rest is left out."""
    kept: dict[str, Record] = {}
    whose = _names(listing.records)
    for record in sorted(listing.records, key=lambda record: SPLIT_ORDER.index(record.split)):
        patient = whose[record.photograph]
        first = kept.setdefault(patient, record)
        if first.split != record.split:
            expected = f"patient {patient} in one split (--patient REGEX tells what a patient is)"
            found = f"{first.photograph.name} is in {first.split}"
            listing.problems.append(Problem("parted patient", record.photograph, expected, found))
    listing.records = [x for x in listing.records if kept[whose[x.photograph]].split == x.split]


def _names(records: Sequence[Record]) -> dict[Path, str]:
    """A patient for every photograph: the known one, or its own name, with its folders where several have that name."""
    stems = Counter(record.photograph.stem for record in records)
    own = {x.photograph: x.photograph.stem if stems[x.photograph.stem] == 1 else str(x.photograph) for x in records}
    return {record.photograph: record.patient or own[record.photograph] for record in records}
